/**
 * Entry point `tokenwright/stores/sql`: sessions in PostgreSQL, MySQL, MariaDB or SQLite, through
 * the application's own Kysely instance, which the application also closes. A refresh costs one
 * round trip on PostgreSQL and two on MySQL and MariaDB; reuse, and what races it, cost more. Rows
 * and log are as durable as the database makes them; `inspect()` warns if that is less than one
 * would expect.
 *
 * The store bounds its waits for locks and its retries. It cannot bound a server that hangs: give
 * Kysely the pool through `withDeadlines`, which closes a connection that hangs.
 */
import type { Kysely } from 'kysely'
import { type Duration, toSeconds } from '../internal/duration.ts'
import type { Store } from '../session/store.ts'
import { createAttemptStatements } from './sql/attempts.ts'
import { type Commands, createSqliteCommands } from './sql/commands.ts'
import { createDatabase } from './sql/create-database.ts'
import { checkSettings, type Database, type SqlSettings } from './sql/database.ts'
import { diagnoseDatabase } from './sql/diagnose.ts'
import { createEdits } from './sql/edits.ts'
import type { SqlExecutor } from './sql/executor.ts'
import { inspectDatabase } from './sql/inspect.ts'
import { createMysqlCommands } from './sql/mysql-commands.ts'
import { createOwnerTurns } from './sql/owner-turns.ts'
import { createPostgresCommands } from './sql/postgres-commands.ts'
import { createPrune } from './sql/prune.ts'
import { createQueries } from './sql/queries.ts'
import { retry } from './sql/retry.ts'
import { createSchemaError, isMissing } from './sql/schema.ts'
import type { SqlDialect } from './sql/statement.ts'
import { createTransfer } from './sql/transfer.ts'
import { toOwnerKey } from './sql/values.ts'

export type { SqlSettings } from './sql/database.ts'
export type { DeadlineOptions } from './sql/deadline.ts'
export type { SqlBatchStatement, SqlExecutor, SqlRun } from './sql/executor.ts'
export {
  type MigrateSqlOptions,
  migrateSql,
  type PlannedSqlMigration,
  planSql,
  type SqlMigration,
  type SqlMigrationProvider,
  sqlMigrations,
  sqlStatements,
} from './sql/migrations.ts'
export type { MysqlConnectionLike, MysqlPoolLike, MysqlPoolWithDeadlines } from './sql/mysql-pool.ts'
export { type NodeSqliteConnection, nodeSqlite } from './sql/node-sqlite.ts'
export type { PgClientLike, PgPoolLike, PgPoolWithDeadlines } from './sql/pg-pool.ts'
export { retry as retryTransient } from './sql/retry.ts'
export type { SqlDialect, Value as SqlValue } from './sql/statement.ts'
export { withDeadlines } from './sql/with-deadlines.ts'

/** The options of `sqlStore`. */
export interface SqlStoreOptions extends SqlSettings {
  /**
   * How long a statement waits for a locked row, and for how long it is retried after a deadlock, a
   * serialization failure or SQLITE_BUSY. Default `'2s'`; between 0.1 and 60 seconds.
   */
  readonly deadline?: Duration
}

const COMMANDS: Readonly<Record<SqlDialect, (database: Database) => Commands>> = {
  postgres: createPostgresCommands,
  mysql: createMysqlCommands,
  sqlite: createSqliteCommands,
}

