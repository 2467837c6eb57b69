/**
 * How often a password may be tried: by account and address, by account, and by address (OWASP ASVS
 * 6.3.1). No attacker can lock an owner out: an address from which an account was used before has
 * its own count, which failures from elsewhere do not change (docs/decisions/0020).
 */
import { AuthError, isAuthError } from '../../errors.ts'
import { toIpPrefix } from '../../http/ip-prefix.ts'
import { ConfigurationError, expected, misuse } from '../../internal/configuration-error.ts'
import type { TogetherCounter } from '../../session/attempt-counter.ts'
import { type AccountKey, toAccountKey, toSubjectKey } from './account-key.ts'
import { AccountLimits, type CountedAttempt, type Requester } from './account-limits.ts'
import { AddressLimits } from './address-limits.ts'
import { createInFlight } from './in-flight.ts'
import type { CreateLimiter } from './limiter.ts'
import { type QuickAttempt, QuickLimits } from './quick-limits.ts'

/** How password attempts are limited. */
export interface ThrottleOptions {
  /**
   * Creates a limiter in a store of yours: for example `(settings) => new RateLimiterRedis({
   * storeClient, ...settings })` of `rate-limiter-flexible`. Called six times at start. Default:
   * the session store, so that the limits hold over all processes; without one the memory of this
   * process, 50 000 keys for each limiter.
   */
  readonly createLimiter?: CreateLimiter
}

/** Names an account: a username as typed at the login, or a subject. */
export type AccountName = Readonly<Record<'username', string>> | Readonly<Record<'subject', string>>

/** One attempt. */
export interface PasswordAttempt {
  /** The username as sent; undefined for a proof that names none. */
  readonly username: string | undefined
  /** The client's address; undefined for no limit by address. */
  readonly address: string | undefined
}

/** Counts the current attempt against a subject as well. Rejects with `rate_limited`. */
export type CountAgainst = (subject: string) => Promise<void>

/** Limits of password attempts. */
export interface Throttle {
  /**
   * Runs one attempt within the limits.
   *
   * @param verify checks the password; returns null when it is wrong. A `ConfigurationError` that
   *   it throws counts as a failure
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `store_unavailable`, and what
   *   `verify` throws
   */
  run<T>(
    attempt: PasswordAttempt,
    verify: (countAgainst: CountAgainst) => T | null | Promise<T | null>,
  ): Promise<T>
  /**
   * Forgets the failures of an account.
   *
   * @throws {AuthError} `store_unavailable`
   */
  reset(account: AccountName): Promise<void>
}

/** No limits. */
export const UNTHROTTLED: Throttle = {
  async run(_attempt, verify) {
    const result = await verify(async () => undefined)
    if (result === null) throw new AuthError('credentials_invalid')
    return result
  },
  reset: async (account) => checkAccountName(account),
}

/** What counts several keys in one call. */
export interface QuickCounting {
  readonly together: TogetherCounter
  /** The present moment, epoch seconds. */
  readonly now: () => number
}

/**
 * Creates the limits of one application.
 *
 * @param realm the application's realm; null for none. Names in two realms are two accounts
 * @param quick counts the usual attempt in one call of the store where the limiters count; null
 *   where each key takes a call
 */
export function createThrottle(
  createLimiter: CreateLimiter,
  realm: string | null = null,
  quick: QuickCounting | null = null,
): Throttle {
  const accounts = new AccountLimits(createLimiter)
  const counter = new AttemptCounter({
    accounts,
    addresses: new AddressLimits(createLimiter),
    quick: quick === null ? null : new QuickLimits(quick.together, accounts, quick.now),
  })
  return {
    async run({ username, address }, verify) {
      const network = address === undefined ? undefined : toIpPrefix(address)
      const name = username === undefined ? null : toAccountKey(username, realm)
      const running = await counter.begin(name, network)
      try {
        if (name !== null) await running.count(name)
        const result = await verify((subject) => running.count(toSubjectKey(subject, realm)))
        // Also if the application has caught the refusal.
        if (running.refusal !== undefined) throw running.refusal
        if (result === null) throw new AuthError('credentials_invalid')
        await running.end('succeed')
        return result
      } catch (error) {
        const ending = running.end(isFailure(error) ? 'fail' : 'takeBack', error)
        // One request does not wait twice for a store that does not respond.
        if (isAuthError(error) && error.code === 'store_unavailable') void ending.catch(() => undefined)
        else await ending
        throw error
      }
    },
    async reset(account) {
      checkAccountName(account)
      await accounts.reset(
        'subject' in account ? toSubjectKey(account.subject, realm) : toAccountKey(account.username, realm),
      )
    },
  }
}

/** An attempt whose address was counted. */
interface RunningAttempt {
  /** The error that refused the attempt at an account; undefined without one. */
  readonly refusal: unknown
  /** Counts it against an account, once. @throws {AuthError} `rate_limited`, `store_unavailable` */
  count(key: AccountKey): Promise<void>
  /** Ends it. @param error the error that ended it */
  end(how: keyof CountedAttempt, error?: unknown): Promise<void>
}

/** The limits that count attempts. */
interface Limits {
  readonly accounts: AccountLimits
  readonly addresses: AddressLimits
  readonly quick: QuickLimits | null
}

