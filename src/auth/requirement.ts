/**
 * What a route requires: of the token (`token/token-requirement.ts`), and of the way in which it
 * comes. The public form is checked and turned into numbers and sets once, when the route is made.
 */
import { AuthError, isAuthError } from '../errors.ts'
import { type CsrfMode, type CsrfSettings, withMode } from '../http/csrf.ts'
import { type ExtractToken, prepareExtractToken } from '../http/extract-token.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import { type HandshakeLocation, type Location, resolveLocations } from '../http/token-sources.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  expected,
  isOptions,
  refuseUndefined,
} from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { toOutage } from '../internal/outage.ts'
import { keysOf, readFlag, readFunction, readOptionGroup } from '../internal/read-options.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { RevocationMode } from '../session/revocation-feed.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import {
  type PreparedTokenRequirement,
  prepareTokenRequirement,
  TOKEN_REQUIREMENT_DEFAULTS,
  TOKEN_REQUIREMENT_KEYS,
  type TokenRequirement,
  type TokenRequirementDefaults,
} from '../token/token-requirement.ts'
import { REQUIREMENT_SYNONYMS } from './option-synonyms.ts'

/** When access tokens are renewed during a request, for cookie applications without the client. */
export interface RenewOptions {
  /** How long before its expiry an access token is renewed. Default `'5m'`. */
  readonly within?: Duration
  /** How long after `auth_time`, the last active authentication, renewal ends. Default `'12h'`. */
  readonly maxAge?: Duration
}

/**
 * What a route requires. An empty requirement takes any valid access token from the configured
 * locations.
 */
export interface Requirement extends TokenRequirement {
  /**
   * Where to look for the token, instead of the configured locations. `'protocol'` and `'ticket'`
   * are for routes that open WebSockets. `'ticket'` needs a session store. Default: the option.
   */
  readonly locations?: readonly (Location | HandshakeLocation)[]
  /** The CSRF protection of this route, instead of the configured mode. Default: the option. */
  readonly csrf?: CsrfMode
  /**
   * How revocation is checked on this route: `'strict'` asks the store, `'off'` waits for expiry.
   * For refresh tokens, and on routes that require freshness or a step-up, the store is always
   * asked. Default: the option.
   */
  readonly revocation?: RevocationMode
  /**
   * Accepts a request without a token, with null for its payload. A bad token is still refused.
   * Default `false`.
   */
  readonly optional?: boolean
  /**
   * Renews the access token if it is in a cookie and about to expire. The new one is never fresh,
   * and has the same scopes, data, audience and `auth_time`. A token without `auth_time` is not
   * renewed. Default `false`.
   */
  readonly renew?: boolean | RenewOptions
  /**
   * Your own rule, asked last: `true` passes, `false` is `access_denied`. An `AuthError` that it
   * throws is the response. Any other throw, or no result within 5 s, is `store_unavailable`; a
   * result that is no boolean is a `ConfigurationError`. Not asked for a request without a token.
   * Default none.
   */
  check?(payload: TokenPayload<Claims>): boolean | Promise<boolean>
}

/** When to renew, in seconds. */
export interface Renewal {
  /** How close to its expiry a token is renewed. */
  readonly within: number
  /** How long after `auth_time` renewal ends. */
  readonly maxAge: number
}

/** A requirement as numbers, sets and functions. */
export interface PreparedRequirement extends PreparedTokenRequirement {
  /** Where to look. */
  readonly locations: ReadonlySet<Location | HandshakeLocation>
  /** Finds the token there. */
  readonly extract: ExtractToken
  /** Whether the header is the only place. */
  readonly isHeaderOnly: boolean
  /** How requests by cookie are protected. */
  readonly csrf: CsrfSettings
  /** How revocation is checked; `'feed'` stands for the configured mode. */
  readonly revocation: RevocationMode
  /** Whether a request without a token is accepted. */
  readonly optional: boolean
  /** When to renew; null for never. */
  readonly renew: Renewal | null
  /** The application's own rule, with a deadline; null for none. */
  readonly check: ((payload: TokenPayload<unknown>) => Promise<void>) | null
}

/** The settings of the application that requirements depend on. */
export interface RequirementDefaults extends TokenRequirementDefaults {
  /** Whether there is a store. */
  readonly hasStore: boolean
  /** Whether there is a store, or a service that has one, that knows what is revoked. */
  readonly revocable: boolean
  /** Whether the key ring signs. */
  readonly issues: boolean
}

/** The default of every member that has one. `renew` is off; its options are those of `true`. */
export const REQUIREMENT_DEFAULTS: typeof TOKEN_REQUIREMENT_DEFAULTS & {
  readonly optional: boolean
  readonly renew: Readonly<Required<RenewOptions>>
} = { ...TOKEN_REQUIREMENT_DEFAULTS, optional: false, renew: { within: '5m', maxAge: '12h' } }

const REQUIREMENT_KEYS = [
  ...TOKEN_REQUIREMENT_KEYS,
  ...keysOf<Omit<Requirement, keyof TokenRequirement>>({
    locations: true,
    csrf: true,
    revocation: true,
    optional: true,
    renew: true,
    check: true,
  }),
]

const RENEW_KEYS = keysOf<RenewOptions>({ within: true, maxAge: true })

