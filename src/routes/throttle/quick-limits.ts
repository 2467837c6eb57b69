/**
 * The usual attempt in few calls of the store: one counts every key of an attempt that is far from
 * all limits, and one takes it back. Whatever else is to be decided, `account-limits.ts` and
 * `address-limits.ts` decide it key by key: here it is not counted at all.
 */
import { UNKNOWN_NETWORK } from '../../http/ip-prefix.ts'
import type { TogetherCounter } from '../../session/attempt-counter.ts'
import type { AttemptCount, AttemptForget, CountedAttempts } from '../../session/store.ts'
import { type AccountKey, toHash } from './account-key.ts'
import {
  ACCOUNT_PREFIXES,
  ACCOUNT_TTL,
  type AccountLimits,
  type CountedAttempt,
  FREE_FAILURES,
  OWNERS_FAILURES,
  PAIR_TTL,
  STRANGERS_FAILURES,
  STRANGERS_FREE,
  toPair,
  toResets,
  toShare,
} from './account-limits.ts'
import { ADDRESS_PREFIXES, KNOWN_TTL, MOST_FAILURES, WINDOW } from './address-limits.ts'
import { forgive, UNLIMITED } from './limiter.ts'
import { toStoreKey } from './store-limiter.ts'

/** What the keys of an attempt depend on. */
interface Facts {
  /** Until when the account is known at the address, epoch seconds; 0 for not at all. */
  readonly knownUntil: number
  /** How often the account was reset. */
  readonly resets: number
}

/** The most accounts whose facts are remembered. A wrong one costs a call of the store. */
const MOST_FACTS = 10_000

/** An attempt at an account and, if it is the first one, at an address. */
interface Attempt {
  readonly account: AccountKey
  readonly network: string | undefined
  /** Whether it is counted against the address as well. */
  readonly isFirst: boolean
}

/** A counted attempt. Exactly one of its methods is called. */
export interface QuickAttempt extends CountedAttempt {
  /** Whether the account was used from there before. */
  readonly isKnown: boolean
  /** As `takeBack`, and leaves it counted against the address. */
  takeBackAccount(): Promise<void>
}

/** Counts the usual attempts of one application. */
export class QuickLimits {
  readonly #together: TogetherCounter
  readonly #accounts: AccountLimits
  readonly #now: () => number
  readonly #facts = new Map<string, Facts>()

  /** @param now the present moment, epoch seconds */
  constructor(together: TogetherCounter, accounts: AccountLimits, now: () => number) {
    this.#together = together
    this.#accounts = accounts
    this.#now = now
  }

  /**
   * Counts an attempt. Resolves to null where it is not counted, as it is near a limit.
   *
   * @throws {AuthError} `store_unavailable`
   */
  async count(attempt: Attempt): Promise<QuickAttempt | null> {
    const reads = toReads(attempt)
    let facts = this.#facts.get(toKnown(attempt))
    if (facts === undefined) {
      const first = await this.#together.count([], reads)
      facts = this.#remember(attempt, first.reads)
    }
    for (let tries = 0; tries < 2; tries++) {
      const counts = toCounts(attempt, facts, this.#isKnown(facts))
      const result = await this.#together.count(counts, reads)
      const found = this.#remember(attempt, result.reads)
      if (!result.counted) return null
      if (this.#isKnown(found) === this.#isKnown(facts) && found.resets === facts.resets)
        return this.#toAttempt(attempt, found, result.reads)
      // Another process has seen a success or a reset: these were not its keys.
      await forgive(this.#together.forget(counts.map(({ key }) => ({ key, count: 1 }))))
      facts = found
    }
    return null
  }

  #isKnown({ knownUntil }: Facts): boolean {
    return this.#now() < knownUntil
  }

  /** Remembers what was read. A fact that another process changes is read with the next attempt. */
  #remember(attempt: Attempt, [resets, known]: readonly CountedAttempts[]): Facts {
    const isKnown = hasAddress(attempt) && known !== undefined && known.count > 0
    const knownUntil = isKnown ? this.#now() + known.endsIn : 0
    return this.#keep(attempt, { knownUntil, resets: resets?.count ?? 0 })
  }

  #keep(attempt: Attempt, facts: Facts): Facts {
    const key = toKnown(attempt)
    this.#facts.delete(key)
    const [oldest] = this.#facts.size < MOST_FACTS ? [] : this.#facts.keys()
    if (oldest !== undefined) this.#facts.delete(oldest)
    this.#facts.set(key, facts)
    return facts
  }

