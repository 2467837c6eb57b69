/**
 * A limiter in the memory of this process. The number of its keys is bounded: whoever makes up
 * names can fill it, so a key that is new always finds a place, in that of the key whose loss costs
 * least. Nobody is refused because others have filled it.
 */
import type { Limiter, LimiterResult, LimiterSettings } from './limiter.ts'

/** The most keys that one limiter remembers. */
export const MOST_KEYS: number = 50_000

/** How many keys are looked at for one to forget. */
const SAMPLE = 64

/**
 * How long a limiter counts as full after a new key took the place of one that was of use, in
 * milliseconds.
 */
const FULL_TTL = 60_000

/** What is known of a key. */
interface Entry {
  count: number
  /** Until when, epoch milliseconds. */
  readonly until: number
}

/**
 * Makes a limiter in memory.
 *
 * @param now the present moment, epoch milliseconds
 * @param most the most keys it remembers
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
   * Forgets keys whose time is over; where there is none, the one with the fewest attempts, of
   * those the first to end.
   */
  function makeRoom(): void {
    if (entries.size < most) return
    let weakest: readonly [string, Entry] | undefined
    let looked = 0
    const size = entries.size
    for (const [key, entry] of entries) {
      if (looked++ === SAMPLE) break
      // To the end of the line: the next search begins behind it.
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
        makeRoom()
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
