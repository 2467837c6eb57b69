/**
 * How tokens are let in: whole requests, bare tokens, and the gates that adapters put before routes. The journey itself is in `guard.ts`;
 * here are its entrances.
 */

import { AuthError } from '../errors.ts'
import { type RequestPort, toRequestPort } from '../http/request-port.ts'
import type { HandshakeLocation, Location } from '../http/token-sources.ts'
import { type Awaitable, isPromise } from '../internal/awaitable.ts'
import { readUnverified, type UnverifiedPayload } from '../token/jws.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { TokenType } from '../token/token-type.ts'
import type { Guard } from './authenticate.ts'
import type { Requirement } from './requirement.ts'

/** What `authenticate` answers: null is possible only where the requirement says `optional: true`. */
export type PayloadFor<R, C> = R extends { readonly optional: true }
  ? TokenPayload<C> | null
  : TokenPayload<C>

/** What a guard has found: the payload and, where there is a loader, the user. */
export interface AuthContext<P = unknown, U = unknown> {
  /** The payload; null behind an optional guard that let a request without a token pass. */
  readonly auth: P
  /** The user. */
  readonly subject?: U
}

/**
 * The way through one route, to what it attaches to a request. It answers, or throws, at once unless a body, a schema, the store, a renewal or
 * a loader has to be waited for; then it answers a promise.
 */
export type Authenticator<R, C, U = never> = (
  request: RequestPort,
) => Awaitable<AuthContext<PayloadFor<R, C>, U>>

/** A token that was found in a request. */
export interface FoundToken {
  /** The token as it came, not verified and perhaps no token at all. */
  readonly token: string
  /** Where it came from; CSRF matters for `'cookie'` only. From `'ticket'` it is no token but a ticket for one. */
  readonly location: Location | HandshakeLocation
  /** Its CSRF value, unverified; null when it has none. */
  readonly csrf: string | null
}

/** How tokens are let in: members of `Auth`. */
export interface AuthRequests<C> {
  /**
   * Verifies a token against a requirement: everything but location and CSRF.
   *
   * @param requirement default: any valid access token
   * @throws {AuthError} the first objection
   */
  verifyToken(token: string, requirement?: Requirement): Promise<TokenPayload<C>>
  /**
   * Reads a token without verifying anything: for logs and debugging, never for a decision.
   *
   * @throws {AuthError} `token_malformed` when it is no compact JWS with a JSON object for its payload
   */
  decodeUnverified(token: string): UnverifiedPayload
  /**
   * Takes a request through the whole journey: locate, origin, verify, type, realm, CSRF, revocation, freshness, scopes.
   *
   * @param requirement default: any valid access token
   * @returns the payload; null only with `optional: true` and no token
   * @throws {AuthError} the first objection
   */
  authenticate<const R extends Requirement = Record<never, never>>(
    request: Request | RequestPort,
    requirement?: R,
  ): Promise<PayloadFor<R, C>>
  /**
   * The same journey for one route, prepared when the route is made. For adapters, which spare every request a promise by it.
   *
   * @param load what loads the user, if the route wants one
   * @throws {ConfigurationError} for an unknown or unfit member
   */
  authenticator<const R extends Requirement, U = never>(
    requirement: R,
    load?: (payload: PayloadFor<R, C>) => Promise<U>,
  ): Authenticator<R, C, U>
  /**
   * Checks a requirement when a route is made, so that a mistake shows at start; answers a frozen copy that `authenticate` recognises.
   *
   * @throws {ConfigurationError} for an unknown or unfit member
   */
  prepare<const R extends Requirement>(requirement: R): R
  /**
   * Finds the token of a request without verifying it.
   *
   * @param type which token to look for. Default `'access'`
   * @param locations where to look. Default: the configured locations
   * @returns the token, its location, and its unverified CSRF value; null when there is none
   * @throws {AuthError} `request_invalid` when there are several
   */
  findToken(
    request: Request | RequestPort,
    type?: TokenType | 'any',
    locations?: readonly (Location | HandshakeLocation)[],
  ): Promise<FoundToken | null>
}

/** Makes the entrances of one application. */
export function createRequestApi<C>(guard: Guard<C>): AuthRequests<C> {
  return {
    verifyToken: async (token, requirement) => guard.verifyToken(token, guard.prepare(requirement)),
    decodeUnverified(token) {
      const read = readUnverified(token)
      if (read === undefined) throw new AuthError('token_malformed')
      return read
    },
    async authenticate<const R extends Requirement>(request: Request | RequestPort, requirement?: R) {
      const payload = await guard.authenticate(toRequestPort(request), guard.prepare(requirement))
      return payload as PayloadFor<R, C>
    },
    authenticator<const R extends Requirement, U = never>(
      requirement: R,
      load?: (payload: PayloadFor<R, C>) => Promise<U>,
    ): Authenticator<R, C, U> {
      const need = guard.prepare(requirement)
      return (request) => {
        // Whether it is a promise is not asked of what is recalled: its memory may be far away, and nobody may ever read it.
        const known = load === undefined ? guard.lookup(request, need) : undefined
        if (known !== undefined) return { auth: known as PayloadFor<R, C> }
        return toAuthContext(guard.authenticate(request, need) as Awaitable<PayloadFor<R, C>>, load)
      }
    },
    prepare<const R extends Requirement>(requirement: R): R {
      guard.prepare(requirement)
      const prepared: R = Object.freeze({ ...requirement })
      guard.prepare(prepared)
      return prepared
    },
    async findToken(request, type = 'access', locations) {
      const need = guard.prepare({ type, ...(locations && { locations }) })
      const found = await guard.findToken(toRequestPort(request), need)
      if (found === null) return null
      const token = found.text.slice(found.start)
      const csrf = readUnverified(token)?.payload['csrf']
      return { token, location: found.location, csrf: typeof csrf === 'string' ? csrf : null }
    },
  }
}

/**
 * What a guard has found, at once where nothing has to be waited for. A loader that refuses leaves nothing to attach.
 *
 * @param passed the payload, or a promise of it
 * @param load the loader of users
 */
function toAuthContext<P, U>(
  passed: Awaitable<P>,
  load: ((payload: P) => Promise<U>) | undefined,
): Awaitable<AuthContext<P, U>> {
  return isPromise(passed) || load !== undefined ? toAuthContextLate(passed, load) : { auth: passed }
}

async function toAuthContextLate<P, U>(
  passed: Awaitable<P>,
  load: ((payload: P) => Promise<U>) | undefined,
): Promise<AuthContext<P, U>> {
  const auth = await passed
  return load === undefined ? { auth } : { auth, subject: await load(auth) }
}
