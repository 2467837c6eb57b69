/**
 * Token introspection as a client (RFC 7662): the issuer is asked what an opaque token says. An
 * active token is remembered by the verifier, whole; an inactive one here, by its digest, for
 * seconds. One question at a time for each token, and a bounded number of them in all.
 */
import { AuthError, toReason } from '../errors.ts'
import type { Clock } from '../internal/duration.ts'
import { sha256 } from '../internal/hash.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import type { Claims } from '../token/token-payload.ts'
import { FetchError, type FetchRules, fetchJson } from './fetch-json.ts'
import type { IssuerState } from './options.ts'
import type { KeySetListener } from './remote-key-set.ts'
import type { IntrospectionSettings } from './resolve-introspection.ts'

/** What introspection depends on. */
export interface IntrospectionDependencies extends IntrospectionSettings {
  /** The issuer, for messages. */
  readonly issuer: string
  /** Finds the endpoint. */
  readonly endpoint: () => Promise<URL>
  /** How it is fetched. */
  readonly fetchRules: FetchRules
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** Is told when the endpoint goes and comes. */
  readonly listener: KeySetListener
}

/** What an issuer says of an active token. */
export interface Introspected {
  /** The members of the response, as claims. */
  readonly claims: Claims
  /** How long that may be remembered, epoch seconds. */
  readonly until: number
}

/** The bounds of one question. */
const BOUNDS = { deadline: 5, maxBytes: 64 * 1024 } as const

/** How long an inactive token is remembered, in seconds. */
const INACTIVE_MEMORY = 10

/** How many inactive tokens are remembered. */
const MAX_INACTIVE = 10_000

/** Asks one issuer. */
export class Introspection {
  readonly #deps: IntrospectionDependencies
  /** When each inactive token is asked about again, by its digest, the oldest first. */
  readonly #inactive = new Map<string, number>()
  readonly #flights = new Map<string, Promise<Introspected>>()
  #running = 0
  #status: IssuerState['introspection'] = 'unused'

  /** @param deps what it builds on */
  constructor(deps: IntrospectionDependencies) {
    this.#deps = deps
  }

  /** Whether the issuer responded to the latest question. */
  get status(): IssuerState['introspection'] {
    return this.#status
  }

  /**
   * Asks what a token says.
   *
   * @throws {AuthError} `token_revoked` for one that is not active, `issuer_unavailable`
   */
  async introspect(token: string): Promise<Introspected> {
    const digest = sha256(token)
    const again = this.#inactive.get(digest)
    if (again !== undefined && this.#deps.clock() < again) throw new AuthError('token_revoked')
    // Neither a place nor a question outlives its request there.
    if (!OUTLIVES_REQUESTS) return this.#ask(token, digest)
    const flight = this.#flights.get(digest)
    if (flight !== undefined) return flight
    if (this.#running >= this.#deps.concurrency)
      throw this.#toError(toReason(`More than ${this.#deps.concurrency} introspections at once`))
    this.#running++
    const question = this.#ask(token, digest).finally(() => {
      this.#running--
      this.#flights.delete(digest)
    })
    this.#flights.set(digest, question)
    return question
  }

  async #ask(token: string, digest: string): Promise<Introspected> {
    const { cacheFor, clock } = this.#deps
    const { active, ...claims } = await this.#fetch(token)
    const now = clock()
    if (active !== true) {
      this.#rememberInactive(digest, now + Math.min(INACTIVE_MEMORY, cacheFor))
      throw new AuthError('token_revoked')
    }
    return { claims, until: now + cacheFor }
  }

  async #fetch(token: string): Promise<Readonly<Record<string, unknown>>> {
    const { endpoint, headers, fetchRules, listener } = this.#deps
    try {
      const form = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString()
      const request = { url: await endpoint(), form, headers: await headers(), ...BOUNDS }
      const { body } = await fetchJson(request, fetchRules)
      if (typeof body['active'] !== 'boolean') throw new FetchError('The response has no `active`', 200)
      if (this.#status === 'down') listener.onUp()
      this.#status = 'current'
      return body
    } catch (error) {
      const cause = error as Error
      if (this.#status !== 'down') listener.onDown(cause)
      this.#status = 'down'
      throw this.#toError(cause)
    }
  }

  #rememberInactive(digest: string, until: number): void {
    const [oldest] = this.#inactive.keys()
    if (this.#inactive.size >= MAX_INACTIVE && oldest !== undefined) this.#inactive.delete(oldest)
    this.#inactive.delete(digest)
    this.#inactive.set(digest, until)
  }

  #toError(failure: Error): AuthError {
    const cause = toReason(`${this.#deps.issuer} could not be asked about a token`)
    cause.cause = failure
    return new AuthError('issuer_unavailable', { cause, detail: { retryAfter: 1 } })
  }
}
