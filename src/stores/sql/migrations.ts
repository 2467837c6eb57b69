/**
 * Migrates the schema: with Kysely's Migrator, among an application's own migrations, or alone. A
 * step that ran before does nothing, so both ways may be mixed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { type Duration, toSeconds } from '../../internal/duration.ts'
import { createDatabase } from './create-database.ts'
import {
  checkSettings,
  type Database,
  type Run,
  type SqlSettings,
  toKnownDialect,
  toPrefix,
  toSchema,
} from './database.ts'
import type { SqlExecutor } from './executor.ts'
import { attemptUntil, type LockAttempt, toLockLimit, withLockLimit } from './migration-locks.ts'
import { isDuplicate, isMissing, readVersion, SCHEMA_STEPS, type SchemaStep } from './schema.ts'
import { createCompiler, MARK, type SqlDialect, type Statement } from './statement.ts'

/** A migration for Kysely's Migrator. */
export interface SqlMigration {
  /** Creates what is missing. */
  up(db: Kysely<unknown>): Promise<void>
  /** Drops the tables with everything in them. */
  down(db: Kysely<unknown>): Promise<void>
}

/** Migrations by their names, for Kysely's Migrator. */
export interface SqlMigrationProvider {
  /** All of them; names begin with `tokenwright_` and sort in their order. */
  getMigrations(): Promise<Record<string, SqlMigration>>
}

/** The options of `migrateSql`. */
export interface MigrateSqlOptions extends SqlSettings {
  /**
   * How long to wait in all: for another process that migrates, and for a transaction that uses the
   * tables. Default `'30s'`; between 0.1 seconds and an hour. One statement waits for at most 1.7
   * seconds, since the calls of the application wait behind it, and is tried again.
   */
  readonly wait?: Duration
}

/** The pause between two attempts to be the process that migrates, in seconds. */
const PAUSE = 0.05

async function runAll(run: Run, statements: readonly Statement[]): Promise<void> {
  for (const statement of statements) {
    await run(statement).catch((error: unknown) => {
      // A process that ended halfway, or another way to migrate, has added the column.
      if (!isDuplicate(error)) throw error
    })
  }
}

/** How long a step waits for the tables in Kysely's Migrator, whose transaction has one try. */
const STEP_WAIT = 2

/** Runs one step for Kysely's Migrator, which has a lock of its own. */
function runStep(database: Database, toStatements: SchemaStep['up']): Promise<void> {
  return attemptUntil(database, STEP_WAIT, () =>
    withLockLimit(database, true, (run) => runAll(run, toStatements(database))),
  )
}

/**
 * The migrations as a provider for Kysely's own Migrator.
 *
 * @param settings the same `prefix`, `schema` and `dialect` as the store's
 *
 * @example
 * ```ts
 * import { sqlMigrations } from 'tokenwright/stores/sql'
 *
 * const provider = sqlMigrations() // new Migrator({ db, provider })
 * const names = Object.keys(await provider.getMigrations())
 * ```
 */
export function sqlMigrations(settings: SqlSettings = {}): SqlMigrationProvider {
  checkSettings(settings)
  const migrations = SCHEMA_STEPS.map(({ name, up, down }): [string, SqlMigration] => [
    name,
    {
      up: (db) => runStep(createDatabase(db, settings), up),
      down: (db) => runStep(createDatabase(db, settings), down),
    },
  ])
  return { getMigrations: async () => Object.fromEntries(migrations) }
}

/**
 * The statements of all migrations as texts, for tools that take SQL. On MySQL (not MariaDB) and
 * SQLite a second run of `alter table ... add column` fails and changes nothing. Bound the waits
 * for locks of the session that runs them: on PostgreSQL by `set lock_timeout = '300ms'`.
 *
 * @param settings the same `prefix` and `schema` as the store's
 * @throws {ConfigurationError} for an unknown dialect or an invalid name
 *
 * @example
 * ```ts
 * import { sqlStatements } from 'tokenwright/stores/sql'
 *
 * const script = sqlStatements('postgres').join(';\n')
 * ```
 */
export function sqlStatements(
  dialect: SqlDialect,
  settings: Pick<SqlSettings, 'prefix' | 'schema'> = {},
): readonly string[] {
  checkSettings(settings)
  const prefix = toPrefix(settings.prefix)
  const schema = toSchema(settings.schema)
  const compile = createCompiler({
    dialect: toKnownDialect(dialect),
    prefix,
    schema,
    deadline: 0,
  })
  return SCHEMA_STEPS.flatMap(({ up }) => up({ compile, dialect, prefix })).map(({ sql }) => sql)
}

/** The lock of the migrating process. It is polled: a long wait would look like a hung server. */
const LOCKS = {
  postgres: {
    take: "select case when pg_try_advisory_xact_lock(hashtext('{log}')) then 1 else 0 end as taken",
    drop: null,
  },
  mysql: {
    take: "select get_lock(sha1(concat(coalesce(database(), ''), '.{log}')), 0) as taken",
    drop: "select release_lock(sha1(concat(coalesce(database(), ''), '.{log}')))",
  },
} as const

