/** The cut-offs of a memory store, by owner; those of another store may be known by hashes only. */
import type { SessionOwner } from '../../session/session-row.ts'
import { type CutOffRecord, hashOwner, hashText } from '../../session/transfer.ts'
import { toOwnerText } from './rows.ts'

/** A cut-off, and how long it is kept. */
export interface CutOff {
  /** Tokens that were issued until then are refused. */
  readonly at: number
  /** How long it is kept. */
  readonly until: number
}

/** The cut-offs of one store. */
export class MemoryCutOffs {
  /** By owner. */
  readonly records: Map<string, CutOff & { readonly owner: SessionOwner }> = new Map()
  /** Those that came from a store that keeps hashes, or apply to every realm. */
  readonly byHash: Map<string, CutOffRecord> = new Map()

  /** How many there are. */
  get size(): number {
    return this.records.size + this.byHash.size
  }

  /** The cut-off of an owner; undefined for none. */
  find(owner: SessionOwner): CutOff | undefined {
    const own = this.records.get(toOwnerText(owner))
    if (this.byHash.size === 0) return own
    const hashed = this.byHash.get(hashOwner(owner))
    const shared = owner.realm === null ? undefined : this.byHash.get(hashText(owner.sub))
    const cutOffs = [hashed, shared?.realm === undefined ? shared : undefined]
    return cutOffs.reduce<CutOff | undefined>(toLater, own)
  }

  /** Writes the cut-off of an owner. */
  set({ sub, realm }: SessionOwner, { at, until }: CutOff): void {
    this.records.set(toOwnerText({ sub, realm }), { at, until, owner: { sub, realm } })
  }

  /** Adds one of another store. */
  add(record: CutOffRecord): void {
    const { sub, realm } = record
    if (sub !== null && realm !== undefined) {
      const known = this.records.get(toOwnerText({ sub, realm }))
      this.set({ sub, realm }, toLater(known, record) ?? record)
      return
    }
    const known = this.byHash.get(record.ownerHash) ?? record
    const { at, until } = toLater(known, record) ?? record
    const kept = known.realm === undefined ? undefined : realm
    this.byHash.set(record.ownerHash, { ...record, at, until, realm: kept })
  }

  /** Deletes those that have ended. */
  sweep(now: number): void {
    for (const records of [this.records, this.byHash])
      for (const [key, { until }] of records) if (now >= until) records.delete(key)
  }
}

function toLater(one: CutOff | undefined, other: CutOff | undefined): CutOff | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return { at: Math.max(one.at, other.at), until: Math.max(one.until, other.until) }
}
