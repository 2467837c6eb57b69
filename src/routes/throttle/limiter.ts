/**
 * Counters of attempts, with the interface of `rate-limiter-flexible`. A counter is in the memory
 * of this process, in the session store, or a limiter of the application.
 */
import { AuthError, isAuthError } from '../../errors.ts'
import { ConfigurationError, expected, isRecord } from '../../internal/configuration-error.ts'
import { toOutage } from '../../internal/outage.ts'
import { withDeadline } from '../../internal/with-deadline.ts'

/** The count of a key. `RateLimiterRes` of `rate-limiter-flexible` is one. */
export interface LimiterResult {
  /** Milliseconds until the count starts again at 0. */
  readonly msBeforeNext: number
  /** How many attempts are counted, this one included. */
  readonly consumedPoints: number
  /** True while the counter has no space for more keys and forgets another for each new one. */
  readonly isFull?: boolean
}

/** A counter of attempts by key. Every limiter of `rate-limiter-flexible` is one. */
export interface Limiter {
  /**
   * Counts an attempt, atomically.
   *
   * @param options `customDuration`: seconds until the count starts again, for a new key
   * @returns the count; rejects with a `LimiterResult`, which is not an `Error`, beyond the limit
   */
  consume(
    key: string,
    points?: number,
    options?: { readonly customDuration?: number },
  ): Promise<LimiterResult>
  /** The count of a key, without counting an attempt; null for an unknown key. */
  get(key: string): Promise<LimiterResult | null>
  /** Takes attempts back. */
  reward(key: string, points?: number): Promise<unknown>
  /** Forgets a key. */
  delete(key: string): Promise<unknown>
}

/** The settings of a limiter. */
export interface LimiterSettings {
  /** The prefix of its keys. */
  readonly keyPrefix: string
  /** The most attempts that it allows. */
  readonly points: number
  /** Seconds from a key's first attempt until its count starts again. */
  readonly duration: number
}

/** Creates a limiter. */
export type CreateLimiter = (settings: LimiterSettings) => Limiter

/** The `points` of a limiter that only counts: its caller decides what the count means. */
export const UNLIMITED: number = 1_000_000_000

/** The longest `Retry-After`, in seconds. */
const LONGEST_RETRY = 86_400

const METHODS = ['consume', 'get', 'reward', 'delete'] as const satisfies readonly (keyof Limiter)[]

/**
 * Wraps the application's `createLimiter`.
 *
 * @throws {ConfigurationError} from the wrapper, if the result is not a limiter
 */
export function checkLimiters(createLimiter: CreateLimiter): CreateLimiter {
  return (settings) => {
    const limiter: unknown = createLimiter(settings)
    const missing = METHODS.find((name) => !isRecord(limiter) || typeof limiter[name] !== 'function')
    if (missing === undefined) return withinDeadline(limiter as Limiter)
    const wanted = 'a function that returns a limiter, such as one of rate-limiter-flexible'
    const got = isRecord(limiter) ? `one without the method \`${missing}\`` : undefined
    throw new ConfigurationError(
      got === undefined
        ? expected('throttle.createLimiter', wanted, limiter)
        : `Expected \`throttle.createLimiter\` to be ${wanted}, got ${got}`,
    )
  }
}

/** How long a limiter of the application may take, in seconds. */
const DEADLINE = 5

function withinDeadline(limiter: Limiter): Limiter {
  const run = <T>(work: () => Promise<T>): Promise<T> =>
    withDeadline('throttle.createLimiter', DEADLINE, work)
  return {
    consume: (...args) => run(() => limiter.consume(...args)),
    get: (key) => run(() => limiter.get(key)),
    reward: (...args) => run(() => limiter.reward(...args)),
    delete: (key) => run(() => limiter.delete(key)),
  }
}

/** Counts an attempt. Throws `rate_limited` or `store_unavailable`. */
export async function consume(limiter: Limiter, key: string, seconds?: number): Promise<LimiterResult> {
  try {
    return await limiter.consume(key, 1, seconds === undefined ? {} : { customDuration: seconds })
  } catch (cause) {
    throw toRefusal(cause)
  }
}

/**
 * Reads the count of a key; null without one. An error of the application's limiter refuses no one:
 * the count that follows decides. An error of our own store is thrown, so that one request does not
 * wait for it twice.
 */
export async function look(limiter: Limiter, key: string): Promise<LimiterResult | null> {
  try {
    return await limiter.get(key)
  } catch (cause) {
    if (isAuthError(cause)) throw cause
    return null
  }
}

/** The error for a key with too many attempts. */
export async function toRefusalUntil(limiter: Limiter, key: string): Promise<unknown> {
  try {
    const known = await limiter.get(key)
    return toRateLimited(known?.msBeforeNext ?? 0)
  } catch (cause) {
    return toRefusal(cause)
  }
}

/**
 * Waits until a count is given back, and ignores errors: they delay the next attempt, and are no
 * reason to refuse this one.
 */
export async function forgive(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined)
}

/**
 * The error for what a limiter rejects with. If the limiter itself fails, no attempt is allowed.
 */
function toRefusal(cause: unknown): unknown {
  if (isAuthError(cause)) return cause
  // By its shape: an error of another realm is no instance of `Error`.
  const { msBeforeNext } = Object(cause) as Partial<LimiterResult>
  return typeof msBeforeNext === 'number' ? toRateLimited(msBeforeNext) : toOutage(cause)
}

/** The refusal with its `Retry-After`. */
function toRateLimited(msBeforeNext: number): AuthError {
  const retryAfter = Math.min(Math.max(1, Math.ceil(msBeforeNext / 1000) || 1), LONGEST_RETRY)
  return new AuthError('rate_limited', { detail: { retryAfter } })
}
