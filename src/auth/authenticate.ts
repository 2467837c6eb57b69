/**
 * The journey of a token through a protected route. From `authenticate` down it reads like the sentence that you would say aloud: locate
 * the token, verify it, make sure that it is still live, meet the route's requirement, return the payload. One from a cookie
 * has its origin and its CSRF twin checked on the way. Each step throws its own `AuthError`. A header that was verified before takes a shorter way,
 * `recall`, where nobody else has to be asked.
 */

import { AuthError, isAuthError } from '../errors.ts'
import { checkRequestCsrf, checkRequestOrigin } from '../http/csrf.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import type { ExtractedToken } from '../http/token-sources.ts'
import { type Awaitable, andThen } from '../internal/awaitable.ts'
import { emit, type Listeners } from '../internal/listeners.ts'
import { decideTimes, toSpan } from '../token/claims.ts'
import type { RawToken } from '../token/token-cache.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { decideAuthorization, requireTypeAndRealm } from '../token/token-requirement.ts'
import type { Verifier } from '../token/verify.ts'
import type { AuthEvents } from './events.ts'
import {
  type PreparedRequirement,
  prepareRequirement,
  type Renewal,
  type Requirement,
  type RequirementDefaults,
} from './requirement.ts'

/** What the guard works from. */
export interface GuardDependencies<C> {
  /** Verifies tokens. */
  readonly verifier: Verifier<C>
  /** Takes a ticket in place of a token, once; null where there are none. */
  readonly redeem: ((ticket: string) => Promise<TokenPayload<C>>) | null
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** What the HTTP floor works from. */
  readonly http: HttpSettings
  /** What requirements are prepared against. */
  readonly defaults: RequirementDefaults
  /** The present moment in epoch seconds. */
  readonly clock: () => number
  /** Refuses what the store knows to be revoked; null without a store. Answers a promise only where it must ask. */
  readonly checkRevocation:
    | ((payload: TokenPayload<C>, need: PreparedRequirement) => Promise<void> | undefined)
    | null
  /** The user's blocklist; null for none. */
  readonly isRevoked: ((payload: TokenPayload<C>) => boolean | Promise<boolean>) | null
  /** Answers the `Set-Cookie` lines of a renewed access token that lives no longer than `until`, epoch seconds. */
  readonly renew: (payload: TokenPayload<C>, until: number) => Promise<readonly string[]>
  /** The user's listeners. */
  readonly on: Listeners<AuthEvents>
}

/**
 * Takes a request through the whole journey; null only where a token is optional and there is none. Nearly every request goes through
 * in one turn: promises appear where a body, a schema, the store or a renewal has to be waited for, and an `await` in their
 * place would cost as much as all the checks.
 */
function authenticate<C>(
  parts: GuardDependencies<C>,
  request: RequestPort,
  need: PreparedRequirement,
): Awaitable<TokenPayload<C> | null> {
  const found = need.extract(request)
  return found instanceof Promise
    ? found.then((late) => enter(parts, request, need, late))
    : enter(parts, request, need, found)
}

/**
 * What the header says, where it was verified before: nearly every request of a route that looks at nothing else. It never has to be waited for. The header
 * is not searched: what equals a verified token in every character is one token.
 *
 * @returns undefined for any other request, which takes the whole journey
 */
function lookup<C>(
  parts: GuardDependencies<C>,
  request: RequestPort,
  need: PreparedRequirement,
): TokenPayload<C> | undefined {
  const { name, prefix } = parts.http.sources.header
  const value = request.header(name)
  if (typeof value !== 'string' || !value.startsWith(prefix)) return undefined
  const known = parts.verifier.lookup({ text: value, start: prefix.length }, need)
  return known === undefined ? undefined : authorize(parts, known, need)
}

/** Goes on with what was found in a request. */
function enter<C>(
  parts: GuardDependencies<C>,
  request: RequestPort,
  need: PreparedRequirement,
  found: ExtractedToken | null,
): Awaitable<TokenPayload<C> | null> {
  if (found === null && need.optional) return null
  if (found === null) throw new AuthError('token_missing')
  if (found.location === 'cookie') return enterByCookie(parts, request, need, found)
  if (found.location === 'ticket') return enterByTicket(parts, found.text, need)
  return pass(parts, found, need)
}

