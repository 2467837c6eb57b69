/**
 * Opens the database through Kysely and creates the tables of this server. Each kind of database is
 * one row of a table.
 */
import { type Dialect, Kysely } from 'kysely'
import { ConfigurationError } from 'tokenwright'
import { retryTransient } from 'tokenwright/stores/sql'
import { type DatabaseLocation, showLocation } from './address.ts'
import { openMysql, openPostgres } from './dialects.ts'
import { codeOf, reasonOf } from './reason.ts'
import { openSqlite } from './sqlite.ts'
import { type ColumnTypes, createStatements, type Tables } from './tables.ts'

/** How one kind of database is opened. */
interface Opener<L> {
  readonly open: (location: L) => Promise<Dialect>
  readonly types: ColumnTypes
}

const TYPES: ColumnTypes = { name: 'varchar(320)', id: 'varchar(1364)' }

/** The kinds of databases. */
const OPENERS: {
  readonly [K in DatabaseLocation['kind']]: Opener<Extract<DatabaseLocation, { kind: K }>>
} = {
  sqlite: { open: openSqlite, types: TYPES },
  postgres: { open: openPostgres, types: TYPES },
  // With the default collation, 'test', 'Test' and 'tést' would be one user.
  mysql: {
    open: openMysql,
    types: {
      name: 'varchar(320) character set utf8mb4 collate utf8mb4_bin',
      id: 'varchar(1364) character set ascii collate ascii_bin',
    },
  },
}

/** How long to wait at the start while another process locks the file, in seconds. */
const LOCK_TIMEOUT = 10

/**
 * PostgreSQL's error codes when another process creates the same table, index or row type at the
 * same moment.
 */
const CREATED_CONCURRENTLY: readonly string[] = ['23505', '42P07', '42710']

/**
 * Opens the database and creates the tables that do not exist.
 *
 * @returns the connection; `destroy()` closes it
 * @throws {ConfigurationError} when the database cannot be opened, reached or written
 */
export async function openDatabase(location: DatabaseLocation): Promise<Kysely<Tables>> {
  const { open, types } = OPENERS[location.kind] as Opener<DatabaseLocation>
  let database: Kysely<Tables> | undefined
  try {
    const opened = new Kysely<Tables>({ dialect: await open(location) })
    database = opened
    await retryTransient(() => createTables(opened, types), LOCK_TIMEOUT)
    return opened
  } catch (error) {
    await database?.destroy().catch(() => undefined)
    throw new ConfigurationError(
      `the database ${showLocation(location)} cannot be used: ${reasonOf(error)}`,
      { cause: error },
    )
  }
}

async function createTables(database: Kysely<Tables>, types: ColumnTypes): Promise<void> {
  for (const statement of createStatements(database, types)) {
    try {
      await statement.execute()
    } catch (error) {
      if (!CREATED_CONCURRENTLY.includes(codeOf(error))) throw error
    }
  }
}
