/**
 * Databases at the other end of a connection: PostgreSQL, and MySQL with MariaDB. The drivers are
 * loaded only when an address asks for them, so that the others do not wait for it at start. A call
 * that gets no answer within two seconds fails, and its connection is closed.
 */
import { type Dialect, MysqlDialect, PostgresDialect } from 'kysely'
import { withDeadlines } from 'tokenwright/stores/sql'
import type { RemoteLocation } from './address.ts'

/** The most connections of one process. */
const CONNECTIONS = 10

/** Prepares PostgreSQL; connects with the first query. */
export async function openPostgres({ url }: RemoteLocation): Promise<Dialect> {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, application_name: 'tokenwright' })
  return new PostgresDialect({ pool: withDeadlines(pool) })
}

/** Prepares MySQL or MariaDB; connects with the first query. */
export async function openMysql({ url }: RemoteLocation): Promise<Dialect> {
  const { createPool } = await import('mysql2')
  return new MysqlDialect({ pool: withDeadlines(createPool({ uri: url, connectionLimit: CONNECTIONS })) })
}
