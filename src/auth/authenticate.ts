/**
 * The journey of a token through a protected route. From `authenticate` down it reads like the sentence that you would say aloud: locate
 * the token, verify it, make sure that it is still live, meet the route's requirement, return the payload. One from a cookie
 * has its origin and its CSRF twin checked on the way. Each step throws its own `AuthError`. A header that was verified before takes a shorter way,
 * `recall`, where nobody else has to be asked.
 */
import { type Awaitable, andThen } from '../internal/awaitable.ts'
import { emit, type Listeners } from '../internal/listeners.ts'
import { AuthError, isAuthError } from '../errors.ts'
import type { AuthEvents } from './events.ts'
import { refuseForeign, refuseForged } from '../http/csrf.ts'
import type { Found } from '../http/token-sources.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import { type Need, type NeedDefaults, type Renewal, type Requirement, toNeed } from './requirement.ts'
import type { Carried } from '../token/token-cache.ts'
import { judgeTimes, toSpan } from '../token/claims.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { admit, judgeRequirement } from '../token/token-requirement.ts'
import type { Verifier } from '../token/verify.ts'

/** What the guard works from. */
export interface GuardParts<C> {
  /** Verifies tokens. */
  readonly verifier: Verifier<C>
  /** Takes a ticket in place of a token, once; null where there are none. */
  readonly redeem: ((ticket: string) => Promise<TokenPayload<C>>) | null
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** What the HTTP floor works from. */
  readonly http: HttpSettings
  /** What requirements are prepared against. */
  readonly defaults: NeedDefaults
  /** The present moment in epoch seconds. */
  readonly clock: () => number
  /** Refuses what the store knows to be revoked; null without a store. Answers a promise only where it must ask. */
  readonly judge: ((payload: TokenPayload<C>, need: Need) => Promise<void> | undefined) | null
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
  parts: GuardParts<C>,
  request: RequestPort,
  need: Need,
): Awaitable<TokenPayload<C> | null> {
  const found = need.locate(request)
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
function recall<C>(parts: GuardParts<C>, request: RequestPort, need: Need): TokenPayload<C> | undefined {
  const { name, prefix } = parts.http.locate.header
  const value = request.header(name)
  if (typeof value !== 'string' || !value.startsWith(prefix)) return undefined
  const known = parts.verifier.recall({ text: value, start: prefix.length }, need)
  return known === undefined ? undefined : meet(parts, known, need)
}

/** Goes on with what was found in a request. */
function enter<C>(
  parts: GuardParts<C>,
  request: RequestPort,
  need: Need,
  found: Found | null,
): Awaitable<TokenPayload<C> | null> {
  if (found === null && need.optional) return null
  if (found === null) throw new AuthError('token_missing')
  if (found.location === 'cookie') return enterByCookie(parts, request, need, found)
  if (found.location === 'ticket') return enterByTicket(parts, found.text, need)
  return pass(parts, found, need)
}

/** Goes on with a cookie: browsers add it by themselves, so the request may be forged; and it can be renewed in passing. */
function enterByCookie<C>(
  parts: GuardParts<C>,
  request: RequestPort,
  need: Need,
  found: Found,
): Awaitable<TokenPayload<C>> {
  refuseForeign(request, need.csrf)
  const known = parts.verifier.recall(found, need)
  if (known !== undefined) return confirm(parts, request, need, known)
  return andThen(parts.verifier.verify(found, need), (payload) => confirm(parts, request, need, payload))
}

/** Goes on with the verified token of a cookie. */
function confirm<C>(
  parts: GuardParts<C>,
  request: RequestPort,
  need: Need,
  payload: TokenPayload<C>,
): Awaitable<TokenPayload<C>> {
  refuseForged(request, need.csrf, payload.csrf)
  const standing = stand(parts, payload, need)
  const { renew: renewal } = need
  return renewal === null ? standing : andThen(standing, () => renew(parts, request, payload, renewal))
}

/** Goes on with a ticket, which is redeemed. */
async function enterByTicket<C>(parts: GuardParts<C>, ticket: string, need: Need): Promise<TokenPayload<C>> {
  if (parts.redeem === null) throw new AuthError('token_malformed')
  return stand(parts, admit(await parts.redeem(ticket), need), need)
}

/** Goes on with a token from anywhere else: everything but location and CSRF. */
function pass<C>(parts: GuardParts<C>, token: Carried, need: Need): Awaitable<TokenPayload<C>> {
  const known = parts.verifier.recall(token, need)
  if (known !== undefined) return stand(parts, known, need)
  return andThen(parts.verifier.verify(token, need), (payload) => stand(parts, payload, need))
}

/** Makes sure that a verified token is still live and enough for the route. */
function stand<C>(parts: GuardParts<C>, payload: TokenPayload<C>, need: Need): Awaitable<TokenPayload<C>> {
  const living = ensureLive(parts, payload, need)
  return living instanceof Promise
    ? living.then(() => meet(parts, payload, need))
    : meet(parts, payload, need)
}

/** Refuses what is valid but not enough for this route. */
function meet<C>({ clock }: GuardParts<C>, payload: TokenPayload<C>, need: Need): TokenPayload<C> {
  const objection = judgeRequirement(payload, need, clock)
  if (objection !== undefined) throw objection
  return payload
}

/** Judges once more what was verified before. */
function meetAgain<C>(
  parts: GuardParts<C>,
  payload: TokenPayload<C>,
  need: Need,
): Awaitable<TokenPayload<C>> {
  const objection = judgeTimes(toSpan(payload, parts.leeway, parts.defaults.revocable), parts.clock())
  if (objection !== undefined) throw new AuthError(objection)
  return stand(parts, admit(payload, need), need)
}

/** Refuses what is revoked, by the store and by the user's own blocklist. A promise only where one of them must be waited for. */
function ensureLive<C>(
  { judge, isRevoked }: GuardParts<C>,
  payload: TokenPayload<C>,
  need: Need,
): Awaitable<void> {
  const judged = judge === null || need.revocation === 'off' ? undefined : judge(payload, need)
  return isRevoked === null ? judged : andThen(judged, () => askBlocklist(payload, isRevoked))
}

/** Asks the user's blocklist. One that cannot answer is a store that is down. */
async function askBlocklist<C>(
  payload: TokenPayload<C>,
  isRevoked: NonNullable<GuardParts<C>['isRevoked']>,
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
  parts: GuardParts<C>,
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
  toNeed(requirement: Requirement | undefined): Need
  /** What a request's header says, where it can be said at once; undefined where it takes the whole journey. */
  recall(request: RequestPort, need: Need): TokenPayload<C> | undefined
  /** Finds the token of a request. */
  findToken(request: RequestPort, need: Need): Awaitable<Found | null>
  /** The whole journey; null only where a token is optional and there is none. */
  authenticate(request: RequestPort, need: Need): Awaitable<TokenPayload<C> | null>
  /** The journey without the request: everything but location and CSRF. */
  verifyToken(token: string, need: Need): Awaitable<TokenPayload<C>>
  /** Judges once more what was verified before: times, type, realm, revocation and the requirement. */
  meet(payload: TokenPayload<C>, need: Need): Awaitable<TokenPayload<C>>
  /** Refuses what is revoked by now. */
  judge(payload: TokenPayload<C>): Awaitable<void>
}

/** Makes the guard of one application. */
export function createGuard<C>(parts: GuardParts<C>): Guard<C> {
  const { http, defaults, on } = parts
  const plain = toNeed({}, http, defaults)
  const needs = new WeakMap<Requirement, Need>()
  /** Whether nobody but the cache is asked about a token that it remembers. */
  const recalls = parts.verifier.remembers && parts.judge === null && parts.isRevoked === null

  /** Tells of a refusal, and throws it on. */
  function report(error: unknown, { method }: RequestPort): never {
    if (isAuthError(error)) emit(on, 'refused', { code: error.code, method, cause: error.cause })
    throw error
  }

  return {
    toNeed(requirement) {
      if (requirement === undefined) return plain
      const known = needs.get(requirement) ?? toNeed(requirement, http, defaults)
      // Only what cannot change any more is remembered: `auth.prepare` freezes.
      if (Object.isFrozen(requirement)) needs.set(requirement, known)
      return known
    },
    recall(request, need) {
      if (!need.isHeaderOnly || !recalls) return undefined
      try {
        return recall(parts, request, need)
      } catch (error) {
        return report(error, request)
      }
    },
    findToken: (request, need) => need.locate(request),
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
    meet: (payload, need) => meetAgain(parts, payload, need),
    judge: (payload) => ensureLive(parts, payload, plain),
  }
}