async function waitForTurn(run: Run, take: Statement, { end, wait }: LockAttempt): Promise<void> {
  while (Number((await run(take)).rows[0]?.['taken']) !== 1) {
    if (performance.now() > end)
      throw new Error(`Another process has been migrating for ${wait} seconds: wait for it, or end it`)
    await sleep(PAUSE * (0.5 + Math.random()) * 1000)
  }
}

async function runMissing(database: Database, run: Run): Promise<string[]> {
  // The version is in the counters' table, which the first statement of the first step creates.
  const [first] = SCHEMA_STEPS[0]?.up(database) ?? []
  if (first !== undefined) await run(first)
  const missing = toMissing(await readVersion(database, run))
  for (const step of missing) await runAll(run, step.up(database))
  return missing.map(({ name }) => name)
}

/**
 * Without transactions. On PostgreSQL one block does everything under the lock. SQLite runs one
 * statement after the other: each does nothing where another process was first.
 */
async function migrateByStatements(database: Database, { isLong }: LockAttempt): Promise<string[]> {
  const { dialect, compile, run } = database
  if (dialect === 'sqlite') return runMissing(database, run)
  const lock = `pg_advisory_xact_lock(hashtext('${compile('{log}').sql.slice(MARK.length)}'))`
  const missing = toMissing(await findVersion(database))
  const statements = missing.flatMap((step) => step.up(database)).map(({ sql }) => sql)
  const body = [`perform ${toLockLimit(isLong)}`, `perform ${lock}`, ...statements].join('; ')
  if (missing.length > 0) await run({ sql: `${MARK}do $do$ begin ${body}; end $do$`, names: [] })
  return missing.map(({ name }) => name)
}

async function migrate(database: Database, attempt: LockAttempt): Promise<string[]> {
  const { dialect, compile } = database
  // A read that fails would end a transaction of the caller on PostgreSQL.
  if (!database.isTransaction && toMissing(await findVersion(database)).length === 0) return []
  if (!database.isInteractive) return migrateByStatements(database, attempt)
  return withLockLimit(database, attempt.isLong, async (run) => {
    if (dialect === 'sqlite') return runMissing(database, run)
    const { take, drop } = LOCKS[dialect]
    await waitForTurn(run, compile(take), attempt)
    try {
      return await runMissing(database, run)
    } finally {
      // The lock of MySQL belongs to the connection, which may be broken by now.
      if (drop !== null) await run(compile(drop)).catch(() => undefined)
    }
  })
}

/** The version of the tables; 0 for none. */
async function findVersion(database: Database): Promise<number> {
  return readVersion(database, database.run).catch((error: unknown) => {
    if (isMissing(error)) return 0
    throw error
  })
}

function toMissing(version: number): readonly SchemaStep[] {
  return SCHEMA_STEPS.filter((step) => step.version > version)
}

/**
 * Migrates the schema to the version of this library, through Kysely or the application's own
 * functions. Does nothing if it already has that version, or a later one.
 * Several processes may start at once: the others wait for the one that migrates. The application
 * goes on meanwhile, also an earlier version of it: no statement rewrites a table, and none waits
 * long for one that is in use.
 *
 * @param options the same `prefix`, `schema` and `dialect` as the store's, and how long to `wait`
 * @returns the names of the migrations that ran
 * @throws {ConfigurationError} for an unknown dialect or option
 * @throws {Error} where a transaction used the tables, or another process migrated, for all of
 *   `wait`: in one line, what it waited for and what to do
 *
 * @example
 * ```ts
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 * import { withDeadlines, migrateSql } from 'tokenwright/stores/sql'
 *
 * const db = new Kysely({ dialect: new PostgresDialect({ pool: withDeadlines(new Pool()) }) })
 * await migrateSql(db)
 * ```
 */
export async function migrateSql<DB>(
  db: Kysely<DB> | SqlExecutor,
  options: MigrateSqlOptions = {},
): Promise<readonly string[]> {
  checkSettings(options, ['wait'])
  const wait = toSeconds('wait', options.wait ?? '30s', { min: 0.1, max: 3600 })
  const database = createDatabase(db, options)
  return attemptUntil(database, wait, (attempt) => migrate(database, attempt))
}

/** A migration that the tables lack. */
export interface PlannedSqlMigration {
  /** Its name. */
  readonly name: string
  /** Its statements, in their order. */
  readonly statements: readonly string[]
}

/**
 * What `migrateSql` would carry out now. Only reads. Not for a transaction: without tables the read
 * fails, which ends a transaction on PostgreSQL.
 *
 * @param settings the same `prefix`, `schema` and `dialect` as the store's
 * @returns the migrations in their order; none for tables that are up to date
 * @throws {ConfigurationError} for an unknown dialect or option
 *
 * @example
 * ```ts
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 * import { planSql } from 'tokenwright/stores/sql'
 *
 * const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool() }) })
 * for (const { name, statements } of await planSql(db)) console.log(name, statements)
 * ```
 */
export async function planSql<DB>(
  db: Kysely<DB> | SqlExecutor,
  settings: SqlSettings = {},
): Promise<readonly PlannedSqlMigration[]> {
  checkSettings(settings)
  const database = createDatabase(db, settings)
  const missing = toMissing(await findVersion(database))
  return missing.map(({ name, up }) => ({ name, statements: up(database).map(({ sql }) => sql) }))
}
