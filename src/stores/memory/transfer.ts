/** Reads, writes and releases the records of a memory store. Each method is one step. */
import type { SessionOwner, SessionRow } from '../../session/session-row.ts'
import { KEPT_AFTER_END } from '../../session/store.ts'
import {
  type AttemptsRecord,
  type CutOffRecord,
  hashOwner,
  hashText,
  isReleased,
  type RecordPage,
  type StoreRecord,
  type StoreTransfer,
  toUnreleased,
  type WriteCall,
} from '../../session/transfer.ts'
import type { MemoryAttempts } from './attempts.ts'
import type { MemoryCutOffs } from './cut-offs.ts'
import type { MemoryLog } from './log.ts'
import { copy, toOwnerText } from './rows.ts'

/** What a memory store keeps. */
export interface MemoryTables {
  /** The rows of sessions. */
  readonly rows: Map<string, SessionRow>
  /** Session identifiers by owner, in the order of their logins. */
  readonly sids: Map<string, Set<string>>
  /** Revoked tokens. */
  readonly tokens: Map<string, { readonly until: number }>
  readonly cutOffs: MemoryCutOffs
  readonly attempts: MemoryAttempts
  readonly log: MemoryLog
}

/** Writes a row, also into the index of its owner. */
export function writeRow({ rows, sids }: Pick<MemoryTables, 'rows' | 'sids'>, row: SessionRow): SessionRow {
  rows.set(row.sid, Object.freeze(row))
  const owner = toOwnerText(row)
  const siblings = sids.get(owner)
  if (siblings === undefined) sids.set(owner, new Set([row.sid]))
  else siblings.add(row.sid)
  return row
}

/** @param toMoment the time of a step: what the caller brings, else the store's */
export function createMemoryTransfer(
  tables: MemoryTables,
  toMoment: (given: number | null) => number,
): StoreTransfer {
  const { rows, sids, attempts, cutOffs, log } = tables

  function write(record: StoreRecord, replaces: WriteCall['replaces']): number {
    if (record.kind === 'cutOff') cutOffs.add(record)
    else if (record.kind === 'attempts') attempts.add(record)
    else if (record.kind === 'entry') {
      const { kind, key, until } = record.entry
      log.append({ ...record.entry })
      if (kind === 'jti')
        tables.tokens.set(key, { until: Math.max(until, tables.tokens.get(key)?.until ?? 0) })
    } else {
      const known = rows.get(record.row.sid)
      if (known !== undefined && !isReplaced(known, record.row, replaces)) return 1
      writeRow(tables, toOwnRow(record.row))
    }
    return 0
  }

  return {
    read: async () => ({ records: readAll(tables), place: null }),
    async write(records, { replaces }) {
      let ahead = 0
      for (const record of records) ahead += write(record, replaces)
      return ahead
    },
    async release(released, given) {
      const now = toMoment(given)
      const found: SessionRow[] = []
      for (const sid of released) {
        const row = rows.get(sid)
        if (row === undefined || (row.revokedAt !== null && !isReleasedLately(row, now))) continue
        if (row.revokedAt === null) writeRow(tables, { ...row, revokedAt: now, revokeReason: 'moved' })
        found.push(toUnreleased(row))
      }
      return found
    },
    async findReleased(owner: SessionOwner, given) {
      const now = toMoment(given)
      const found: SessionRow[] = []
      for (const sid of sids.get(toOwnerText(owner)) ?? []) {
        const row = rows.get(sid)
        if (row !== undefined && isReleasedLately(row, now)) found.push(toUnreleased(row))
      }
      return found
    },
  }
}

function isReplaced(known: SessionRow, row: SessionRow, replaces: WriteCall['replaces']): boolean {
  if (known.gen > row.gen || replaces === 'none') return false
  if (isReleased(known)) return true
  return replaces === 'older' && (known.revokedAt === null || row.revokedAt !== null)
}

function isReleasedLately(row: SessionRow, now: number): boolean {
  return isReleased(row) && row.revokedAt !== null && now < row.revokedAt + KEPT_AFTER_END
}

/** A row that shares nothing with its caller. */
function toOwnRow(row: SessionRow): SessionRow {
  return {
    ...row,
    amr: row.amr && Object.freeze([...row.amr]),
    scopes: Object.freeze([...row.scopes]),
    data: copy(row.data),
    metadata: copy(row.metadata),
  }
}

/** All records: they are in this process anyway. */
function readAll({ rows, cutOffs, attempts }: MemoryTables): RecordPage['records'] {
  return [
    ...[...rows.values()].map((row) => ({ kind: 'session', row }) as const),
    ...[...cutOffs.records.values()].map(({ owner, at, until }): CutOffRecord => {
      return { kind: 'cutOff', ownerHash: hashOwner(owner), ...owner, at, until }
    }),
    ...cutOffs.byHash.values(),
    ...[...attempts.records].map(([key, counted]): AttemptsRecord => {
      return { kind: 'attempts', keyHash: hashText(key), key, ...counted }
    }),
    ...[...attempts.byHash].map(([keyHash, counted]): AttemptsRecord => {
      return { kind: 'attempts', keyHash, key: null, ...counted }
    }),
  ]
}
