/**
 * Where the key set of an issuer comes from: a configured address, or its metadata (RFC 8414
 * section 3, OpenID Connect Discovery 1.0 section 4), which must name the issuer exactly. Nothing
 * of a token leads anywhere.
 */
import { isLoopback } from '../internal/loopback.ts'
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

/** The metadata of one issuer. It is kept until a fetch with it fails. */
export class Metadata {
  readonly #issuer: string
  readonly #rules: FetchRules
  #known: Promise<JsonResponse['body']> | null = null

  /** @param issuer the issuer, which is the base of the address */
  constructor(issuer: string, rules: FetchRules) {
    this.#issuer = issuer
    this.#rules = rules
  }

  /** Reads an address of the metadata. @throws {Error} that says in words why it failed */
  async endpoint(name: 'jwks_uri' | 'introspection_endpoint'): Promise<URL> {
    this.#known ??= this.#fetch()
    try {
      return readUrl(name, (await this.#known)[name])
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Fetches the metadata again before the next use. */
  forget(): void {
    this.#known = null
  }

  async #fetch(): Promise<JsonResponse['body']> {
    const { body } = await this.#fetchFirst(toMetadataUrls(this.#issuer))
    if (body['issuer'] === this.#issuer) return body
    throw new Error(`The metadata of ${this.#issuer} names another issuer; a slash at the end counts`)
  }

  async #fetchFirst([url, ...others]: readonly URL[]): Promise<JsonResponse> {
    if (url === undefined) throw new Error(`${this.#issuer} has no metadata`)
    try {
      return await fetchJson({ url, ...BOUNDS }, this.#rules)
    } catch (error) {
      if (!(error instanceof FetchError) || error.status !== 404 || others.length === 0) throw error
      return this.#fetchFirst(others)
    }
  }
}

/** The addresses of metadata: that of OpenID Connect follows the path, that of OAuth leads it. */
function toMetadataUrls(issuer: string): readonly URL[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    new URL(`${origin}${path}/.well-known/openid-configuration`),
    new URL(`${origin}/.well-known/oauth-authorization-server${path}`),
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
        metadata.forget()
        throw error
      }
    },
  }
}

/** Whether the metadata of an issuer may lead to this machine: only where the issuer is on it. */
export function isLocal(issuer: string): boolean {
  return URL.canParse(issuer) && isLoopback(new URL(issuer).hostname)
}
