/**
 * Where the key set of an issuer comes from: a configured address, or its metadata (RFC 8414
 * section 3, OpenID Connect Discovery 1.0 section 4), which must name the issuer exactly. Nothing
 * of a token leads anywhere.
 */
import type { Clock } from '../internal/duration.ts'
import { isLoopback } from '../internal/loopback.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { readUrl } from './address.ts'
import { FetchError, type FetchRules, fetchJson, type JsonRequest, type JsonResponse } from './fetch-json.ts'

/** Fetches the key set of an issuer, and where it lies. */
export interface KeySource {
  /** @throws {Error} that says in words why it failed */
  fetch(): Promise<JsonResponse>
}

/** The bounds of one fetch. */
const BOUNDS: Pick<JsonRequest, 'deadline' | 'maxBytes'> = { deadline: 5, maxBytes: 512 * 1024 }

/** Fetches the key set from its address. */
export function createAddressSource(url: URL, rules: FetchRules): KeySource {
  return { fetch: () => fetchJson({ url, ...BOUNDS }, rules) }
}

/** How long metadata are used before they are fetched again, in seconds. */
const METADATA_LIFE = 300

/**
 * The metadata of one issuer. They are fetched again after five minutes, as an address in them may
 * move while the former one still responds, and once a fetch with them fails. The last good ones
 * stay.
 */
export class Metadata {
  readonly #issuer: string
  readonly #rules: FetchRules
  readonly #clock: Clock
  #known: JsonResponse['body'] | null = null
  #checkedAt = Number.NEGATIVE_INFINITY
  #flight: Promise<JsonResponse['body']> | null = null

  /** @param issuer the issuer, which is the base of the address */
  constructor(issuer: string, rules: FetchRules, clock: Clock) {
    this.#issuer = issuer
    this.#rules = rules
    this.#clock = clock
  }

  /** Reads an address of the metadata. @throws {Error} that says in words why it failed */
  async endpoint(name: 'jwks_uri' | 'introspection_endpoint'): Promise<URL> {
    const body = await this.#current()
    try {
      return readUrl(name, body[name])
    } catch (error) {
      this.check()
      throw error
    }
  }

  /** Fetches the metadata again before the next use. */
  check(): void {
    this.#checkedAt = Number.NEGATIVE_INFINITY
  }

  async #current(): Promise<JsonResponse['body']> {
    const known = this.#known
    // The difference either way: a clock that was set back must not keep old ones.
    const isFresh = Math.abs(this.#clock() - this.#checkedAt) < METADATA_LIFE
    if (known !== null && isFresh) return known
    try {
      return await this.#fetchOnce()
    } catch (error) {
      if (known === null) throw error
      return known
    }
  }

  /** Fetches them; all who have none yet wait for the same fetch. */
  #fetchOnce(): Promise<JsonResponse['body']> {
    if (this.#flight !== null && OUTLIVES_REQUESTS) return this.#flight
    this.#checkedAt = this.#clock()
    const flight = this.#fetch().finally(() => {
      if (this.#flight === flight) this.#flight = null
    })
    this.#flight = flight
    return flight
  }

  async #fetch(): Promise<JsonResponse['body']> {
    const { body } = await this.#fetchFirst(toMetadataUrls(this.#issuer))
    if (body['issuer'] !== this.#issuer)
      throw new Error(`The metadata of ${this.#issuer} names another issuer; a slash at the end counts`)
    this.#known = body
    return body
  }

  /** @throws {Error} of the address that says most where none has metadata */
  async #fetchFirst(urls: readonly URL[]): Promise<JsonResponse> {
    let absence = new FetchError(`${this.#issuer} has no metadata`, 404)
    for (const url of urls) {
      try {
        return await fetchJson({ url, ...BOUNDS }, this.#rules)
      } catch (error) {
        if (!isAbsence(error)) throw error
        if (absence.status === 404) absence = error
      }
    }
    throw absence
  }
}

/**
 * Whether a response says that nothing is at an address: 404, what a firewall says instead, or the
 * page that a single-page application has for every path.
 */
function isAbsence(error: unknown): error is FetchError {
  if (!(error instanceof FetchError)) return false
  const { status } = error
  return status === 200 || (status !== null && status >= 400 && status < 500)
}

/**
 * The addresses of metadata: that of OpenID Connect follows the path, that of OAuth leads it; some
 * issuers have the former one at the place of the latter (RFC 8414 section 5).
 */
function toMetadataUrls(issuer: string): readonly URL[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    new URL(`${origin}${path}/.well-known/openid-configuration`),
    new URL(`${origin}/.well-known/oauth-authorization-server${path}`),
    ...(path === '' ? [] : [new URL(`${origin}/.well-known/openid-configuration${path}`)]),
  ]
}

/** Fetches the key set that the metadata of an issuer names. */
export function createDiscoverySource(metadata: Metadata, rules: FetchRules): KeySource {
  return {
    async fetch() {
      const url = await metadata.endpoint('jwks_uri')
      try {
        return await fetchJson({ url, ...BOUNDS }, rules)
      } catch (error) {
        metadata.check()
        throw error
      }
    },
  }
}

/** Whether the metadata of an issuer may lead to this machine: only where the issuer is on it. */
export function isLocal(issuer: string): boolean {
  return URL.canParse(issuer) && isLoopback(new URL(issuer).hostname)
}
