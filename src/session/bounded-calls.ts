/**
 * Calls of what lies outside, within bounds: each has a deadline, and only so many are in flight.
 * No client can withdraw what it has sent, so a call for which no one waits any more gives its
 * place back when it ends, or after twice the deadline.
 */
import { isAuthError } from '../errors.ts'
import { toOutage } from '../internal/outage.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { type CallLoad, CallQueue } from './call-queue.ts'

/** Bounds on calls. */
export interface CallBounds {
  /** How long a call may take, in seconds, its wait for a place included. */
  readonly deadline: number
  /** The most calls in flight; further ones wait. */
  readonly inFlight: number
}

/**
 * Which call goes before which: the reading of the log takes no place and never waits, as does the
 * probe of a health check; revocations go before all others. Pruning takes no place either, and has
 * ten times as long.
 */
export type CallPriority = 'log' | 'probe' | 'revocation' | 'ordinary' | 'prune'

/** Calls that take no place, of each at most one at a time. */
const WITHOUT_PLACE: ReadonlySet<CallPriority> = new Set(['log', 'probe', 'prune'])

/** The code of the failure of a call that was not made, because too many waited already. */
export const CROWDED = 'TOO_MANY_CALLS'

/** How many deadlines a pruning has: no user waits for it, and it may take some seconds. */
const PRUNE_PATIENCE = 10

/** Makes calls within bounds. */
export class BoundedCalls {
  readonly #bounds: CallBounds
  readonly #queue: CallQueue
  readonly #callee: string

  /** @param callee what is called, for messages, such as `'the store'` */
  constructor(callee: string, bounds: CallBounds) {
    this.#callee = callee
    this.#bounds = bounds
    this.#queue = new CallQueue(bounds.inFlight)
  }

  /** How many calls are in flight and how many wait. */
  load(): CallLoad {
    return this.#queue.load()
  }

  /**
   * Makes a call. One that waits for a place longer than its deadline is not made.
   *
   * @throws {AuthError} `store_unavailable` when the call fails or takes too long, or when too many
   *   calls wait already
   * @throws a defect in the code or in the configuration as it is
   */
  run<T>(work: () => Promise<T>, priority: CallPriority): Promise<T> {
    const { inFlight } = this.#bounds
    const deadline = this.#bounds.deadline * (priority === 'prune' ? PRUNE_PATIENCE : 1)
    return new Promise<T>((resolve, reject) => {
      let leave: (() => void) | undefined
      const late = setTimeout(() => {
        leave?.()
        const error = new Error(`No response of ${this.#callee} within ${deadline} s`)
        reject(toUnavailable(Object.assign(error, { code: 'ETIMEDOUT' })))
      }, deadline * 1000)
      const begin = (release: () => void): void => {
        leave = undefined
        // A call that never ends gives its place back after twice the deadline.
        const lost = setTimeout(release, deadline * 2000)
        lost.unref?.()
        // `work` may throw before it returns a promise.
        Promise.resolve()
          .then(work)
          .then(resolve, (cause: unknown) => reject(toUnavailable(cause)))
          .finally(() => {
            clearTimeout(late)
            clearTimeout(lost)
            release()
          })
      }
      // In Workers a request that is given up would never give its place back.
      const takesPlace = !WITHOUT_PLACE.has(priority) && OUTLIVES_REQUESTS
      if (!takesPlace) return begin(() => undefined)
      const waits = this.#queue.enter({ isUrgent: priority === 'revocation', onPlace: begin })
      if (waits !== null) {
        leave = waits
        return
      }
      clearTimeout(late)
      const full = new Error(`More than ${inFlight} calls of ${this.#callee} at once, and too many wait`)
      reject(toUnavailable(Object.assign(full, { code: CROWDED })))
    })
  }
}

function toUnavailable(cause: unknown): unknown {
  return isAuthError(cause) ? cause : toOutage(cause)
}
