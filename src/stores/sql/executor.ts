/**
 * The application's own functions in place of Kysely, for users of `pg`, `mysql2`, Prisma, Drizzle,
 * Knex, and of databases that are reached over HTTP. The statements are the same. On PostgreSQL
 * each step is one statement, so that nothing but `run` is needed. Where there are no interactive
 * transactions SQLite takes a batch for each step (`batched-rows.ts`).
 */
import {
  ConfigurationError,
  checkKnownKeys,
  expected,
  isCallable,
} from '../../internal/configuration-error.ts'
import { checkShape, type Database, type Run } from './database.ts'
import { createSqliteTurns } from './sqlite-turns.ts'
import { type SqlDialect, type Statement, toParameters, type Value } from './statement.ts'

/** A statement for a batch. */
export interface SqlBatchStatement {
  /** The text, with the placeholders of the dialect. */
  readonly sql: string
  /** One value for each placeholder, or for each number of PostgreSQL's. */
  readonly parameters: Value[]
}

/**
 * Runs one statement and returns its rows as flat objects; anything for a statement without rows.
 * Placeholders are `$1`, `$2` on PostgreSQL, `?` elsewhere. Values are texts, numbers and null.
 */
export type SqlRun = (sql: string, parameters: Value[]) => unknown

/** The application's functions, in place of a Kysely instance. */
export interface SqlExecutor {
  /** The dialect; MariaDB is `'mysql'`. */
  readonly dialect: SqlDialect
  /**
   * Runs one statement on any connection. Without `transaction` and `batch`, SQLite needs the same
   * connection for all of them, which nothing else may use.
   */
  readonly run: SqlRun
  /**
   * Runs `work` in one transaction of one connection: commits when it resolves, rolls back when it
   * rejects. MySQL needs it, with the isolation level read committed. On SQLite it takes the write
   * lock at once (`begin immediate`). PostgreSQL uses none.
   */
  readonly transaction?: <T>(work: (run: SqlRun) => Promise<T>) => Promise<T>
  /**
   * SQLite without interactive transactions, such as D1: runs all statements in their order as one
   * transaction; if one fails, it rejects with that error, and nothing is written.
   */
  readonly batch?: (statements: SqlBatchStatement[]) => unknown
  /**
   * Whether `run` belongs to a transaction of yours. The store joins it, and retries nothing.
   * Default false.
   */
  readonly isTransaction?: boolean
}

/** Whether the application gave functions of its own. */
export function isExecutor(given: unknown): given is SqlExecutor {
  return typeof given === 'object' && given !== null && 'run' in given && isCallable(given.run)
}

/**
 * Checks what the application gave.
 *
 * @throws {ConfigurationError} for what is no function, or lacks what its dialect needs
 */
export function checkExecutor(executor: SqlExecutor, dialect: SqlDialect): void {
  checkKnownKeys('', executor, ['dialect', 'run', 'transaction', 'batch', 'isTransaction'])
  for (const name of ['transaction', 'batch'] as const) {
    const value: unknown = executor[name]
    if (value !== undefined && !isCallable(value))
      throw new ConfigurationError(expected(name, 'a function', value))
  }
  const { batch, transaction, isTransaction } = executor
  if (batch !== undefined && dialect !== 'sqlite')
    throw new ConfigurationError('`batch` is for SQLite: PostgreSQL needs none, MySQL needs `transaction`')
  if (dialect === 'mysql' && transaction === undefined && isTransaction !== true)
    throw new ConfigurationError('Expected `transaction` beside `run`: MySQL does no step in one statement')
}

/** How the store reaches the database through the functions. */
export function connectExecutor(
  executor: SqlExecutor,
  dialect: SqlDialect,
  compile: Database['compile'],
): Omit<Database, 'dialect' | 'prefix' | 'schema' | 'compile'> {
  const run = toRun(executor.run, dialect)
  const { transaction, batch, isTransaction = false } = executor
  const connect: Database['connect'] = (step) => step(run)
  const shared = { isTransaction, countsChanges: false, connect, run }
  if (isTransaction) return { ...shared, transact: connect, batch: null, isInteractive: true }
  if (transaction !== undefined) {
    const transact: Database['transact'] = (step) => transaction(async (inner) => step(toRun(inner, dialect)))
    return { ...shared, connect: transact, transact, batch: null, isInteractive: true }
  }
  if (batch !== undefined) {
    const toBatched = (statement: Statement, values = {}): SqlBatchStatement => ({
      sql: statement.sql,
      parameters: toParameters(statement, values, dialect),
    })
    return {
      ...shared,
      transact: refuseTransaction,
      isInteractive: false,
      async batch(statements) {
        await batch(statements.map(([statement, values]) => toBatched(statement, values)))
      },
    }
  }
  if (dialect === 'sqlite')
    return { ...shared, ...createSqliteTurns({ run, connect, compile }), batch: null, isInteractive: true }
  return { ...shared, transact: refuseTransaction, batch: null, isInteractive: false }
}

async function refuseTransaction(): Promise<never> {
  throw new ConfigurationError('Expected `transaction` beside `run`')
}

/** Reads what the application's function returns. */
function toRun(given: SqlRun, dialect: SqlDialect): Run {
  return async (statement, values = {}) => {
    const result: unknown = await given(statement.sql, toParameters(statement, values, dialect))
    if (!Array.isArray(result)) {
      if (returnsRows(statement)) throw new ConfigurationError(expected('run', HINT, result))
      return { rows: [], count: 0, number: 0 }
    }
    checkShape(result[0])
    return { rows: result, count: 0, number: 0 }
  }
}

const HINT =
  'a function that resolves to the rows: `(await pool.query(sql, parameters)).rows` with pg, `[0]` of it with mysql2'

/** Whether a statement returns rows in every dialect. */
function returnsRows({ sql }: Statement): boolean {
  return /^\/\* tokenwright \*\/ (?:\/\*M!.*?\*\/ )?select\b|\breturning\b/.test(sql)
}