/** Goes on with a cookie: browsers add it by themselves, so the request may be forged; and it can be renewed in passing. */
function enterByCookie<C>(
  parts: GuardDependencies<C>,
  request: RequestPort,
  need: PreparedRequirement,
  found: ExtractedToken,
): Awaitable<TokenPayload<C>> {
  checkRequestOrigin(request, need.csrf)
  const known = parts.verifier.lookup(found, need)
  if (known !== undefined) return confirm(parts, request, need, known)
  return andThen(parts.verifier.verify(found, need), (payload) => confirm(parts, request, need, payload))
}

/** Goes on with the verified token of a cookie. */
function confirm<C>(
  parts: GuardDependencies<C>,
  request: RequestPort,
  need: PreparedRequirement,
  payload: TokenPayload<C>,
): Awaitable<TokenPayload<C>> {
  checkRequestCsrf(request, need.csrf, payload.csrf)
  const standing = checkAndAuthorize(parts, payload, need)
  const { renew: renewal } = need
  return renewal === null ? standing : andThen(standing, () => renew(parts, request, payload, renewal))
}

/** Goes on with a ticket, which is redeemed. */
async function enterByTicket<C>(
  parts: GuardDependencies<C>,
  ticket: string,
  need: PreparedRequirement,
): Promise<TokenPayload<C>> {
  if (parts.redeem === null) throw new AuthError('token_malformed')
  return checkAndAuthorize(parts, requireTypeAndRealm(await parts.redeem(ticket), need), need)
}

/** Goes on with a token from anywhere else: everything but location and CSRF. */
function pass<C>(
  parts: GuardDependencies<C>,
  token: RawToken,
  need: PreparedRequirement,
): Awaitable<TokenPayload<C>> {
  const known = parts.verifier.lookup(token, need)
  if (known !== undefined) return checkAndAuthorize(parts, known, need)
  return andThen(parts.verifier.verify(token, need), (payload) => checkAndAuthorize(parts, payload, need))
}

/** Makes sure that a verified token is still live and enough for the route. */
function checkAndAuthorize<C>(
  parts: GuardDependencies<C>,
  payload: TokenPayload<C>,
  need: PreparedRequirement,
): Awaitable<TokenPayload<C>> {
  const living = checkRevocation(parts, payload, need)
  return living instanceof Promise
    ? living.then(() => authorize(parts, payload, need))
    : authorize(parts, payload, need)
}

/** Refuses what is valid but not enough for this route. */
function authorize<C>(
  { clock }: GuardDependencies<C>,
  payload: TokenPayload<C>,
  need: PreparedRequirement,
): TokenPayload<C> {
  const objection = decideAuthorization(payload, need, clock)
  if (objection !== undefined) throw objection
  return payload
}

/** Judges once more what was verified before. */
function recheck<C>(
  parts: GuardDependencies<C>,
  payload: TokenPayload<C>,
  need: PreparedRequirement,
): Awaitable<TokenPayload<C>> {
  const objection = decideTimes(toSpan(payload, parts.leeway, parts.defaults.revocable), parts.clock())
  if (objection !== undefined) throw new AuthError(objection)
  return checkAndAuthorize(parts, requireTypeAndRealm(payload, need), need)
}

/** Refuses what is revoked, by the store and by the user's own blocklist. A promise only where one of them must be waited for. */
function checkRevocation<C>(
  { checkRevocation: judge, isRevoked }: GuardDependencies<C>,
  payload: TokenPayload<C>,
  need: PreparedRequirement,
): Awaitable<void> {
  const judged = judge === null || need.revocation === 'off' ? undefined : judge(payload, need)
  return isRevoked === null ? judged : andThen(judged, () => askBlocklist(payload, isRevoked))
}

/** Asks the user's blocklist. One that cannot answer is a store that is down. */
async function askBlocklist<C>(
  payload: TokenPayload<C>,
  isRevoked: NonNullable<GuardDependencies<C>['isRevoked']>,
): Promise<void> {
  let revoked: unknown
  try {
    revoked = await isRevoked(payload)
  } catch (cause) {
    throw new AuthError('store_unavailable', { cause })
  }
  // Whatever is not a clear no counts as a yes: a blocklist that forgets to answer must not let everyone in.
  if (revoked !== false) throw new AuthError('token_revoked')
}

