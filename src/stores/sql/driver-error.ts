/**
 * Errors of drivers, also where a query builder wraps them: Drizzle and Knex keep the driver's as
 * `cause`, Prisma has its code in `meta`.
 */

/** What drivers tell of a failure. */
export interface DriverError {
  /** An SQLSTATE, or a name such as `ER_LOCK_DEADLOCK` or `SQLITE_BUSY`. */
  readonly code?: unknown
  /** MySQL's number. */
  readonly errno?: unknown
  /** SQLite's result code. */
  readonly errcode?: unknown
  /** The message. */
  readonly message?: unknown
}

/**
 * PostgreSQL: a prepared statement of that name exists already, or does not exist. A pooler has
 * given the connection of another client. Nothing has run.
 */
export const STATEMENT_NAME_CODES: readonly string[] = ['42P05', '26000']

/** PostgreSQL and MySQL: the server is a standby, or was set read-only. */
const READ_ONLY_CODES: readonly string[] = ['25006', 'ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE']
const READ_ONLY_NUMBERS: readonly unknown[] = [1290, 1836]

/** Galera: the node has lost the others. */
const CUT_OFF_NUMBER = 1047

/**
 * Whether a server is up and takes no writes: a former primary, to which connections live on after
 * a failover. Nothing has run. All connections of a pool lead there, and new ones may not.
 */
export function isReadOnly(error: unknown): boolean {
  return isDriverError(
    error,
    ({ code, errno }) => READ_ONLY_CODES.includes(String(code)) || READ_ONLY_NUMBERS.includes(errno),
  )
}

/**
 * Whether a node of Galera is cut off from the others and does nothing. Nothing has run. Other
 * connections of the pool may lead to nodes that are not.
 */
export function isCutOff(error: unknown): boolean {
  return isDriverError(error, ({ errno }) => errno === CUT_OFF_NUMBER)
}

/** How many wrappers around an error are opened. */
const MOST_WRAPPERS = 5

/** Whether an error, or one that it wraps, is of a kind. */
export function isDriverError(error: unknown, isKind: (error: DriverError) => boolean): boolean {
  let current: unknown = error
  for (let depth = 0; depth < MOST_WRAPPERS; depth++) {
    if (typeof current !== 'object' || current === null) return false
    const { meta, cause } = current as { readonly meta?: unknown; readonly cause?: unknown }
    if (isKind(current) || (typeof meta === 'object' && meta !== null && isKind(meta))) return true
    current = cause
  }
  return false
}
