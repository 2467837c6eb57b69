/**
 * Whether a verified token is still good. In `feed` mode every process holds what was revoked lately and follows the store's log:
 * a check is a lookup. In `strict` mode each check asks the store. A process that has not caught up, has slept, or meets
 * a token that lives longer than usual, judges strictly; one that has lost the log for too long refuses to judge.
 */
import { AuthError } from '../errors.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { createRevocationList, type RevocationList } from './revocation-list.ts'
import type { LogEntry } from './store.ts'
import { monotonic, type StoreClient } from './store-client.ts'
import { createSuspendDetector } from './suspend-detector.ts'

/** How revocation is judged. */
export type RevocationMode = 'feed' | 'strict' | 'off'

/** What revocation works from; lengths in seconds. */
export interface RevocationSettings {
  /** How tokens are judged. */
  readonly mode: RevocationMode
  /** How long the log may be out of reach before tokens are refused. */
  readonly maxStale: number
  /** What happens then. */
  readonly whenStale: 'refuse' | 'allow'
  /** The usual life of an access token: longer ones are judged strictly. */
  readonly accessTtl: number
  /** Forgiven clock skew. */
  readonly leeway: number
}

/** How much a process knows of what is revoked. */
export interface FeedState {
  /** Whether it has read the whole log; until then it asks the store each time. */
  readonly caughtUp: boolean
  /** How old its knowledge is, in seconds. */
  readonly age: number
  /** How many revocations it remembers. */
  readonly entries: number
}

/** Hears what becomes known of revocations. */
export interface RevocationListener {
  /** Hears of an entry, once this process goes by it. Entries may come twice. */
  onRevoked(entry: LogEntry): void
  /** Hears that the log has been out of reach for longer than it may be. */
  onStale(): void
}

/** The judge of liveness in one process. */
export interface RevocationFeed {
  /**
   * Refuses a revoked token.
   *
   * @param strict whether to ask the store in any case
   * @returns a promise only where the store must be asked
   * @throws {AuthError} `token_revoked`; `store_unavailable` when it cannot be told
   */
  checkRevocation(payload: TokenPayload<unknown>, strict: boolean): Promise<void> | undefined
  /** Whether this process has heard that a token was revoked: a lookup. No says nothing. */
  hasHeard(payload: TokenPayload<unknown>): boolean
  /** Lets an listener hear from now on, and follows the log for it, also in strict mode. The latest listener counts. */
  listen(listener: RevocationListener): void
  /** Whether a token lives longer than entries are kept for, so that one could be missed. */
  isLongLived(payload: TokenPayload<unknown>): boolean
  /** Takes over at once what this process has revoked itself. */
  note(entry: LogEntry): void
  /** Reads the log now, where it is followed; a store that cannot be reached is left to the next reading. */
  catchUp(): Promise<void>
  /** Waits until the feed has caught up; at once in other modes. Rejects when the store cannot be reached. */
  ready(): Promise<void>
  /** Whether the feed has caught up and how old its knowledge is, in seconds; for health checks. */
  state(): FeedState
  /** Stops following the log. */
  close(): void
}

/** How often the log is read, in seconds. With a round trip and a busy process on top it stays within one second. */
const POLL_INTERVAL = 0.4

/** A nap after which nothing that was known counts any more, also where the store cannot be reached; in seconds. */
const LONG_SUSPENSION = 5

/** How many entries are read at once. */
const PAGE_SIZE = 1000

/** The feed: what is known, and how fresh that is. */
interface FeedReader {
  readonly list: RevocationList
  /** Starts following, once. */
  start(): void
  /** Reads the log now, if it is followed. */
  catchUp(): Promise<void>
  /** Resolves when the feed has caught up for the first time. */
  ready(): Promise<void>
  /** Whether it has read the whole log and has not slept since. */
  isCaughtUp(): boolean
  /** Seconds since its knowledge was complete. */
  age(): number
  close(): void
}