/**
 * Renews an access token that came by cookie and is about to expire, until the cap that `auth_time` sets.
 *
 * @returns the payload as it came, which is what this request goes on with
 */
async function renew<C>(
  parts: GuardDependencies<C>,
  request: RequestPort,
  payload: TokenPayload<C>,
  { within, maxAge }: Renewal,
): Promise<TokenPayload<C>> {
  if (request.setCookies === undefined || payload.type !== 'access') return payload
  if (payload.auth_time === undefined || payload.exp - parts.clock() > within) return payload
  const until = payload.auth_time + maxAge
  if (until <= Math.max(payload.exp, parts.clock() + 1)) return payload
  const lines = await parts.renew(payload, until).catch(toNothing)
  if (lines === null) return payload
  request.setCookies(lines)
  emit(parts.on, 'renewed', { sub: payload.sub })
  return payload
}

/** A renewal that fails leaves the token as it is, unless what failed is the token itself. */
function toNothing(error: unknown): null {
  if (isAuthError(error) && error.status !== 503) throw error
  return null
}

/** The guard of one application: the journeys, and the way to prepare for them. Promises only where something must be waited for. */
export interface Guard<C> {
  /** Prepares a requirement; remembers the object that it came in. */
  prepare(requirement: Requirement | undefined): PreparedRequirement
  /** What a request's header says, where it can be said at once; undefined where it takes the whole journey. */
  lookup(request: RequestPort, need: PreparedRequirement): TokenPayload<C> | undefined
  /** Finds the token of a request. */
  findToken(request: RequestPort, need: PreparedRequirement): Awaitable<ExtractedToken | null>
  /** The whole journey; null only where a token is optional and there is none. */
  authenticate(request: RequestPort, need: PreparedRequirement): Awaitable<TokenPayload<C> | null>
  /** The journey without the request: everything but location and CSRF. */
  verifyToken(token: string, need: PreparedRequirement): Awaitable<TokenPayload<C>>
  /** Judges once more what was verified before: times, type, realm, revocation and the requirement. */
  recheck(payload: TokenPayload<C>, need: PreparedRequirement): Awaitable<TokenPayload<C>>
  /** Refuses what is revoked by now. */
  checkRevocation(payload: TokenPayload<C>): Awaitable<void>
}

/** Makes the guard of one application. */
export function createGuard<C>(parts: GuardDependencies<C>): Guard<C> {
  const { http, defaults, on } = parts
  const plain = prepareRequirement({}, http, defaults)
  const needs = new WeakMap<Requirement, PreparedRequirement>()
  /** Whether nobody but the cache is asked about a token that it remembers. */
  const recalls = parts.verifier.isCaching && parts.checkRevocation === null && parts.isRevoked === null

  /** Tells of a refusal, and throws it on. */
  function report(error: unknown, { method }: RequestPort): never {
    if (isAuthError(error)) emit(on, 'refused', { code: error.code, method, cause: error.cause })
    throw error
  }

  return {
    prepare(requirement) {
      if (requirement === undefined) return plain
      const known = needs.get(requirement) ?? prepareRequirement(requirement, http, defaults)
      // Only what cannot change any more is remembered: `auth.prepare` freezes.
      if (Object.isFrozen(requirement)) needs.set(requirement, known)
      return known
    },
    lookup(request, need) {
      if (!need.isHeaderOnly || !recalls) return undefined
      try {
        return lookup(parts, request, need)
      } catch (error) {
        return report(error, request)
      }
    },
    findToken: (request, need) => need.extract(request),
    authenticate(request, need) {
      try {
        const payload = authenticate(parts, request, need)
        return payload instanceof Promise ? payload.catch((error) => report(error, request)) : payload
      } catch (error) {
        return report(error, request)
      }
    },
    verifyToken(token, need) {
      if (typeof token !== 'string') throw new AuthError('token_malformed')
      return pass(parts, { text: token, start: 0 }, need)
    },
    recheck: (payload, need) => recheck(parts, payload, need),
    checkRevocation: (payload) => checkRevocation(parts, payload, plain),
  }
}
