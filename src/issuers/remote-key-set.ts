/**
 * The key set of an issuer, kept current without a timer: requests refresh it ahead of time in the
 * background; a `kid` that it lacks, or a signature that none of its keys made, causes at most one
 * fetch in ten seconds. While the issuer is out of reach the last good set is used, for a bounded
 * time; after that nothing is accepted.
 */
import { AuthError, toReason } from '../errors.ts'
import type { Clock } from '../internal/duration.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import type { Algorithm } from '../token/algorithms.ts'
import { type IssuerKey, IssuerKeySet } from './issuer-key-set.ts'
import type { KeySource } from './key-source.ts'
import type { IssuerState } from './options.ts'

/** The keys that may have signed a token. */
export interface Candidates {
  /** The keys. */
  readonly keys: readonly IssuerKey[]
  /** How long what they verify may be remembered, epoch seconds. */
  readonly until: number
}

/** How much is known of keys. */
export type KeyState = Pick<IssuerState, 'status' | 'age' | 'keys'>

/** The keys of one issuer. */
export interface IssuerKeys {
  /**
   * The keys that may have signed a token.
   *
   * @throws {AuthError} `issuer_unavailable`
   */
  find(alg: string, kid: string | undefined): Promise<Candidates>
  /**
   * Looks for other keys after those of `find` did not verify: some issuers replace a key and keep
   * its name, or name none.
   *
   * @param known what `find` gave
   * @returns null where there are no others
   */
  findOthers(known: Candidates, alg: string, kid: string | undefined): Promise<Candidates | null>
  /** Waits until there are keys. @throws {AuthError} `issuer_unavailable` */
  ready(): Promise<void>
  /** How much is known. */
  state(): KeyState
}

/** What a remote key set tells. */
export interface KeySetListener {
  /** The issuer is out of reach, or what it sent was refused; called once until it is back. */
  onDown(cause: Error): void
  /** The issuer is back. */
  onUp(): void
}

/** What a remote key set depends on. */
export interface RemoteKeySetDependencies {
  /** The issuer, for messages. */
  readonly issuer: string
  /** Fetches the set. */
  readonly source: KeySource
  /** Those that the issuer signs with. */
  readonly algorithms: readonly Algorithm[]
  /** How long the last set is used while there is no newer one, in seconds. */
  readonly maxStale: number
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** Is told when the issuer goes and comes. */
  readonly listener: KeySetListener
}

/** How soon after a fetch the next one may begin, in seconds. */
export const COOLDOWN = 10

/** How long a fetch may take, in seconds. */
const FETCH_DEADLINE = 5

/** How long a set is used without a word of `Cache-Control`, in seconds. */
const USUAL_LIFE = 600

/** The bounds of what `Cache-Control` says, in seconds: a withdrawn key is used no longer. */
const LIFE = { min: 300, max: 3600 } as const

/** After which part of its life a set is refreshed in the background. */
const REFRESH_AT = 0.75

/** How long a token is remembered while the issuer is out of reach, in seconds. */
const STALE_MEMORY = 60

/** A set and when it came. */
interface HeldSet {
  readonly set: IssuerKeySet
  readonly fetchedAt: number
  readonly refreshAt: number
  readonly freshUntil: number
}

/** The key set of an issuer that is fetched. */
export class RemoteKeySet implements IssuerKeys {
  readonly #deps: RemoteKeySetDependencies
  #held: HeldSet | null = null
  /** Why the latest fetch failed; null after one that did not. */
  #failure: Error | null = null
  #attemptedAt = Number.NEGATIVE_INFINITY
  #flight: Promise<void> | null = null

  /** @param deps what it builds on */
  constructor(deps: RemoteKeySetDependencies) {
    this.#deps = deps
  }

