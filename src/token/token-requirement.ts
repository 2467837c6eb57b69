/**
 * What a route asks of a token beyond its being valid: type, realm, freshness, step-up, scopes. Pure.
 * `prepareRequirement` turns the public form into numbers and lists once; `admit` judges the kind of token,
 * `judgeRequirement` answers with the first objection to the rest. Freshness knows no leeway, and its windows do not slide (RFC 9470 section 4).
 */

import { AuthError } from '../errors.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { type Clock, type Duration, toSeconds } from '../internal/duration.ts'
import { readText } from '../internal/read-options.ts'
import { hasAllScopes, hasAnyScope, isScope } from './scopes.ts'
import type { PayloadMembers } from './token-payload.ts'
import { TOKEN_TYPES, type TokenType } from './token-type.ts'

/** What a route asks of a token. Every member narrows; an empty requirement takes any valid access token. */
export interface TokenRequirement {
  /** The token's type. Default `'access'`. */
  readonly type?: TokenType | 'any'
  /**
   * Ask for a fresh token: made by an active authentication, no longer ago than `freshness.window`. A duration of at least
   * 5 s narrows that window. Else `fresh_token_required`.
   */
  readonly fresh?: boolean | Duration
  /**
   * The largest age of the last active authentication, judged on `auth_time`, so that it survives a refresh.
   * At least 5 s; `false` switches off. A token without `auth_time` is refused with `fresh_token_required`.
   */
  readonly maxAge?: Duration | false
  /** The authentication context classes of which the token must have one. Else `fresh_token_required`. */
  readonly acr?: string | readonly string[]
  /** The authentication methods that the token must name, all of them. Else `fresh_token_required`. */
  readonly amr?: string | readonly string[]
  /** The scopes that must be covered, all of them. Else `scope_missing`. */
  readonly scopes?: readonly string[]
  /** The scopes of which one must be covered. Else `scope_missing`. */
  readonly anyScope?: readonly string[]
  /** The realm that the token must name, in place of the configured one. Else `realm_mismatch`. */
  readonly realm?: string
}

/** The names of the members, for refusing others. */
export const TOKEN_REQUIREMENT_KEYS: readonly string[] = [
  'type',
  'fresh',
  'maxAge',
  'acr',
  'amr',
  'scopes',
  'anyScope',
  'realm',
]

/** Which kind of token is wanted. */
export interface ExpectedToken {
  /** The type that will do. */
  readonly type: TokenType | 'any'
  /** The realm that will do; undefined for tokens without one. */
  readonly realm: string | undefined
}

/** What kind of token it is. */
export type TokenKind = Pick<PayloadMembers<unknown>, 'type' | 'login_type'>

/** A requirement as numbers and lists; null where nothing is asked. */
export interface PreparedTokenRequirement extends ExpectedToken {
  /** How long ago a fresh token may have been made, in seconds. */
  readonly freshWithin: number | null
  /** Whether the route narrowed the window, so that it also bounds tokens that carry their own deadline. */
  readonly narrowed: boolean
  /** The largest age of `auth_time`, in seconds. */
  readonly maxAge: number | null
  /** The classes of which one will do. */
  readonly acr: readonly string[] | null
  /** The methods that are all needed. */
  readonly amr: readonly string[] | null
  /** The scopes that are all needed. */
  readonly scopes: readonly string[] | null
  /** The scopes of which one will do. */
  readonly anyScope: readonly string[] | null
}

/** What a requirement is prepared against. */
export interface TokenRequirementDefaults {
  /** How long a fresh token stays fresh, in seconds. */
  readonly freshness: number
  /** The configured realm; undefined for none. */
  readonly realm: string | undefined
}

/** Shorter windows are over before a user has answered: the client would ask again and again. */
export const MIN_WINDOW = 5

/** No window is longer than a token may live. */
const WINDOW_BOUNDS = { min: MIN_WINDOW, max: Number.MAX_SAFE_INTEGER } as const

/** Reads a name or a list of names. */
function toNames(name: string, value: unknown): readonly string[] | null {
  if (value === undefined) return null
  const list: unknown = typeof value === 'string' ? [value] : value
  if (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((item) => typeof item === 'string' && item !== '')
  ) {
    return Object.freeze([...(list as string[])])
  }
  throw new ConfigurationError(expected(name, 'a non-empty string or a non-empty list of them', value))
}

/** Reads a list of scopes; asking for nothing is allowed only where nothing means everything. */
function toScopes(name: string, value: unknown, least: number): readonly string[] | null {
  if (value === undefined) return null
  if (Array.isArray(value) && value.length >= least && value.every(isScope)) {
    return value.length === 0 ? null : Object.freeze([...(value as string[])])
  }
  throw new ConfigurationError(expected(name, "a list of scopes such as ['users:read']", value))
}

