/**
 * The limiter that needs nothing: the memory of this process. `rate-limiter-flexible` counts, and keeps a record and a timer
 * for every key, as many as come; here their number is bounded. What is blocked is never forgotten to make room.
 */
import { RateLimiterMemory } from 'rate-limiter-flexible'

/** How things stand after an attempt was counted; `RateLimiterRes` of `rate-limiter-flexible` is one. */
export interface LimiterResult {
  /** Milliseconds until the count begins anew. */
  readonly msBeforeNext: number
  /** How many attempts were counted, this one included. */
  readonly consumedPoints: number
}

/** A counter of attempts by key. Every limiter of `rate-limiter-flexible` is one. */
export interface Limiter {
  /**
   * Counts an attempt, atomically.
   *
   * @param options `customDuration`: seconds until the count begins anew, for a key that has none
   * @returns how things stand; rejects with a `LimiterResult` that is no `Error` when there were too many
   */
  consume(
    key: string,
    points?: number,
    options?: { readonly customDuration?: number },
  ): Promise<LimiterResult>
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

/** The most keys that one limiter remembers. */
export const MOST_KEYS: number = 50_000

/** From how many counts on a key may be blocked, in whatever limiter: such a key stays. */
const BLOCKING = 5

/** How many keys are looked at for one that may go. */
const TRIES = 64

/** What is known of a key. */
interface Known {
  readonly isBlocking: boolean
  /** Until when, epoch milliseconds. */
  readonly until: number
}

/**
 * Makes a limiter in memory.
 *
 * @param most the most keys it remembers
 */
export function createMemoryLimiter(settings: LimiterSettings, most: number = MOST_KEYS): Limiter {
  const limiter = new RateLimiterMemory(settings)
  const known = new Map<string, Known>()
  const blocking = Math.min(settings.points, BLOCKING)

  /** Forgets one key that may go; false when there was none among those that were looked at. */
  async function makeRoom(): Promise<boolean> {
    let tries = 0
    for (const [key, { isBlocking, until }] of known) {
      if (tries++ === TRIES) return false
      known.delete(key)
      if (!isBlocking || until <= Date.now()) {
        await limiter.delete(key)
        return true
      }
      // To the end of the line: the next search begins behind it.
      known.set(key, { isBlocking, until })
    }
    return false
  }

  function remember(key: string, { consumedPoints, msBeforeNext }: LimiterResult): void {
    known.delete(key)
    known.set(key, { isBlocking: consumedPoints >= blocking, until: Date.now() + msBeforeNext })
  }

  return {
    async consume(key, points, options) {
      // Full of what is blocked: whoever is new must wait. The accounts under attack stay protected.
      if (!known.has(key) && known.size >= most && !(await makeRoom())) {
        return Promise.reject({ msBeforeNext: 1000, consumedPoints: 0 })
      }
      const result = await limiter.consume(key, points, options)
      remember(key, result)
      return result
    },
    reward: (key, points) => limiter.reward(key, points),
    async delete(key) {
      known.delete(key)
      return limiter.delete(key)
    },
  }
}
