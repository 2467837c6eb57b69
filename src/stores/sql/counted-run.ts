/** Runs changes whose number of rows matters, also where the driver does not say it. */
import type { Database } from './database.ts'
import type { Statement, Values } from './statement.ts'

/**
 * Runs a change. Resolves to how many rows it found. On PostgreSQL and SQLite the statement must
 * return a row for each.
 */
export type CountedRun = (statement: Statement, values: Values) => Promise<number>

/** Makes it for a database. */
export function createCountedRun(database: Database): CountedRun {
  const { dialect, compile, run } = database
  if (dialect !== 'mysql') return async (statement, values) => (await run(statement, values)).rows.length
  if (database.countsChanges) return async (statement, values) => (await run(statement, values)).count
  const count = compile('select row_count() as gone')
  return (statement, values) =>
    database.transact(async (inner) => {
      await inner(statement, values)
      return Number((await inner(count)).rows[0]?.['gone'])
    })
}
