/** Limits of addresses, and the known addresses of an account: those from which it was used. */

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

/** The most failures of an address, and in how many seconds. */
export const MOST_FAILURES: number = 20
export const WINDOW: number = 60

/** How long an address stays known for an account, in seconds. A use after half of it renews it. */
export const KNOWN_TTL: number = 90 * 86_400

/** The prefixes of the limiters' keys. */
export const ADDRESS_PREFIXES = { addresses: 'tw-addresses', known: 'tw-known' } as const

/**
 * The limits of addresses. A network is undefined if the address is unknown: then nothing is
 * counted and no address is known.
 */
export class AddressLimits {
  readonly #addresses: Limiter
  readonly #known: Limiter

  constructor(createLimiter: CreateLimiter) {
    const points = UNLIMITED
    this.#addresses = createLimiter({ keyPrefix: ADDRESS_PREFIXES.addresses, points, duration: WINDOW })
    this.#known = createLimiter({ keyPrefix: ADDRESS_PREFIXES.known, points, duration: KNOWN_TTL })
  }

  /** Whether an account was used from a network before. Throws `store_unavailable`. */
  async isKnown({ exact }: AccountKey, network: string | undefined): Promise<boolean> {
    if (network === undefined || network === UNKNOWN_NETWORK) return false
    return (await look(this.#known, toHash(exact, network))) !== null
  }

  /**
   * Counts an attempt. A refused one stays counted, so that further attempts prolong the refusal.
   *
   * @param isKnown whether the account was used from this network: then the account's own count for
   *   it decides, and other clients behind the address cannot lock the owner out
   * @throws {AuthError} `rate_limited`, `store_unavailable`
   */
  async count(network: string | undefined, isKnown: boolean): Promise<void> {
    if (network === undefined) return
    const key = toHash(network)
    const { consumedPoints } = await consume(this.#addresses, key)
    if (consumedPoints > MOST_FAILURES && !isKnown) throw await toRefusalUntil(this.#addresses, key)
  }

  /** Makes the address known for accounts. */
  async makeKnown(
    network: string | undefined,
    accounts: readonly { readonly key: AccountKey }[],
  ): Promise<void> {
    if (network === undefined || network === UNKNOWN_NETWORK) return
    await forgive(Promise.all(accounts.map(({ key }) => this.#remember(toHash(key.exact, network)))))
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
