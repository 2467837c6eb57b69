/** A database as the steps of the store see it, and the settings that say where its tables are. */
import {
  ConfigurationError,
  checkKnownKeys,
  expected,
  isOptions,
} from '../../internal/configuration-error.ts'
import { isDate } from '../../internal/duration.ts'
import type { Compile, SqlDialect, Statement, Values } from './statement.ts'

/** The result of a statement. */
export interface Result {
  /** The rows; integers may be numbers, strings or bigints: read them with `Number()`. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** How many rows a change found; 0 for a read, and where the driver is not asked. */
  readonly count: number
  /** MySQL: the number that `last_insert_id(n)` set; 0 for none. */
  readonly number: number
}

/** A statement of a batch. */
export type BatchedStatement = readonly [statement: Statement, values: Values]

/** Runs one statement: one round trip. */
export type Run = (statement: Statement, values?: Values) => Promise<Result>

/** A database and its settings. */
export interface Database {
  /** Its dialect. */
  readonly dialect: SqlDialect
  /** The prefix of the tables' names. */
  readonly prefix: string
  /** The tables' schema; null for the connection's own. */
  readonly schema: string | null
  /** Whether every statement belongs to a transaction of the caller. */
  readonly isTransaction: boolean
  /** Whether results say how many rows a change found. */
  readonly countsChanges: boolean
  /** Compiles templates. */
  readonly compile: Compile
  /** Runs a statement on its own, committed when it is done. */
  readonly run: Run
  /** Runs a step on one connection, without a transaction. */
  connect<T>(step: (run: Run) => Promise<T>): Promise<T>
  /** Runs a step in a transaction with the isolation level read committed. */
  transact<T>(step: (run: Run) => Promise<T>): Promise<T>
  /**
   * Runs statements as one transaction; null where steps are transactions. Without both, as on
   * PostgreSQL over HTTP, `transact` rejects.
   */
  readonly batch: ((statements: readonly BatchedStatement[]) => Promise<void>) | null
  /** Whether a transaction can be asked between its statements. */
  readonly isInteractive: boolean
}

/** Where the tables are. */
export interface SqlSettings {
  /** The dialect; default: that of the Kysely instance. MariaDB is `'mysql'`. */
  readonly dialect?: SqlDialect
  /**
   * The prefix of the tables' names: lower-case letters, digits and `_`, at most 31 characters.
   * Default `'tokenwright_'`.
   */
  readonly prefix?: string
  /**
   * The schema of the tables, on MySQL the database: letters, digits, `_`, `$` and `-`, at most 63
   * characters. Default: that of `db.withSchema(...)`, else the connection's own. It must exist.
   */
  readonly schema?: string
}

/** The options that the store and its migrations share. */
const SETTING_NAMES = ['dialect', 'prefix', 'schema'] as const satisfies readonly (keyof SqlSettings)[]

/**
 * Checks an object of settings. The migrations may be given the store's.
 *
 * @param others the names of further options
 * @throws {ConfigurationError} for anything but an object, and for an unknown name
 */
export function checkSettings(settings: unknown, others: readonly string[] = []): void {
  if (!isOptions(settings))
    throw new ConfigurationError(expected('options', 'an object of options', settings))
  checkKnownKeys('', settings, [...SETTING_NAMES, 'deadline', ...others])
}

/**
 * Reads the prefix of the tables' names.
 *
 * @throws {ConfigurationError} for an invalid one
 */
export function toPrefix(prefix: unknown = 'tokenwright_'): string {
  if (typeof prefix === 'string' && /^[a-z][a-z0-9_]{0,30}$/.test(prefix)) return prefix
  throw new ConfigurationError(
    expected('prefix', 'lower-case letters, digits and `_`, at most 31, starting with a letter', prefix),
  )
}

/**
 * Reads the name of a schema; null for none.
 *
 * @throws {ConfigurationError} for an invalid one
 */
export function toSchema(given: unknown): string | null {
  if (given === undefined) return null
  if (typeof given === 'string' && /^[A-Za-z_][\w$-]{0,62}$/.test(given)) return given
  throw new ConfigurationError(expected('schema', 'letters, digits, `_`, `$` and `-`, at most 63', given))
}

/**
 * Reads the name of a dialect.
 *
 * @throws {ConfigurationError} for any other word
 */
export function toKnownDialect(given: unknown): SqlDialect {
  if (typeof given === 'string' && DIALECTS.includes(given)) return given as SqlDialect
  throw new ConfigurationError(expected('dialect', "'postgres', 'mysql' or 'sqlite'", given))
}

const DIALECTS: readonly string[] = ['postgres', 'mysql', 'sqlite'] satisfies SqlDialect[]

/** Refuses rows as arrays, or as an object for each table. No column of ours is an object. */
export function checkShape(row: Record<string, unknown> | undefined): void {
  if (row === undefined) return
  let isFlat = !Array.isArray(row)
  // With `nestTables: '_'`, a column of no table is named so.
  for (const name in row) isFlat &&= !isPlainObject(row[name]) && !name.startsWith('_')
  if (isFlat) return
  throw new ConfigurationError(
    'Expected the driver to return rows as flat objects: leave out `rowsAsArray` and `nestTables` (mysql2), `rowMode` (pg)',
  )
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !isDate(value)
}
