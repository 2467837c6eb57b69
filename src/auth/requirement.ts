/**
 * What a route asks: of the token (`token/requirement.ts`), and of the way in which it comes. The public form is checked and
 * turned into numbers and sets once, when the route is made.
 */

import { type CsrfMode, type CsrfSettings, withMode } from '../http/csrf.ts'
import { type ExtractToken, prepareExtractToken } from '../http/extract-token.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import { type HandshakeLocation, type Location, resolveLocations } from '../http/token-sources.ts'
import { ConfigurationError, checkKnownKeys, expected, isRecord } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { readFlag } from '../internal/read-options.ts'
import type { RevocationMode } from '../session/revocation-feed.ts'
import {
  type PreparedTokenRequirement,
  prepareTokenRequirement,
  TOKEN_REQUIREMENT_KEYS,
  type TokenRequirement,
  type TokenRequirementDefaults,
} from '../token/token-requirement.ts'

/** Renewal in passing, for cookie applications without a client of their own. */
export interface RenewOptions {
  /** How close to its expiry an access token is renewed. Default `'5m'`. */
  readonly within?: Duration
  /** How long after the last active authentication renewal ends; counted from `auth_time`. Default `'12h'`. */
  readonly maxAge?: Duration
}

/** What a route asks. An empty requirement takes any valid access token from the configured locations. */
export interface Requirement extends TokenRequirement {
  /**
   * Where to look for the token, in place of the configured locations; `'protocol'` and `'ticket'` for routes that open WebSockets,
   * the latter with a session store only.
   */
  readonly locations?: readonly (Location | HandshakeLocation)[]
  /** CSRF protection of this route, in place of the configured mode. */
  readonly csrf?: CsrfMode
  /**
   * How revocation is judged on this route: `'strict'` asks the store, `'off'` waits for expiry. Default: the configured mode.
   * Routes that ask for freshness or a step-up, and refresh tokens, are judged strictly in any case.
   */
  readonly revocation?: RevocationMode
  /** Let a request without a token pass, with null for its payload. A bad token is refused all the same. Default false. */
  readonly optional?: boolean
  /**
   * Renew the access token when it came by cookie and is about to expire: the new one is never fresh and keeps scopes, data,
   * audience and `auth_time`. A token without `auth_time` is not renewed. Default false.
   */
  readonly renew?: boolean | RenewOptions
}

/** When to renew, in seconds. */
export interface Renewal {
  /** How close to its expiry a token is renewed. */
  readonly within: number
  /** How long after `auth_time` renewal ends. */
  readonly maxAge: number
}

/** A requirement, prepared. */
export interface PreparedRequirement extends PreparedTokenRequirement {
  /** Where to look. */
  readonly locations: ReadonlySet<Location | HandshakeLocation>
  /** Finds the token there. */
  readonly extract: ExtractToken
  /** Whether the header is the only place. */
  readonly isHeaderOnly: boolean
  /** How requests by cookie are protected. */
  readonly csrf: CsrfSettings
  /** How revocation is judged; `'feed'` stands for the configured mode. */
  readonly revocation: RevocationMode
  /** Whether no token is fine. */
  readonly optional: boolean
  /** When to renew; null for never. */
  readonly renew: Renewal | null
}

/** What requirements are prepared against. */
export interface RequirementDefaults extends TokenRequirementDefaults {
  /** Whether there is a store that knows what is revoked. */
  readonly revocable: boolean
  /** Whether the key ring signs. */
  readonly issues: boolean
}

/** Every member of a requirement. */
const REQUIREMENT_KEYS = [...TOKEN_REQUIREMENT_KEYS, 'locations', 'csrf', 'revocation', 'optional', 'renew']

/** Windows of renewal are at least this long, in seconds, and as long as anybody likes. */
const RENEW_BOUNDS = { min: 1, max: Number.MAX_SAFE_INTEGER } as const

/** Reads when to renew. */
function toRenewal(
  renew: Requirement['renew'],
  { issues }: RequirementDefaults,
): PreparedRequirement['renew'] {
  if (renew === undefined || renew === false) return null
  if (!issues)
    throw new ConfigurationError('Expected the key ring to hold a `signing` key: `renew` issues tokens')
  const options: unknown = renew === true ? {} : renew
  if (!isRecord(options))
    throw new ConfigurationError(expected('renew', 'true, false or { within, maxAge }', renew))
  checkKnownKeys('renew', options, ['within', 'maxAge'])
  return {
    within: toSeconds('renew.within', options['within'] ?? '5m', RENEW_BOUNDS),
    maxAge: toSeconds('renew.maxAge', options['maxAge'] ?? '12h', RENEW_BOUNDS),
  }
}

/** Reads how revocation is judged. Where a recent authentication is asked for, what was known a moment ago is not enough. */
function toRevocation(
  mode: unknown,
  need: PreparedTokenRequirement,
  { revocable }: RequirementDefaults,
): RevocationMode {
  if (mode !== undefined && mode !== 'feed' && mode !== 'strict' && mode !== 'off') {
    throw new ConfigurationError(expected('revocation', "'feed', 'strict' or 'off'", mode))
  }
  if (!revocable && mode !== undefined && mode !== 'off') {
    throw new ConfigurationError(
      'Expected `sessions.store` beside `revocation`: without a store nothing is known to be revoked',
    )
  }
  const asksProof =
    need.freshWithin !== null || need.maxAge !== null || need.acr !== null || need.amr !== null
  return asksProof && revocable ? 'strict' : (mode ?? 'feed')
}

/** Reads where to look. A ticket is used once, which only a store can tell over several processes. */
function toLocations(
  locations: Requirement['locations'],
  http: HttpSettings,
  { revocable }: RequirementDefaults,
): PreparedRequirement['locations'] {
  if (locations === undefined) return http.sources.locations
  const resolved = resolveLocations('locations', locations)
  if (revocable || !resolved.has('ticket')) return resolved
  throw new ConfigurationError(
    "Expected `sessions.store` beside 'ticket' among `locations`: without a store nothing knows which tickets were used",
  )
}

/**
 * Prepares a requirement for one application.
 *
 * @throws {ConfigurationError} for an unknown or unfit member
 */
export function prepareRequirement(
  requirement: Requirement,
  http: HttpSettings,
  defaults: RequirementDefaults,
): PreparedRequirement {
  if (!isRecord(requirement as unknown))
    throw new ConfigurationError(expected('requirement', 'an object', requirement))
  checkKnownKeys('', requirement, REQUIREMENT_KEYS)
  const { locations, csrf, optional = false } = requirement
  const need = prepareTokenRequirement(requirement, defaults)
  const places = toLocations(locations, http, defaults)
  return Object.freeze({
    ...need,
    locations: places,
    extract: prepareExtractToken(http.sources, need.type, places),
    isHeaderOnly: places.size === 1 && places.has('header'),
    csrf: csrf === undefined ? http.csrf : withMode(http.csrf, csrf),
    revocation: toRevocation(requirement.revocation, need, defaults),
    optional: readFlag('optional', optional),
    renew: toRenewal(requirement.renew, defaults),
  })
}
