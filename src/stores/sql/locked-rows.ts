/**
 * Work on locked rows inside of one transaction, for the dialects whose steps look first and write then (SQLite, MySQL). Locks are
 * taken in one order (subject, sessions, counter), so that no two steps wait for each other; the counter comes last
 * because it makes every other writer of the log wait until the commit.
 */
import type { LogEntry, RevokeReason, SessionRow } from '../../session/store.ts'
import type { Database, Run } from './database.ts'
import {
  CHANGING_COLUMNS,
  COLUMNS,
  escapeText,
  readColumns,
  type SessionColumns,
  toKey,
  toOptionalTime,
  toRow,
  toVersion,
  unescapeText,
} from './mapping.ts'
import type { Compile, Statement, Value } from './statement.ts'

/** What is written into the log, with times in the columns' unit. */
export type NewLogEntry = LogEntry

/** A session's row, locked; null for none. */
export interface LockedSession {
  /** The columns. */
  readonly columns: SessionColumns | null
  /** The moment after the wait for the lock, in the columns' unit. */
  readonly moment: number
}

/** A subject's row, locked; times in the columns' unit. */
export interface LockedSubject {
  /** When all was ended; null for never. */
  readonly cutOff: number | null
  /** Until when that is kept. */
  readonly until: number
  /** The moment after the wait for the lock. */
  readonly moment: number
}

/** Which sessions of a subject are meant: those that can be used at a moment, but one. */
export interface Selection {
  /** The subject. */
  readonly sub: string
  /** The moment, in the columns' unit. */
  readonly moment: number
  /** The session that is spared; null for none. */
  readonly except: string | null
}

/** What a transaction can do with rows. */
export interface LockedRows {
  /** The moment. */
  readMoment(now: number | null): Promise<number>
  /** Locks a session. */
  lockSession(sid: string, now: number | null): Promise<LockedSession>
  /** Locks a subject, so that of a start and an end of all one comes first; makes the row where there is none. */
  lockSubject(sub: string, now: number | null): Promise<LockedSubject>
  /** Writes a new session. */
  insert(columns: SessionColumns): Promise<SessionRow>
  /** Writes what changed in a session that is locked. */
  save(columns: SessionColumns, change: Partial<SessionColumns>): Promise<SessionRow>
  /** Writes a subject's cut-off; its row is locked. */
  cutOff(sub: string, at: number, until: number): Promise<void>
  /** Revokes a subject's sessions; answers their identifiers. */
  revokeAll(selection: Selection, reason: RevokeReason): Promise<readonly string[]>
  /** Writes into the log: the last thing before the commit. */
  append(entries: readonly NewLogEntry[]): Promise<void>
}

/** Entries per statement: SQLite takes at most 500 terms, and a server wants no endless text. */
const ENTRIES_AT_ONCE = 100

const SELECTED =
  'sub_key = :sub_key and revoked_at is null and idle_expires_at > :now and absolute_expires_at > :now and sid_key <> :except'

type Texts = ReturnType<typeof createTexts>

function createTexts({ compile, dialect }: Database) {
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
      `{limits} insert into {subjects} (sub_key, version, until_at) values (:sub_key, :version, 0)
       ${upsert} version = :version`,
    ),
    findSubject: compile(
      '{limits} select cut_off_at, until_at, {now} as moment from {subjects} where sub_key = :sub_key {lock}',
    ),
    cutOff: compile('update {subjects} set cut_off_at = :at, until_at = :until where sub_key = :sub_key'),
    findAll: compile(`{limits} select sid from {sessions} where ${SELECTED} order by sid_key {lock}`),
    revokeAll: compile(`update {sessions} set revoked_at = :now, revoke_reason = :reason where ${SELECTED}`),
    count: compile("{limits} update {counters} set n = n + :many where name = 'log'"),
  }
}

async function lockSession(
  texts: Texts,
  run: Run,
  sid: string,
  given: number | null,
): Promise<LockedSession> {
  const now = toOptionalTime(given)
  const [found] = (await run(texts.find, { sid_key: toKey(sid), now })).rows
  if (found !== undefined) return { columns: readColumns(found), moment: Number(found['moment']) }
  return { columns: null, moment: await readMoment(texts, run, given) }
}

async function lockSubject(
  texts: Texts,
  run: Run,
  sub: string,
  given: number | null,
): Promise<LockedSubject> {
  await run(texts.hold, { sub_key: toKey(sub), version: toVersion() })
  const [found] = (await run(texts.findSubject, { sub_key: toKey(sub), now: toOptionalTime(given) })).rows
  const cutOff = found?.['cut_off_at'] ?? null
  return {
    cutOff: cutOff === null ? null : Number(cutOff),
    until: Number(found?.['until_at']),
    moment: Number(found?.['moment']),
  }
}

async function readMoment(texts: Texts, run: Run, now: number | null): Promise<number> {
  return Number((await run(texts.clock, { now: toOptionalTime(now) })).rows[0]?.['moment'])
}

/** One statement for some entries. Their numbers follow from the counter, which this transaction holds. */
function compileEntries(compile: Compile, many: number, left: number): Statement {
  const terms = Array.from(
    { length: many },
    (_, i) =>
      `select n - ${left - 1 - i}, :kind${i}, :hash${i}, :key${i}, :at${i}, :until${i} from {counters} where name = 'log'`,
  )
  return compile(
    `insert into {log} (id, kind, key_hash, entry_key, revoked_at, until_at) ${terms.join(' union all ')}`,
  )
}

function toEntryValues(entries: readonly NewLogEntry[]): Readonly<Record<string, Value>> {
  const pairs = entries.flatMap(({ kind, key, at, until }, i): [string, Value][] => [
    [`kind${i}`, kind],
    [`hash${i}`, toKey(key)],
    [`key${i}`, escapeText(key)],
    [`at${i}`, at],
    [`until${i}`, until],
  ])
  return Object.fromEntries(pairs)
}

/** Compiles the statements for a database; then gives each transaction its rows. */
export function createLockedRows(database: Database): (run: Run) => LockedRows {
  const { compile } = database
  const texts = createTexts(database)
  return (run) => ({
    readMoment: (now) => readMoment(texts, run, now),
    lockSession: (sid, now) => lockSession(texts, run, sid, now),
    lockSubject: (sub, now) => lockSubject(texts, run, sub, now),
    async insert(columns) {
      await run(texts.insert, columns)
      return toRow(columns)
    },
    async save(columns, change) {
      const next = { ...columns, ...change } as SessionColumns
      await run(texts.save, next)
      return toRow(next)
    },
    async cutOff(sub, at, until) {
      await run(texts.cutOff, { sub_key: toKey(sub), at, until })
    },
    async revokeAll({ sub, moment, except }, reason) {
      const values = { sub_key: toKey(sub), now: moment, except: except === null ? '' : toKey(except) }
      const { rows } = await run(texts.findAll, values)
      if (rows.length > 0) await run(texts.revokeAll, { ...values, reason })
      return rows.map(({ sid }) => unescapeText(sid))
    },
    async append(entries) {
      if (entries.length > 0) await run(texts.count, { many: entries.length })
      for (let from = 0; from < entries.length; from += ENTRIES_AT_ONCE) {
        const some = entries.slice(from, from + ENTRIES_AT_ONCE)
        await run(compileEntries(compile, some.length, entries.length - from), toEntryValues(some))
      }
    },
  })
}
