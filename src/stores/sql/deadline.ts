/**
 * Deadlines for calls of a driver. No client can withdraw what it has sent; what a deadline can do is to stop waiting, and to see
 * that a connection which did not answer is closed and not given back to the pool, where the next one would hang on it.
 */

import { checkKnownKeys } from '../../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../../internal/duration.ts'

/** How a pool is wrapped. */
export interface DeadlineOptions {
  /**
   * How long one call may take: a query, or the wait for a connection. Default `'2s'`; between 0.05 seconds and an hour.
   * It holds for everything that goes through the wrapped pool, also for queries of the application.
   */
  readonly deadline?: Duration
}

/** What the types of drivers and of Kysely say in overloads, to which no stricter type fits on both sides. */
export type Loose =
  // biome-ignore lint/suspicious/noExplicitAny: their overloads have no common subtype and no common supertype
  any

/** Thrown where a deadline passed; the store's caller makes 503 of it, as of every failure. */
export class DeadlineError extends Error {
  /** Always `'DeadlineError'`. */
  override readonly name: string = 'DeadlineError'
  /** As the errors of the system for this: `'ETIMEDOUT'`. */
  readonly code: string = 'ETIMEDOUT'
}

/** The deadline of a wrapped pool, in seconds. */
export function readDeadline(options: DeadlineOptions): number {
  checkKnownKeys('', options, ['deadline'])
  return toSeconds('deadline', options.deadline ?? '2s', { min: 0.05, max: 3600 })
}

/**
 * Waits for a call, but not longer than the deadline.
 *
 * @param seconds the deadline
 * @param what what is waited for, as the subject of "... took longer than"
 * @throws {DeadlineError} when it passed; what the call gives after that is nobody's, and its failure is swallowed
 */
export async function within<T>(call: Promise<T>, seconds: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new DeadlineError(`${what} took longer than ${seconds} seconds`)),
      seconds * 1000,
    )
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
    call.catch(() => undefined)
  }
}
