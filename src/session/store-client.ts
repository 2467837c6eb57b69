/**
 * Every call of a store goes through the `StoreClient`. Drivers have no deadline by default, and no
 * client can withdraw a command that it has sent. So the deadline, the bound on calls in flight and
 * the moment after which a write is of no use are ours. A store that is down, hung or crowded is
 * `store_unavailable`; it never says anything about a token.
 */
import { isAuthError } from '../errors.ts'
import { type Clock, readEpochSeconds } from '../internal/duration.ts'
import { toOutage } from '../internal/outage.ts'
import { type CallLoad, CallQueue } from './call-queue.ts'
import { CLOCK_TOLERANCE, ClockWatch, monotonic } from './clocks.ts'
import type { Store } from './store.ts'

/** Bounds on the calls of a store. */
export interface StoreClientBounds {
  /** How long a call may take, in seconds, its wait for a place included. */
  readonly deadline: number
  /** The most calls in flight; further ones wait. */
  readonly inFlight: number
}

/**
 * Which call goes before which: the reading of the log takes no place and never waits, revocations
 * go before all others. Pruning takes no place either, and has ten times as long.
 */
export type CallPriority = 'log' | 'revocation' | 'ordinary' | 'prune'

/** When a call is made, and until when its writes are of use: both in the store's time. */
export interface Moment {
  /** The application's own time, which then rules; null lets the store use its clock. */
  readonly now: number | null
  /** The last moment for a write; null if the application has its own clock. */
  readonly notAfter: number | null
  /** Converts a time of the application's clock to the store's; the result is never too late. */
  toStoreTime(at: number): number
}

/** What is known of the store's clock. */
interface ClockOffset {
  /** Store time less monotonic time, at the latest. */
  readonly value: number
  /** How long the measurement took: it is no more precise than that. */
  readonly roundTrip: number
  readonly learnedAt: number
}

/** How long the best measurement of the store's clock is trusted, in seconds. */
const OFFSET_TTL = 60

/** How many deadlines a pruning has: no user waits for it, and it may take some seconds. */
const PRUNE_PATIENCE = 10

/** Calls one store, within bounds. */
export class StoreClient {
  readonly #store: Store
  readonly #bounds: StoreClientBounds
  readonly #clock: Clock | null
  readonly #queue: CallQueue
  readonly #watch = new ClockWatch()
  #offset: ClockOffset | null = null

  /** @param clock the application's own clock; null for the store's */
  constructor(store: Store, bounds: StoreClientBounds, clock: Clock | null) {
    this.#store = store
    this.#bounds = bounds
    this.#clock = clock
    this.#queue = new CallQueue(bounds.inFlight)
  }

  /** The application's own time; null lets the store use its clock. */
  now(): number | null {
    return this.#clock === null ? null : this.#clock()
  }

  /** How many calls are in flight and how many wait. */
  load(): CallLoad {
    return this.#queue.load()
  }

