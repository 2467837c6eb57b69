/**
 * The seam between a revocation feed and what it follows: the store of this application, by
 * `store-client.ts`, or another process that has the store, by `remote/feed-client.ts`.
 */
import type { CallLoad } from './call-queue.ts'
import type { LogPage, RevocationQuery } from './store.ts'

/** A page of the log, and what it is worth. */
export interface LogReading extends LogPage {
  /** As of when it is complete, in seconds of the monotonic clock. */
  readonly completeAt: number
  /**
   * The longest life of a token, in seconds, that the log covers; undefined for that of this
   * application's access tokens.
   */
  readonly covers?: number
}

/** Where a feed stands when it has nothing to do. */
export interface RestState {
  /** How far the log was read; null for not at all. */
  readonly cursor: string | null
  /** Whether all of it was read, and nothing has happened since that makes this doubtful. */
  readonly isCaughtUp: boolean
  /** How many readings have failed one after the other. */
  readonly failures: number
}

/** Reads a log of revocations. */
export interface LogClient {
  /**
   * Whether the log lies in another service: then a request that comes before the log was read
   * waits for that, as one reading serves all requests and a question serves one.
   */
  readonly isRemote: boolean
  /** The application's own time; null for the time of the store. */
  now(): number | null
  /** How many calls are in flight and how many wait. */
  load(): CallLoad
  /**
   * Reads the log after a cursor; null from its beginning. Waits for nothing.
   *
   * @throws {AuthError} `store_unavailable`
   */
  readLog(cursor: string | null, limit: number): Promise<LogReading>
  /**
   * Resolves when it is time to read on: soon, or when something was revoked. Never rejects, and
   * keeps no process alive by itself.
   */
  rest(state: RestState): Promise<void>
  /** Ends a rest: what was known may be outdated. */
  interrupt(): void
  /**
   * Asks about one token.
   *
   * @throws {AuthError} `store_unavailable`
   */
  isRevoked(query: RevocationQuery): Promise<boolean>
  /** Ends what is in flight. */
  close(): void
}

/**
 * How often a log is read, in seconds: with a round trip on top, staleness stays within 1 s.
 */
export const POLL_INTERVAL = 0.4

/** Waits; the timer keeps no process alive. */
export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer: ReturnType<typeof setTimeout> = setTimeout(resolve, seconds * 1000)
    timer.unref?.()
  })
}
