/**
 * Writes records of another store. New sessions are inserted several at a time; those that are
 * there already are changed one by one, by a statement with a condition. So each record is one
 * atomic step in every dialect, without a transaction.
 */
import type { LogEntry } from '../../session/store.ts'
import type { AttemptsRecord, CutOffRecord, StoreTransfer, WriteCall } from '../../session/transfer.ts'
import { createCountedRun } from './counted-run.ts'
import type { Database } from './database.ts'
import { toGroups, toNumbered } from './groups.ts'
import { createTransact } from './locked-rows.ts'
import { COLUMNS, fromRow, type SessionColumns } from './mapping.ts'
import { APPEND_ROWS } from './postgres-statements.ts'
import type { Statement, Values } from './statement.ts'
import { escapeText, toColumnTime, toJson, toKey, toOptionalTime, toVersion } from './values.ts'

/** Runs one statement, and again where it failed for the moment. */
type Attempt = <T>(work: () => Promise<T>) => Promise<T>

/** The contract's `write`, each statement of which is attempted by itself. */
export type Write = (attempt: Attempt, ...args: Parameters<StoreTransfer['write']>) => Promise<number>

/** How many statements run at once. */
const AT_ONCE = 8

/** Compiles the statements. */
export function createSqlWrite(database: Database): Write {
  const { run } = database
  const texts = createTexts(database)
  const writeSessions = createWriteSessions(database)
  const append = createAppend(database)
  return async (attempt, records, call) => {
    const now = toOptionalTime(call.now)
    const rows = records.flatMap((record) => (record.kind === 'session' ? [fromRow(record.row)] : []))
    const entries = records.flatMap((record) => (record.kind === 'entry' ? [record.entry] : []))
    const kept = await writeSessions(attempt, rows, call.replaces)
    await forEach(records, async (record) => {
      if (record.kind === 'cutOff') await attempt(() => run(texts.cutOff, toCutOffValues(record)))
      if (record.kind === 'attempts')
        await attempt(() => run(texts.attempts, { ...toAttemptsValues(record), now }))
    })
    if (entries.length > 0) await append(attempt, entries)
    return kept
  }
}

/** Runs work for each item, some at once. */
async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values()
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

function toCutOffValues({ ownerHash, realm, at, until }: CutOffRecord): Values {
  return {
    owner_key: ownerHash,
    owner_realm: realm === undefined ? null : toJson(realm),
    version: toVersion(),
    at: toColumnTime(at),
    until: toColumnTime(until),
  }
}

function toAttemptsValues({ keyHash, count, until }: AttemptsRecord): Values {
  return { attempt_key: keyHash, n: count, until: toColumnTime(until) }
}

function createTexts({ compile, dialect }: Database) {
  const greatest = dialect === 'sqlite' ? 'max' : 'greatest'
  // MySQL assigns from left to right: a column that another one reads is assigned after it.
  const toUpsert = (table: string, key: string, set: (old: string) => string): string =>
    dialect === 'mysql'
      ? `on duplicate key update ${set('')}`
      : `on conflict (${key}) do update set ${set(`${table}.`)}`
  return {
    cutOff: compile(
      `insert into {subjects} ${dialect === 'mysql' ? '' : 'as s'} (sub_key, version, realm, cut_off_at, until_at)
       values (:owner_key, :version, :owner_realm, :at, :until)
       ${toUpsert(
         's',
         'sub_key',
         (old) => `version = :version,
           realm = case when ${old}cut_off_at is not null and ${old}realm is null then null else :owner_realm end,
           cut_off_at = ${greatest}(coalesce(${old}cut_off_at, 0), :at),
           until_at = ${greatest}(${old}until_at, :until)`,
       )}`,
    ),
    attempts: compile(
      `insert into {attempts} ${dialect === 'mysql' ? '' : 'as a'} (attempt_key, n, until_at)
       values (:attempt_key, :n, :until)
       ${toUpsert(
         'a',
         'attempt_key',
         (old) => `n = case when ${old}until_at <= {now} then :n else ${greatest}(${old}n, :n) end,
           until_at = ${greatest}(${old}until_at, :until)`,
       )}`,
    ),
  }
}

/** How many sessions one statement inserts; D1 takes no more than 100 values. */
const SIZES = { usual: [50, 10, 1], few: [3, 1] } as const

/** Which sessions a change replaces. */
const REPLACED: Readonly<Record<Exclude<WriteCall['replaces'], 'none'>, string>> = {
  released: "revoke_reason = 'moved'",
  older: "(revoke_reason = 'moved' or revoked_at is null or :is_ended = 1)",
}

