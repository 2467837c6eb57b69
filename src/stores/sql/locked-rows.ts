/**
 * Locked rows in one transaction, for the dialects whose steps first read and then write (SQLite,
 * MySQL). Locks are taken in one order (subject, sessions, counter), so that no two steps wait for
 * each other. The counter is last because every other writer of the log waits for it until the
 * commit.
 */
import type { LogEntry, RevokeReason, SessionOwner, SessionRow } from '../../session/store.ts'
import type { Database, Run } from './database.ts'
import {
  CHANGING_COLUMNS,
  COLUMNS,
  escapeText,
  readColumns,
  type SessionColumns,
  toJson,
  toKey,
  toOptionalTime,
  toOwnerValues,
  toRow,
  toVersion,
  unescapeText,
} from './mapping.ts'
import type { Statement, Value } from './statement.ts'

/** An entry of the log with times in milliseconds. */
export type NewLogEntry = LogEntry

/** A locked session. */
export interface LockedSession {
  /** The columns; null for an unknown session. */
  readonly columns: SessionColumns | null
  /** The time after the wait for the lock, in milliseconds. */
  readonly moment: number
}

/** An owner's row, locked; times in milliseconds. */
export interface LockedOwner {
  /** The cut-off; null for none. */
  readonly cutOff: number | null
  /** Until when it is kept. */
  readonly until: number
  /** The time after the wait for the lock. */
  readonly moment: number
}

/** An owner's sessions that are live at a moment. */
export interface Selection {
  /** The owner. */
  readonly owner: SessionOwner
  /** The moment, in milliseconds. */
  readonly moment: number
  /** The session that is left out; null for none. */
  readonly except: string | null
}

/** Compiles the statements for a database; the result wraps the connection of one transaction. */
export function createLockedRows(database: Database): (run: Run) => LockedRows {
  const texts = createTexts(database)
  return (run) => new LockedRows(run, texts)
}

/** Reads, locks and writes rows in one transaction. */
export class LockedRows {
  readonly #run: Run
  readonly #texts: Texts

  /** @internal */
  constructor(run: Run, texts: Texts) {
    this.#run = run
    this.#texts = texts
  }

  /** The time, in milliseconds. */
  async readMoment(now: number | null): Promise<number> {
    const { rows } = await this.#run(this.#texts.clock, { now: toOptionalTime(now) })
    return Number(rows[0]?.['moment'])
  }

