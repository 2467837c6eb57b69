/**
 * Every call of a store goes through the `StoreClient`. Drivers have no deadline by default, and no
 * client can withdraw a command that it has sent. So the deadline, the bound on calls in flight and
 * the moment after which a write is of no use are ours. A store that is down, hung or crowded is
 * `store_unavailable`; it never says anything about a token.
 */
import { isAuthError } from '../errors.ts'
import type { Operation, OperationFacts } from '../internal/diagnostics.ts'
import { type Clock, readEpochSeconds } from '../internal/duration.ts'
import { BoundedCalls, type CallBounds, type CallPriority, CROWDED } from './bounded-calls.ts'
import type { CallLoad } from './call-queue.ts'
import { CLOCK_TOLERANCE, ClockWatch, monotonic } from './clocks.ts'
import { type LogClient, type LogReading, POLL_INTERVAL, sleep } from './log-client.ts'
import type { RevocationQuery, Store } from './store.ts'

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

/** The steps of a store: the methods that are called within bounds, and what health checks do. */
export type StoreStep = Exclude<keyof Store, 'name' | 'inspect' | 'transfer' | 'knows'> | 'probe'

/** One call of the store: the message of the tracing channel `tokenwright:store`. */
export interface StoreCallFacts extends OperationFacts {
  /** The name of the store, such as `'postgres'`. */
  readonly store: string
  /** The step: the name of the store's method, or `probe` for a health check. */
  readonly step: StoreStep
  /**
   * What became of it: `crowded` where too many calls waited already, `timeout` where the deadline
   * passed; null until it has ended.
   */
  outcome: 'ok' | 'timeout' | 'crowded' | 'failed' | null
  /**
   * The word that the store returned, such as `'rotated'`, and `'shadowed'` in place of `'reused'`
   * where that was why; null for steps without one.
   */
  word: string | null
}

/** Calls one store, within bounds. */
export class StoreClient implements LogClient {
  /** A store is asked about one token as easily as its log is read. */
  readonly isRemote = false
  readonly #store: Store
  readonly #deadline: number
  readonly #clock: Clock | null
  readonly #calls: BoundedCalls
  readonly #watch = new ClockWatch()
  readonly #operation: Operation<StoreCallFacts> | null
  #offset: ClockOffset | null = null

  /**
   * @param clock the application's own clock; null for the store's
   * @param operation shows the calls to who watches
   */
  constructor(
    store: Store,
    bounds: CallBounds,
    clock: Clock | null,
    operation: Operation<StoreCallFacts> | null = null,
  ) {
    this.#store = store
    this.#operation = operation
    this.#deadline = bounds.deadline
    this.#clock = clock
    this.#calls = new BoundedCalls('the store', bounds)
  }

  /** The application's own time; null lets the store use its clock. */
  now(): number | null {
    return this.#clock === null ? null : this.#clock()
  }

  /** How many calls are in flight and how many wait. */
  load(): CallLoad {
    return this.#calls.load()
  }

  /**
   * Calls the store. A call that waits for a place longer than its deadline is not made.
   *
   * @param step the step that `work` is about
   * @throws {AuthError} `store_unavailable` when the call fails or takes too long, or when too many
   *   calls wait already
   * @throws a defect of the store or of its configuration as it is
   */
  call<T>(
    step: StoreStep,
    work: (store: Store) => Promise<T>,
    priority: CallPriority = 'ordinary',
  ): Promise<T> {
    const run = (): Promise<T> => this.#calls.run(() => work(this.#store), priority)
    if (this.#operation?.isWatched !== true) return run()
    const facts: StoreCallFacts = {
      store: this.#store.name,
      step,
      outcome: null,
      word: null,
      duration: null,
    }
    return this.#operation.run(facts, () => watchCall(facts, run))
  }

  /** Reads the log, and learns the store's time. */
  async readLog(cursor: string | null, limit: number): Promise<LogReading> {
    const askedAt = monotonic()
    const page = await this.call('readLog', (store) => store.readLog(cursor, limit), 'log')
    this.learn(page.now, askedAt)
    return { ...page, completeAt: askedAt }
  }

  /** Waits until the log is read again. */
  rest(): Promise<void> {
    return sleep(POLL_INTERVAL)
  }

  /** A rest is short. */
  interrupt(): void {}

  /** Asks the store about one token. */
  isRevoked(query: RevocationQuery): Promise<boolean> {
    return this.call('isRevoked', (store) => store.isRevoked(query))
  }

  /** A store is its owner's to close. */
  close(): void {}

  /**
   * Calls the store with the moment of the call. Learns the store's time first where it is unknown.
   */
  async callTimed<T>(step: StoreStep, work: (store: Store, moment: Moment) => Promise<T>): Promise<T> {
    const moment = await this.#toMoment()
    const sentAt = monotonic()
    const result = await this.call(step, (store) => work(store, moment))
    const { word, now } = Object(result) as { word?: unknown; now?: unknown }
    if (typeof now !== 'number' || moment.notAfter === null) return result
    this.learn(now, sentAt)
    if (word !== 'late') return result
    // In time and yet late: a clock was stepped, or this machine slept. Nothing was written.
    const again = await this.#toMoment()
    return this.call(step, (store) => work(store, again))
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
      notAfter: storeNow + this.#deadline,
      toStoreTime: (at) => storeNow - Math.max(0, systemNow - at),
    }
  }

  /** Store time less monotonic time. */
  async #measure(): Promise<number> {
    this.#checkClocks()
    if (this.#offset !== null && monotonic() - this.#offset.learnedAt <= OFFSET_TTL) return this.#offset.value
    const sentAt = monotonic()
    const storeNow = await this.call('now', async (store) =>
      readEpochSeconds('store.now()', await store.now()),
    )
    this.learn(storeNow, sentAt)
    return this.#offset?.value ?? storeNow - monotonic()
  }
}

/** Whether two measurements cannot both be right: each is too early by its round trip at most. */
function contradicts(known: ClockOffset, { value, roundTrip }: Omit<ClockOffset, 'learnedAt'>): boolean {
  const isAhead = value > known.value + known.roundTrip + CLOCK_TOLERANCE
  return isAhead || value + roundTrip < known.value - CLOCK_TOLERANCE
}

/** Makes a call, and writes down what became of it. */
async function watchCall<T>(facts: StoreCallFacts, run: () => Promise<T>): Promise<T> {
  try {
    const result = await run()
    facts.outcome = 'ok'
    facts.word = toWord(result)
    return result
  } catch (error) {
    facts.outcome = toFailure(error)
    throw error
  }
}

function toWord(result: unknown): string | null {
  const { word, row } = Object(result) as {
    readonly word?: unknown
    readonly row?: { readonly revokeReason?: unknown } | null
  }
  if (word === 'reused' && row?.revokeReason === 'shadowed') return 'shadowed'
  return typeof word === 'string' ? word : null
}

function toFailure(error: unknown): StoreCallFacts['outcome'] {
  const { code } = Object(isAuthError(error) ? error.cause : error) as { readonly code?: unknown }
  if (code === CROWDED) return 'crowded'
  return code === 'ETIMEDOUT' ? 'timeout' : 'failed'
}
