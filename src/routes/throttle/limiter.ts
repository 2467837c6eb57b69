/**
 * Counters of attempts, as `rate-limiter-flexible` has them: the seam between what is counted and
 * where. The counters are the memory of this process, the session store, or a limiter that the
 * application brings.
 */
import { AuthError, isAuthError } from '../../errors.ts'
import { ConfigurationError, expected, isRecord } from '../../internal/configuration-error.ts'

/** How things stand with a key. `RateLimiterRes` of `rate-limiter-flexible` is one. */
export interface LimiterResult {
  /** Milliseconds until the count begins anew. */
  readonly msBeforeNext: number
  /** How many attempts are counted, this one included. */
  readonly consumedPoints: number
  /** True where the counter has no place for more keys and forgets others for each new one. */
  readonly isFull?: boolean
}

/** A counter of attempts by key. Every limiter of `rate-limiter-flexible` is one. */
export interface Limiter {
  /**
   * Counts an attempt, atomically.
   *
   * @param options `customDuration`: seconds until the count begins anew, for a key that has none
   * @returns how things stand; rejects with a `LimiterResult` that is no `Error` when there were
   *   too many
   */
  consume(
    key: string,
    points?: number,
    options?: { readonly customDuration?: number },
  ): Promise<LimiterResult>
  /** How things stand, without counting; null for a key of which nothing is known. */
  get(key: string): Promise<LimiterResult | null>
  /** Takes attempts back. */
  reward(key: string, points?: number): Promise<unknown>
  /** Forgets a key. */
  delete(key: string): Promise<unknown>
}

/** What a limiter is made from. */
export interface LimiterSettings {
  /** What its keys begin with. */
  readonly keyPrefix: string
  /** How many attempts are let through. */
  readonly points: number
  /** Seconds until a key's count begins anew, from its first attempt. */
  readonly duration: number
}

/** Makes a limiter. */
export type CreateLimiter = (settings: LimiterSettings) => Limiter

/**
 * The `points` of a limiter that counts and lets everything through: what the count means is said
 * elsewhere.
 */
export const UNLIMITED: number = 1_000_000_000

/** The longest time that a refusal tells, in seconds: until then much can change. */
const LONGEST_TOLD = 86_400

const METHODS = ['consume', 'get', 'reward', 'delete'] as const satisfies readonly (keyof Limiter)[]

/**
 * Checks what the application's `createLimiter` makes. @throws {ConfigurationError} for what is no
 * limiter
 */
export function checkLimiters(createLimiter: CreateLimiter): CreateLimiter {
  return (settings) => {
    const limiter: unknown = createLimiter(settings)
    const missing = METHODS.find((name) => !isRecord(limiter) || typeof limiter[name] !== 'function')
    if (missing === undefined) return limiter as Limiter
    const wanted = 'a function that returns a limiter, such as one of rate-limiter-flexible'
    const got = isRecord(limiter) ? `one without the method \`${missing}\`` : undefined
    throw new ConfigurationError(
      got === undefined
        ? expected('throttle.createLimiter', wanted, limiter)
        : `Expected \`throttle.createLimiter\` to be ${wanted}, got ${got}`,
    )
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
 * What is known of a key; null for nothing. A limiter of the application that cannot tell refuses no
 * one: the count that follows decides. Our own store that does not respond is waited for once.
 */
export async function look(limiter: Limiter, key: string): Promise<LimiterResult | null> {
  try {
    return await limiter.get(key)
  } catch (cause) {
    if (isAuthError(cause)) throw cause
    return null
  }
}

/** The refusal of a key that has had too many attempts in its time. */
export async function toRefusalUntil(limiter: Limiter, key: string): Promise<AuthError> {
  const known = await limiter.get(key).catch(toRefusal)
  if (isAuthError(known)) return known
  return toRefusal({ msBeforeNext: Math.min(known?.msBeforeNext ?? 0, LONGEST_TOLD * 1000) })
}

/**
 * Waits for what gives a count back. What cannot be given back makes the next attempt wait; it is
 * no reason to refuse this one.
 */
export async function forgive(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined)
}

/**
 * Says when to try again, or that the limiter itself is out of order: then nobody tries, for nobody
 * counts.
 */
function toRefusal(cause: unknown): AuthError {
  if (isAuthError(cause)) return cause
  if (cause instanceof Error || typeof cause !== 'object' || cause === null) {
    return new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } })
  }
  const { msBeforeNext } = cause as Partial<LimiterResult>
  const retryAfter = Math.max(1, Math.ceil(Number(msBeforeNext ?? 0) / 1000) || 1)
  return new AuthError('rate_limited', { detail: { retryAfter } })
}
