/**
 * How a migration waits for tables that are in use. A statement that waits for a table makes every
 * later call of the application wait behind it. So each attempt gives up soon, which lets these
 * pass, and another one follows after a pause. The bounds hold in the migration's own session only.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database, Run } from './database.ts'
import { isTransient } from './retry.ts'
import type { SqlDialect } from './statement.ts'

/** One attempt of a migration. */
export interface LockAttempt {
  /** When the last attempt has to begin, in milliseconds of `performance.now()`. */
  readonly end: number
  /** How long all attempts may take together, in seconds. */
  readonly wait: number
  /** Whether it waits long enough for PostgreSQL to stop an autovacuum that is in the way. */
  readonly isLong: boolean
}

/**
 * How long a statement waits for a table. PostgreSQL: in milliseconds, and below its
 * `deadlock_timeout` of 1 s, so that in a deadlock the migration is what gives up. MySQL: in
 * seconds, of which 1 is the least.
 */
const LOCK_WAIT = { postgres: 300, mysql: 1 } as const

/** Every third attempt is long: PostgreSQL stops an autovacuum after `deadlock_timeout` only. */
const LONG_EVERY = 3

/** The first pause and the longest, in seconds; each is a random part of it, from half to all. */
const PAUSES: Readonly<Record<SqlDialect, readonly [first: number, longest: number]>> = {
  postgres: [0.3, 2],
  mysql: [0.5, 2],
  sqlite: [0.01, 0.05],
}

/**
 * Runs a step until it gets its locks.
 *
 * @param wait seconds after which no other attempt begins
 * @throws {Error} in one line, what it waited for and what to do
 */
export async function attemptUntil<T>(
  database: Database,
  wait: number,
  step: (attempt: LockAttempt) => Promise<T>,
): Promise<T> {
  const end = performance.now() + wait * 1000
  const [first, longest] = PAUSES[database.dialect]
  for (let count = 1, pause = first; ; count++, pause = Math.min(2 * pause, longest)) {
    try {
      return await step({ end, wait, isLong: count % LONG_EVERY === 0 })
    } catch (error) {
      if (!isTransient(error)) throw error
      const rest = pause * (0.5 + 0.5 * Math.random()) * 1000
      // A transaction of the caller is over with its first failure.
      if (database.isTransaction || performance.now() + rest >= end)
        throw await createLockError(database, wait, error)
      await sleep(rest)
    }
  }
}

/** PostgreSQL: the call that bounds the waits for locks until the end of the transaction. */
export function toLockLimit(isLong: boolean): string {
  const short = `'${LOCK_WAIT.postgres}'`
  if (!isLong) return `set_config('lock_timeout', ${short}, true)`
  // Shorter than the deadline of a call, so that none fails that waits behind this one.
  return `set_config('lock_timeout', (select case when setting::bigint <= 1500
    then (setting::bigint + 200)::text else ${short} end from pg_settings where name = 'deadlock_timeout'), true)`
}

/**
 * Runs a step with bounded waits for locks: on MySQL on one connection, since it commits with every
 * change of the schema; elsewhere in a transaction. The session's own bound holds again afterwards.
 */
export function withLockLimit<T>(
  database: Database,
  isLong: boolean,
  step: (run: Run) => Promise<T>,
): Promise<T> {
  const { dialect, compile, isTransaction } = database
  if (dialect === 'sqlite') return database.transact(step)
  if (dialect === 'postgres') {
    return database.transact(async (run) => {
      const { rows } = await run(compile("select current_setting('lock_timeout') as before"))
      await run(compile(`select ${toLockLimit(isLong)}`))
      const result = await step(run)
      if (isTransaction)
        await run(compile(`select set_config('lock_timeout', '${rows[0]?.['before']}', true)`))
      return result
    })
  }
  return database.connect(async (run) => {
    const { rows } = await run(compile('select @@session.lock_wait_timeout as seconds'))
    await run(compile(`set session lock_wait_timeout = ${LOCK_WAIT.mysql}`))
    try {
      return await step(run)
    } finally {
      // A connection that broke has no bound any more, and the first failure is the one to report.
      const before = compile(`set session lock_wait_timeout = ${Number(rows[0]?.['seconds'])}`)
      await run(before).catch(() => undefined)
    }
  })
}

/** The session that has used the tables for the longest time. MySQL knows only its transactions. */
const HOLDERS: Readonly<Record<SqlDialect, string | null>> = {
  postgres: `select a.pid as id, a.backend_type as kind,
    floor(extract(epoch from clock_timestamp() - a.xact_start)) as seconds
    from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
    where l.granted and l.pid <> pg_backend_pid() and l.relation in (to_regclass('{sessions}'),
      to_regclass('{subjects}'), to_regclass('{log}'), to_regclass('{attempts}'), to_regclass('{counters}'))
    order by a.xact_start limit 1`,
  mysql: `select trx_mysql_thread_id as id, 'connection' as kind,
    timestampdiff(second, trx_started, now()) as seconds
    from information_schema.innodb_trx where trx_mysql_thread_id <> connection_id()
    order by trx_started limit 1`,
  sqlite: null,
}

/** What is left of a migration that got no lock, by the dialect. */
const OUTCOMES: Readonly<Record<SqlDialect, string>> = {
  postgres: 'Nothing was changed',
  mysql: 'What the tables have is in use as before, and the next run adds the rest',
  sqlite: 'Nothing was changed',
}

async function createLockError(database: Database, wait: number, cause: unknown): Promise<Error> {
  const { dialect, prefix, isTransaction } = database
  const holder = isTransaction ? null : await findHolder(database)
  const who = dialect === 'sqlite' ? 'another connection writes to the file' : 'a transaction uses them'
  return new Error(
    `The tables ${prefix}* could not be locked within ${wait} seconds: ${who}${holder ?? ''}. ` +
      `${OUTCOMES[dialect]}: end it or wait for it, then migrate again`,
    { cause },
  )
}

/** What is known of the session in the way; null for nothing, as where the user may not ask. */
async function findHolder({ dialect, compile, run }: Database): Promise<string | null> {
  const ask = HOLDERS[dialect]
  if (ask === null) return null
  const { rows } = await run(compile(ask)).catch(() => ({ rows: [] }))
  const [row] = rows
  if (row === undefined) return null
  const age = row['seconds'] === null ? '' : `, open for ${Number(row['seconds'])} seconds`
  return ` (${row['kind'] ?? 'process'} ${row['id']}${age})`
}
