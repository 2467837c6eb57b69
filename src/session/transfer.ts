/**
 * What a store adds so that its records can go to another store: it reads all of them in batches,
 * writes those of another store, and releases sessions.
 *
 * A session belongs to one store at a time. `release` ends it in one store, in one atomic step and
 * with the reason `moved`, so that no other step there changes it any more; `write` starts it in
 * the other. For a day the row stays as it was when it was released: whoever finds it there and not
 * in the other store writes it again. That brings nothing back that has ended since, because the
 * other store keeps for a day what has ended.
 *
 * SQL keeps cut-offs and attempts by the hashes of their names, which no one can reverse. So a
 * record names them by the hash, and by the text where the store has it.
 */
import { createHash } from 'node:crypto'
import type { LogEntry } from './log-entry.ts'
import type { SessionOwner, SessionRow } from './session-row.ts'

/** A session. */
export interface SessionRecord {
  /** Names this kind of record. */
  readonly kind: 'session'
  /** Its row. */
  readonly row: SessionRow
}

/** The cut-off of an owner: tokens without a session that were issued until then are refused. */
export interface CutOffRecord {
  /** Names this kind of record. */
  readonly kind: 'cutOff'
  /** The hash of the owner: `hashOwner`. */
  readonly ownerHash: string
  /** The subject; null where the store has the hash only. */
  readonly sub: string | null
  /** Its realm, null for none; left out where it applies to the subject in every realm. */
  readonly realm?: string | null | undefined
  /** The cut-off. */
  readonly at: number
  /** How long it is kept. */
  readonly until: number
}

/** Counted attempts. */
export interface AttemptsRecord {
  /** Names this kind of record. */
  readonly kind: 'attempts'
  /** The hash of their key: `hashText`. */
  readonly keyHash: string
  /** Their key; null where the store has the hash only. */
  readonly key: string | null
  /** How many. */
  readonly count: number
  /** When the window ends. */
  readonly until: number
}

/** An entry of the log. */
export interface EntryRecord {
  /** Names this kind of record. */
  readonly kind: 'entry'
  /** The entry. */
  readonly entry: LogEntry
}

/** A record of a store. */
export type StoreRecord = SessionRecord | CutOffRecord | AttemptsRecord | EntryRecord

/** Some records of a store. */
export interface RecordPage {
  /** The records: sessions, then cut-offs, then attempts. Entries are read by `readLog`. */
  readonly records: readonly Exclude<StoreRecord, EntryRecord>[]
  /** Where to read on; opaque text. Null at the end. */
  readonly place: string | null
}

/** How records are written. */
export interface WriteCall {
  /**
   * Which session that is there already is replaced. `none`: none. `released`: one that this store
   * has released, whose generation is not ahead. `older`: any whose generation is not ahead, unless
   * it was revoked and the record was not.
   */
  readonly replaces: 'none' | 'released' | 'older'
  /** The application's own time, by which keys expire; null for the store's. */
  readonly now: number | null
}

/** Reads and writes the records of a store. Optional for a store: without it none can be moved. */
export interface StoreTransfer {
  /**
   * Reads records from a place on, null for the beginning. What is there from the first reading to
   * the last one is read at least once; what changes meanwhile may be missed.
   *
   * @param limit about how many; a store in this process may return all
   */
  read(place: string | null, limit: number): Promise<RecordPage>
  /**
   * Writes records. A session is written as it is; one that is there stays, but for those that
   * `replaces` names. Of two cut-offs, and of two counts of attempts, the higher one stays. Entries
   * are added at the end of the log; that of a token also revokes it. Each record is one atomic
   * step. A record that has ended so long ago that it would be pruned may be left out.
   *
   * @returns how many sessions were not written, because those that are there stay
   */
  write(records: readonly StoreRecord[], call: WriteCall): Promise<number>
  /**
   * Marks sessions as moved, each in one atomic step, without an entry in the log. From then on no
   * other step changes them: they are revoked, with the reason `moved`.
   *
   * @returns the rows as they were, also of those that were released up to a day ago. Not those
   *   that are unknown or revoked
   */
  release(sids: readonly string[], now: number | null): Promise<readonly SessionRow[]>
  /** The sessions of an owner that were released up to a day ago, as they were. */
  findReleased(owner: SessionOwner, now: number | null): Promise<readonly SessionRow[]>
}

/** Whether a row only says that its session went to another store. */
export function isReleased(row: Pick<SessionRow, 'revokeReason'>): boolean {
  return row.revokeReason === 'moved'
}

/** A row as it was before it was released. */
export function toUnreleased(row: SessionRow): SessionRow {
  return isReleased(row) ? { ...row, revokedAt: null, revokeReason: null } : row
}

/** SHA-256 over the code units of a text, in hexadecimal. */
export function hashText(text: string): string {
  return createHash('sha256').update(text, 'utf16le').digest('hex')
}

/**
 * The hash of an owner: without a realm that of the subject. The odd byte at the end keeps it apart
 * from the hash of any text.
 */
export function hashOwner({ realm, sub }: SessionOwner): string {
  if (realm === null) return hashText(sub)
  const pair = JSON.stringify([realm, sub])
  return createHash('sha256').update(pair, 'utf16le').update(Uint8Array.of(0)).digest('hex')
}
