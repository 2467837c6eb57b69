/**
 * The registered claims (RFC 7519 section 4, RFC 9068 section 2.2, and AuthX's names): the one table
 * of what each must look like, and the bounds of a payload. Pure.
 */

import { isWithinBounds, type JsonBounds } from '../internal/json.ts'
import { isScope, isScopeText, MAX_SCOPES } from './scopes.ts'
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
  Array.isArray(value) && value.length <= MAX_SCOPES && value.every(isScope)

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
const SHAPES: Readonly<Record<ClaimName, (value: unknown) => boolean>> = {
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

/** The table by name. A `Map`, so that names such as `constructor` find nothing. */
export const CLAIMS: ReadonlyMap<string, (value: unknown) => boolean> = new Map(Object.entries(SHAPES))

/** Whether a value is valid for a registered claim. */
export function isClaim(name: ClaimName, value: unknown): boolean {
  return SHAPES[name](value)
}

/** Whether a name is reserved, so that custom data must not use it. */
export function isReservedClaim(name: string): boolean {
  return CLAIMS.has(name) || name === 'cnf' || name === '__proto__'
}
