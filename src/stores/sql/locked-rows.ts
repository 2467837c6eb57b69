/**
 * Locked rows in one transaction, for the dialects whose steps first read and then write (SQLite,
 * MySQL). Locks are taken in one order (subject, sessions, counter), so that no two steps wait for
 * each other. The counter is last because every other writer of the log waits for it until the
 * commit.
 *
 * Without interactive transactions a step reads first, without locks, and collects what it writes
 * for one batch. Guards at the front of that batch make it fail where a row has changed since it
 * was read: then the step is done again.
 */
import type { RevokeReason, SessionOwner, SessionRow } from '../../session/session-row.ts'
import type { LogEntry } from '../../session/store.ts'
import { createSureTransact, type MissingListener } from './causal.ts'
import type { BatchedStatement, Database, Run } from './database.ts'
import { CHANGING_COLUMNS, COLUMNS, readColumns, type SessionColumns, toRow } from './mapping.ts'
import type { Statement, Value, Values } from './statement.ts'
import {
  escapeText,
  toJson,
  toKey,
  toOptionalTime,
  toOwnerValues,
  toVersion,
  unescapeText,
} from './values.ts'

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
  /** What each start and each end of all sessions changes; null where there was no row. */
  readonly version: number | null
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
  /** The owner's version, as it was locked. */
  readonly version: number | null
}

/** What a step writes, where it is sent as a batch. */
interface Batch {
  /** Statements that fail where a row has changed since it was read. */
  readonly guards: BatchedStatement[]
  readonly writes: BatchedStatement[]
}

/** Runs a step in one transaction, or reads for it and sends its writes as one batch. */
export type Transact = <T>(step: (rows: LockedRows) => Promise<T>) => Promise<T>

/** Compiles the statements for a database. */
export function createTransact(database: Database): Transact {
  const texts = createTexts(database)
  const { run, batch } = database
  if (batch === null) {
    return createSureTransact(database, (step, onMissing) =>
      database.transact((inner) => step(new LockedRows({ run: inner, texts, batch: null, onMissing }))),
    )
  }
  return async (step) => {
    const collected: Batch = { guards: [], writes: [] }
    const result = await step(new LockedRows({ run, texts, batch: collected, onMissing: null }))
    const { guards, writes } = collected
    if (writes.length > 0) await batch([...guards, ...writes])
    return result
  }
}

/** What the rows of a step need. */
interface LockedRowsOptions {
  readonly run: Run
  readonly texts: Texts
  readonly batch: Batch | null
  /** Is told of a session that is not there; null to accept that. */
  readonly onMissing: MissingListener | null
}

/** Reads, locks and writes rows in one transaction. */
export class LockedRows {
  readonly #run: Run
  readonly #texts: Texts
  readonly #batch: Batch | null
  readonly #onMissing: MissingListener | null

  /** @internal */
  constructor({ run, texts, batch, onMissing }: LockedRowsOptions) {
    this.#run = run
    this.#texts = texts
    this.#batch = batch
    this.#onMissing = onMissing
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
    if (found === undefined) {
      this.#onMissing?.(values.sid_key)
      this.#guard('isNoSession', values)
      return { columns: null, moment: await this.readMoment(now) }
    }
    const columns = readColumns(found)
    this.#guard('isSession', columns)
    return { columns, moment: Number(found['moment']) }
  }

