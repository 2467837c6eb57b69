/** The attempts that the memory store counts. Each method is one step: it never yields. */
import type { Attempt, CountedAttempts, SessionStore } from '../../session/store.ts'

/** Counts attempts by their keys. */
export class MemoryAttempts
  implements Pick<SessionStore, 'countAttempt' | 'readAttempts' | 'forgetAttempts'>
{
  /** What is counted, for the sweep. */
  readonly records: Map<string, { readonly count: number; readonly until: number }> = new Map()
  readonly #toMoment: (given: number | null) => number

  /** @param toMoment the time of a step: what the caller brings, else the store's */
  constructor(toMoment: (given: number | null) => number) {
    this.#toMoment = toMoment
  }

  async countAttempt(key: string, limit: number, length: number, given: number | null): Promise<Attempt> {
    const now = this.#toMoment(given)
    const known = this.records.get(key)
    const isOpen = known !== undefined && now < known.until
    const { count, until } = isOpen ? known : { count: 0, until: now + length }
    if (count >= limit) return { allowed: false, retryAfter: Math.max(1, Math.ceil(until - now)), count }
    this.records.set(key, { count: count + 1, until })
    return { allowed: true, retryAfter: 0, count: count + 1 }
  }

  async readAttempts(key: string, given: number | null): Promise<CountedAttempts> {
    const now = this.#toMoment(given)
    const known = this.records.get(key)
    if (known === undefined || now >= known.until) return { count: 0, endsIn: 0 }
    return { count: known.count, endsIn: Math.ceil(known.until - now) }
  }

  async forgetAttempts(key: string, count: number | null): Promise<void> {
    const known = this.records.get(key)
    if (known === undefined) return
    if (count === null || known.count <= count) this.records.delete(key)
    else this.records.set(key, { ...known, count: known.count - count })
  }
}
