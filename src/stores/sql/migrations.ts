/**
 * Migrates the schema: with Kysely's Migrator, among an application's own migrations, or alone. A
 * step that ran before does nothing, so both ways may be mixed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
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
import { retry } from './retry.ts'
import { isDuplicate, isMissing, readVersion, SCHEMA_STEPS } from './schema.ts'
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

/** How long to wait for another process that migrates, in seconds. */
const LOCK_DEADLINE = 30
/** The pause between two attempts to take the lock, in seconds. */
const PAUSE = 0.05

async function runAll(run: Run, statements: readonly Statement[]): Promise<void> {
  for (const statement of statements) {
    await run(statement).catch((error: unknown) => {
      // A process that ended halfway, or another way to migrate, has added the column.
      if (!isDuplicate(error)) throw error
    })
  }
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
      async up(db) {
        const database = createDatabase(db, settings)
        await runAll(database.run, up(database))
      },
      async down(db) {
        const database = createDatabase(db, settings)
        await runAll(database.run, down(database))
      },
    },
  ])
  return { getMigrations: async () => Object.fromEntries(migrations) }
}

/**
 * The statements of all migrations as texts, for tools that take SQL. On MySQL (not MariaDB) and
 * SQLite a second run of `alter table ... add column` fails and changes nothing.
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
    deadline: LOCK_DEADLINE,
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
    take: "select get_lock(sha1(concat(database(), '.{log}')), 0) as taken",
    drop: "select release_lock(sha1(concat(database(), '.{log}')))",
  },
} as const

async function waitFor(run: Run, take: Statement): Promise<void> {
  const end = performance.now() + LOCK_DEADLINE * 1000
  while (Number((await run(take)).rows[0]?.['taken']) !== 1) {
    if (performance.now() > end)
      throw new Error(`Another process has been migrating for ${LOCK_DEADLINE} seconds`)
    await sleep(PAUSE * (0.5 + Math.random()) * 1000)
  }
}

async function runMissing(database: Database, run: Run): Promise<string[]> {
  // The version is in the counters' table, which the first statement of the first step creates.
  const [first] = SCHEMA_STEPS[0]?.up(database) ?? []
  if (first !== undefined) await run(first)
  const version = await readVersion(database, run)
  const missing = SCHEMA_STEPS.filter((step) => step.version > version)
  for (const step of missing) await runAll(run, step.up(database))
  return missing.map(({ name }) => name)
}

/**
 * Without transactions. On PostgreSQL one block does everything under the lock. SQLite runs one
 * statement after the other: each does nothing where another process was first.
 */
async function migrateByStatements(database: Database): Promise<string[]> {
  const { dialect, compile, run } = database
  if (dialect === 'sqlite') return runMissing(database, run)
  const lock = `perform pg_advisory_xact_lock(hashtext('${compile('{log}').sql.slice(MARK.length)}'))`
  const version = await readVersion(database, run).catch((error: unknown) => {
    if (isMissing(error)) return 0
    throw error
  })
  const missing = SCHEMA_STEPS.filter((step) => step.version > version)
  const statements = missing.flatMap((step) => step.up(database)).map(({ sql }) => sql)
  if (missing.length > 0)
    await run({ sql: `${MARK}do $do$ begin ${[lock, ...statements].join('; ')}; end $do$`, names: [] })
  return missing.map(({ name }) => name)
}

async function migrate(database: Database): Promise<string[]> {
  const { dialect, compile } = database
  if (!database.isInteractive) return migrateByStatements(database)
  if (dialect === 'sqlite') return database.transact((run) => runMissing(database, run))
  const take = compile(LOCKS[dialect].take)
  if (dialect === 'postgres') {
    return database.transact(async (run) => {
      await waitFor(run, take)
      return runMissing(database, run)
    })
  }
  // MySQL commits with every change of the schema, so the lock belongs to the connection.
  return database.connect(async (run) => {
    await waitFor(run, take)
    try {
      return await runMissing(database, run)
    } finally {
      await run(compile(LOCKS.mysql.drop))
    }
  })
}

/**
 * Migrates the schema to the version of this library, through Kysely or the application's own
 * functions. Does nothing if it already has that version.
 * Several processes may start at once: the others wait up to 30 seconds for the one that migrates.
 *
 * @param settings the same `prefix`, `schema` and `dialect` as the store's
 * @returns the names of the migrations that ran
 * @throws {ConfigurationError} for an unknown dialect
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
  settings: SqlSettings = {},
): Promise<readonly string[]> {
  const database = createDatabase(db, settings)
  return retry(() => migrate(database), LOCK_DEADLINE)
}
