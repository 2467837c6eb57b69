/** Databases by their URLs, through the drivers of the project. */
import type { Kysely, MysqlPool, PostgresPool, SqliteDatabase } from 'kysely'
import type { Duration } from '../internal/duration.ts'
import { type NodeSqliteConnection, nodeSqlite, withDeadlines } from '../stores/sql.ts'
import { UsageError } from './command.ts'
import { findPackage, loadPackage } from './load-package.ts'

/**
 * Opens a database.
 *
 * @param url such as `postgres://user:password@host/name`, `mysql://...` or `sqlite:path`
 * @param deadline how long a statement may take, such as `30s`; default: as long as it takes
 * @returns Kysely over it, the caller destroys it; null for a URL of another kind
 * @throws {UsageError} where Kysely or the driver is not installed
 */
export async function openDatabase(url: string, deadline?: Duration): Promise<Kysely<unknown> | null> {
  const [scheme = ''] = url.split(':', 1)
  const name = SCHEMES[scheme] ?? scheme
  const open = Object.hasOwn(OPENERS, name) ? OPENERS[name] : undefined
  if (open === undefined) return null
  return open(url.replace(scheme, name), await loadPackage<KyselyModule>('kysely'), deadline)
}

/** Other names of the schemes. */
const SCHEMES: Readonly<Record<string, string>> = { postgresql: 'postgres', mariadb: 'mysql' }

/** Kysely, of the project. */
type KyselyModule = typeof import('kysely')

type Opener = (url: string, kysely: KyselyModule, deadline: Duration | undefined) => Promise<Kysely<unknown>>

/** How each kind of database is opened, by the scheme of its URL. */
const OPENERS: Readonly<Record<string, Opener>> = {
  async postgres(url, { Kysely, PostgresDialect }, deadline) {
    const { Pool } = await loadPackage<typeof import('pg')>('pg')
    const pool = new Pool({ connectionString: url })
    const bounded: PostgresPool = deadline === undefined ? pool : withDeadlines(pool, { deadline })
    return new Kysely({ dialect: new PostgresDialect({ pool: bounded }) })
  },
  async mysql(url, { Kysely, MysqlDialect }, deadline) {
    const { createPool } = await loadPackage<typeof import('mysql2')>('mysql2')
    const pool = createPool({ uri: url })
    const bounded: MysqlPool = deadline === undefined ? pool : withDeadlines(pool, { deadline })
    return new Kysely({ dialect: new MysqlDialect({ pool: bounded }) })
  },
  async sqlite(url, { Kysely, SqliteDialect }) {
    return new Kysely({ dialect: new SqliteDialect({ database: await openSqlite(toPath(url)) }) })
  },
}

/** The path in the URL of a SQLite database: what follows `sqlite:`. */
export function toPath(url: string): string {
  return url.slice('sqlite:'.length)
}

/** The used part of `node:sqlite`, and of the package with its interface. */
interface SqliteModule {
  readonly DatabaseSync: new (path: string, options: { timeout: number }) => NodeSqliteConnection
}

const SQLITE_PACKAGE = '@photostructure/sqlite'

/** Opens SQLite for Kysely: Node's own, or a package of the project. */
async function openSqlite(path: string): Promise<SqliteDatabase> {
  let sqlite = process.getBuiltinModule?.('node:sqlite') as unknown as SqliteModule | undefined
  if (sqlite === undefined && findPackage(SQLITE_PACKAGE) !== null) sqlite = await loadPackage(SQLITE_PACKAGE)
  if (sqlite === undefined)
    throw new UsageError(
      `Expected Node 22.13 or later for SQLite, or ${SQLITE_PACKAGE} in this project; \`tokenwright sql sqlite\` prints the statements`,
    )
  return nodeSqlite(new sqlite.DatabaseSync(path, { timeout: 0 }))
}
