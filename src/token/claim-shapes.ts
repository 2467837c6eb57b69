/**
 * The registered claims (RFC 7519 section 4, RFC 9068 section 2.2, and AuthX's names): the one
 * table of what each must look like, and the bounds of a payload. Pure.
 */

import { isWithinBounds, type JsonBounds } from '../internal/json.ts'
import { areScopes, isScopeText, MAX_SCOPES } from './scopes.ts'
import type { Claims, PayloadMembers } from './token-payload.ts'
import { TOKEN_TYPES } from './token-type.ts'

/** How many levels a payload may have, and how many members beside its scopes. */
export const PAYLOAD_BOUNDS: JsonBounds = { depth: 16, members: 256 }

/** Whether a payload is within its bounds. */
export function isWithinPayloadBounds(claims: Claims): boolean {
  return isWithinBounds(claims, { depth: PAYLOAD_BOUNDS.depth, members: toMemberBudget(claims) })
}

/** How many members a payload may have in all. Scopes have a bound of their own. */
export function toMemberBudget(claims: Claims): number {
  const { scopes = claims['access_scopes'] ?? claims['scope'] } = claims
  return PAYLOAD_BOUNDS.members + (Array.isArray(scopes) ? Math.min(scopes.length, MAX_SCOPES) : 0)
}

const isScopeList = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= MAX_SCOPES && areScopes(value)

/** The last moment that a JavaScript `Date` can name, in epoch seconds. */
const LAST_MOMENT = 8.64e12

const isTime = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= LAST_MOMENT
/** Non-empty text without U+0000, which ends a text for databases and C libraries. */
export const isText = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && value.isWellFormed() && !value.includes('\0')
export const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(isText)

/**
 * The name of a registered claim: a member of the payload, what session refresh tokens have beside
 * them, or scopes as RFC 9068 writes them.
 */
export type ClaimName =
  | Exclude<keyof PayloadMembers, 'data'>
  | 'gen'
  | 'access_aud'
  | 'access_scopes'
  | 'scope'

/** The registered claims: what each must look like. Custom data may not use these names. */
export const SHAPES: Readonly<Record<ClaimName, (value: unknown) => boolean>> = {
  sub: isText,
  jti: isText,
  iat: isTime,
  exp: isTime,
  nbf: isTime,
  iss: () => true, // checked by decideIssuerAndAudience, with errors of their own
  aud: () => true,
  access_aud: (value) => isText(value) || (isTextList(value) && value.length > 0),
  type: (value) => typeof value === 'string' && Object.hasOwn(TOKEN_TYPES, value),
  fresh: () => true, // neither a boolean nor a deadline means not fresh, not malformed
  csrf: (value) => typeof value === 'string',
  scopes: isScopeList,
  access_scopes: isScopeList,
  scope: (value) => isScopeText(value) || isScopeList(value),
  sid: isText,
  gen: (value) => Number.isSafeInteger(value),
  auth_time: isTime,
  amr: isTextList,
  acr: isText,
  login_type: isText,
  login_name: isText,
  client_id: isText,
  remember: (value) => typeof value === 'boolean',
}

const CLAIM_NAMES = Object.keys(SHAPES) as readonly ClaimName[]

/** The table by name. A `Map`, so that names such as `constructor` find nothing. */
export const CLAIMS: ReadonlyMap<string, (value: unknown) => boolean> = new Map(Object.entries(SHAPES))

/** The registered claims of one token, as JSON gives them; undefined where they are absent. */
export type RegisteredClaims = { readonly [Name in ClaimName]: unknown }

/**
 * Reads the registered claims. Tokens name their claims in many orders, and V8 reads a member of an
 * object that it knows several times faster: so each is read here, once, and from this object then.
 */
