/**
 * Statements that see all that was committed before them, on Galera too (`{causal}` in
 * `statement.ts`). A transaction cannot ask for that: where one finds a session missing, a
 * statement by itself says whether it is.
 */
import type { Database, Run } from './database.ts'
import { isDriverError } from './driver-error.ts'
import { CAUSALITY } from './statement.ts'

/** MySQL and MariaDB: a variable that this server does not know. */
const UNKNOWN_VARIABLE = 1193

/** Runs statements without the request where a server was built without Galera's code. */
export function withCausality(run: Run): Run {
  let isKnown = true
  return async (statement, values) => {
    const { sql, names } = statement
    if (!sql.includes(CAUSALITY)) return run(statement, values)
    const plain = { sql: sql.replace(CAUSALITY, ''), names }
    if (!isKnown) return run(plain, values)
    try {
      return await run(statement, values)
    } catch (error) {
      if (!isDriverError(error, ({ errno }) => errno === UNKNOWN_VARIABLE)) throw error
      isKnown = false
      return run(plain, values)
    }
  }
}

/** A transaction did not see a session that was committed before it began. Another one will. */
export class StaleReadError extends Error {}

/** Is told the key of a session that a transaction has not found, and gives the transaction up. */
export type MissingListener = (key: string) => never

/** Runs a step in one transaction. Without a listener what is missing is missing. */
type TransactWith<Rows> = <T>(
  step: (rows: Rows) => Promise<T>,
  onMissing: MissingListener | null,
) => Promise<T>

/**
 * MySQL and MariaDB: a session that a transaction does not find is looked for by a statement that
 * waits for all commits. If it is there, the step is to be done again. Otherwise the end of a
 * session that another node has just started would be acknowledged, and the session would live on.
 */
export function createSureTransact<Rows>(
  { compile, dialect, isTransaction, run }: Database,
  transact: TransactWith<Rows>,
): <T>(step: (rows: Rows) => Promise<T>) => Promise<T> {
  if (dialect !== 'mysql' || isTransaction) return (step) => transact(step, null)
  const find = compile('{causal} select 1 as found from {sessions} where sid_key = :sid_key')
  return async (step) => {
    let missing: string | null = null
    try {
      return await transact(step, (key) => {
        missing = key
        throw new StaleReadError('The session is not there')
      })
    } catch (error) {
      if (missing === null) throw error
    }
    if ((await run(find, { sid_key: missing })).rows.length === 0) return transact(step, null)
    throw new StaleReadError('The node has not applied the start of the session yet')
  }
}
