/**
 * A limiter in the session store: one count for all processes that share it. The store counts in
 * one atomic step.
 */
import type { AttemptCounter } from '../../session/attempt-counter.ts'
import type { Limiter, LimiterResult, LimiterSettings } from './limiter.ts'

/** Makes a limiter that counts in the session store. */
export function createStoreLimiter(attempts: AttemptCounter, settings: LimiterSettings): Limiter {
  const toKey = (key: string): string => toStoreKey(settings.keyPrefix, key)
  return {
    async consume(key, _points, options = {}) {
      const duration = options.customDuration ?? settings.duration
      const { allowed, count, retryAfter } = await attempts.count(toKey(key), settings.points, duration)
      const result: LimiterResult = { consumedPoints: count, msBeforeNext: retryAfter * 1000 }
      return allowed ? result : Promise.reject(result)
    },
    async get(key) {
      const { count, endsIn } = await attempts.read(toKey(key))
      return count === 0 ? null : { consumedPoints: count, msBeforeNext: endsIn * 1000 }
    },
    reward: (key, points = 1) => attempts.forget(toKey(key), points),
    delete: (key) => attempts.forget(toKey(key), null),
  }
}

/** The key in the store of a limiter's key. */
export function toStoreKey(keyPrefix: string, key: string): string {
  return `${keyPrefix} ${key}`
}
