/**
 * Reads a revocation log again and again. It knows how complete its knowledge is; what
 * a stale feed means for a request is decided in `revocation-feed.ts`.
 */
import { AuthError } from '../errors.ts'
import { toWeakReference } from '../internal/weak-reference.ts'
import { monotonic } from './clocks.ts'
import type { LogClient, LogReading } from './log-client.ts'
import type { RevocationList } from './revocation-list.ts'
import { toEntryId } from './revocation-restorer.ts'
import type { LogEntry } from './store.ts'
import { SuspendDetector } from './suspend-detector.ts'

/**
 * The suspension after which known entries count no longer, even while the store is down; seconds.
 */
const LONG_SUSPENSION = 5

/** How many entries are read at once. */
const PAGE_SIZE = 1000

/** A listener to the log. */
export interface RevocationListener {
  /** A revocation was read, or made in this process. */
  onRevoked(entry: LogEntry): void
  /** The log could not be read. Called after each reading that failed. */
  onStale(): void
}

/** Is told when the log goes out of reach, and when it is back. */
export interface ReachListener {
  /** Called once until it is back. @param cause what the reading failed with */
  onDown(cause: unknown): void
  /** Called when the log was read again. */
  onUp(): void
}

/** What follows the reading, beside those who listen to revocations. */
export interface ReadingListener extends RevocationListener, ReachListener {
  /**
   * A page of the log was read.
   *
   * @param from the cursor that it was read from; null for the beginning
   */
  onPage(page: LogReading, from: string | null): void
  /**
   * The log was read to its end.
   *
   * @param reading when it began, by the monotonic clock; the store's time; and the ids of all
   *   entries where the store may have lost some, otherwise null
   */
  onRead(reading: { begunAt: number; now: number; all: ReadonlySet<string> | null }): void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/** Readers that someone waits for, which may hold nothing but the promise. */
const awaited = new Set<FeedReader>()

/**
 * Follows the log. Its timers start with the first use and keep no process alive. They
 * do not keep the reader alive either: an application that is dropped without `close`, such as one
 * that is made for each request, reads the log no more once it is collected.
 */
export class FeedReader {
  readonly #client: LogClient
  readonly #list: RevocationList
  readonly #listener: ReadingListener
  readonly #suspendDetector = new SuspendDetector((seconds) => {
    if (seconds >= LONG_SUSPENSION) this.#completeAt = Number.NEGATIVE_INFINITY
    this.#client.interrupt()
  })
  readonly #waiting: Waiter[] = []
  #cursor: string | null = null
  #completeAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #isLost = false
  #failure: Failure | undefined
  #failures = 0
  /** What is in the log, while it is read again because the store may have lost entries. */
  #all: Set<string> | null = null
  #isRunning = false
  /** Counts starts: a rest of an earlier one ends nothing. */
  #starts = 0

  /** @param list what is known; swept in the store's time after each page */
  constructor(client: LogClient, list: RevocationList, listener: ReadingListener) {
    this.#client = client
    this.#list = list
    this.#listener = listener
  }

  /** Why the last reading failed; undefined where it did not. */
  get failure(): unknown {
    return this.#failure?.cause
  }

  /** Where it will read on; null where nothing was read yet. */
  get cursor(): string | null {
    return this.#cursor
  }

  /** Whether the log is followed. */
  get isRunning(): boolean {
    return this.#isRunning
  }

  /** Starts following, once. */
  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#starts++
    this.#suspendDetector.start()
    this.#tick()
  }

  /**
   * Whether the whole log has been read since the process last woke from a suspension. While the
   * log is lost only the age of what is known counts.
   */
  isCaughtUp(): boolean {
    const wokeAt = this.#suspendDetector.check()
    return this.#completeAt >= 0 && (this.#isLost || this.#triedAt >= wokeAt)
  }

  /** Seconds since its knowledge was complete; infinite before the first reading. */
  age(): number {
    return monotonic() - this.#completeAt
  }

  /** Reads the log now, if it is followed. A store that is down is left to the next reading. */
  catchUp(): Promise<void> {
    return this.#isRunning ? this.#poll().catch(() => undefined) : Promise.resolve()
  }

  /** Resolves when the feed has caught up; rejects when the next reading fails. */
  ready(): Promise<void> {
    this.start()
    if (this.isCaughtUp()) return Promise.resolve()
    awaited.add(this)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Stops following. Whoever waits in `ready` gets `store_unavailable`. */
  close(): void {
    this.#isRunning = false
    this.#suspendDetector.stop()
    this.#client.close()
    this.#release(({ reject }) => reject(new AuthError('store_unavailable')))
  }

  #tick(): void {
    this.#suspendDetector.check()
    const askedAt = monotonic()
    this.#poll().then(
      () => this.#finish(Math.max(askedAt, this.#completeAt), undefined),
      (cause: unknown) => this.#finish(askedAt, { cause }),
    )
  }

  /** Reads the log to its end. */
  async #poll(): Promise<void> {
    const begunAt = monotonic()
    let next = this.#readPage(this.#cursor)
    for (let more = true; more; ) {
      const from = this.#cursor
      const page = await next
      if (page.more && this.#isRunning) {
        // The store looks for the next page while this one is taken in: so that has to be sent.
        next = this.#readPage(page.cursor)
        await nextTurn()
      }
      if (page.restarted === true) this.#all = new Set()
      for (const entry of page.entries) {
        this.#all?.add(toEntryId(entry))
        this.#listener.onRevoked(entry)
      }
      this.#cursor = page.cursor
      this.#listener.onPage(page, from)
      more = page.more && this.#isRunning
      if (!more) this.#completeAt = page.completeAt
      this.#list.sweep(page.now)
      if (page.more) continue
      this.#listener.onRead({ begunAt, now: page.now, all: this.#all })
      this.#all = null
    }
  }

  /** Asks for a page. That it failed is seen by who takes it in, if anyone does. */
  #readPage(cursor: string | null): Promise<LogReading> {
    const reading = this.#client.readLog(cursor, PAGE_SIZE)
    reading.catch(() => undefined)
    return reading
  }

  #finish(triedAt: number, failure: Failure | undefined): void {
    this.#triedAt = triedAt
    this.#failure = failure
    const wasLost = this.#isLost
    // A reading that a suspension interrupted fails by its deadline, which says nothing of the
    // store.
    this.#isLost = failure !== undefined && (this.#isLost || triedAt >= this.#suspendDetector.check())
    this.#failures = this.#isLost ? this.#failures + 1 : 0
    if (this.#isLost && !wasLost) this.#listener.onDown(failure?.cause)
    if (!this.#isLost && wasLost) this.#listener.onUp()
    this.#release(({ resolve, reject }) => (failure === undefined ? resolve() : reject(failure.cause)))
    if (this.#isLost && this.#isRunning) this.#listener.onStale()
    if (!this.#isRunning) return
    const self = toWeakReference(this)
    const starts = this.#starts
    const isCaughtUp = this.isCaughtUp() && !this.#isLost
    void this.#client.rest({ cursor: this.#cursor, isCaughtUp, failures: this.#failures }).then(() => {
      const reader = self.deref()
      if (reader?.isRunning && reader.#starts === starts) reader.#tick()
    })
  }

  /** Lets all go that wait in `ready`. */
  #release(finish: (waiter: Waiter) => void): void {
    awaited.delete(this)
    for (const waiter of this.#waiting.splice(0)) finish(waiter)
  }
}

/** Resolves when what was begun before is on its way. A timer would take a millisecond. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

/** A reading that failed, whatever it was that was thrown. */
interface Failure {
  readonly cause: unknown
}
