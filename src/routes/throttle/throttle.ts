/**
 * How often a password may be tried: by account and address, by account, and by address (OWASP ASVS 6.3.1). Nobody can keep an owner
 * out: an address from which an account was used before has a count of its own, and failures from elsewhere do not touch it
 * (docs/decisions/0015).
 */
import { AuthError, isAuthError } from '../../errors.ts'
import { ConfigurationError } from '../../internal/configuration-error.ts'
import { type AccountKey, toAccountKey, toSubjectKey } from './account-key.ts'
import { AccountLimits, type Client, type CountedAttempt } from './account-limits.ts'
import { AddressLimits } from './address-limits.ts'
import { createInFlight } from './in-flight.ts'
import { toIpPrefix } from './ip-prefix.ts'
import type { CreateLimiter } from './limiter.ts'

/** How attempts at passwords are limited. */
export interface ThrottleOptions {
  /**
   * Makes a limiter in a store of yours: for example `(settings) => new RateLimiterRedis({ storeClient, ...settings })` of
   * `rate-limiter-flexible`. Called six times at start. Default: the session store, so that the limits hold over all
   * processes; without one the memory of this process, 50 000 keys for each limiter.
   */
  readonly createLimiter?: CreateLimiter
}

/** Names an account. */
export type AccountName = { readonly username: string } | { readonly subject: string }

/** One attempt. */
export interface Attempt {
  /** The username as it came. */
  readonly username: string
  /** The client's address; undefined for no limit by address. */
  readonly address: string | undefined
}

/** Counts the attempt that runs against a subject as well. Rejects with `rate_limited`, also later on. */
export type CountAgainst = (subject: string) => Promise<void>

/** Limits of attempts at passwords. */
export interface Throttle {
  /**
   * Runs one attempt within the limits.
   *
   * @param verify checks the password; null when it is wrong. A `ConfigurationError` that it throws counts as a failure
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `store_unavailable`, and what `verify` throws
   */
  run<T>(attempt: Attempt, verify: (countAgainst: CountAgainst) => T | null | Promise<T | null>): Promise<T>
  /**
   * Forgets the failures of an account.
   *
   * @throws {AuthError} `store_unavailable`
   */
  reset(account: AccountName): Promise<void>
}

/** No limits at all. */
export const UNTHROTTLED: Throttle = {
  async run(_attempt, verify) {
    const result = await verify(async () => undefined)
    if (result === null) throw new AuthError('credentials_invalid')
    return result
  },
  reset: async () => undefined,
}

/**
 * Makes the limits of one application.
 *
 * @param realm the application's realm; null for none. Names of two realms are two accounts
 */
export function createThrottle(createLimiter: CreateLimiter, realm: string | null = null): Throttle {
  const accounts = new AccountLimits(createLimiter)
  const addresses = new AddressLimits(createLimiter)
  const inFlight = createInFlight()

  /** Counts an attempt; where others at the same moment are in its way, it waits for what becomes of them. */
  async function enterAccount(key: AccountKey, client: Client): Promise<CountedAccount> {
    for (;;) {
      const isForgiven = inFlight.watch(key.folded)
      const end = inFlight.begin(key.folded)
      try {
        return { key, attempt: await accounts.enter(key, client), end }
      } catch (refusal) {
        end(false)
        if (!(await isForgiven())) throw refusal
      }
    }
  }

  /** Counts an attempt of an address; where others behind it are in its way, it waits for them as well. */
  async function enterAddress({ network, isKnown }: Client): Promise<(isRight: boolean) => void> {
    for (;;) {
      const isForgiven = inFlight.watch(`network ${network}`)
      const end = inFlight.begin(`network ${network}`)
      try {
        await addresses.enter(network, isKnown)
        return end
      } catch (refusal) {
        end(false)
        if (!(await isForgiven())) throw refusal
        await addresses.takeBack(network)
      }
    }
  }

  return {
    async run({ username, address }, verify) {
      const network = address === undefined ? undefined : toIpPrefix(address)
      const name = toAccountKey(username, realm)
      const isKnown = await addresses.isKnown(name, network)
      const endAddress = await enterAddress({ network, isKnown })
      const counted: CountedAccount[] = []
      let refusal: unknown

      async function count(key: AccountKey, client: Client): Promise<void> {
        try {
          counted.push(await enterAccount(key, client))
        } catch (error) {
          refusal = error
          throw error
        }
      }

      async function countAgainst(subject: string): Promise<void> {
        const key = toSubjectKey(subject, realm)
        if (counted.some((account) => account.key.exact === key.exact)) return
        await count(key, { network, isKnown: isKnown || (await addresses.isKnown(key, network)) })
      }

      const end = async (how: keyof CountedAttempt): Promise<void> => {
        await Promise.all(counted.map(({ attempt }) => attempt[how]()))
        for (const account of counted) account.end(how === 'succeed')
        endAddress(how === 'succeed')
      }
      try {
        await count(name, { network, isKnown })
        const result = await verify(countAgainst)
        // Also where the application has swallowed it.
        if (refusal !== undefined) throw refusal
        if (result === null) throw new AuthError('credentials_invalid')
        await addresses.succeed(network, counted)
        await end('succeed')
        return result
      } catch (error) {
        await end(isFailure(error) ? 'fail' : 'takeBack')
        // Only what failed, and what asked too often, costs the address.
        if (!isFailure(error) && error !== refusal) await addresses.takeBack(network)
        throw error
      }
    },
    async reset(account) {
      await accounts.reset(
        'subject' in account ? toSubjectKey(account.subject, realm) : toAccountKey(account.username, realm),
      )
    },
  }
}

/** An account that the attempt in hand was counted against. */
interface CountedAccount {
  readonly key: AccountKey
  readonly attempt: CountedAttempt
  readonly end: (isRight: boolean) => void
}

/**
 * Whether an attempt failed by its password, also where the application says so by an error of its own. A check that gives no
 * usable result counts as well: it may have meant no.
 */
function isFailure(error: unknown): boolean {
  return (isAuthError(error) && error.code === 'credentials_invalid') || error instanceof ConfigurationError
}
