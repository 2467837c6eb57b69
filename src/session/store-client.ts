/**
 * Every call of a store goes through here. Drivers hang for ever by default and no client can withdraw a command that it has
 * sent, so the deadline, the bound on calls in flight and the moment after which a write is of no use are ours.
 * A store that is down, hung or crowded is `store_unavailable`, never a verdict about a token.
 */

import { AuthError, isAuthError } from '../errors.ts'
import type { Clock } from '../internal/duration.ts'
import type { Store } from './store.ts'

/** Bounds on the calls of a store. */
export interface StoreClientBounds {
  /** How long an answer is waited for, in seconds. */
  readonly deadline: number
  /** The most calls that are waited for at once; further ones fail at once. */
  readonly inFlight: number
}

/** When a call is made, and until when its writes are of use: both in the store's time. */
export interface Moment {
  /** The moment that rules, where the application brings its own clock; null for the store's. */
  readonly now: number | null
  /** The last moment at which a write is of use; null where the application brings its own clock. */
  readonly notAfter: number | null
  /** A moment of the application's clock in the store's time; never later than it was. */
  toStoreTime(at: number): number
}

/** The way to a store. */
export interface StoreClient {
  /** The moment that rules, where the application brings its own clock; null for the store's. */
  now(): number | null
  /**
   * Calls the store.
   *
   * @throws {AuthError} `store_unavailable` when it fails, does not answer in time, or is crowded
   */
  call<T>(work: (store: Store) => Promise<T>): Promise<T>
  /** Calls the store with the moment of the call; learns the store's time first where it is not known. */
  callTimed<T>(work: (store: Store, moment: Moment) => Promise<T>): Promise<T>
  /** Learns the store's time from an answer to a call that was made at `sentAt`, in seconds of the monotonic clock. */
  learn(storeNow: number, sentAt: number): void
}

/** Seconds of a clock that never jumps. */
export function monotonic(): number {
  return performance.now() / 1000
}

/** How long the best measurement of the store's clock is trusted, in seconds. */
const OFFSET_TTL = 60

/** What is known of the store's clock: store time less monotonic time, at the latest; and how well it is known. */
interface Offset {
  readonly value: number
  readonly trip: number
  readonly learnedAt: number
}

/** Turns whatever a store throws into the one error of a store that is down. */
function toUnavailable(cause: unknown): AuthError {
  return isAuthError(cause) ? cause : new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } })
}

/**
 * Makes the way to a store.
 *
 * @param clock the application's own clock; null for the system's
 */
export function createStoreClient(store: Store, bounds: StoreClientBounds, clock: Clock | null): StoreClient {
  let running = 0
  let offset: Offset | null = null

  function learn(storeNow: number, sentAt: number): void {
    const receivedAt = monotonic()
    const trip = receivedAt - sentAt
    const old = offset === null || receivedAt - offset.learnedAt > OFFSET_TTL
    if (old || trip <= (offset?.trip ?? 0))
      offset = { value: storeNow - receivedAt, trip, learnedAt: receivedAt }
  }

  async function call<T>(work: (store: Store) => Promise<T>): Promise<T> {
    if (running >= bounds.inFlight)
      throw toUnavailable(new Error(`More than ${bounds.inFlight} calls of the store at once`))
    running++
    let counted = true
    const release = (): void => {
      if (counted) running--
      counted = false
    }
    return new Promise<T>((resolve, reject) => {
      const seconds = bounds.deadline
      const late = setTimeout(
        () => reject(toUnavailable(new Error(`No answer of the store within ${seconds} s`))),
        seconds * 1000,
      )
      // A call that never settles must not hold its place for ever: once the driver has had as long again, it is given up.
      const lost = setTimeout(release, seconds * 2000)
      lost.unref?.()
      const settle = (): void => {
        clearTimeout(late)
        clearTimeout(lost)
        release()
      }
      // `work` may throw before it returns a promise.
      Promise.resolve(store)
        .then(work)
        .then(resolve, (cause: unknown) => reject(toUnavailable(cause)))
        .finally(settle)
    })
  }

  /** The store's time of a monotonic moment. */
  async function toOffset(): Promise<number> {
    if (offset !== null && monotonic() - offset.learnedAt <= OFFSET_TTL) return offset.value
    const sentAt = monotonic()
    const storeNow = await call((s) => s.now())
    learn(storeNow, sentAt)
    return (offset as Offset | null)?.value ?? storeNow - monotonic()
  }

  async function toMoment(): Promise<Moment> {
    if (clock !== null) return { now: clock(), notAfter: null, toStoreTime: (at) => at }
    const value = await toOffset()
    const storeNow = monotonic() + value
    const systemNow = Date.now() / 1000
    return {
      now: null,
      notAfter: storeNow + bounds.deadline,
      toStoreTime: (at) => storeNow - (systemNow - at),
    }
  }

  return {
    now: () => (clock === null ? null : clock()),
    call,
    learn,
    async callTimed(work) {
      const moment = await toMoment()
      return call((s) => work(s, moment))
    },
  }
}
