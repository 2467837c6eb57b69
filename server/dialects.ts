/**
 * The databases that are reached over the network: PostgreSQL, and MySQL or MariaDB. A driver is
 * loaded only if it is needed, which keeps the start with other databases fast. A call without a
 * response within two seconds fails, and its connection is closed.
 */
import { type Dialect, MysqlDialect, PostgresDialect } from 'kysely'
import { withDeadlines } from 'tokenwright/stores/sql'
import type { RemoteLocation } from './address.ts'

/** The most connections of one process. */
const CONNECTIONS = 10

/** Prepares PostgreSQL. The first query connects. */
export async function openPostgres({ url }: RemoteLocation): Promise<Dialect> {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, application_name: 'tokenwright' })
  return new PostgresDialect({ pool: withDeadlines(pool) })
}

/** Prepares MySQL or MariaDB. The first query connects. */
export async function openMysql({ url }: RemoteLocation): Promise<Dialect> {
  const { createPool } = await import('mysql2')
  return new MysqlDialect({ pool: withDeadlines(createPool({ uri: url, connectionLimit: CONNECTIONS })) })
}
