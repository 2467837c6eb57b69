/**
 * How often a password may be tried: by account and by address. An account has five failures for free, after which each further
 * attempt waits twice as long as the one before; an address has twenty failures a minute. Every attempt is counted before
 * the password is looked at and given back when it was right, so that a thousand attempts at once are no way around
 * (OWASP ASVS 6.3.1). Nobody is locked out for longer than 15 minutes.
 */
import { createHash } from 'node:crypto'
import { AuthError, isAuthError } from '../../errors.ts'
import { createInFlight } from './in-flight.ts'
import { toIpPrefix } from './ip-prefix.ts'
import {
  createMemoryLimiter,
  type Limiter,
  type LimiterResult,
  type LimiterSettings,
} from './memory-limiter.ts'

/** How attempts at passwords are limited. */
export interface ThrottleOptions {
  /**
   * Makes a limiter in a store of yours, so that the limits hold over several processes: for example
   * `(settings) => new RateLimiterRedis({ storeClient, ...settings })` of `rate-limiter-flexible`. Called three times at start.
   * Default: the memory of this process, 50 000 keys for each limiter at most.
   */
  readonly createLimiter?: (settings: LimiterSettings) => Limiter
}

/** Limits of attempts at passwords. */
export interface Throttle {
  /**
   * Runs one attempt within the limits.
   *
   * @param account the username as it came
   * @param address the client's address; undefined for no limit by address
   * @param attempt checks the password; null when it is wrong
   * @throws {AuthError} `rate_limited`, `credentials_invalid`, `store_unavailable`, and what `attempt` throws
   */
  run<T>(
    account: string,
    address: string | undefined,
    attempt: () => T | null | Promise<T | null>,
  ): Promise<T>
}

/** Failures of an account that cost no waiting, and how long it is known of them in seconds. */
const FREE_FAILURES = 5
const FAILURES_TTL = 86_400

/** The longest wait of an account between two attempts, in seconds. */
const LONGEST_WAIT = 900

/** Failures of an address, and in how many seconds. */
const ADDRESS_LIMIT = { points: 20, duration: 60 } as const

/** Counts, and lets everything through: what the count means is for us to say. */
const UNLIMITED = 1_000_000_000

/** A key that no username can stretch, fold or break out of. */
function toAccountKey(username: string): string {
  // Users may be found whatever the case of their names: all spellings of a name share one count.
  const folded = username.normalize('NFKC').toLowerCase().trim()
  return createHash('sha256').update(folded).digest('base64url')
}

/** Says when to try again, or that the limiter itself is out of order: then nobody tries, for nobody counts. */
function toRefusal(cause: unknown): AuthError {
  if (cause instanceof Error || typeof cause !== 'object' || cause === null) {
    return new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } })
  }
  const { msBeforeNext } = cause as Partial<LimiterResult>
  const retryAfter = Math.max(1, Math.ceil(Number(msBeforeNext ?? 0) / 1000) || 1)
  return new AuthError('rate_limited', { detail: { retryAfter } })
}

/** Counts an attempt. Throws `rate_limited` or `store_unavailable`. */
async function count(limiter: Limiter, key: string, seconds?: number): Promise<LimiterResult> {
  try {
    return await limiter.consume(key, 1, seconds === undefined ? {} : { customDuration: seconds })
  } catch (cause) {
    throw toRefusal(cause)
  }
}

/** Takes a count back, or forgets it. What cannot be given back makes the next attempt wait; it is no reason to refuse this one. */
async function release(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined)
}

/** Whether an attempt failed by its password, also where the application says so by an error of its own. */
function isWrongPassword(error: unknown): boolean {
  return isAuthError(error) && error.code === 'credentials_invalid'
}

/** No limits at all. */
export const UNTHROTTLED: Throttle = {
  async run(_username, _address, attempt) {
    const outcome = await attempt()
    if (outcome === null) throw new AuthError('credentials_invalid')
    return outcome
  },
}

/** Makes the limits of one application. */
export function createThrottle({ createLimiter = createMemoryLimiter }: ThrottleOptions): Throttle {
  const failures = createLimiter({
    keyPrefix: 'tw-failures',
    points: UNLIMITED,
    duration: FAILURES_TTL,
  })
  const waits = createLimiter({ keyPrefix: 'tw-waits', points: 1, duration: LONGEST_WAIT })
  const addresses = createLimiter({ keyPrefix: 'tw-addresses', ...ADDRESS_LIMIT })
  const running = createInFlight()

  /** Counts an attempt at an account as a failure until it turns out to be none. */
  async function takeAccount(account: string): Promise<void> {
    const { consumedPoints } = await count(failures, account)
    if (consumedPoints < FREE_FAILURES) return
    // The wait that begins now is the next attempt's; this one must have sat out the wait before.
    const wait = Math.min(LONGEST_WAIT, 2 ** (consumedPoints - FREE_FAILURES))
    try {
      await count(waits, account, wait)
    } catch (refusal) {
      // An attempt that was not looked at is no failure: a flood makes nobody wait longer.
      await release(failures.reward(account, 1))
      throw refusal
    }
  }

  /** Counts an attempt; where others of the same user at the same moment are in its way, it waits for what becomes of them. */
  async function enter(account: string): Promise<void> {
    for (;;) {
      try {
        return await takeAccount(account)
      } catch (refusal) {
        if (!(await running.isForgiven(account))) throw refusal
      }
    }
  }

  /** Looks at the password. Where nobody can tell whether it was right, the account has not failed. */
  async function judge<T>(account: string, attempt: () => T | null | Promise<T | null>): Promise<T | null> {
    try {
      return await attempt()
    } catch (error) {
      if (!isWrongPassword(error)) await release(failures.reward(account, 1))
      throw error
    }
  }

  /** An attempt that was counted: forgets the failures before it when it succeeds. */
  async function settle<T>(account: string, attempt: () => T | null | Promise<T | null>): Promise<T> {
    const outcome = await judge(account, attempt)
    if (outcome === null) throw new AuthError('credentials_invalid')
    await Promise.all([release(failures.delete(account)), release(waits.delete(account))])
    return outcome
  }

  return {
    async run(username, address, attempt) {
      const account = toAccountKey(username)
      const network = address === undefined ? undefined : toIpPrefix(address)
      if (network !== undefined) await count(addresses, network)
      const giveBack = async (): Promise<void> => {
        if (network !== undefined) await release(addresses.reward(network, 1))
      }
      try {
        await enter(account)
        const outcome = await running.track(account, settle(account, attempt))
        await giveBack()
        return outcome
      } catch (error) {
        // Only a wrong password is a failure of the address.
        if (!isWrongPassword(error)) await giveBack()
        throw error
      }
    },
  }
}