/** The lengths of renewal are at least a second, without an upper bound. */
const RENEW_BOUNDS = { min: 1, max: Number.MAX_SAFE_INTEGER } as const

/** Prepares requirements. @throws {ConfigurationError} for an unknown or invalid member */
export type PrepareRequirement = (requirement?: Requirement) => PreparedRequirement

/**
 * Prepares the requirements of one application. A frozen object is prepared once: it cannot change.
 *
 * @param http the configured locations and CSRF protection
 */
export function createPrepareRequirement(
  http: HttpSettings,
  defaults: RequirementDefaults,
): PrepareRequirement {
  const none = prepareRequirement({}, http, defaults)
  const known = new WeakMap<Requirement, PreparedRequirement>()
  return (requirement) => {
    if (requirement === undefined) return none
    const prepared = known.get(requirement) ?? prepareRequirement(requirement, http, defaults)
    if (Object.isFrozen(requirement)) known.set(requirement, prepared)
    return prepared
  }
}

function prepareRequirement(
  requirement: Requirement,
  http: HttpSettings,
  defaults: RequirementDefaults,
): PreparedRequirement {
  if (!isOptions(requirement as unknown))
    throw new ConfigurationError(expected('requirement', 'an object', requirement))
  checkKnownKeys('', requirement, REQUIREMENT_KEYS, REQUIREMENT_SYNONYMS)
  refuseUndefined('', requirement, REQUIREMENT_KEYS)
  const { csrf, optional = REQUIREMENT_DEFAULTS.optional } = requirement
  const token = prepareTokenRequirement(requirement, defaults)
  const locations = resolveRouteLocations(requirement.locations, http, defaults)
  return Object.freeze({
    ...token,
    locations,
    extract: prepareExtractToken(http.sources, token.type, locations),
    isHeaderOnly: locations.size === 1 && locations.has('header'),
    csrf: csrf === undefined ? http.csrf : withMode(http.csrf, csrf),
    revocation: resolveMode(requirement.revocation, token, defaults),
    optional: readFlag('optional', optional),
    renew: resolveRenewal(requirement.renew, defaults),
    check: prepareCheck(readFunction('check', requirement.check)),
  })
}

/** A ticket is used once, which only a store can check across processes. */
function resolveRouteLocations(
  locations: Requirement['locations'],
  http: HttpSettings,
  { hasStore }: RequirementDefaults,
): PreparedRequirement['locations'] {
  if (locations === undefined) return http.sources.locations
  const resolved = resolveLocations('locations', locations)
  if (hasStore || !resolved.has('ticket')) return resolved
  throw new ConfigurationError(
    "Expected `sessions.store` beside 'ticket' among `locations`: without a store nothing knows which tickets were used",
  )
}

/** A requirement of a recent authentication asks the store: the feed may be a second old. */
function resolveMode(
  mode: unknown,
  token: PreparedTokenRequirement,
  { revocable }: RequirementDefaults,
): RevocationMode {
  if (mode !== undefined && mode !== 'feed' && mode !== 'strict' && mode !== 'off') {
    throw new ConfigurationError(expected('revocation', "'feed', 'strict' or 'off'", mode))
  }
  if (!revocable && mode !== undefined && mode !== 'off') {
    throw new ConfigurationError(
      'Expected `sessions.store` or `revocation.source` beside `revocation`: without either nothing is known to be revoked',
    )
  }
  const { freshWithin, maxAge, acr, amr } = token
  const isStepUp = freshWithin !== null || maxAge !== null || acr !== null || amr !== null
  return isStepUp && revocable ? 'strict' : (mode ?? 'feed')
}

function resolveRenewal(
  renew: Requirement['renew'],
  { issues }: RequirementDefaults,
): PreparedRequirement['renew'] {
  if (renew === undefined || renew === false) return null
  if (!issues)
    throw new ConfigurationError('Expected the key ring to hold a `signing` key: `renew` issues tokens')
  const options: unknown = renew === true ? {} : renew
  if (!isOptions(options))
    throw new ConfigurationError(expected('renew', 'true, false or { within, maxAge }', renew))
  const usual = REQUIREMENT_DEFAULTS.renew
  const { within = usual.within, maxAge = usual.maxAge } = readOptionGroup<RenewOptions>(
    'renew',
    options,
    RENEW_KEYS,
  )
  return {
    within: toSeconds('renew.within', within, RENEW_BOUNDS),
    maxAge: toSeconds('renew.maxAge', maxAge, RENEW_BOUNDS),
  }
}

/** How long a route's own rule may take, in seconds. */
const CHECK_DEADLINE = 5

/** Prepares the rule of a route. Only `true` passes: a rule that returns nothing opens no route. */
function prepareCheck(check: NonNullable<Requirement['check']> | null): PreparedRequirement['check'] {
  if (check === null) return null
  return async (payload) => {
    let result: unknown
    try {
      result = await withDeadline('check', CHECK_DEADLINE, () => check(payload as TokenPayload<Claims>))
    } catch (error) {
      throw isAuthError(error) ? error : toOutage(error, 'The rule `check` of a route failed')
    }
    if (result === true) return
    if (result === false) throw new AuthError('access_denied')
    throw new ConfigurationError(expected('check', 'a function that returns true or false', result))
  }
}
