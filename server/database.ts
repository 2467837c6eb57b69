/**
 * Opens the database and makes the table of users. Kysely speaks to it; which database it is stands
 * in one table of openers, so that another kind is another row. The tables of the sessions are the
 * library's own affair.
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
   * At most 320 characters, without U+0000 (which SQLite would cut at). Also the tokens' subject.
   */
  readonly username: string
  /** An argon2id hash in PHC form. */
  readonly password_hash: string
  /** A JSON list of scopes. */
  readonly scopes: string
}

/** The tables there are. */
export interface Tables {
  readonly users: UserRow
}

/**
 * How a kind of database is opened, and how it writes the type of a name that is compared as it is.
 */
interface Opener<L> {
  readonly open: (location: L) => Promise<Dialect>
  readonly nameType: string
}

/** The one table of databases. */
const OPENERS: {
  readonly [K in DatabaseLocation['kind']]: Opener<Extract<DatabaseLocation, { kind: K }>>
} = {
  sqlite: { open: openSqlite, nameType: 'varchar(320)' },
  postgres: { open: openPostgres, nameType: 'varchar(320)' },
  // Without this, 'test', 'Test' and 'tést' are one user.
  mysql: { open: openMysql, nameType: 'varchar(320) character set utf8mb4 collate utf8mb4_bin' },
}

/** How long others may keep a file locked at start, in seconds. */
const PATIENCE = 10

/** What PostgreSQL answers where another process made the same table at the same moment. */
const MADE_BY_ANOTHER: readonly string[] = ['23505', '42P07']

/**
 * Opens the database, with the table of users made if need be.
 *
 * @returns the connection; `destroy()` closes it
 * @throws {ConfigurationError} when it cannot be opened, reached or written
 */
export async function openDatabase(location: DatabaseLocation): Promise<Kysely<Tables>> {
  const { open, nameType } = OPENERS[location.kind] as Opener<DatabaseLocation>
  try {
    const database = new Kysely<Tables>({ dialect: await open(location) })
    await retryTransient(() => createTables(database, nameType), PATIENCE)
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
    if (!MADE_BY_ANOTHER.includes(codeOf(error))) throw error
  }
}
