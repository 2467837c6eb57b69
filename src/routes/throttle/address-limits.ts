/**
 * Limits of addresses, and which addresses are known for an account because it was used from there.
 */

import { UNKNOWN_NETWORK } from '../../http/ip-prefix.ts'
import { type AccountKey, toHash } from './account-key.ts'
import {
  type CreateLimiter,
  consume,
  forgive,
  type Limiter,
  look,
  toRefusalUntil,
  UNLIMITED,
} from './limiter.ts'

/** Failures of an address, and in how many seconds. */
const MOST_FAILURES = 20
const WINDOW = 60

/**
 * How long an address stays known for an account, in seconds. It is renewed once half of that is
 * over.
 */
const KNOWN_TTL = 90 * 86_400

/**
 * The limits of addresses. A network is undefined where the address is unknown: then nothing is
 * counted and nothing known.
 */
export class AddressLimits {
  readonly #addresses: Limiter
  readonly #known: Limiter

  constructor(createLimiter: CreateLimiter) {
    const points = UNLIMITED
    this.#addresses = createLimiter({ keyPrefix: 'tw-addresses', points, duration: WINDOW })
    this.#known = createLimiter({ keyPrefix: 'tw-known', points, duration: KNOWN_TTL })
  }

  /** Whether an account was used from a network before. Throws `store_unavailable`. */
  async isKnown({ exact }: AccountKey, network: string | undefined): Promise<boolean> {
    if (network === undefined || network === UNKNOWN_NETWORK) return false
    return (await look(this.#known, toHash(exact, network))) !== null
  }

  /**
   * Counts an attempt. What is refused stays counted, so that asking all the time costs something.
   *
   * @param isKnown an account that is known here has a count of its own for this address: others
   *   behind it keep no owner out
   * @throws {AuthError} `rate_limited`, `store_unavailable`
   */
  async enter(network: string | undefined, isKnown: boolean): Promise<void> {
    if (network === undefined) return
    const key = toHash(network)
    const { consumedPoints } = await consume(this.#addresses, key)
    if (consumedPoints > MOST_FAILURES && !isKnown) throw await toRefusalUntil(this.#addresses, key)
  }

  /** Takes an attempt back, and makes the address known for its accounts. */
  async succeed(
    network: string | undefined,
    accounts: readonly { readonly key: AccountKey }[],
  ): Promise<void> {
    if (network === undefined) return
    const known = network === UNKNOWN_NETWORK ? [] : accounts
    const remembered = known.map(({ key }) => this.#remember(toHash(key.exact, network)))
    await forgive(Promise.all([this.takeBack(network), ...remembered]))
  }

  /** Takes an attempt back. */
  async takeBack(network: string | undefined): Promise<void> {
    if (network !== undefined) await forgive(this.#addresses.reward(toHash(network), 1))
  }

  async #remember(key: string): Promise<void> {
    const found = await this.#known.get(key)
    if (found !== null && found.msBeforeNext > (KNOWN_TTL / 2) * 1000) return
    await this.#known.delete(key)
    await this.#known.consume(key)
  }
}