/** Counts attempts. Before it refuses one, it waits for the results of other running attempts. */
class AttemptCounter {
  readonly #accounts: AccountLimits
  readonly #addresses: AddressLimits
  readonly #quick: QuickLimits | null
  readonly #inFlight = createInFlight()

  constructor({ accounts, addresses, quick }: Limits) {
    this.#accounts = accounts
    this.#addresses = addresses
    this.#quick = quick
  }

  /** Counts an attempt of an address. @throws {AuthError} `rate_limited`, `store_unavailable` */
  async begin(name: AccountKey | null, network: string | undefined): Promise<RunningAttempt> {
    const first = name === null ? null : await this.#countQuickly(name, network, true)
    const addresses = this.#addresses
    const isKnown = first?.isKnown ?? (name !== null && (await addresses.isKnown(name, network)))
    const endAddress = first?.endAddress ?? (await this.#countAddress({ network, isKnown }))
    const counted: CountedAccount[] = first === null ? [] : [first]
    let refusal: unknown
    return {
      get refusal() {
        return refusal
      },
      count: async (key) => {
        if (counted.some((account) => account.key.exact === key.exact)) return
        try {
          counted.push(await this.#countOther(key, network, isKnown))
        } catch (error) {
          refusal = error
          throw error
        }
      },
      async end(how, error) {
        // A failure stays counted for the address, and so does a refused attempt.
        const isRefused = how === 'takeBack' && error === refusal
        const others = counted.filter((account) => account !== first)
        await Promise.all([
          first === null && how !== 'fail' && !isRefused && addresses.takeBack(network),
          how === 'succeed' && addresses.makeKnown(network, others),
        ])
        const toEnding = (account: CountedAccount): Promise<void> =>
          account === first && isRefused ? first.attempt.takeBackAccount() : account.attempt[how]()
        await Promise.all(counted.map(toEnding))
        for (const account of counted) account.end(how === 'succeed')
        endAddress(how === 'succeed')
      },
    }
  }

  /** Counts an attempt that is far from every limit; null where it is not, and not counted. */
  async #countQuickly(
    key: AccountKey,
    network: string | undefined,
    isFirst: boolean,
  ): Promise<QuickAccount | null> {
    if (this.#quick === null) return null
    const end = this.#inFlight.begin(key.folded)
    const endAddress = isFirst ? this.#inFlight.begin(`network ${network}`) : () => undefined
    const endBoth = (): void => {
      end(false)
      endAddress(false)
    }
    try {
      const attempt = await this.#quick.count({ account: key, network, isFirst })
      if (attempt !== null) return { key, attempt, end, endAddress, isKnown: attempt.isKnown }
    } catch (error) {
      endBoth()
      throw error
    }
    endBoth()
    return null
  }

  /** Counts an attempt against one more account. */
  async #countOther(key: AccountKey, network: string | undefined, isKnown: boolean): Promise<CountedAccount> {
    const isKnownHere = isKnown || (await this.#addresses.isKnown(key, network))
    return this.#countAccount(key, { network, isKnown: isKnownHere })
  }

  async #countAccount(key: AccountKey, requester: Requester): Promise<CountedAccount> {
    for (;;) {
      const isForgiven = this.#inFlight.watch(key.folded)
      const end = this.#inFlight.begin(key.folded)
      try {
        return { key, attempt: await this.#accounts.count(key, requester), end }
      } catch (refusal) {
        end(false)
        if (!(await isForgiven())) throw refusal
      }
    }
  }

  async #countAddress({ network, isKnown }: Requester): Promise<(isRight: boolean) => void> {
    for (;;) {
      const isForgiven = this.#inFlight.watch(`network ${network}`)
      const end = this.#inFlight.begin(`network ${network}`)
      try {
        await this.#addresses.count(network, isKnown)
        return end
      } catch (refusal) {
        end(false)
        if (!(await isForgiven())) throw refusal
        await this.#addresses.takeBack(network)
      }
    }
  }
}

/** The account of an attempt that was counted quickly, with its address. */
interface QuickAccount extends CountedAccount {
  readonly attempt: QuickAttempt
  readonly isKnown: boolean
  readonly endAddress: (isRight: boolean) => void
}

/** An account that the attempt was counted against. */
interface CountedAccount {
  readonly key: AccountKey
  readonly attempt: CountedAttempt
  readonly end: (isRight: boolean) => void
}

/**
 * Whether an attempt failed by its password, also if the application threw that error itself. A
 * check without a usable result counts as a failure, because the password may have been wrong.
 */
function isFailure(error: unknown): boolean {
  return (isAuthError(error) && error.code === 'credentials_invalid') || error instanceof ConfigurationError
}

/** Refuses what names no account, which would reset nothing. @throws {TypeError} */
function checkAccountName(account: unknown): void {
  const { username, subject } = Object(account) as Readonly<Record<string, unknown>>
  const names = [username, subject].filter((name) => name !== undefined)
  if (names.length === 1 && typeof names[0] === 'string' && names[0] !== '') return
  throw misuse(expected('account', 'one of { username } and { subject }', account))
}