  async find(alg: string, kid: string | undefined): Promise<Candidates> {
    const held = await this.#current()
    if (held.set.knows(alg, kid)) return this.#toCandidates(held, alg, kid)
    // A key that was added since, or a made-up name.
    if (this.#isFetching() || this.#mayFetch()) await this.#fetch()
    const latest = this.#held ?? held
    const found = this.#toCandidates(latest, alg, kid)
    if (found.keys.length === 0 && this.#failure !== null && !latest.set.knows(alg, kid))
      throw this.#toError()
    return found
  }

  async findOthers(known: Candidates, alg: string, kid: string | undefined): Promise<Candidates | null> {
    if (this.#isFetching() || this.#mayFetch()) await this.#fetch()
    const held = this.#held
    if (held === null) return null
    const found = this.#toCandidates(held, alg, kid)
    return found.keys.every((key) => known.keys.includes(key)) ? null : found
  }

  async ready(): Promise<void> {
    await this.#current()
  }

  state(): KeyState {
    const held = this.#held
    const age = held === null ? null : this.#ageOf(held)
    const status = this.#toStatus()
    return { status, age, keys: held?.set.size ?? 0 }
  }

  #toStatus(): IssuerState['status'] {
    const held = this.#held
    if (held === null) return this.#failure === null ? 'unused' : 'down'
    if (this.#failure === null) return 'current'
    return this.#isUsable(held) ? 'stale' : 'down'
  }

  /** The set to use now: the held one, or after waiting for a fetch. */
  async #current(): Promise<HeldSet> {
    const now = this.#deps.clock()
    const held = this.#held
    const isFresh = held !== null && now >= held.fetchedAt - COOLDOWN && now < held.freshUntil
    if (isFresh || (this.#failure !== null && held !== null && this.#isUsable(held))) {
      const isDue = !isFresh || now >= held.refreshAt
      if (isDue && !this.#isFetching() && this.#mayFetch()) void this.#fetch()
      return held
    }
    if (this.#failure === null || this.#isFetching() || this.#mayFetch()) await this.#fetch()
    const latest = this.#held
    if (latest !== null && this.#isUsable(latest)) return latest
    throw this.#toError()
  }

  #mayFetch(): boolean {
    // The difference either way: a clock that was set back must not stop fetching.
    return Math.abs(this.#deps.clock() - this.#attemptedAt) >= COOLDOWN
  }

  /** Whether a fetch is under way. One that ended with its request counts until its deadline. */
  #isFetching(): boolean {
    if (this.#flight === null || OUTLIVES_REQUESTS) return this.#flight !== null
    return Math.abs(this.#deps.clock() - this.#attemptedAt) < FETCH_DEADLINE
  }

  /**
   * Fetches the set; all who ask meanwhile wait for the same fetch, where they can. Never rejects.
   */
  #fetch(): Promise<void> {
    if (this.#flight !== null && OUTLIVES_REQUESTS) return this.#flight
    const flight = this.#load().finally(() => {
      if (this.#flight === flight) this.#flight = null
    })
    this.#flight = flight
    return flight
  }

  async #load(): Promise<void> {
    const { source, algorithms, clock, listener } = this.#deps
    this.#attemptedAt = clock()
    try {
      const { body, maxAge } = await source.fetch()
      this.#held = toHeldSet(IssuerKeySet.read(body, algorithms), maxAge, clock())
      const wasDown = this.#failure !== null
      this.#failure = null
      if (wasDown) listener.onUp()
    } catch (error) {
      const wasUp = this.#failure === null
      this.#failure = error as Error
      if (wasUp) listener.onDown(this.#failure)
    }
  }

  #toCandidates(held: HeldSet, alg: string, kid: string | undefined): Candidates {
    const now = this.#deps.clock()
    const last = held.fetchedAt + this.#deps.maxStale
    const { refreshAt, freshUntil } = held
    // Until the next step of the set, so that requests with remembered tokens refresh it, too.
    const until =
      now < refreshAt ? refreshAt : now < freshUntil ? freshUntil : Math.min(now + STALE_MEMORY, last)
    return { keys: held.set.find(alg, kid), until }
  }

  #ageOf({ fetchedAt }: HeldSet): number {
    return Math.max(0, this.#deps.clock() - fetchedAt)
  }

  #isUsable(held: HeldSet): boolean {
    const { clock, maxStale } = this.#deps
    return clock() < held.freshUntil || this.#ageOf(held) <= maxStale
  }

  #toError(): AuthError {
    const cause = toReason(`The keys of ${this.#deps.issuer} are unknown`)
    cause.cause = this.#failure
    return new AuthError('issuer_unavailable', { cause, detail: { retryAfter: COOLDOWN } })
  }
}

function toHeldSet(set: IssuerKeySet, maxAge: number | undefined, now: number): HeldSet {
  const life = maxAge === undefined ? USUAL_LIFE : Math.min(Math.max(maxAge, LIFE.min), LIFE.max)
  return { set, fetchedAt: now, refreshAt: now + life * REFRESH_AT, freshUntil: now + life }
}

/** The keys of an issuer that were given. */
export function createFixedKeys(set: IssuerKeySet): IssuerKeys {
  return {
    find: async (alg, kid) => ({ keys: set.find(alg, kid), until: Number.POSITIVE_INFINITY }),
    findOthers: async () => null,
    ready: async () => undefined,
    state: () => ({ status: 'current', age: null, keys: set.size }),
  }
}
