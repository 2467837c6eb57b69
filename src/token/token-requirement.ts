/**
 * What a route requires of a valid token: type, realm, freshness, step-up, scopes. Pure.
 * `prepareTokenRequirement` turns the public form into numbers and lists once;
 * `requireTypeAndRealm` checks which token it is, `decideAuthorization` returns the error of the
 * first other check that fails. Freshness has no leeway, and its windows do not slide (RFC 9470
 * section 4).
 */

import { AuthError } from '../errors.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { type Clock, type Duration, toSeconds } from '../internal/duration.ts'
import { readText } from '../internal/read-options.ts'
import { hasAllScopes, hasAnyScope, isScope } from './scopes.ts'
import type { PayloadMembers } from './token-payload.ts'
import { TOKEN_TYPES, type TokenType } from './token-type.ts'

/**
 * What a route requires of a token. Every member narrows it; an empty requirement accepts any valid
 * access token.
 */
export interface TokenRequirement {
  /** The type of the token. Default `'access'`. */
  readonly type?: TokenType | 'any'
  /**
   * Requires a fresh token: one that was issued at an active authentication within
   * `freshness.window`. A duration of at least 5 s narrows that window. Otherwise
   * `fresh_token_required`. Default `false`.
   */
  readonly fresh?: boolean | Duration
  /**
   * The largest age of the last active authentication, at least 5 s. It counts from `auth_time`,
   * which a refresh does not change. Otherwise `fresh_token_required`, as for a token without
   * `auth_time`. Default `false`.
   */
  readonly maxAge?: Duration | false
  /**
   * Authentication context classes, of which the token must have one. Otherwise
   * `fresh_token_required`. Default none.
   */
  readonly acr?: string | readonly string[]
  /**
   * Authentication methods, of which the token must have all. Otherwise `fresh_token_required`.
   * Default none.
   */
  readonly amr?: string | readonly string[]
  /** Scopes, of which the token must cover all. Otherwise `scope_missing`. Default none. */
  readonly scopes?: readonly string[]
  /** Scopes, of which the token must cover one. Otherwise `scope_missing`. Default none. */
  readonly anyScope?: readonly string[]
  /**
   * The realm that the token must have, instead of the configured one. Otherwise `realm_mismatch`.
   * Default: the option.
   */
  readonly realm?: string
}

/** The default of every member that has one. */
export const TOKEN_REQUIREMENT_DEFAULTS: Readonly<
  Required<Pick<TokenRequirement, 'type' | 'fresh' | 'maxAge'>>
> = { type: 'access', fresh: false, maxAge: false }

/** The names of the members, for refusing others. */
export const TOKEN_REQUIREMENT_KEYS = Object.keys({
  type: 0,
  fresh: 0,
  maxAge: 0,
  acr: 0,
  amr: 0,
  scopes: 0,
  anyScope: 0,
  realm: 0,
} satisfies Record<keyof TokenRequirement, 0>) as readonly (keyof TokenRequirement)[]

/** Which token a route accepts. */
export interface ExpectedToken {
  /** The accepted type. */
  readonly type: TokenType | 'any'
  /** The accepted realm; undefined for tokens without one. */
  readonly realm: string | undefined
}

/** The claims that an `ExpectedToken` is compared with. */
export type TokenKind = Pick<PayloadMembers<unknown>, 'type' | 'login_type'>

/** A requirement as numbers and lists; null where nothing is required. */
export interface PreparedTokenRequirement extends ExpectedToken {
  /** How long ago a fresh token may have been issued, in seconds. */
  readonly freshWithin: number | null
  /** Whether the route narrowed the window: then it also bounds tokens with their own deadline. */
  readonly narrowed: boolean
  /** The largest age of `auth_time`, in seconds. */
  readonly maxAge: number | null
  /** Classes of which one suffices. */
  readonly acr: readonly string[] | null
  /** Methods that are all required. */
  readonly amr: readonly string[] | null
  /** Scopes that are all required. */
  readonly scopes: readonly string[] | null
  /** Scopes of which one suffices. */
  readonly anyScope: readonly string[] | null
}

/** The configured defaults of a requirement. */
export interface TokenRequirementDefaults {
  /** How long a fresh token stays fresh, in seconds. */
  readonly freshness: number
  /** The configured realm; undefined for none. */
  readonly realm: string | undefined
}

/** The shortest window, in seconds: a shorter one ends before a user has typed a password. */
export const MIN_WINDOW = 5

const WINDOW_BOUNDS = { min: MIN_WINDOW, max: Number.MAX_SAFE_INTEGER } as const

/**
 * Prepares a requirement.
 *
 * @throws {ConfigurationError} for an unknown type, a window under 5 s, or anything of the wrong
 *   shape
 */