  /**
   * Calls the store. A call that waits for a place longer than its deadline is not made.
   *
   * @throws {AuthError} `store_unavailable` when the call fails or takes too long, or when too many
   *   calls wait already
   * @throws a defect of the store or of its configuration as it is
   */
  async call<T>(work: (store: Store) => Promise<T>, priority: CallPriority = 'ordinary'): Promise<T> {
    const { inFlight } = this.#bounds
    const deadline = this.#bounds.deadline * (priority === 'prune' ? PRUNE_PATIENCE : 1)
    return new Promise<T>((resolve, reject) => {
      let leave: (() => void) | undefined
      const late = setTimeout(() => {
        leave?.()
        reject(toUnavailable(new Error(`No response of the store within ${deadline} s`)))
      }, deadline * 1000)
      const begin = (release: () => void): void => {
        leave = undefined
        // A call that never ends gives its place back after twice the deadline.
        const lost = setTimeout(release, deadline * 2000)
        lost.unref?.()
        // `work` may throw before it returns a promise.
        Promise.resolve(this.#store)
          .then(work)
          .then(resolve, (cause: unknown) => reject(toUnavailable(cause)))
          .finally(() => {
            clearTimeout(late)
            clearTimeout(lost)
            release()
          })
      }
      if (priority === 'log' || priority === 'prune') return begin(() => undefined)
      const waits = this.#queue.enter({ isUrgent: priority === 'revocation', onPlace: begin })
      if (waits !== null) {
        leave = waits
        return
      }
      clearTimeout(late)
      reject(toUnavailable(new Error(`More than ${inFlight} calls of the store at once, and too many wait`)))
    })
  }

  /**
   * Calls the store with the moment of the call. Learns the store's time first where it is unknown.
   */
  async callTimed<T>(work: (store: Store, moment: Moment) => Promise<T>): Promise<T> {
    const moment = await this.#toMoment()
    const sentAt = monotonic()
    const result = await this.call((store) => work(store, moment))
    const { word, now } = Object(result) as { word?: unknown; now?: unknown }
    if (typeof now !== 'number' || moment.notAfter === null) return result
    this.learn(now, sentAt)
    if (word !== 'late') return result
    // In time and yet late: a clock was stepped, or this machine slept. Nothing was written.
    const again = await this.#toMoment()
    return this.call((store) => work(store, again))
  }

  /**
   * Learns the store's time. Of the measurements of one minute the one with the shortest round trip
   * counts, unless a later one contradicts it: then the store has another clock, or it was set.
   *
   * @param storeNow what the store returned
   * @param sentAt when it was asked, in seconds of the monotonic clock
   */
  learn(storeNow: number, sentAt: number): void {
    // How long a round trip took during which the clocks moved apart is unknown.
    if (this.#checkClocks() || this.#watch.hasMovedSince(sentAt)) return
    const learnedAt = monotonic()
    const roundTrip = learnedAt - sentAt
    const value = storeNow - learnedAt
    const known = this.#offset
    const isOutdated = known === null || learnedAt - known.learnedAt > OFFSET_TTL
    if (isOutdated || roundTrip <= known.roundTrip || contradicts(known, { value, roundTrip }))
      this.#offset = { value, roundTrip, learnedAt }
  }

  /** Forgets the store's time where this process's clocks have moved apart. */
  #checkClocks(): boolean {
    const hasMoved = this.#watch.check()
    if (hasMoved) this.#offset = null
    return hasMoved
  }

  async #toMoment(): Promise<Moment> {
    const now = this.now()
    if (now !== null) return { now, notAfter: null, toStoreTime: (at) => at }
    const offset = await this.#measure()
    const storeNow = monotonic() + offset
    const systemNow = Date.now() / 1000
    return {
      now: null,
      notAfter: storeNow + this.#bounds.deadline,
      toStoreTime: (at) => storeNow - Math.max(0, systemNow - at),
    }
  }

  /** Store time less monotonic time. */
  async #measure(): Promise<number> {
    this.#checkClocks()
    if (this.#offset !== null && monotonic() - this.#offset.learnedAt <= OFFSET_TTL) return this.#offset.value
    const sentAt = monotonic()
    const storeNow = await this.call(async (store) => readEpochSeconds('store.now()', await store.now()))
    this.learn(storeNow, sentAt)
    return this.#offset?.value ?? storeNow - monotonic()
  }
}

/** Whether two measurements cannot both be right: each is too early by its round trip at most. */
function contradicts(known: ClockOffset, { value, roundTrip }: Omit<ClockOffset, 'learnedAt'>): boolean {
  const isAhead = value > known.value + known.roundTrip + CLOCK_TOLERANCE
  return isAhead || value + roundTrip < known.value - CLOCK_TOLERANCE
}

function toUnavailable(cause: unknown): unknown {
  return isAuthError(cause) ? cause : toOutage(cause)
}
