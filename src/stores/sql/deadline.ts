/**
 * Deadlines for calls of a driver. A client cannot withdraw a command that it sent. A deadline can
 * stop the wait, and make sure that the connection is closed instead of given back to the pool,
 * where the next call would hang on it.
 */

import { checkKnownKeys } from '../../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../../internal/duration.ts'

/** The options of a wrapped pool. */
export interface DeadlineOptions {
  /**
   * How long one call may take: a query, or the wait for a connection. Default `'2s'`; between 0.05
   * seconds and an hour. It applies to every query through the wrapped pool, also to queries of the
   * application.
   */
  readonly deadline?: Duration
  /**
   * PostgreSQL: whether our statements are prepared under names, so that a connection plans each of
   * them once. Default true; false behind a pooler in transaction mode, such as PgBouncer. A pool
   * whose server refuses a name goes on without names by itself.
   */
  readonly named?: boolean
  /**
   * MySQL and MariaDB: whether the two statements of a refresh are prepared, so that a connection
   * parses each of them once. Default true. A pool whose server or pooler prepares none sends them
   * as texts by itself.
   */
  readonly prepared?: boolean
}

/** For overloads of drivers and of Kysely for which no stricter type fits both sides. */
export type Loose =
  // biome-ignore lint/suspicious/noExplicitAny: overloads without a common subtype or supertype
  any

/** A call took longer than its deadline. */
export class DeadlineError extends Error {
  /** Always `'DeadlineError'`. */
  override readonly name: string = 'DeadlineError'
  /** `'ETIMEDOUT'`, as in the system's errors of this kind. */
  readonly code: string = 'ETIMEDOUT'
}

/**
 * Which connections of a pool are older than a failure. If one hung or broke, the others use the
 * same server and network, and would fail one call each.
 */
export class Generations {
  readonly #born = new WeakMap<object, number>()
  #current = 0

  /** Notes a connection, the first time that it is seen. */
  note(connection: object): void {
    if (!this.#born.has(connection)) this.#born.set(connection, this.#current)
  }

  /** Whether a connection is older than a failure, so that it is to be closed. */
  isOutdated(connection: object): boolean {
    return this.#birthOf(connection) < this.#current
  }

  /** Notes that a connection failed. Those that were made after it stay. */
  fail(connection: object): void {
    this.#current = Math.max(this.#current, this.#birthOf(connection) + 1)
  }

  #birthOf(connection: object): number {
    return this.#born.get(connection) ?? this.#current
  }
}

/**
 * The deadline of a wrapped pool, in seconds.
 *
 * @param known the options that its driver has
 */
export function readDeadline(options: DeadlineOptions, known: readonly (keyof DeadlineOptions)[]): number {
  checkKnownKeys('', options, known)
  return toSeconds('deadline', options.deadline ?? '2s', { min: 0.05, max: 3600 })
}

/**
 * Waits for a call until the deadline.
 *
 * @param seconds the deadline
 * @param what names the call in the message: the subject of "... took longer than"
 * @throws {DeadlineError} when the deadline passed; a later result or failure is dropped
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
