/**
 * The checks of the claims in a token. Pure: they take parsed JSON and the rules, and return a
 * payload or the code of the first failed check. `hasEnded` is the one line that decides expiry.
 */

import type { ErrorCode } from '../errors.ts'
import { describeType, expected } from '../internal/configuration-error.ts'
import { type Clock, LATEST_MOMENT } from '../internal/duration.ts'
import { countMembers, deepFreeze } from '../internal/json.ts'
import {
  CLAIMS,
  type ClaimName,
  countRegistered,
  findMisshapen,
  isText,
  isTextList,
  isWithinPayloadBounds,
  PAYLOAD_BOUNDS,
  pickRegistered,
  type RegisteredClaims,
  toMemberBudget,
} from './claim-shapes.ts'
import { findOtherUse, isBoundToKey } from './other-use.ts'
import { splitScopes } from './scopes.ts'
import { type Claims, type PayloadMembers, type PayloadOrigin, TokenPayload } from './token-payload.ts'
import { type HeaderType, REFRESH_AUDIENCE, type TokenType } from './token-type.ts'

/** What the claims of an accepted token must be. */
export interface ClaimRules {
  /** The issuer that every token must name; undefined accepts any and none. */
  readonly issuer: string | undefined
  /**
   * The audiences of which a token must name at least one; empty accepts only tokens without an
   * audience.
   */
  readonly audience: readonly string[]
  /** Accept tokens of AuthX, FastJWT and flask-jwt-extended, which lack some claims. */
  readonly interop: boolean
  /**
   * With `interop`: accept as access tokens those that say no type, in the header or as a claim.
   */
  readonly untyped?: boolean
  /** The configured realm; undefined for none. */
  readonly realm?: string | undefined
  /** The longest life of a token from `iat` to `exp`, in seconds. */
  readonly maxLifetime: number
  /** Tolerance for `exp`, `nbf`, `iat` and `auth_time`, in seconds. */
  readonly leeway: number
  /** For the relative times of the payload. */
  readonly clock: Clock
  /** Who verifies, for telling its payloads from others. Default: these rules. */
  readonly origin?: PayloadOrigin
}

/** The claims that every token of ours has. */
const REQUIRED: readonly ClaimName[] = ['sub', 'jti', 'iat', 'exp', 'type']

/** The claims that another library's token must have, too. */
const REQUIRED_OF_OTHERS: readonly ClaimName[] = ['sub', 'exp']

/** Why claims are refused. */
export interface ClaimFailure {
  /** The code of the refusal. */
  readonly code: ErrorCode
  /** The same in words, for the log of the application. It repeats no claim but an issuer. */
  readonly reason: string
}

/**
 * Checks parsed claims and turns them into what handlers see. It does check shape, bounds, issuer
 * and audience; it does not check times (`decideTimes`), realm, revocation or any requirement.
 *
 * @param claims a parsed JSON object; what is inside it gets frozen
 * @param header what the header's `typ` says
 * @returns the payload, or the first failed check
 */
export function readClaims(
  claims: Record<string, unknown>,
  header: HeaderType,
  rules: ClaimRules,
): TokenPayload | ClaimFailure {
  if (isBoundToKey(claims))
    return toMalformed('The token is bound to a key by `cnf`: no proof of it is checked')
  const isTyped = claims['type'] !== undefined && claims['type'] !== null
  if (header.type === null && !isTyped && rules.untyped === true) {
    const use = findOtherUse(claims, undefined)
    if (use !== undefined) return toMalformed(`The claim \`${use.claim}\` is of a token for another use`)
    if (!isWithinPayloadBounds(claims)) return toMalformed(BOUNDS_REASON)
    ignoreMisfits(claims, rules)
  }
  const registered = pickRegistered(claims)
  const data = readCustomClaims(claims, registered, rules)
  if (typeof data === 'string') return toMalformed(data)
  const failure = decideIssuerAndAudience(registered, rules)
  if (failure !== undefined) return failure
  const members = registered as Partial<PayloadMembers>
  const type = members.type ?? 'access'
  if (header.type === null) {
    if (!rules.interop || !header.untyped) return toMalformed('The `typ` of the header is of no token here')
    if (!isTyped && rules.untyped !== true)
      return toMalformed('The token says no type: `interop: { untyped: true }` takes it for an access token')
  } else if (header.type !== type)
    return toMalformed('The `typ` of the header is not the `type` of the claims')

  return new TokenPayload(
    {
      sub: members.sub as string,
      jti: members.jti ?? undefined,
      iat: members.iat ?? undefined,
      exp: members.exp as number,
      nbf: members.nbf ?? undefined,
      iss: members.iss ?? undefined,
      aud: members.aud ?? undefined,
      type,
      fresh: isTyped ? toFresh(members.fresh) : members.fresh === true,
      // AuthX writes an empty value where CSRF protection is off.
      csrf: members.csrf || undefined,
      scopes: members.scopes ?? toScopes(registered, type),
      sid: members.sid ?? undefined,
      auth_time: members.auth_time ?? undefined,
      amr: members.amr ?? undefined,
      acr: members.acr ?? undefined,
      login_type: members.login_type ?? undefined,
      login_name: members.login_name ?? undefined,
      client_id: members.client_id ?? undefined,
      remember: members.remember === false ? false : undefined,
      data,
    },
    rules.origin ?? rules,
    type === 'refresh' && isRefreshAudience(members.aud, rules)
      ? (registered.access_aud as string)
      : members.aud,
  )
}