  #toAttempt(attempt: Attempt, facts: Facts, reads: readonly CountedAttempts[]): QuickAttempt {
    const { account, network } = attempt
    const isKnown = this.#isKnown(facts)
    const counts = toCounts(attempt, facts, isKnown)
    const toForgets = (isKept: (key: string) => boolean): readonly AttemptForget[] =>
      counts.filter(({ key }) => !isKept(key)).map(({ key }) => ({ key, count: 1 }))
    const forget = (forgets: readonly AttemptForget[]) => forgive(this.#together.forget(forgets))
    const addressKey = toAddressKey(network)
    // Failures under this spelling are taken back by what is found of them then.
    const hasFailed = reads.slice(-2).some(({ count }) => count > 0)
    return {
      isKnown,
      takeBack: () => forget(toForgets(() => false)),
      takeBackAccount: () => forget(toForgets((key) => key === addressKey)),
      fail: () => forgive(this.#countFailure(account, isKnown)),
      succeed: async () => {
        const pair = toPair(account.folded, network, facts.resets)
        const waits = [pair, toShare(account.folded, false)].map((key) =>
          toStoreKey(ACCOUNT_PREFIXES.waits, key),
        )
        const ended = [toStoreKey(ACCOUNT_PREFIXES.pairs, pair), ...waits].map((key) => ({
          key,
          count: null,
        }))
        const rest = toForgets((key) => ended.some((one) => one.key === key))
        if (!hasFailed) await forget([...ended, ...rest])
        else {
          await forget(rest.filter(({ key }) => key === addressKey))
          await this.#accounts.forgive(account, pair, isKnown)
        }
        await forgive(this.#makeKnown(attempt, facts))
      },
    }
  }

  async #countFailure({ exact }: AccountKey, isKnown: boolean): Promise<void> {
    const key = toStoreKey(ACCOUNT_PREFIXES.spellings, toShare(exact, isKnown))
    await this.#together.count([{ key, limit: UNLIMITED, window: ACCOUNT_TTL }], [])
  }

  /** Makes the address known for the account, or renews that after half of its time. */
  async #makeKnown(attempt: Attempt, facts: Facts): Promise<void> {
    if (!hasAddress(attempt) || facts.knownUntil > this.#now() + KNOWN_TTL / 2) return
    const key = toStoreKey(ADDRESS_PREFIXES.known, toKnown(attempt))
    await this.#together.forget([{ key, count: null }])
    await this.#together.count([{ key, limit: UNLIMITED, window: KNOWN_TTL }], [])
    this.#keep(attempt, { ...facts, knownUntil: this.#now() + KNOWN_TTL })
  }
}

function hasAddress({ network }: Attempt): boolean {
  return network !== undefined && network !== UNKNOWN_NETWORK
}

/** The key that is known where the account was used from the address. */
function toKnown({ account, network }: Attempt): string {
  return network === undefined ? account.exact : toHash(account.exact, network)
}

function toAddressKey(network: string | undefined): string | null {
  return network === undefined ? null : toStoreKey(ADDRESS_PREFIXES.addresses, toHash(network))
}

/** The keys that are read: resets, whether the address is known, and the failures of a spelling. */
function toReads(attempt: Attempt): readonly string[] {
  const { folded, exact } = attempt.account
  const spellings = [true, false].map((isKnown) =>
    toStoreKey(ACCOUNT_PREFIXES.spellings, toShare(exact, isKnown)),
  )
  return [
    toStoreKey(ACCOUNT_PREFIXES.accounts, toResets(folded)),
    toStoreKey(ADDRESS_PREFIXES.known, toKnown(attempt)),
    ...spellings,
  ]
}

/** The keys that count it, with the most that needs no further decision. */
function toCounts(
  { account, network, isFirst }: Attempt,
  { resets }: Facts,
  isKnown: boolean,
): AttemptCount[] {
  const pair = toStoreKey(ACCOUNT_PREFIXES.pairs, toPair(account.folded, network, resets))
  const share = toStoreKey(ACCOUNT_PREFIXES.accounts, toShare(account.folded, isKnown))
  const strangers = network === undefined ? STRANGERS_FAILURES : STRANGERS_FREE
  const counts = [
    { key: pair, limit: FREE_FAILURES - 1, window: PAIR_TTL },
    { key: share, limit: isKnown ? OWNERS_FAILURES : strangers, window: ACCOUNT_TTL },
  ]
  const address = toAddressKey(network)
  if (!isFirst || address === null) return counts
  const limit = isKnown ? UNLIMITED : MOST_FAILURES
  return [{ key: address, limit, window: WINDOW }, ...counts]
}