/**
 * Creates a store in a SQL database. It does not connect before the first call. The tables must
 * exist: see `migrateSql` and `sqlMigrations`. A call that finds them missing rejects with a
 * `ConfigurationError`, as does `inspect()` if they are older. The tables are in the schema of
 * `db.withSchema(...)` or of the option `schema`.
 *
 * Given a transaction of the caller, the store joins it: its writes are committed or rolled back
 * with it, and nothing is retried. Use such a store only within that transaction.
 *
 * SQLite: use a driver that reports SQLITE_BUSY correctly (`node:sqlite` through `nodeSqlite`,
 * better-sqlite3, `@photostructure/sqlite`; `libsql` does not), with a busy timeout of 0: while
 * SQLite itself waits, it blocks the whole process. The store's own waits do not.
 *
 * @param db the application's Kysely instance, 0.28 or later, whose plugins do not change our
 *   statements; or the application's own functions
 * @throws {ConfigurationError} for an unknown dialect or an invalid option
 *
 * @example
 * ```ts
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 * import { migrateSql, sqlStore, withDeadlines } from 'tokenwright/stores/sql'
 *
 * const pool = withDeadlines(new Pool({ max: 20 }))
 * const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
 * await migrateSql(db)
 * const store = sqlStore(db)
 * ```
 *
 * @example
 * ```ts
 * import { Pool } from 'pg'
 * import { type SqlExecutor, sqlStore } from 'tokenwright/stores/sql'
 *
 * const pool = new Pool({ query_timeout: 2000, connectionTimeoutMillis: 2000 })
 * const client: SqlExecutor = {
 *   dialect: 'postgres',
 *   run: async (sql, parameters) => (await pool.query(sql, parameters)).rows,
 * }
 * const store = sqlStore(client)
 * ```
 */
export function sqlStore<DB>(db: Kysely<DB> | SqlExecutor, options: SqlStoreOptions = {}): Store {
  checkSettings(options)
  const { deadline: given = '2s' } = options
  const deadline = toSeconds('deadline', given, { min: 0.1, max: 60 })
  const database = createDatabase(db, options, deadline)
  const { dialect, prefix, run, isTransaction } = database
  const queries = createQueries(database)
  const commands = COMMANDS[dialect](database)
  const attempts = createAttemptStatements(database)
  const edits = createEdits(database)
  const takeTurn = createOwnerTurns()
  const prune = createPrune(database)

  async function step<T>(work: () => Promise<T>): Promise<T> {
    try {
      // After a failure the caller must repeat its whole transaction: no part of it can be retried.
      return await (isTransaction ? work() : retry(work, deadline))
    } catch (error) {
      throw isMissing(error) ? createSchemaError(prefix, 'none, or older ones', error) : error
    }
  }

  return {
    name: dialect,
    inspect: () => step(() => inspectDatabase(database, run)),
    diagnose: () => diagnoseDatabase(database),
    now: () => step(() => queries.now()),
    start: (session, now) => step(() => commands.start(session, now)),
    startLimited: (session, limit, now) =>
      takeTurn(toOwnerKey(session), () => step(() => commands.startLimited(session, limit, now))),
    rotate: (call) => step(() => commands.rotate(call)),
    stepUp: (call) => step(() => commands.stepUp(call)),
    update: (call) => step(() => edits.update(call)),
    countAttempt: (key, limit, window, now) => step(() => commands.countAttempt(key, limit, window, now)),
    readAttempts: (key, now) => step(() => attempts.readAttempts(key, now)),
    forgetAttempts: (key, count, now) => step(() => attempts.forgetAttempts(key, count, now)),
    forgetTogether: (forgets, now) => step(() => attempts.forgetTogether(forgets, now)),
    async countTogether(counts, reads, now) {
      const tried = await step(() => attempts.tryTogether(counts, reads, now))
      const forgets = tried.counts.map((key) => ({ key, count: 1 }))
      if (forgets.length > 0) await step(() => attempts.forgetTogether(forgets, now))
      return { counted: tried.counted, reads: tried.reads }
    },
    get: (sid) => step(() => queries.get(sid)),
    list: (owner, now) => step(() => queries.list(owner, now)),
    isRevoked: (query) => step(() => queries.isRevoked(query)),
    end: (sid, reason, call) => step(() => commands.end(sid, reason, call)),
    endAll: (owner, reason, call) => step(() => commands.endAll(owner, reason, call)),
    revokeToken: (jti, until, now) => step(() => commands.revokeToken(jti, until, now)),
    readLog: (cursor, limit) => step(() => queries.readLog(cursor, limit)),
    prune: (now) => prune(step, now),
    transfer: createTransfer(database, step),
  }
}
