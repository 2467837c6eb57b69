/**
 * SQLite on one connection. Its transactions take the write lock at once (`begin immediate`): one
 * that reads first and writes later fails if another process wrote meanwhile, whatever the busy
 * timeout. A process has one connection, so all calls take turns here. Kysely's own dialect
 * serializes them too, but others may run a statement inside another call's transaction.
 */
import type { Database, Run } from './database.ts'

/** What runs the statements. */
export interface SqliteConnection extends Pick<Database, 'connect' | 'compile'> {
  /** Runs one statement, outside of any transaction. */
  readonly run: Run
}

/** Makes the calls of one process take turns. */
export function createSqliteTurns({
  run: runAlone,
  connect,
  compile,
}: SqliteConnection): Pick<Database, 'run' | 'transact'> {
  const begin = compile('begin immediate')
  const commit = compile('commit')
  const rollback = compile('rollback')
  let last: Promise<unknown> = Promise.resolve()

  function takeTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = last.then(step)
    last = turn.catch(() => undefined)
    return turn
  }
  async function transact<T>(run: Run, step: (run: Run) => Promise<T>): Promise<T> {
    await run(begin)
    try {
      const result = await step(run)
      await run(commit)
      return result
    } catch (error) {
      // The transaction may be gone already; the first failure is the one to report.
      await run(rollback).catch(() => undefined)
      throw error
    }
  }
  return {
    run: (statement, values) => takeTurn(() => runAlone(statement, values)),
    transact: (step) => takeTurn(() => connect((run) => transact(run, step))),
  }
}
