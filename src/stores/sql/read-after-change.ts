/** MySQL's second statement of a step: it reads what the first one has changed. */
import type { Database, Result } from './database.ts'
import { CommittedError, retry } from './retry.ts'
import type { Statement, Values } from './statement.ts'

/** How long the read after a change is retried, in seconds. */
const READ_DEADLINE = 1

/**
 * Reads after a change that is committed. A transient failure repeats the read here, and never the
 * whole step: a change that ran twice would find its own result.
 */
export async function readAfterChange(
  { isTransaction, run }: Database,
  statement: Statement,
  values: Values,
): Promise<Result['rows']> {
  try {
    const read = () => run(statement, values)
    return (await (isTransaction ? read() : retry(read, READ_DEADLINE))).rows
  } catch (cause) {
    throw new CommittedError('The row could not be read after a change that was committed', { cause })
  }
}