export function prepareTokenRequirement(
  requirement: TokenRequirement,
  defaults: TokenRequirementDefaults,
): PreparedTokenRequirement {
  const {
    type = TOKEN_REQUIREMENT_DEFAULTS.type,
    fresh = TOKEN_REQUIREMENT_DEFAULTS.fresh,
    maxAge = TOKEN_REQUIREMENT_DEFAULTS.maxAge,
    realm = defaults.realm,
  } = requirement
  if (type !== 'any' && !(typeof type === 'string' && Object.hasOwn(TOKEN_TYPES, type))) {
    throw new ConfigurationError(expected('type', "'access', 'refresh' or 'any'", type))
  }
  const narrow = typeof fresh === 'boolean' ? null : toSeconds('fresh', fresh, WINDOW_BOUNDS)
  return {
    type,
    realm: readText('realm', realm),
    freshWithin: fresh === false ? null : Math.min(defaults.freshness, narrow ?? defaults.freshness),
    narrowed: narrow !== null,
    maxAge: maxAge === false ? null : toSeconds('maxAge', maxAge, WINDOW_BOUNDS),
    acr: readNames('acr', requirement.acr),
    amr: readNames('amr', requirement.amr),
    scopes: readScopes('scopes', requirement.scopes, 0),
    anyScope: readScopes('anyScope', requirement.anyScope, 1),
  }
}

/** Reads a name or a list of names. */
function readNames(name: string, value: unknown): readonly string[] | null {
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

/**
 * Reads a list of scopes; an empty list is allowed only where it means that nothing is required.
 */
function readScopes(name: string, value: unknown, least: number): readonly string[] | null {
  if (value === undefined) return null
  if (Array.isArray(value) && value.length >= least && value.every(isScope)) {
    return value.length === 0 ? null : Object.freeze([...(value as string[])])
  }
  throw new ConfigurationError(expected(name, "a list of scopes such as ['users:read']", value))
}

/**
 * Returns a token of the expected type and realm.
 *
 * @throws {AuthError} as `throwUnexpectedType`
 */
export function requireTypeAndRealm<T extends TokenKind>(token: T, expected: ExpectedToken): T {
  return isExpectedType(token.type, token.login_type, expected) ? token : throwUnexpectedType(token, expected)
}

/** Whether a token's type and realm are the expected ones. */
export function isExpectedType(
  type: TokenKind['type'],
  realm: TokenKind['login_type'],
  expected: ExpectedToken,
): boolean {
  return (type === expected.type || expected.type === 'any') && realm === expected.realm
}

/**
 * Refuses a token of another type or realm.
 *
 * @throws {AuthError} `access_token_required`, `refresh_token_required`, `realm_mismatch`
 */
export function throwUnexpectedType({ type, login_type }: TokenKind, expected: ExpectedToken): never {
  if (expected.type === 'any' || type === expected.type)
    throw new AuthError('realm_mismatch', {
      detail: { expectedType: expected.realm ?? null, actualType: login_type ?? null },
    })
  throw new AuthError(TOKEN_TYPES[expected.type].required)
}

/**
 * Checks how and how recently the user authenticated, and the token's scopes: returns the error of
 * the first check that fails, or undefined.
 *
 * @param clock returns epoch seconds; read only where the requirement depends on time
 */
export function decideAuthorization(
  payload: PayloadMembers<unknown>,
  requirement: PreparedTokenRequirement,
  clock: Clock,
): AuthError | undefined {
  const { freshWithin, maxAge, acr, amr, scopes, anyScope } = requirement
  if (
    (freshWithin !== null && !isFresh(payload, requirement, freshWithin, clock())) ||
    (maxAge !== null && isOlder(payload, maxAge, clock())) ||
    (acr !== null && (payload.acr === undefined || !acr.includes(payload.acr))) ||
    (amr !== null && !amr.every((method) => payload.amr?.includes(method)))
  ) {
    return toChallenge(requirement)
  }
  if (scopes !== null && !hasAllScopes(payload.scopes, scopes))
    return new AuthError('scope_missing', { detail: { scopes } })
  if (anyScope !== null && !hasAnyScope(payload.scopes, anyScope)) {
    return new AuthError('scope_missing', { detail: { scopes: anyScope } })
  }
  return undefined
}

/** Whether a token is fresh: its claim says so, and its authentication is recent. */
function isFresh(
  payload: PayloadMembers<unknown>,
  requirement: PreparedTokenRequirement,
  within: number,
  now: number,
): boolean {
  const { fresh, auth_time, iat } = payload
  const provedAt = auth_time ?? iat
  const recent = provedAt !== undefined && now - provedAt <= within
  if (typeof fresh === 'number') return now < fresh && (recent || !requirement.narrowed)
  return fresh && recent
}

/** Whether the last active authentication is longer ago than that, or unknown. */
function isOlder({ auth_time }: PayloadMembers<unknown>, maxAge: number, now: number): boolean {
  return !(auth_time !== undefined && now - auth_time <= maxAge)
}

/** The step-up challenge of a requirement (RFC 9470 section 3). */
function toChallenge(requirement: PreparedTokenRequirement): AuthError {
  const windows = [requirement.freshWithin, requirement.maxAge].filter((window) => window !== null)
  return new AuthError('fresh_token_required', {
    detail: {
      ...(windows.length > 0 && { maxAge: Math.floor(Math.min(...windows)) }),
      ...(requirement.acr !== null && { acrValues: requirement.acr }),
    },
  })
}
