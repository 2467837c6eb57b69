/**
 * A limiter in the memory of this process. The number of its keys is bounded, and invented names
 * can fill it. A new key then replaces the key whose loss costs least, so no one is refused because
 * others have filled it.
 */
import type { Limiter, LimiterResult, LimiterSettings } from './limiter.ts'

/** The most keys that one limiter remembers. */
export const MOST_KEYS: number = 50_000

/** How many keys are compared to choose the one to forget. */
const SAMPLE = 64

/** How long a limiter counts as full after it forgot a key too early, in milliseconds. */
const FULL_TTL = 60_000

/** The count of a key. */
interface Entry {
  count: number
  /** When it expires, epoch milliseconds. */
  readonly until: number
}

/**
 * Creates a limiter in memory.
 *
 * @param now returns the current time, epoch milliseconds
 * @param most the most keys that it remembers
 */
export function createMemoryLimiter(
  settings: LimiterSettings,
  now: () => number = Date.now,
  most: number = MOST_KEYS,
): Limiter {
  const entries = new Map<string, Entry>()
  /** Until when it counts as full, epoch milliseconds. */
  let fullUntil = 0

  function find(key: string): Entry | undefined {
    const entry = entries.get(key)
    if (entry === undefined || now() < entry.until) return entry
    entries.delete(key)
    return undefined
  }

  /**
   * Forgets expired keys; if there are none, that with the fewest attempts or the next to expire.
   */
  function makeSpace(): void {
    if (entries.size < most) return
    let weakest: readonly [string, Entry] | undefined
    let compared = 0
    const size = entries.size
    for (const [key, entry] of entries) {
      if (compared++ === SAMPLE) break
      // Moves the entry to the end, so that the next search compares others.
      entries.delete(key)
      if (entry.until <= now()) continue
      entries.set(key, entry)
      if (weakest === undefined || isWeaker(entry, weakest[1])) weakest = [key, entry]
    }
    if (weakest === undefined || entries.size < size) return
    entries.delete(weakest[0])
    fullUntil = now() + FULL_TTL
  }

  const toResult = ({ count, until }: Entry): LimiterResult => ({
    consumedPoints: count,
    msBeforeNext: Math.max(0, until - now()),
    isFull: now() < fullUntil,
  })

  return {
    async consume(key, points = 1, options = {}) {
      let entry = find(key)
      if (entry === undefined) {
        makeSpace()
        entry = { count: 0, until: now() + (options.customDuration ?? settings.duration) * 1000 }
        entries.set(key, entry)
      }
      entry.count += points
      const result = toResult(entry)
      return entry.count <= settings.points ? result : Promise.reject(result)
    },
    async get(key) {
      const entry = find(key)
      return entry === undefined ? null : toResult(entry)
    },
    async reward(key, points = 1) {
      const entry = find(key)
      if (entry === undefined) return
      entry.count -= points
      if (entry.count <= 0) entries.delete(key)
    },
    async delete(key) {
      return entries.delete(key)
    },
  }
}

function isWeaker(a: Entry, b: Entry): boolean {
  return a.count < b.count || (a.count === b.count && a.until < b.until)
}
