/**
 * Opens the database through Kysely and creates the table of users. Each kind of database is one
 * row of a table. The library creates the tables of the sessions.
 */
import { type Dialect, Kysely, sql } from 'kysely'
import { ConfigurationError } from 'tokenwright'
import { retryTransient } from 'tokenwright/stores/sql'
import { type DatabaseLocation, showLocation } from './address.ts'
import { openMysql, openPostgres } from './dialects.ts'
import { codeOf, reasonOf } from './reason.ts'
import { openSqlite } from './sqlite.ts'

/** One user. */
export interface UserRow {
  /**
   * At most 320 characters, without U+0000, at which SQLite would cut the text. It is also the
   * subject of the user's tokens.
   */
  readonly username: string
  /** An argon2id hash in PHC form. */
  readonly password_hash: string
  /** A JSON list of scopes. */
  readonly scopes: string
}

/** The tables of this server. */
export interface Tables {
  readonly users: UserRow
}

/** How one kind of database is opened. */
interface Opener<L> {
  readonly open: (location: L) => Promise<Dialect>
  /** The column type of a name that is compared by its exact characters. */
  readonly nameType: string
}

/** The kinds of databases. */
const OPENERS: {
  readonly [K in DatabaseLocation['kind']]: Opener<Extract<DatabaseLocation, { kind: K }>>
} = {
  sqlite: { open: openSqlite, nameType: 'varchar(320)' },
  postgres: { open: openPostgres, nameType: 'varchar(320)' },
  // With the default collation, 'test', 'Test' and 'tést' would be one user.
  mysql: { open: openMysql, nameType: 'varchar(320) character set utf8mb4 collate utf8mb4_bin' },
}

/** How long to wait at the start while another process locks the file, in seconds. */
const LOCK_TIMEOUT = 10

/** PostgreSQL's error codes when another process creates the same table at the same moment. */
const CREATED_CONCURRENTLY: readonly string[] = ['23505', '42P07']

/**
 * Opens the database and creates the table of users if it does not exist.
 *
 * @returns the connection; `destroy()` closes it
 * @throws {ConfigurationError} when the database cannot be opened, reached or written
 */
export async function openDatabase(location: DatabaseLocation): Promise<Kysely<Tables>> {
  const { open, nameType } = OPENERS[location.kind] as Opener<DatabaseLocation>
  try {
    const database = new Kysely<Tables>({ dialect: await open(location) })
    await retryTransient(() => createTables(database, nameType), LOCK_TIMEOUT)
    return database
  } catch (error) {
    throw new ConfigurationError(`the database ${showLocation(location)} cannot be used: ${reasonOf(error)}`)
  }
}

async function createTables(database: Kysely<Tables>, nameType: string): Promise<void> {
  const creation = database.schema
    .createTable('users')
    .ifNotExists()
    .addColumn('username', sql.raw(nameType), (column) => column.primaryKey().notNull())
    .addColumn('password_hash', 'varchar(255)', (column) => column.notNull())
    .addColumn('scopes', 'text', (column) => column.notNull())
  try {
    await creation.execute()
  } catch (error) {
    if (!CREATED_CONCURRENTLY.includes(codeOf(error))) throw error
  }
}
