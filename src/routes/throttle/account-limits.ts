/**
 * The limits of one account: by the address that tries, and as a whole. An attempt is counted
 * before the password is looked at, so that a thousand at once are no way around, and taken back
 * when it was right.
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
 * Failures of an account from one address that cost no waiting, and the longest wait after them in
 * seconds.
 */
const FREE_FAILURES = 5
const LONGEST_WAIT = 900

/** How long failures from one address are known, in seconds; how many there may be in that time. */
const PAIR_TTL = 86_400
const PAIR_FAILURES = 20

/**
 * The most consecutive failures of an account (NIST SP 800-63B-4 section 3.2.2): 100, most of them
 * for addresses from which it was never used. The rest is the owner's, whom strangers cannot keep
 * out. How long they are known, in seconds.
 */
const STRANGERS_FAILURES = 80
const OWNERS_FAILURES = 20
const ACCOUNT_TTL = 30 * 86_400

/** After so many failures all strangers together have one attempt in so many seconds. */
const STRANGERS_FREE = 20
const STRANGERS_INTERVAL = 300

/** An attempt at an account that was counted. Exactly one of its methods is called. */
export interface CountedAttempt {
  /** The password was right: the failures before it are forgotten. */
  succeed(): Promise<void>
  /** It was wrong. */
  fail(): Promise<void>
  /** It was not looked at, or nobody could tell. */
  takeBack(): Promise<void>
}

/** Who tries. */
export interface Requester {
  /** The network of the address; undefined where it is unknown. */
  readonly network: string | undefined
  /** Whether the account was used from there before. */
  readonly isKnown: boolean
}

/** The limits of the accounts of one application. */
export class AccountLimits {
  /**
   * Failures of an account since its last success, by all spellings; and how often it was reset.
   */
  readonly #accounts: Limiter
  /** Those that were made under one spelling: a success takes these back. */
  readonly #spellings: Limiter
  /** Failures of an account from one address, since the last reset. */
  readonly #pairs: Limiter
  /** Waits that run. */
  readonly #waits: Limiter

  constructor(createLimiter: CreateLimiter) {
    const create = (name: string, duration: number, points = UNLIMITED): Limiter =>
      createLimiter({ keyPrefix: `tw-${name}`, points, duration })
    this.#accounts = create('accounts', ACCOUNT_TTL)
    this.#spellings = create('spellings', ACCOUNT_TTL)
    this.#pairs = create('pairs', PAIR_TTL)
    this.#waits = create('waits', LONGEST_WAIT, 1)
  }

  /**
   * Counts an attempt.
   *
   * @throws {AuthError} `rate_limited`, and then nothing is counted; `store_unavailable`
   */
  async enter(account: AccountKey, requester: Requester): Promise<CountedAttempt> {
    const pair = await this.#toPair(account, requester)
    const undo: (() => Promise<unknown>)[] = []
    const takeBack = async (): Promise<void> => {
      for (const step of undo.reverse()) await forgive(step())
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

    /** Counts against a known client's own share; false where that is used up. */
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
      // The wait that begins now is the next attempt's; this one must have sat out the wait before.
      if (delay > 0) await wait(pair, delay)
      const isStranger = requester.network !== undefined && !requester.isKnown
      if (isStranger && counted.consumedPoints > PAIR_FAILURES) throw await toRefusalUntil(this.#pairs, pair)
      const isOwners = requester.isKnown && (await takeOwners())
      if (!isOwners) await takeStrangers()
      return {
        takeBack,
        fail: () => forgive(this.#spellings.consume(toShare(account.exact, isOwners))),
        succeed: () => this.#forgive(account, pair, isOwners),
      }
    } catch (refusal) {
      // An attempt that was not looked at is no failure: a flood makes nobody wait longer.
      await takeBack()
      throw refusal
    }
  }

  /** Forgets every failure of an account, from wherever. */
  async reset({ folded, exact }: AccountKey): Promise<void> {
    const forgotten = [true, false].flatMap((isOwners) => [
      this.#accounts.delete(toShare(folded, isOwners)),
      this.#spellings.delete(toShare(exact, isOwners)),
      this.#waits.delete(toShare(folded, isOwners)),
    ])
    await Promise.all([...forgotten, this.#accounts.consume(toResets(folded))])
  }

  /**
   * What an account and an address are counted by. A reset begins it anew, wherever the address is.
   */
  async #toPair({ folded }: AccountKey, { network }: Requester): Promise<string> {
    const resets = await this.#accounts.get(toResets(folded)).catch(() => null)
    return toHash(folded, network ?? null, String(resets?.consumedPoints ?? 0))
  }

  /**
   * Forgets failures under the spelling that was right, this attempt included. Those under others
   * may be of another account.
   */
  async #forgive({ folded, exact }: AccountKey, pair: string, wasOwners: boolean): Promise<void> {
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
}

/** What the failures of known clients, or of strangers, are counted by. */
function toShare(key: string, isOwners: boolean): string {
  return isOwners ? `${key}.known` : key
}

function toResets(folded: string): string {
  return `${folded}.resets`
}

/**
 * The wait that an attempt begins, in seconds. Where the table is full of made-up names, strangers
 * have no free failures.
 */
function toWait({ consumedPoints, isFull = false }: LimiterResult, isKnown: boolean): number {
  const excess = consumedPoints - (isFull && !isKnown ? 1 : FREE_FAILURES)
  return excess < 0 ? 0 : Math.min(LONGEST_WAIT, 2 ** excess)
}
