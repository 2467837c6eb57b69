/**
 * The journey of a token through a protected route. `authenticate` reads like the sentence that you would say aloud: locate the
 * token, refuse a foreign origin, verify the token and its CSRF twin, make sure that it is still live, meet the route's
 * requirement, return the payload. Each step throws its own `AuthError`.
 */
import { emit, type Listeners } from './base/listeners.ts'
import { AuthError, isAuthError } from './errors.ts'
import type { AuthEvents } from './events.ts'
import { refuseForeign, refuseForged } from './http/csrf.ts'
import { type Found, locate } from './http/locate.ts'
import type { RequestPort } from './http/request.ts'
import type { HttpSettings } from './http/settings.ts'
import { type Need, type NeedDefaults, type Requirement, toNeed } from './route.ts'
import { judgeTimes } from './token/claims.ts'
import type { TokenPayload } from './token/payload.ts'
import { judgeRequirement, judgeType } from './token/requirement.ts'
import type { Verify } from './token/verify.ts'

/** What the guard works from. */
export interface GuardParts<C> {
  /** Verifies a token. */
  readonly verify: Verify<C>
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

/** Takes a request through the whole journey; null only where a token is optional and there is none. */
async function authenticate<C>(
  parts: GuardParts<C>,
  request: RequestPort,
  need: Need,
): Promise<TokenPayload<C> | null> {
  const located = locate(request, parts.http.locate, need.type, need.locations)
  const found = located instanceof Promise ? await located : located
  if (found === null && need.optional) return null
  if (found === null) throw new AuthError('token_missing')
  refuseForeign(request, found, need.csrf)
  const verified = found.location === 'ticket' ? redeem(parts, found, need) : verify(parts, found.token, need)
  const payload = verified instanceof Promise ? await verified : verified
  refuseForged(request, found, need.csrf, payload.csrf)
  const living = ensureLive(parts, payload, need)
  if (living !== undefined) await living
  meet(payload, need, parts.clock())
  if (need.renew !== null) await renew(parts, request, found, { payload, ...need.renew })
  return payload
}

/** Takes a bare token through the journey: everything but location and CSRF. */
async function verifyToken<C>(parts: GuardParts<C>, token: string, need: Need): Promise<TokenPayload<C>> {
  const verified = verify(parts, token, need)
  const payload = verified instanceof Promise ? await verified : verified
  const living = ensureLive(parts, payload, need)
  if (living !== undefined) await living
  meet(payload, need, parts.clock())
  return payload
}

/** Judges once more what was verified before. */
async function meetAgain<C>(
  parts: GuardParts<C>,
  payload: TokenPayload<C>,
  need: Need,
): Promise<TokenPayload<C>> {
  const objection = judgeTimes(payload, parts.clock(), parts.leeway, parts.defaults.revocable)
  if (objection !== undefined) throw new AuthError(objection)
  admit(payload, need)
  const living = ensureLive(parts, payload, need)
  if (living !== undefined) await living
  meet(payload, need, parts.clock())
  return payload
}

/** Redeems a ticket, and refuses another type or realm. */
async function redeem<C>({ redeem }: GuardParts<C>, { token }: Found, need: Need): Promise<TokenPayload<C>> {
  if (redeem === null) throw new AuthError('token_malformed')
  return admit(await redeem(token), need)
}

/** Verifies, and refuses another type or realm. A promise only where the user's schema is asynchronous. */
function verify<C>(
  parts: GuardParts<C>,
  token: string,
  need: Need,
): TokenPayload<C> | Promise<TokenPayload<C>> {
  const verified = parts.verify(token)
  return verified instanceof Promise
    ? verified.then((payload) => admit(payload, need))
    : admit(verified, need)
}

/** Refuses another type or realm. */
function admit<C>(payload: TokenPayload<C>, need: Need): TokenPayload<C> {
  const objection = judgeType(payload, need)
  if (objection !== undefined) throw objection
  return payload
}

/** Refuses what is revoked, by the store and by the user's own blocklist. A promise only where one of them must be waited for. */
function ensureLive<C>(
  parts: GuardParts<C>,
  payload: TokenPayload<C>,
  need: Need,
): Promise<void> | undefined {
  const { judge, isRevoked } = parts
  const judged = judge === null || need.revocation === 'off' ? undefined : judge(payload, need)
  if (isRevoked === null) return judged
  return judged === undefined
    ? askBlocklist(payload, isRevoked)
    : judged.then(() => askBlocklist(payload, isRevoked))
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

/** Refuses what is valid but not enough for this route. */
function meet(payload: TokenPayload<unknown>, need: Need, now: number): void {
  const objection = judgeRequirement(payload, need, now)
  if (objection !== undefined) throw objection
}

/** Renews an access token that came by cookie and is about to expire, until the cap that `auth_time` sets. */
async function renew<C>(
  parts: GuardParts<C>,
  request: RequestPort,
  found: Found,
  {
    payload,
    within,
    maxAge,
  }: { readonly payload: TokenPayload<C>; readonly within: number; readonly maxAge: number },
): Promise<void> {
  if (request.setCookies === undefined || found.location !== 'cookie' || payload.type !== 'access') return
  if (payload.auth_time === undefined || payload.exp - parts.clock() > within) return
  const until = payload.auth_time + maxAge
  if (until <= Math.max(payload.exp, parts.clock() + 1)) return
  const lines = await parts.renew(payload, until).catch(toNothing)
  if (lines === null) return
  request.setCookies(lines)
  emit(parts.on, 'renewed', { sub: payload.sub })
}

/** A renewal that fails leaves the token as it is, unless what failed is the token itself. */
function toNothing(error: unknown): null {
  if (isAuthError(error) && error.status !== 503) throw error
  return null
}

/** The guard of one application: the journeys, and the way to prepare for them. */
export interface Guard<C> {
  /** Prepares a requirement; remembers the object that it came in. */
  toNeed(requirement: Requirement | undefined): Need
  /** Finds the token of a request. */
  findToken(request: RequestPort, need: Need): Found | null | Promise<Found | null>
  /** The whole journey; null only where a token is optional and there is none. */
  authenticate(request: RequestPort, need: Need): Promise<TokenPayload<C> | null>
  /** The journey without the request: everything but location and CSRF. */
  verifyToken(token: string, need: Need): Promise<TokenPayload<C>>
  /** Judges once more what was verified before: times, type, realm, revocation and the requirement. */
  meet(payload: TokenPayload<C>, need: Need): Promise<TokenPayload<C>>
  /** Refuses what is revoked by now. A promise only where somebody must be asked. */
  judge(payload: TokenPayload<C>): Promise<void> | undefined
}

/** Makes the guard of one application. */
export function createGuard<C>(parts: GuardParts<C>): Guard<C> {
  const { http, defaults, on } = parts
  const plain = toNeed({}, http, defaults)
  const needs = new WeakMap<Requirement, Need>()
  return {
    toNeed(requirement) {
      if (requirement === undefined) return plain
      const known = needs.get(requirement) ?? toNeed(requirement, http, defaults)
      // Only what cannot change any more is remembered: `auth.prepare` freezes.
      if (Object.isFrozen(requirement)) needs.set(requirement, known)
      return known
    },
    findToken: (request, need) => locate(request, http.locate, need.type, need.locations),
    async authenticate(request, need) {
      try {
        return await authenticate(parts, request, need)
      } catch (error) {
        if (isAuthError(error))
          emit(on, 'refused', { code: error.code, method: request.method, cause: error.cause })
        throw error
      }
    },
    verifyToken: (token, need) => verifyToken(parts, token, need),
    meet: (payload, need) => meetAgain(parts, payload, need),
    judge: (payload) => ensureLive(parts, payload, plain),
  }
}