/** Follows the log of a store by polling. Timers start with the first use and never keep the process alive. */
function createFeedReader(
  client: StoreClient,
  list: RevocationList,
  listener: RevocationListener,
): FeedReader {
  const waiting: { resolve: () => void; reject: (cause: unknown) => void }[] = []
  let cursor: string | null = null
  let completeAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let isLost = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = false
  const suspendDetector = createSuspendDetector((seconds) => {
    if (seconds >= LONG_SUSPENSION) completeAt = Number.NEGATIVE_INFINITY
  })

  /** Reads the log to its end. What it knows is complete as of the moment before the last reading. */
  async function poll(): Promise<void> {
    for (let more = true; more; ) {
      const askedAt = monotonic()
      const page = await client.call((store) => store.readLog(cursor, PAGE_SIZE))
      client.learn(page.now, askedAt)
      for (const entry of page.entries) listener.onRevoked(entry)
      cursor = page.cursor
      more = page.more && running
      if (!more) completeAt = askedAt
      list.sweep(page.now)
    }
  }

  function schedule(): void {
    if (!running) return
    timer = setTimeout(tick, POLL_INTERVAL * 1000)
    timer.unref?.()
  }

  function tick(): void {
    suspendDetector.check()
    const askedAt = monotonic()
    const settle = (lost: boolean, each: (waiter: (typeof waiting)[number]) => void): void => {
      triedAt = askedAt
      // A reading that a nap has interrupted fails by its deadline, which says nothing of the store.
      isLost = lost && (isLost || askedAt >= suspendDetector.check())
      for (const waiter of waiting.splice(0)) each(waiter)
      if (isLost && running) listener.onStale()
      schedule()
    }
    poll().then(
      () => settle(false, ({ resolve }) => resolve()),
      (cause: unknown) => settle(true, ({ reject }) => reject(cause)),
    )
  }

  /** After a nap nothing counts before the log was read again. While the log is lost, only its age does. */
  function isCaughtUp(): boolean {
    const wokeAt = suspendDetector.check()
    return completeAt >= 0 && (isLost || triedAt >= wokeAt)
  }

  const start = (): void => {
    if (running) return
    running = true
    suspendDetector.start()
    tick()
  }
  return {
    list,
    start,
    isCaughtUp,
    age: () => monotonic() - completeAt,
    catchUp: () => (running ? poll().catch(() => undefined) : Promise.resolve()),
    ready() {
      start()
      if (isCaughtUp()) return Promise.resolve()
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    close() {
      running = false
      suspendDetector.stop()
      clearTimeout(timer)
      for (const { reject } of waiting.splice(0)) reject(new AuthError('store_unavailable'))
    },
  }
}

/** Makes the judge of one application. */
export function createRevocationFeed(storeClient: StoreClient, settings: RevocationSettings): RevocationFeed {
  const { mode, maxStale, whenStale, accessTtl, leeway } = settings
  let listener: RevocationListener | null = null
  const revocations = createRevocationList(leeway)
  const take = (entry: LogEntry): void => {
    revocations.add(entry)
    listener?.onRevoked(entry)
  }
  const feed = createFeedReader(storeClient, revocations, {
    onRevoked: take,
    onStale: () => {
      if (isStale()) listener?.onStale()
    },
  })

  /** Whether what is known is too old to be gone by. */
  const isStale = (): boolean => whenStale === 'refuse' && feed.age() > maxStale

  async function judgeStrictly({ sid, jti, sub, iat }: TokenPayload<unknown>): Promise<void> {
    const query = {
      sid: sid ?? null,
      jti: jti ?? null,
      sub,
      iat: iat === undefined ? null : iat - leeway,
      now: storeClient.now(),
    }
    if (await storeClient.call((store) => store.isRevoked(query))) throw new AuthError('token_revoked')
  }

  /** Whether a token outlives what the feed remembers. */
  const isLongLived = ({ iat, exp }: TokenPayload<unknown>): boolean =>
    iat === undefined || exp - iat > accessTtl

  return {
    checkRevocation(payload, strict) {
      if (mode === 'off') return undefined
      // What this process knows counts in any case: a store that was restored from a backup may have forgotten it.
      if (feed.list.holds(payload)) throw new AuthError('token_revoked')
      if (mode === 'strict' || strict || isLongLived(payload)) return judgeStrictly(payload)
      feed.start()
      if (!feed.isCaughtUp()) return judgeStrictly(payload)
      if (isStale()) throw new AuthError('store_unavailable', { detail: { retryAfter: 1 } })
      return undefined
    },
    hasHeard: (payload) => revocations.holds(payload),
    listen(to) {
      listener = to
      if (mode !== 'off') feed.start()
    },
    isLongLived,
    note(entry) {
      revocations.sweep(entry.at)
      take(entry)
    },
    catchUp: feed.catchUp,
    ready: () =>
      mode === 'feed' ? feed.ready() : storeClient.call((store) => store.now()).then(() => undefined),
    state: () => ({ caughtUp: feed.isCaughtUp(), age: feed.age(), entries: feed.list.size }),
    close: feed.close,
  }
}