function toMalformed(reason: string): ClaimFailure {
  return { code: 'token_malformed', reason }
}

const { depth: LEVELS, members: MEMBERS } = PAYLOAD_BOUNDS
const BOUNDS_REASON = `The claims have over ${MEMBERS} members or ${LEVELS} levels, or a member __proto__`

/** Claims that mean the same in every JWT (RFC 7519 section 4.1). */
const COMMON: ReadonlySet<string> = new Set(['sub', 'exp', 'nbf', 'iat', 'iss', 'aud', 'jti'])

/**
 * Deletes claims that an issuer of another kind uses with another meaning: those names are ours
 * only, and what is not understood is ignored (RFC 7519 section 4). A route that requires such a
 * claim refuses the token, as it lacks it.
 */
function ignoreMisfits(claims: Record<string, unknown>, { realm }: ClaimRules): void {
  for (const name of Object.keys(claims)) {
    const isValid = COMMON.has(name) ? undefined : CLAIMS.get(name)
    const isForeignRealm = name === 'login_type' && realm === undefined
    if (isForeignRealm || isValid?.(claims[name]) === false) delete claims[name]
  }
}

/**
 * Checks the bounds of the payload and the shape of every registered claim, and collects the custom
 * ones. Null counts as absent in another library's token.
 *
 * @returns the custom claims, deeply frozen; in words what is wrong when a claim is missing or of
 *   another shape
 */
function readCustomClaims(claims: Claims, registered: RegisteredClaims, rules: ClaimRules): Claims | string {
  const { sub, jti, iat, exp, type } = registered
  const isWhole =
    sub != null && exp != null && (rules.interop || (jti != null && iat != null && type != null))
  if (!isWhole) return tellMissing(registered, rules)
  const misshapen = findMisshapen(registered, rules.interop)
  if (misshapen !== undefined) return tellMisshapen(misshapen, registered)

  const names = Object.keys(claims)
  let left = takeLists(registered, toMemberBudget(claims) - names.length)
  let data = NO_DATA
  if (names.length !== countRegistered(registered)) {
    const custom: Record<string, unknown> = {}
    for (const name of names) {
      if (CLAIMS.has(name)) continue
      if (name === '__proto__') return BOUNDS_REASON
      left = takeAny(claims[name], left)
      if (left < 0) return BOUNDS_REASON
      custom[name] = claims[name]
    }
    data = Object.freeze(custom)
  }
  if (left < 0) return BOUNDS_REASON
  if ((exp as number) > LATEST_MOMENT) return 'The claim `exp` looks like milliseconds'
  if (rules.interop || (exp as number) - ((iat as number | undefined) ?? 0) <= rules.maxLifetime) return data
  return `The token lives longer than \`limits.lifetime\`, ${rules.maxLifetime} seconds`
}

/** Why claims are refused of which a required one is missing, or null. */
function tellMissing(claims: RegisteredClaims, { interop }: ClaimRules): string {
  const name = (interop ? REQUIRED_OF_OTHERS : REQUIRED).find((name) => claims[name] == null) ?? 'sub'
  return claims[name] === null ? tellMisshapen(name, claims) : `The claim \`${name}\` is missing`
}

function tellMisshapen(name: ClaimName, claims: RegisteredClaims): string {
  return `The claim \`${name}\` has another form, got ${describeType(claims[name])}`
}

/**
 * What is left of a budget of members after the lists among the registered claims, whose shapes are
 * right. The lists get frozen.
 */
function takeLists(claims: RegisteredClaims, budget: number): number {
  let left = takeList(claims.scopes, budget)
  left = takeList(claims.amr, left)
  left = takeList(claims.scope, left)
  left = takeList(claims.access_scopes, left)
  left = takeList(claims.access_aud, left)
  // These have no shape yet.
  left = takeAny(claims.aud, left)
  left = takeAny(claims.iss, left)
  return takeAny(claims.fresh, left)
}