/** Writes sessions. Resolves to how many were not written. */
function createWriteSessions(database: Database) {
  const { compile, dialect, batch, run } = database
  const change = createCountedRun(database)
  const returning = dialect === 'mysql' ? '' : 'returning 1 as gone'
  const sizes = batch === null ? SIZES.usual : SIZES.few
  const sets = COLUMNS.filter((name) => name !== 'sid_key').map((name) => `${name} = :${name}`)
  const toReplace = (replaces: keyof typeof REPLACED): Statement =>
    compile(
      `update {sessions} set ${sets.join(', ')}
       where sid_key = :sid_key and gen <= :gen and ${REPLACED[replaces]} ${returning}`,
    )
  const replace = { released: toReplace('released'), older: toReplace('older') }
  const finds = new Map(sizes.map((size) => [size as number, compile(toFind(size))]))
  const inserts = new Map(sizes.map((size) => [size as number, compile(toInsert(dialect, size, returning))]))

  /** Those that may be replaced: released sessions are few, so they are looked for at once. */
  async function findReplaced(
    attempt: Attempt,
    rows: readonly SessionColumns[],
    replaces: WriteCall['replaces'],
  ): Promise<readonly SessionColumns[]> {
    if (replaces === 'older') return rows
    const find = finds.get(rows.length) ?? compile(toFind(rows.length))
    const keys = toNumbered({ sid_key: rows.map((row) => row.sid_key) })
    const found = await attempt(() => run(find, keys))
    const released = new Set(found.rows.map((row) => row['sid_key']))
    return rows.filter((row) => released.has(row.sid_key))
  }

  return async (attempt: Attempt, all: readonly SessionColumns[], replaces: WriteCall['replaces']) => {
    let kept = 0
    for (const rows of toGroups(all, sizes)) {
      const insert = inserts.get(rows.length) ?? compile(toInsert(dialect, rows.length, returning))
      const inserted = await attempt(() => change(insert, toInsertValues(rows)))
      if (replaces === 'none') kept += rows.length - inserted
      if (inserted === rows.length || replaces === 'none') continue
      let changed = 0
      await forEach(await findReplaced(attempt, rows, replaces), async (columns) => {
        const values = { ...columns, is_ended: columns.revoked_at === null ? 0 : 1 }
        const found = await attempt(() => change(replace[replaces], values))
        changed += found
      })
      // What was just inserted is not released, and no older than itself.
      kept += rows.length - changed - (replaces === 'released' ? inserted : 0)
    }
    return kept
  }
}

function toInsert(dialect: Database['dialect'], size: number, returning: string): string {
  const row = (index: number): string => `(${COLUMNS.map((name) => `:${name}${index}`).join(', ')})`
  const rows = Array.from({ length: size }, (_, index) => row(index)).join(', ')
  const into = `into {sessions} (${COLUMNS.join(', ')}) values ${rows}`
  return dialect === 'mysql'
    ? `insert ignore ${into}`
    : `insert ${into} on conflict (sid_key) do nothing ${returning}`
}

function toFind(size: number): string {
  const keys = Array.from({ length: size }, (_, index) => `:sid_key${index}`).join(', ')
  return `select sid_key from {sessions} where sid_key in (${keys}) and revoke_reason = 'moved'`
}

function toInsertValues(rows: readonly SessionColumns[]): Values {
  return toNumbered(Object.fromEntries(COLUMNS.map((name) => [name, rows.map((row) => row[name] ?? null)])))
}

/**
 * A log that was never written begins at a random number. So the cursor of the log that it replaces
 * never passes for one of it.
 */
const FIRST_NUMBER = { least: 2 ** 32, most: 2 ** 48 } as const

/** Appends entries to the log. */
function createAppend({ ...database }: Database) {
  const { compile, dialect, run } = database
  const begin = compile("update {counters} set n = :first where name = 'log' and n = 0")
  const transact = dialect === 'postgres' ? null : createTransact(database)
  const append = dialect === 'postgres' ? compile(APPEND_ENTRIES) : null
  return async (attempt: Attempt, all: readonly LogEntry[]): Promise<void> => {
    const first = FIRST_NUMBER.least + (toVersion() % (FIRST_NUMBER.most - FIRST_NUMBER.least))
    await attempt(() => run(begin, { first }))
    const entries = all.map((entry) => ({
      ...entry,
      at: toColumnTime(entry.at),
      until: toColumnTime(entry.until),
    }))
    if (append !== null) await attempt(() => run(append, { entries: toEntriesJson(entries) }))
    else await attempt(async () => transact?.((rows) => rows.append(entries)))
  }
}

const APPEND_ENTRIES = `
  with e as materialized (
    select x.place, x.kind, x.key_hash, x.entry_key, x.realm, x.at, x.until from {limits},
      json_to_recordset(:entries::json) as x(place bigint, kind text, key_hash text, entry_key text,
        realm text, at bigint, until bigint)
  ), ${APPEND_ROWS}
  select count(*) as many from n`

function toEntriesJson(entries: readonly LogEntry[]): string {
  const rows = entries.map(({ kind, key, realm, at, until }, index) => ({
    place: index + 1,
    kind,
    key_hash: toKey(key),
    entry_key: escapeText(key),
    realm: realm === undefined ? null : toJson(realm),
    at,
    until,
  }))
  return JSON.stringify(rows)
}
