/**
 * Door `tokenwright/stores/sql`: sessions in PostgreSQL, MySQL, MariaDB or SQLite, through the application's own Kysely instance,
 * which it also closes. A refresh costs one round trip on PostgreSQL and two on MySQL and MariaDB. Rows and log are as durable as the
 * database keeps them; `inspect()` says where that is less than one would think.
 *
 * The store bounds its waits for locks and its retries. It cannot bound a server that answers nothing: give Kysely the pool
 * through `withDeadlines`, which closes a connection that hangs.
 */
import type { Kysely } from 'kysely'
import { checkKnownKeys } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import type { Store } from '../session/store.ts'
import { type Commands, createSqliteCommands } from './sql/commands.ts'
import { createDatabase, type Database, type SqlSettings } from './sql/database.ts'
import { inspectDatabase } from './sql/inspect.ts'
import { createMysqlCommands } from './sql/mysql-commands.ts'
import { createPostgresCommands } from './sql/postgres-commands.ts'
import { createPrune } from './sql/prune.ts'
import { createQueries } from './sql/queries.ts'
import { retry } from './sql/retry.ts'
import { createSchemaError, isMissing } from './sql/schema.ts'
import type { SqlDialect } from './sql/statement.ts'

export type { SqlSettings } from './sql/database.ts'
export type { DeadlineOptions } from './sql/deadline.ts'
export {
  migrateSql,
  type SqlMigration,
  type SqlMigrationProvider,
  sqlMigrations,
  sqlStatements,
} from './sql/migrations.ts'
export type { MysqlConnectionLike, MysqlPoolLike, MysqlPoolWithDeadlines } from './sql/mysql-pool.ts'
export type { PgClientLike, PgPoolLike, PgPoolWithDeadlines } from './sql/pg-pool.ts'
export type { SqlDialect } from './sql/statement.ts'
export { withDeadlines } from './sql/with-deadlines.ts'

/** What `sqlStore` takes. */
export interface SqlStoreOptions extends SqlSettings {
  /**
   * How long a statement waits for a row that another one holds, and how long it is tried again after a deadlock, a
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
 * Makes a store in a SQL database. It connects to nothing before the first call. The tables must be there: see `migrateSql` and
 * `sqlMigrations`; a call that finds them missing rejects with a `ConfigurationError`, as does `inspect()` where they are older.
 *
 * SQLite: use one that reports SQLITE_BUSY honestly (`node:sqlite`, better-sqlite3, `@photostructure/sqlite`; `libsql` does not),
 * with a busy timeout of 0: while SQLite itself waits, the whole process stands still. The store waits without that.
 *
 * @param db the application's Kysely instance, 0.28 or later; its plugins do not touch the store's statements
 * @throws {ConfigurationError} when the dialect is none of the three, or an option is unfit
 *
 * @example
 * ```ts
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 * import { migrateSql, sqlStore, withDeadlines } from 'tokenwright/stores/sql'
 *
 * const db = new Kysely({ dialect: new PostgresDialect({ pool: withDeadlines(new Pool({ max: 20 })) }) })
 * await migrateSql(db)
 * const store = sqlStore(db)
 * ```
 */
export function sqlStore<DB>(db: Kysely<DB>, options: SqlStoreOptions = {}): Store {
  checkKnownKeys('', options, ['dialect', 'prefix', 'deadline'])
  const deadline = toSeconds('deadline', options.deadline ?? '2s', { min: 0.1, max: 60 })
  const database = createDatabase(db, options, deadline)
  const { dialect, prefix, run } = database
  const reading = createQueries(database)
  const prune = createPrune(database)
  const writing = COMMANDS[dialect](database)

  async function step<T>(carryOut: () => Promise<T>): Promise<T> {
    try {
      return await retry(carryOut, deadline)
    } catch (error) {
      throw isMissing(error) ? createSchemaError(prefix, 'none, or older ones', error) : error
    }
  }

  return {
    name: dialect,
    inspect: () => step(() => inspectDatabase(database, run)),
    now: () => step(() => reading.now(run)),
    start: (draft, now) => step(() => writing.start(draft, now)),
    rotate: (call) => step(() => writing.rotate(call)),
    stepUp: (call) => step(() => writing.stepUp(call)),
    countAttempt: (key, limit, window, now) => step(() => writing.countAttempt(key, limit, window, now)),
    get: (sid) => step(() => reading.get(run, sid)),
    list: (sub, now) => step(() => reading.list(run, sub, now)),
    isRevoked: (query) => step(() => reading.isRevoked(run, query)),
    end: (sid, reason, call) => step(() => writing.end(sid, reason, call)),
    endAll: (sub, reason, call) => step(() => writing.endAll(sub, reason, call)),
    revokeToken: (jti, until, now) => step(() => writing.revokeToken(jti, until, now)),
    readLog: (cursor, limit) => step(() => reading.readLog(run, cursor, limit)),
    prune: (now) => prune((statement, values) => step(() => run(statement, values)), now),
  }
}
