/**
 * The limits of one account: for each address, and as a whole. An attempt is counted before the
 * password is checked, so that parallel attempts cannot evade the limit, and taken back if the
 * password was correct.
 */
import { type AccountKey, toHash } from './account-key.ts'
import {
  type CreateLimiter,
  consume,
  forgive,
  type Limiter,
  type LimiterResult,
  toRefusalUntil,
  UNLIMITED,
} from './limiter.ts'

/**
 * The failures of an account from one address that cause no wait, and the longest wait after them
 * in seconds.
 */
export const FREE_FAILURES: number = 5
const LONGEST_WAIT = 900

/** How long failures from one address are remembered, in seconds, and the most in that time. */
export const PAIR_TTL: number = 86_400
const PAIR_FAILURES = 20

/**
 * The most consecutive failures of an account (NIST SP 800-63B-4 section 3.2.2): 100, most of them
 * for strangers, the addresses from which it was never used. The rest is for the owner, whom
 * strangers cannot lock out. How long they are remembered, in seconds.
 */
export const STRANGERS_FAILURES: number = 80
export const OWNERS_FAILURES: number = 20
export const ACCOUNT_TTL: number = 30 * 86_400

/** After so many failures all strangers together get one attempt in so many seconds. */
export const STRANGERS_FREE: number = 20
const STRANGERS_INTERVAL = 300

/** The prefixes of the limiters' keys. */
export const ACCOUNT_PREFIXES = {
  accounts: 'tw-accounts',
  spellings: 'tw-spellings',
  pairs: 'tw-pairs',
  waits: 'tw-waits',
} as const

/** A counted attempt at an account. Exactly one of its methods is called. */
export interface CountedAttempt {
  /** The password was correct: the failures before it are forgotten. */
  succeed(): Promise<void>
  /** The password was wrong. */
  fail(): Promise<void>
  /** The password was not checked, or the check failed with an error. */
  takeBack(): Promise<void>
}

/** The client of an attempt. */
export interface Requester {
  /** The network of the address; undefined where it is unknown. */
  readonly network: string | undefined
  /** Whether the account was used from there before. */
  readonly isKnown: boolean
}

/** The limits of the accounts of one application. */
export class AccountLimits {
  /** Failures of an account since its last success, over all spellings; and the count of resets. */
  readonly #accounts: Limiter
  /** The failures under one spelling: a success takes these back. */
  readonly #spellings: Limiter
  /** The failures of an account from one address, since the last reset. */
  readonly #pairs: Limiter
  /** The waits that have not ended. */
  readonly #waits: Limiter

  constructor(createLimiter: CreateLimiter) {
    const create = (name: string, duration: number, points = UNLIMITED): Limiter =>
      createLimiter({ keyPrefix: name, points, duration })
    this.#accounts = create(ACCOUNT_PREFIXES.accounts, ACCOUNT_TTL)
    this.#spellings = create(ACCOUNT_PREFIXES.spellings, ACCOUNT_TTL)
    this.#pairs = create(ACCOUNT_PREFIXES.pairs, PAIR_TTL)
    this.#waits = create(ACCOUNT_PREFIXES.waits, LONGEST_WAIT, 1)
  }