/** The same for one value, which is no list or a list of texts. */
function takeList(value: unknown, budget: number): number {
  return Array.isArray(value) ? budget - Object.freeze(value).length : budget
}

/** The same for any value; what is within the budget gets deeply frozen. */
function takeAny(value: unknown, budget: number): number {
  if (typeof value !== 'object' || value === null) return budget
  const left = countMembers(value, LEVELS - 1, budget)
  if (left >= 0) deepFreeze(value)
  return left
}

/** The custom claims of a token that has none. */
const NO_DATA: Claims = Object.freeze({})

/** The scopes of a token that has none. */
const NO_SCOPES: readonly string[] = Object.freeze([])

/**
 * Checks who issued a token and for whom (RFC 7519 sections 4.1.1 and 4.1.3): exact strings, no
 * patterns. A token with an audience is refused where none is configured.
 */
function decideIssuerAndAudience(
  { iss, aud, type }: RegisteredClaims,
  rules: ClaimRules,
): ClaimFailure | undefined {
  if (rules.issuer === undefined ? iss !== undefined && !isText(iss) : iss !== rules.issuer)
    return { code: 'issuer_invalid', reason: expected('iss', rules.issuer ?? 'a text', iss) }
  const isForAll = rules.audience.length === 0
  if (aud === undefined)
    return isForAll ? undefined : { code: 'audience_invalid', reason: 'The claim `aud` is missing' }
  if (typeof aud === 'string' && rules.audience.includes(aud)) return undefined
  if (type === 'refresh' && isRefreshAudience(aud, rules)) return undefined
  const names: unknown = typeof aud === 'string' ? [aud] : aud
  if (isTextList(names) && names.some((name) => rules.audience.includes(name))) return undefined
  const reason = isForAll ? 'The token has an `aud`, and `audience` is not set' : 'No `aud` is in `audience`'
  return { code: 'audience_invalid', reason }
}

/**
 * The scopes of a token without the claim `scopes`: those of `scope`, in one text (RFC 8693 section
 * 4.2) or a list, or those that a session's refresh token keeps for access tokens.
 */
function toScopes({ scope, access_scopes: kept }: RegisteredClaims, type: TokenType): readonly string[] {
  const value = scope ?? (type === 'refresh' ? kept : undefined)
  if (typeof value === 'string') return Object.freeze(splitScopes(value))
  return Array.isArray(value) ? value : NO_SCOPES
}

/**
 * Whether an audience is that of our refresh tokens. Older ones have the audience of access tokens.
 */
function isRefreshAudience(aud: unknown, { issuer }: ClaimRules): boolean {
  return typeof aud === 'string' && (aud === issuer || aud === REFRESH_AUDIENCE)
}

/** Freshness in a payload: a boolean, or the deadline that flask-jwt-extended writes. */
function toFresh(value: unknown): boolean | number {
  return typeof value === 'number' && Number.isFinite(value) ? value : value === true
}

/** When a token may be used, in epoch seconds, with the leeway. */
export interface Span {
  /** The first moment. */
  readonly from: number
  /** The first moment at which it has expired. */
  readonly until: number
}

/**
 * Reads when a token may be used (RFC 7519 sections 4.1.4-4.1.6).
 *
 * @param leeway tolerated clock skew in seconds
 * @param hasRows whether sessions are kept in a store: then its clock says when their refresh
 *   tokens begin, and only their end is read here
 */
export function toSpan(payload: PayloadMembers<unknown>, leeway: number, hasRows: boolean): Span {
  const { exp, nbf = 0, iat = 0, auth_time = 0 } = payload
  const beginsByStore = hasRows && payload.type === 'refresh' && payload.sid !== undefined
  const from = beginsByStore ? nbf : Math.max(nbf, iat, auth_time)
  return { from: from - leeway, until: exp + leeway }
}

/**
 * Decides whether a token may be used now: the code of the failed check, or undefined. Runs on
 * every use; the cache makes the same checks on a token that it remembers.
 *
 * @param now epoch seconds
 */
export function decideTimes({ from, until }: Span, now: number): ErrorCode | undefined {
  if (hasEnded(until, now)) return 'token_expired'
  return hasBegun(from, now) ? undefined : 'token_not_active'
}

/** Whether a token may already be used. False when a clock returns NaN. */
export function hasBegun(from: number, now: number): boolean {
  return now >= from
}

/** Whether a token has expired. True when a clock returns NaN. */
export function hasEnded(until: number, now: number): boolean {
  return !(now < until)
}