/**
 * Prepares a requirement.
 *
 * @throws {ConfigurationError} for an unknown type, a window under 5 s, or anything of the wrong shape
 */
export function prepareTokenRequirement(
  requirement: TokenRequirement,
  defaults: TokenRequirementDefaults,
): PreparedTokenRequirement {
  const { type = 'access', fresh = false, maxAge = false, realm = defaults.realm } = requirement
  if (type !== 'any' && !Object.hasOwn(TOKEN_TYPES, type)) {
    throw new ConfigurationError(expected('type', "'access', 'refresh' or 'any'", type))
  }
  const narrow = typeof fresh === 'boolean' ? null : toSeconds('fresh', fresh, WINDOW_BOUNDS)
  const asked = fresh === false ? null : Math.min(defaults.freshness, narrow ?? defaults.freshness)
  return {
    type,
    realm: readText('realm', realm),
    freshWithin: asked,
    narrowed: narrow !== null,
    maxAge: maxAge === false ? null : toSeconds('maxAge', maxAge, WINDOW_BOUNDS),
    acr: toNames('acr', requirement.acr),
    amr: toNames('amr', requirement.amr),
    scopes: toScopes('scopes', requirement.scopes, 0),
    anyScope: toScopes('anyScope', requirement.anyScope, 1),
  }
}

/** Whether a token's type and realm will do. */
export function isExpectedType(
  type: TokenKind['type'],
  realm: TokenKind['login_type'],
  wanted: ExpectedToken,
): boolean {
  return (type === wanted.type || wanted.type === 'any') && realm === wanted.realm
}

/** Refuses a token of another kind than what is wanted. @throws {AuthError} `access_token_required`, `refresh_token_required`, `realm_mismatch` */
export function checkTypeAndRealm({ type }: TokenKind, wanted: ExpectedToken): never {
  const isRealm = wanted.type === 'any' || type === wanted.type
  throw new AuthError(isRealm ? 'realm_mismatch' : TOKEN_TYPES[wanted.type].required)
}

/** Lets a token of the wanted kind through. @throws {AuthError} as `refuseKind` */
export function requireTypeAndRealm<T extends TokenKind>(token: T, wanted: ExpectedToken): T {
  return isExpectedType(token.type, token.login_type, wanted) ? token : checkTypeAndRealm(token, wanted)
}

/** Whether a token is fresh: it says so, and the authentication behind it is recent. */
function isFresh(
  payload: PayloadMembers<unknown>,
  need: PreparedTokenRequirement,
  within: number,
  now: number,
): boolean {
  const { fresh, auth_time, iat } = payload
  const provedAt = auth_time ?? iat
  const recent = provedAt !== undefined && now - provedAt <= within
  if (typeof fresh === 'number') return now < fresh && (recent || !need.narrowed)
  return fresh && recent
}

/** Whether the last active authentication is longer ago than that, or was never. */
function isOlder({ auth_time }: PayloadMembers<unknown>, maxAge: number, now: number): boolean {
  return !(auth_time !== undefined && now - auth_time <= maxAge)
}

/** The step-up challenge of a requirement (RFC 9470 section 3). */
function toChallenge(need: PreparedTokenRequirement): AuthError {
  const windows = [need.freshWithin, need.maxAge].filter((window) => window !== null)
  return new AuthError('fresh_token_required', {
    detail: {
      ...(windows.length > 0 && { maxAge: Math.floor(Math.min(...windows)) }),
      ...(need.acr !== null && { acrValues: need.acr }),
    },
  })
}

/**
 * The first objection to how and how recently the user authenticated, and to what the token may do; or undefined.
 *
 * @param clock the present moment in epoch seconds; read only where the requirement speaks of time
 */
export function decideAuthorization(
  payload: PayloadMembers<unknown>,
  need: PreparedTokenRequirement,
  clock: Clock,
): AuthError | undefined {
  const { freshWithin, maxAge, acr, amr, scopes, anyScope } = need
  if (
    (freshWithin !== null && !isFresh(payload, need, freshWithin, clock())) ||
    (maxAge !== null && isOlder(payload, maxAge, clock())) ||
    (acr !== null && (payload.acr === undefined || !acr.includes(payload.acr))) ||
    (amr !== null && !amr.every((method) => payload.amr?.includes(method)))
  ) {
    return toChallenge(need)
  }
  if (scopes !== null && !hasAllScopes(payload.scopes, scopes))
    return new AuthError('scope_missing', { detail: { scopes } })
  if (anyScope !== null && !hasAnyScope(payload.scopes, anyScope)) {
    return new AuthError('scope_missing', { detail: { scopes: anyScope } })
  }
  return undefined
}