  /**
   * Counts an attempt.
   *
   * @throws {AuthError} `rate_limited`, and then nothing is counted; `store_unavailable`
   */
  async count(account: AccountKey, requester: Requester): Promise<CountedAttempt> {
    const pair = await this.#toPair(account, requester)
    const undo: (() => Promise<unknown>)[] = []
    const takeBack = async (): Promise<void> => {
      for (const revert of undo.reverse()) await forgive(revert())
    }
    const take = async (limiter: Limiter, key: string): Promise<LimiterResult> => {
      const result = await consume(limiter, key)
      undo.push(() => limiter.reward(key, 1))
      return result
    }
    const wait = async (key: string, seconds: number): Promise<void> => {
      await consume(this.#waits, key, seconds)
      undo.push(() => this.#waits.delete(key))
    }

    /** Counts against the share of known addresses; false if that is used up. */
    const takeOwners = async (): Promise<boolean> => {
      const key = toShare(account.folded, true)
      if ((await consume(this.#accounts, key)).consumedPoints > OWNERS_FAILURES) {
        await forgive(this.#accounts.reward(key, 1))
        return false
      }
      undo.push(() => this.#accounts.reward(key, 1))
      return true
    }
    const takeStrangers = async (): Promise<void> => {
      const key = toShare(account.folded, false)
      const failures = (await take(this.#accounts, key)).consumedPoints
      if (failures > STRANGERS_FAILURES) throw await toRefusalUntil(this.#accounts, key)
      if (requester.network !== undefined && failures > STRANGERS_FREE) await wait(key, STRANGERS_INTERVAL)
    }

    try {
      const counted = await take(this.#pairs, pair)
      const delay = toWait(counted, requester.isKnown)
      // Starts the wait for the next attempt. Refuses this one if the wait before has not ended.
      if (delay > 0) await wait(pair, delay)
      const isStranger = requester.network !== undefined && !requester.isKnown
      if (isStranger && counted.consumedPoints > PAIR_FAILURES) throw await toRefusalUntil(this.#pairs, pair)
      const isOwners = requester.isKnown && (await takeOwners())
      if (!isOwners) await takeStrangers()
      return {
        takeBack,
        fail: () => forgive(this.#spellings.consume(toShare(account.exact, isOwners))),
        succeed: () => this.forgive(account, pair, isOwners),
      }
    } catch (refusal) {
      // A refused attempt is not a failure: a flood makes no one wait longer.
      await takeBack()
      throw refusal
    }
  }

  /** Forgets every failure of an account, from all addresses. */
  async reset({ folded, exact }: AccountKey): Promise<void> {
    const forgotten = [true, false].flatMap((isOwners) => [
      this.#accounts.delete(toShare(folded, isOwners)),
      this.#spellings.delete(toShare(exact, isOwners)),
      this.#waits.delete(toShare(folded, isOwners)),
    ])
    await Promise.all([...forgotten, this.#accounts.consume(toResets(folded))])
  }

  /**
   * Forgets the failures under the spelling of the success, this attempt included. Failures under
   * other spellings may belong to another account.
   */
  async forgive({ folded, exact }: AccountKey, pair: string, wasOwners: boolean): Promise<void> {
    const forgetShare = async (isOwners: boolean): Promise<void> => {
      const key = toShare(exact, isOwners)
      const failures = (await this.#spellings.get(key))?.consumedPoints ?? 0
      if (failures > 0) await this.#spellings.delete(key)
      const many = failures + (isOwners === wasOwners ? 1 : 0)
      if (many > 0) await this.#accounts.reward(toShare(folded, isOwners), many)
    }
    const forgotten = [this.#pairs.delete(pair), this.#waits.delete(pair)]
    const interval = this.#waits.delete(toShare(folded, false))
    await forgive(Promise.all([...forgotten, interval, forgetShare(true), forgetShare(false)]))
  }

  /** The key for an account and an address. A reset changes it for every address. */
  async #toPair({ folded }: AccountKey, { network }: Requester): Promise<string> {
    const resets = await this.#accounts.get(toResets(folded)).catch(() => null)
    return toPair(folded, network, resets?.consumedPoints ?? 0)
  }
}

/** The key for an account and an address, after so many resets. */
export function toPair(folded: string, network: string | undefined, resets: number): string {
  return toHash(folded, network ?? null, String(resets))
}

/** The key for the failures from known addresses, or from strangers. */
export function toShare(key: string, isOwners: boolean): string {
  return isOwners ? `${key}.known` : key
}

/** The key for the count of resets. */
export function toResets(folded: string): string {
  return `${folded}.resets`
}

/**
 * The wait after an attempt, in seconds. While the table is full of invented names, strangers have
 * no free failures.
 */
function toWait({ consumedPoints, isFull = false }: LimiterResult, isKnown: boolean): number {
  const excess = consumedPoints - (isFull && !isKnown ? 1 : FREE_FAILURES)
  return excess < 0 ? 0 : Math.min(LONGEST_WAIT, 2 ** excess)
}
