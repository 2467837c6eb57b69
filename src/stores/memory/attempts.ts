/** The attempts that the memory store counts. Each method is one step: it never yields. */
import type {
  Attempt,
  AttemptCount,
  AttemptForget,
  CountedAttempts,
  CountedTogether,
  Store,
} from '../../session/store.ts'
import { type AttemptsRecord, hashText } from '../../session/transfer.ts'

/** What is counted of a key. */
interface Counted {
  readonly count: number
  readonly until: number
}

/** The methods of the contract that count attempts. */
type AttemptMethods = Required<
  Pick<Store, 'countAttempt' | 'readAttempts' | 'forgetAttempts' | 'countTogether' | 'forgetTogether'>
>

/** Counts attempts by their keys. */
export class MemoryAttempts implements AttemptMethods {
  /** What is counted, by key. */
  readonly records: Map<string, Counted> = new Map()
  /** What came from a store that keeps hashes of keys, by hash, until the key is counted again. */
  readonly byHash: Map<string, Counted> = new Map()
  readonly #toMoment: (given: number | null) => number

  /** @param toMoment the time of a step: what the caller brings, else the store's */
  constructor(toMoment: (given: number | null) => number) {
    this.#toMoment = toMoment
  }

  /** How many keys there are. */
  get size(): number {
    return this.records.size + this.byHash.size
  }

  async countAttempt(key: string, limit: number, length: number, given: number | null): Promise<Attempt> {
    return this.#count({ key, limit, window: length }, this.#toMoment(given))
  }

  async countTogether(
    counts: readonly AttemptCount[],
    reads: readonly string[],
    given: number | null,
  ): Promise<CountedTogether> {
    const now = this.#toMoment(given)
    const counted = counts.every(({ key, limit }) => this.#read(key, now).count < limit)
    if (counted) for (const one of counts) this.#count(one, now)
    return { counted, reads: reads.map((key) => this.#read(key, now)) }
  }

  async forgetTogether(forgets: readonly AttemptForget[]): Promise<void> {
    for (const { key, count } of forgets) this.#forget(key, count)
  }

  #count({ key, limit, window: length }: AttemptCount, now: number): Attempt {
    const known = this.#find(key)
    const isOpen = known !== undefined && now < known.until
    const { count, until } = isOpen ? known : { count: 0, until: now + length }
    if (count >= limit) return { allowed: false, retryAfter: Math.max(1, Math.ceil(until - now)), count }
    this.records.set(key, { count: count + 1, until })
    return { allowed: true, retryAfter: 0, count: count + 1 }
  }

  async readAttempts(key: string, given: number | null): Promise<CountedAttempts> {
    return this.#read(key, this.#toMoment(given))
  }

  #read(key: string, now: number): CountedAttempts {
    const known = this.#find(key)
    if (known === undefined || now >= known.until) return { count: 0, endsIn: 0 }
    return { count: known.count, endsIn: Math.ceil(known.until - now) }
  }

  async forgetAttempts(key: string, count: number | null): Promise<void> {
    this.#forget(key, count)
  }

  #forget(key: string, count: number | null): void {
    const known = this.#find(key)
    if (known === undefined) return
    if (count === null || known.count <= count) this.records.delete(key)
    else this.records.set(key, { ...known, count: known.count - count })
  }

  /** Adds what another store has counted. */
  add({ key, keyHash, count, until }: AttemptsRecord): void {
    if (key === null) this.byHash.set(keyHash, toHigher(this.byHash.get(keyHash), { count, until }))
    else this.records.set(key, toHigher(this.#find(key), { count, until }))
  }

  /** Deletes what has ended. */
  sweep(now: number): void {
    for (const records of [this.records, this.byHash])
      for (const [key, { until }] of records) if (now >= until) records.delete(key)
  }

  /** What is counted of a key, which from then on is known by its text. */
  #find(key: string): Counted | undefined {
    if (this.byHash.size === 0) return this.records.get(key)
    const hash = hashText(key)
    const hashed = this.byHash.get(hash)
    if (hashed === undefined) return this.records.get(key)
    const counted = toHigher(this.records.get(key), hashed)
    this.byHash.delete(hash)
    this.records.set(key, counted)
    return counted
  }
}

function toHigher(known: Counted | undefined, other: Counted): Counted {
  if (known === undefined) return other
  return { count: Math.max(known.count, other.count), until: Math.max(known.until, other.until) }
}