  /** Locks a session. */
  async lockSession(sid: string, now: number | null): Promise<LockedSession> {
    const values = { sid_key: toKey(sid), now: toOptionalTime(now) }
    const [found] = (await this.#run(this.#texts.find, values)).rows
    if (found !== undefined) return { columns: readColumns(found), moment: Number(found['moment']) }
    return { columns: null, moment: await this.readMoment(now) }
  }

  /** Locks an owner, so that `start` and `endAll` are serialized. Creates the row if needed. */
  async lockOwner(owner: SessionOwner, now: number | null): Promise<LockedOwner> {
    const keys = toOwnerValues(owner)
    await this.#run(this.#texts.hold, { ...keys, version: toVersion() })
    const [found] = (await this.#run(this.#texts.findOwner, { ...keys, now: toOptionalTime(now) })).rows
    const earlier = keys.earlier_key === '' ? [] : (await this.#run(this.#texts.findEarlier, keys)).rows
    const cutOffs = [found, ...earlier].map((row) => row?.['cut_off_at'] ?? null)
    return {
      cutOff: cutOffs.reduce<number | null>(
        (latest, at) => (at === null ? latest : Math.max(latest ?? 0, Number(at))),
        null,
      ),
      until: Number(found?.['until_at']),
      moment: Number(found?.['moment']),
    }
  }

  /** Writes a new session. */
  async insert(columns: SessionColumns): Promise<SessionRow> {
    await this.#run(this.#texts.insert, columns)
    return toRow(columns)
  }

  /** Changes a locked session. */
  async save(columns: SessionColumns, change: Partial<SessionColumns>): Promise<SessionRow> {
    const next = { ...columns, ...change } as SessionColumns
    await this.#run(this.#texts.save, next)
    return toRow(next)
  }

  /** Writes the cut-off of a locked owner. */
  async cutOff(owner: SessionOwner, at: number, until: number): Promise<void> {
    await this.#run(this.#texts.cutOff, { ...toOwnerValues(owner), at, until })
  }

  /** Revokes the sessions of a locked owner. Resolves to their identifiers. */
  async revokeAll({ owner, moment, except }: Selection, reason: RevokeReason): Promise<readonly string[]> {
    const spared = except === null ? '' : toKey(except)
    const values = { ...toOwnerValues(owner), now: moment, except: spared }
    const { rows } = await this.#run(this.#texts.findAll, values)
    if (rows.length > 0) await this.#run(this.#texts.revokeAll, { ...values, reason })
    return rows.map(({ sid }) => unescapeText(sid))
  }

  /** Writes into the log: the last statement before the commit. */
  async append(entries: readonly NewLogEntry[]): Promise<void> {
    if (entries.length > 0) await this.#run(this.#texts.count, { many: entries.length })
    for (let from = 0; from < entries.length; from += ENTRIES_AT_ONCE) {
      const some = entries.slice(from, from + ENTRIES_AT_ONCE)
      await this.#run(this.#texts.toInsert(some.length, entries.length - from), toEntryValues(some))
    }
  }
}

/** Entries per statement: SQLite takes at most 500 terms. */
const ENTRIES_AT_ONCE = 100

const SELECTED =
  'sub_key = :sub_key and {in_realm} and revoked_at is null' +
  ' and idle_expires_at > :now and absolute_expires_at > :now and sid_key <> :except'

type Text =
  | 'clock'
  | 'find'
  | 'insert'
  | 'save'
  | 'hold'
  | 'findOwner'
  | 'findEarlier'
  | 'cutOff'
  | 'findAll'
  | 'revokeAll'
  | 'count'
type Texts = Readonly<Record<Text, Statement>> & { toInsert(many: number, left: number): Statement }

function createTexts({ compile, dialect }: Database): Texts {
  const upsert = dialect === 'mysql' ? 'on duplicate key update' : 'on conflict (sub_key) do update set'
  const columns = COLUMNS.join(', ')
  const sets = CHANGING_COLUMNS.map((name) => `${name} = :${name}`).join(', ')
  return {
    clock: compile('select {now} as moment'),
    find: compile(
      `{limits} select ${columns}, {now} as moment from {sessions} where sid_key = :sid_key {lock}`,
    ),
    insert: compile(
      `insert into {sessions} (${columns}) values (${COLUMNS.map((name) => `:${name}`).join(', ')})`,
    ),
    save: compile(`update {sessions} set ${sets} where sid_key = :sid_key`),
    hold: compile(
      `{limits} insert into {subjects} (sub_key, version, until_at)
       values (:owner_key, :version, 0) ${upsert} version = :version`,
    ),
    findOwner: compile(
      '{limits} select cut_off_at, until_at, {now} as moment from {subjects} where sub_key = :owner_key {lock}',
    ),
    findEarlier: compile('select cut_off_at from {subjects} where sub_key = :earlier_key and realm is null'),
    cutOff: compile(
      `update {subjects} set cut_off_at = :at, until_at = :until, realm = :owner_realm
       where sub_key = :owner_key`,
    ),
    findAll: compile(`{limits} select sid from {sessions} where ${SELECTED} order by sid_key {lock}`),
    revokeAll: compile(`update {sessions} set revoked_at = :now, revoke_reason = :reason where ${SELECTED}`),
    count: compile("{limits} update {counters} set n = n + :many where name = 'log'"),
    /**
     * One statement for some entries. Their numbers follow from the counter, which this transaction
     * locks.
     */
    toInsert(many: number, left: number): Statement {
      const terms = Array.from(
        { length: many },
        (_, i) =>
          `select n - ${left - 1 - i}, :kind${i}, :hash${i}, :key${i}, :realm${i}, :at${i}, :until${i}
           from {counters} where name = 'log'`,
      )
      return compile(
        `insert into {log} (id, kind, key_hash, entry_key, realm, revoked_at, until_at) ${terms.join(' union all ')}`,
      )
    },
  }
}

function toEntryValues(entries: readonly NewLogEntry[]): Readonly<Record<string, Value>> {
  const pairs = entries.flatMap(({ kind, key, realm, at, until }, i): [string, Value][] => [
    [`kind${i}`, kind],
    [`hash${i}`, toKey(key)],
    [`key${i}`, escapeText(key)],
    [`realm${i}`, realm === undefined ? null : toJson(realm)],
    [`at${i}`, at],
    [`until${i}`, until],
  ])
  return Object.fromEntries(pairs)
}