  /** Locks an owner, so that `start` and `endAll` are serialized. Creates the row if needed. */
  async lockOwner(owner: SessionOwner, now: number | null): Promise<LockedOwner> {
    const keys = toOwnerValues(owner)
    await this.#write(this.#texts.hold, { ...keys, version: toVersion() })
    const [found] = (await this.#run(this.#texts.findOwner, { ...keys, now: toOptionalTime(now) })).rows
    const earlier = keys.earlier_key === '' ? [] : (await this.#run(this.#texts.findEarlier, keys)).rows
    const cutOffs = [found, ...earlier].map((row) => row?.['cut_off_at'] ?? null)
    const [cut = null, earlierCut = null] = cutOffs.map((at) => (at === null ? null : Number(at)))
    this.#guard('isCutOff', { ...keys, cut, earlier_cut: earlierCut })
    return {
      version: found === undefined ? null : Number(found['version']),
      cutOff: cutOffs.reduce<number | null>(
        (latest, at) => (at === null ? latest : Math.max(latest ?? 0, Number(at))),
        null,
      ),
      until: Number(found?.['until_at'] ?? 0),
      moment: found === undefined ? await this.readMoment(now) : Number(found['moment']),
    }
  }

  /** Writes a new session. */
  async insert(columns: SessionColumns): Promise<SessionRow> {
    await this.#write(this.#texts.insert, columns)
    return toRow(columns)
  }

  /** Changes a locked session. */
  async save(columns: SessionColumns, change: Partial<SessionColumns>): Promise<SessionRow> {
    const next = { ...columns, ...change } as SessionColumns
    await this.#write(this.#texts.save, next)
    return toRow(next)
  }

  /** Writes the cut-off of a locked owner. */
  async cutOff(owner: SessionOwner, at: number, until: number): Promise<void> {
    await this.#write(this.#texts.cutOff, { ...toOwnerValues(owner), at, until })
  }

  /** Revokes the sessions of a locked owner. Resolves to their identifiers. */
  async revokeAll(selection: Selection, reason: RevokeReason): Promise<readonly string[]> {
    const { owner, moment, except, version } = selection
    const spared = except === null ? '' : toKey(except)
    const values = { ...toOwnerValues(owner), now: moment, except: spared }
    const { rows } = await this.#run(this.#texts.findAll, values)
    this.#guard('isSelected', { ...values, version, many: rows.length })
    if (rows.length > 0) await this.#write(this.#texts.revokeAll, { ...values, reason })
    return rows.map(({ sid }) => unescapeText(sid))
  }

  /** The live sessions of a locked owner, locked, newest login first. */
  async findLive(owner: SessionOwner, locked: LockedOwner): Promise<readonly SessionColumns[]> {
    const values = { ...toOwnerValues(owner), now: locked.moment, except: '' }
    const { rows } = await this.#run(this.#texts.findLive, values)
    this.#guard('isSelected', { ...values, version: locked.version, many: rows.length })
    return rows.map(readColumns)
  }

  /** Revokes a session that `findLive` has found. */
  async revokeLocked(columns: SessionColumns, reason: RevokeReason, moment: number): Promise<SessionRow> {
    this.#guard('isSession', columns)
    return this.save(columns, { revoked_at: moment, revoke_reason: reason })
  }

  /** Writes into the log: the last statement before the commit. */
  async append(entries: readonly NewLogEntry[]): Promise<void> {
    if (entries.length > 0) await this.#write(this.#texts.count, { many: entries.length })
    const atOnce = this.#batch === null ? ENTRIES_AT_ONCE : ENTRIES_IN_JSON
    for (let from = 0; from < entries.length; from += atOnce) {
      const some = entries.slice(from, from + atOnce)
      const left = entries.length - from
      if (this.#batch !== null) await this.#write(this.#texts.insertJson, toEntriesJson(some, left))
      else await this.#write(this.#texts.toInsert(some.length, left), toEntryValues(some))
    }
  }

  async #write(statement: Statement, values: Values): Promise<void> {
    if (this.#batch === null) await this.#run(statement, values)
    else this.#batch.writes.push([statement, values])
  }

  /** Makes a batch fail unless what was read still holds. In a transaction locks see to that. */
  #guard(name: keyof typeof GUARDS, values: Values): void {
    this.#batch?.guards.push([this.#texts.guards[name], values])
  }
}

/** Entries per statement: SQLite takes at most 500 terms. */
const ENTRIES_AT_ONCE = 100

/** Entries per statement as one text: D1 takes no more than 5 terms and 100 values. */
const ENTRIES_IN_JSON = 1000

const SELECTED =
  'sub_key = :sub_key and {in_realm} and revoked_at is null' +
  ' and idle_expires_at > :now and absolute_expires_at > :now and sid_key <> :except'

/** What must still hold when a batch is written, in SQLite's SQL. */
const GUARDS: Readonly<Record<'isSession' | 'isNoSession' | 'isCutOff' | 'isSelected', string>> = {
  isSession: `exists (select 1 from {sessions} where sid_key = :sid_key
    and ${CHANGING_COLUMNS.map((name) => `${name} is :${name}`).join(' and ')})`,
  isNoSession: 'not exists (select 1 from {sessions} where sid_key = :sid_key)',
  isCutOff: `(select cut_off_at from {subjects} where sub_key = :owner_key) is :cut
    and (select cut_off_at from {subjects} where sub_key = :earlier_key and realm is null) is :earlier_cut`,
  isSelected: `(select version from {subjects} where sub_key = :owner_key) is :version
    and (select count(*) from {sessions} where ${SELECTED}) = :many`,
}

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
  | 'findLive'
  | 'count'
type Texts = Readonly<Record<Text, Statement>> & {
  readonly guards: Readonly<Record<keyof typeof GUARDS, Statement>>
  readonly insertJson: Statement
  toInsert(many: number, left: number): Statement
}

function createTexts({ compile, dialect }: Database): Texts {
  const upsert = dialect === 'mysql' ? 'on duplicate key update' : 'on conflict (sub_key) do update set'
  const columns = COLUMNS.join(', ')
  const sets = CHANGING_COLUMNS.map((name) => `${name} = :${name}`).join(', ')
  // The name is a primary key that exists: where the condition does not hold, the batch fails.
  const toGuard = (condition: string): Statement =>
    compile(`insert into {counters} (name, n) select 'log', 0 where not (${condition})`)
  return {
    guards: {
      isSession: toGuard(GUARDS.isSession),
      isNoSession: toGuard(GUARDS.isNoSession),
      isCutOff: toGuard(GUARDS.isCutOff),
      isSelected: toGuard(GUARDS.isSelected),
    },
    insertJson: compile(
      `insert into {log} (id, kind, key_hash, entry_key, realm, revoked_at, until_at)
       select c.n - :left + 1 + e.key, ${ENTRY_PARTS.join(', ')}
       from {counters} as c, json_each(:entries) as e where c.name = 'log'`,
    ),
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
      '{limits} select version, cut_off_at, until_at, {now} as moment from {subjects} where sub_key = :owner_key {lock}',
    ),
    findEarlier: compile('select cut_off_at from {subjects} where sub_key = :earlier_key and realm is null'),
    cutOff: compile(
      `update {subjects} set cut_off_at = :at, until_at = :until, realm = :owner_realm
       where sub_key = :owner_key`,
    ),
    findAll: compile(`{limits} select sid from {sessions} where ${SELECTED} order by sid_key {lock}`),
    findLive: compile(
      `{limits} select ${columns} from {sessions} where ${SELECTED} order by created_at desc, sid_key {lock}`,
    ),
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

/** The parts of an entry in JSON, in SQLite's SQL. */
const ENTRY_PARTS: readonly string[] = [0, 1, 2, 3, 4, 5].map((part) => `json_extract(e.value, '$[${part}]')`)

function toEntriesJson(entries: readonly NewLogEntry[], left: number): Readonly<Record<string, Value>> {
  const parts = entries.map(({ kind, key, realm, at, until }) => [
    kind,
    toKey(key),
    escapeText(key),
    realm === undefined ? null : toJson(realm),
    at,
    until,
  ])
  return { entries: JSON.stringify(parts), left }
}