export function pickRegistered(claims: Claims): RegisteredClaims {
  const from = claims as RegisteredClaims
  return {
    sub: from.sub,
    jti: from.jti,
    iat: from.iat,
    exp: from.exp,
    nbf: from.nbf,
    iss: from.iss,
    aud: from.aud,
    access_aud: from.access_aud,
    type: from.type,
    fresh: from.fresh,
    csrf: from.csrf,
    scopes: from.scopes,
    access_scopes: from.access_scopes,
    scope: from.scope,
    sid: from.sid,
    gen: from.gen,
    auth_time: from.auth_time,
    amr: from.amr,
    acr: from.acr,
    login_type: from.login_type,
    login_name: from.login_name,
    client_id: from.client_id,
    remember: from.remember,
  }
}

/**
 * The first registered claim that is there and has another form; undefined for none.
 *
 * @param nullIsAbsent whether null counts as absent, as in the tokens of some libraries
 */
export function findMisshapen(claims: RegisteredClaims, nullIsAbsent: boolean): ClaimName | undefined {
  if (areAllShaped(claims)) return undefined
  return CLAIM_NAMES.find((name) => {
    const value = claims[name]
    return value !== undefined && !SHAPES[name](value) && !(value === null && nullIsAbsent)
  })
}

/**
 * Whether each registered claim that is there has its form. Not a loop over the table: V8 calls a
 * function faster where it is always the same one.
 */
function areAllShaped(claims: RegisteredClaims): boolean {
  return (
    (claims.sub === undefined || SHAPES.sub(claims.sub)) &&
    (claims.jti === undefined || SHAPES.jti(claims.jti)) &&
    (claims.iat === undefined || SHAPES.iat(claims.iat)) &&
    (claims.exp === undefined || SHAPES.exp(claims.exp)) &&
    (claims.nbf === undefined || SHAPES.nbf(claims.nbf)) &&
    (claims.access_aud === undefined || SHAPES.access_aud(claims.access_aud)) &&
    (claims.type === undefined || SHAPES.type(claims.type)) &&
    (claims.csrf === undefined || SHAPES.csrf(claims.csrf)) &&
    (claims.scopes === undefined || SHAPES.scopes(claims.scopes)) &&
    (claims.access_scopes === undefined || SHAPES.access_scopes(claims.access_scopes)) &&
    (claims.scope === undefined || SHAPES.scope(claims.scope)) &&
    (claims.sid === undefined || SHAPES.sid(claims.sid)) &&
    (claims.gen === undefined || SHAPES.gen(claims.gen)) &&
    (claims.auth_time === undefined || SHAPES.auth_time(claims.auth_time)) &&
    (claims.amr === undefined || SHAPES.amr(claims.amr)) &&
    (claims.acr === undefined || SHAPES.acr(claims.acr)) &&
    (claims.login_type === undefined || SHAPES.login_type(claims.login_type)) &&
    (claims.login_name === undefined || SHAPES.login_name(claims.login_name)) &&
    (claims.client_id === undefined || SHAPES.client_id(claims.client_id)) &&
    (claims.remember === undefined || SHAPES.remember(claims.remember))
  )
}

/** How many registered claims a token has. */
export function countRegistered(claims: RegisteredClaims): number {
  let count = 0
  if (claims.sub !== undefined) count++
  if (claims.jti !== undefined) count++
  if (claims.iat !== undefined) count++
  if (claims.exp !== undefined) count++
  if (claims.nbf !== undefined) count++
  if (claims.access_aud !== undefined) count++
  if (claims.type !== undefined) count++
  if (claims.csrf !== undefined) count++
  if (claims.scopes !== undefined) count++
  if (claims.access_scopes !== undefined) count++
  if (claims.scope !== undefined) count++
  if (claims.sid !== undefined) count++
  if (claims.gen !== undefined) count++
  if (claims.auth_time !== undefined) count++
  if (claims.amr !== undefined) count++
  if (claims.acr !== undefined) count++
  if (claims.login_type !== undefined) count++
  if (claims.login_name !== undefined) count++
  if (claims.client_id !== undefined) count++
  if (claims.remember !== undefined) count++
  if (claims.iss !== undefined) count++
  if (claims.aud !== undefined) count++
  if (claims.fresh !== undefined) count++
  return count
}

/** Whether a name is reserved, so that custom data must not use it. */
export function isReservedClaim(name: string): boolean {
  return CLAIMS.has(name) || name === 'cnf' || name === '__proto__'
}
