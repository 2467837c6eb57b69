/** One wrapper for the pools of both drivers, which it recognizes by their methods. */
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import type { DeadlineOptions } from './deadline.ts'
import { type MysqlPoolLike, type MysqlPoolWithDeadlines, withMysqlDeadlines } from './mysql-pool.ts'
import { type PgPoolLike, type PgPoolWithDeadlines, withPgDeadlines } from './pg-pool.ts'

/**
 * Gives every call of a pool a deadline. A connection that hung or broke is closed instead of given
 * back to the pool, and so are all connections older than that failure, which after a failover are
 * dead too. No `error` event of the driver ends the process.
 *
 * @param pool a `Pool` of `pg`, or a pool that `createPool` of `mysql2` (not `mysql2/promise`) made
 * @throws {ConfigurationError} for another pool or an invalid deadline
 *
 * @example
 * ```ts
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 * import { withDeadlines } from 'tokenwright/stores/sql'
 *
 * const pool = withDeadlines(new Pool(), { deadline: '1s' })
 * const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
 * ```
 *
 * @example
 * ```ts
 * import { Kysely, MysqlDialect } from 'kysely'
 * import { createPool } from 'mysql2'
 * import { withDeadlines } from 'tokenwright/stores/sql'
 *
 * const pool = withDeadlines(createPool({ host: '127.0.0.1', database: 'app' }))
 * const db = new Kysely({ dialect: new MysqlDialect({ pool }) })
 * ```
 */
export function withDeadlines(pool: PgPoolLike, options?: DeadlineOptions): PgPoolWithDeadlines
export function withDeadlines(pool: MysqlPoolLike, options?: DeadlineOptions): MysqlPoolWithDeadlines
export function withDeadlines(
  pool: PgPoolLike | MysqlPoolLike,
  options: DeadlineOptions = {},
): PgPoolWithDeadlines | MysqlPoolWithDeadlines {
  const shape: unknown = pool
  if (typeof shape === 'object' && shape !== null) {
    if ('getConnection' in pool && typeof pool.getConnection === 'function')
      return withMysqlDeadlines(pool, options)
    if ('connect' in pool && typeof pool.connect === 'function') return withPgDeadlines(pool, options)
  }
  throw new ConfigurationError(expected('withDeadlines(pool)', 'a pool of `pg` or of `mysql2`', pool))
}
