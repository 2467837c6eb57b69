/**
 * A process that migrates tables, many sets of them at once, and halts in each before a certain
 * statement: then it can be killed, and has died at all of these places.
 */
import { type DatabaseConnection, type Dialect, type Driver, Kysely } from 'kysely'
import { migrateSql } from '../../../src/stores/sql.ts'
import { type Db, type SqlSpec, toDialect } from './connect.ts'

/** What to migrate. */
export interface MigrationTask {
  readonly spec: SqlSpec
  readonly prefix: string
  /** Halts before this statement, counted from 1; 0 for none. */
  readonly haltAt: number
  readonly wait: string
}

/** How it ended; `halted` for one that stands still. */
export interface MigrationResult {
  readonly names: readonly string[] | null
  /** How many statements were sent. */
  readonly statements: number
  readonly halted: boolean
  readonly error: string | null
}

/** Calls back before each statement of a connection, also before those that begin and commit. */
function tapStatements(dialect: Dialect, before: () => Promise<void>): Dialect {
  const known = new WeakSet<DatabaseConnection>()
  const tap = (connection: DatabaseConnection): DatabaseConnection => {
    if (known.has(connection)) return connection
    known.add(connection)
    const send = connection.executeQuery.bind(connection)
    connection.executeQuery = async (query) => {
      await before()
      return send(query)
    }
    return connection
  }
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver() {
      const driver: Driver = dialect.createDriver()
      const acquire = driver.acquireConnection.bind(driver)
      driver.acquireConnection = async () => tap(await acquire())
      return driver
    },
  }
}

function run({ spec, prefix, haltAt, wait }: MigrationTask): Promise<MigrationResult> {
  return new Promise((resolve) => {
    let statements = 0
    const before = async (): Promise<void> => {
      statements += 1
      if (statements !== haltAt) return
      resolve({ names: null, statements: statements - 1, halted: true, error: null })
      await new Promise<never>(() => undefined)
    }
    const db: Db = new Kysely({ dialect: tapStatements(toDialect(spec, undefined, 1), before) })
    migrateSql(db, { prefix, wait: wait as '1s' })
      .then((names) => resolve({ names, statements, halted: false, error: null }))
      .catch((error: Error) => resolve({ names: null, statements, halted: false, error: error.message }))
      .finally(() => db.destroy())
  })
}

process.on('message', async (tasks: readonly MigrationTask[]) => {
  process.send?.(await Promise.all(tasks.map(run)))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
