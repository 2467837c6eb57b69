/** Databases by their URLs, through the drivers of the project. */
import type { Kysely, SqliteDatabase } from 'kysely'
import { type NodeSqliteConnection, nodeSqlite } from '../stores/sql.ts'
import { UsageError } from './command.ts'
import { loadPackage } from './load-package.ts'

/**
 * Opens a database.
 *
 * @param url such as `postgres://user:password@host/name`, `mysql://...` or `sqlite:path`
 * @returns Kysely over it; the caller destroys it
 * @throws {UsageError} for another URL, and where Kysely or the driver is not installed
 */
export async function openDatabase(url: string): Promise<Kysely<unknown>> {
  const [scheme = ''] = url.split(':', 1)
  const name = SCHEMES[scheme] ?? scheme
  const open = Object.hasOwn(OPENERS, name) ? OPENERS[name] : undefined
  if (open === undefined)
    throw new UsageError(
      'Expected a database: postgres://..., mysql://... or sqlite:path, as argument or in DATABASE_URL',
    )
  return open(url.replace(scheme, name), await loadPackage<KyselyModule>('kysely'))
}

/** Kysely, of the project. */
type KyselyModule = typeof import('kysely')

/** The used part of `node:sqlite`. */
interface SqliteModule {
  readonly DatabaseSync: new (path: string) => NodeSqliteConnection
}

/** Opens Node's own SQLite for Kysely. */
function openSqlite(path: string): SqliteDatabase {
  const sqlite = process.getBuiltinModule?.('node:sqlite') as unknown as SqliteModule | undefined
  if (sqlite === undefined)
    throw new UsageError(
      'Expected Node 22.13 or later for SQLite; `tokenwright sql sqlite` prints the statements',
    )
  return nodeSqlite(new sqlite.DatabaseSync(path))
}

/** How each kind of database is opened, by the scheme of its URL. */
const OPENERS: Readonly<Record<string, (url: string, kysely: KyselyModule) => Promise<Kysely<unknown>>>> = {
  async postgres(url, { Kysely, PostgresDialect }) {
    const { Pool } = await loadPackage<typeof import('pg')>('pg')
    return new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) })
  },
  async mysql(url, { Kysely, MysqlDialect }) {
    const { createPool } = await loadPackage<typeof import('mysql2')>('mysql2')
    return new Kysely({ dialect: new MysqlDialect({ pool: createPool({ uri: url }) }) })
  },
  async sqlite(url, { Kysely, SqliteDialect }) {
    return new Kysely({ dialect: new SqliteDialect({ database: openSqlite(url.slice('sqlite:'.length)) }) })
  },
}

/** Other names of the schemes. */
const SCHEMES: Readonly<Record<string, string>> = { postgresql: 'postgres', mariadb: 'mysql' }
