/** Stores whose records can go to another one, and the times of what goes. */
import { ConfigurationError, expected, isRecord } from '../../internal/configuration-error.ts'
import type { SessionRow } from '../../session/session-row.ts'
import type { LogEntry, Store } from '../../session/store.ts'
import type { StoreRecord, StoreTransfer } from '../../session/transfer.ts'

/** A store that can read, write and release its records. */
export type MovableStore = Store & { readonly transfer: StoreTransfer }

/** Two stores, and the way between them. */
export interface MovePair {
  /** The store that has the sessions. */
  readonly from: MovableStore
  /** The store that gets them. */
  readonly to: MovableStore
}

/**
 * Checks two stores.
 *
 * @throws {ConfigurationError} for what is no store, for a store without `transfer`, and for twice
 *   the same
 */
export function readPair(from: unknown, to: unknown): MovePair {
  const pair = { from: readMovable('from', from), to: readMovable('to', to) }
  if (pair.from === pair.to) throw new ConfigurationError('Expected `from` and `to` to be two stores')
  return pair
}

function readMovable(name: string, value: unknown): MovableStore {
  if (!isRecord(value) || typeof value['rotate'] !== 'function')
    throw new ConfigurationError(expected(name, 'a store such as sqlStore(db)', value))
  const { transfer } = value as unknown as Store
  if (transfer === undefined)
    throw new ConfigurationError(
      `Expected the store \`${name}\` to have \`transfer\`: without it its records cannot be moved`,
    )
  return value as unknown as MovableStore
}

/** A row with its times in the time of another store, which is ahead by so many seconds. */
export function shiftRow(row: SessionRow, ahead: number): SessionRow {
  if (ahead === 0) return row
  return {
    ...row,
    rotatedAt: row.rotatedAt + ahead,
    createdAt: row.createdAt + ahead,
    lastUsedAt: row.lastUsedAt + ahead,
    idleExpiresAt: row.idleExpiresAt + ahead,
    absoluteExpiresAt: row.absoluteExpiresAt + ahead,
    revokedAt: row.revokedAt === null ? null : row.revokedAt + ahead,
  }
}

/**
 * An entry likewise. Processes compare it with their own clocks too, so that it never ends sooner,
 * and no cut-off is earlier.
 */
export function shiftEntry(entry: LogEntry, ahead: number): LogEntry {
  if (ahead <= 0) return entry
  return { ...entry, at: entry.at + ahead, until: entry.until + ahead }
}

/** A record likewise. */
export function shiftRecord(record: StoreRecord, ahead: number): StoreRecord {
  if (record.kind === 'session') return { ...record, row: shiftRow(record.row, ahead) }
  if (record.kind === 'entry') return { ...record, entry: shiftEntry(record.entry, ahead) }
  if (record.kind === 'attempts') return { ...record, until: record.until + ahead }
  return ahead <= 0 ? record : { ...record, at: record.at + ahead, until: record.until + ahead }
}
