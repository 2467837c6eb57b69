/**
 * Options -> frozen settings: every default filled in, every value checked, every key imported. No
 * option is read again after this. It draws no randomness, starts no timer and reads no clock, as
 * some runtimes forbid all three while a module loads.
 */
import { HTTP_DEFAULTS, type HttpSettings, resolveHttp } from '../http/resolve-http-options.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  expected,
  isOptions,
  refuseUndefined,
} from '../internal/configuration-error.ts'
import { type Clock, checkClock, type Duration, systemClock, toSeconds } from '../internal/duration.ts'
import type { Listeners } from '../internal/listeners.ts'
import { keysOf, readCount, readFunction, readName, readOptionGroup } from '../internal/read-options.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { type IssuerSettings, resolveIssuers } from '../issuers/resolve-issuers.ts'
import { resolveSource, type SourceSettings } from '../remote/resolve-source.ts'
import { REVOCATION_DEFAULTS } from '../session/resolve-revocation-options.ts'
import { resolveSessions, SESSION_DEFAULTS, type StoreSettings } from '../session/resolve-session-options.ts'
import type { KeyRing } from '../token/ring.ts'
import type { CacheBounds } from '../token/token-cache.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { MIN_WINDOW } from '../token/token-requirement.ts'
import type { TokenType } from '../token/token-type.ts'
import { type AuthEvents, EVENT_NAMES } from './events.ts'
import { OPTION_SYNONYMS } from './option-synonyms.ts'
import type { AuthOptions, CacheOptions, FreshnessOptions, LifetimeOptions, LimitOptions } from './options.ts'
import { NO_KEYS, resolveKeys } from './resolve-keys.ts'
import { resolveTokenRules, type TokenRules } from './resolve-token-rules.ts'

/** The default of every option that has one, under the option's name. */
export const DEFAULTS: Readonly<
  Required<
    Pick<AuthOptions, 'access' | 'refresh' | 'freshness' | 'leeway' | 'interop' | 'limits' | 'revocation'>
  >
> &
  typeof HTTP_DEFAULTS & {
    readonly cache: Required<CacheOptions>
    readonly limits: Required<LimitOptions>
    readonly sessions: typeof SESSION_DEFAULTS
  } = {
  ...HTTP_DEFAULTS,
  access: { expiresIn: '15m' },
  refresh: { expiresIn: SESSION_DEFAULTS.idle },
  freshness: { window: '15m' },
  leeway: '5s',
  interop: false,
  cache: { entries: 10_000, bytes: 16 * 1024 * 1024 },
  limits: { tokenLength: 8192, lifetime: '400d' },
  sessions: SESSION_DEFAULTS,
  revocation: REVOCATION_DEFAULTS,
}

/** Every option, checked and with its default: what all of `createAuth` builds on. */
export interface Settings<C, U> extends TokenRules {
  /** The keys. */
  readonly ring: KeyRing
  /** Other issuers whose tokens are accepted. */
  readonly issuers: readonly IssuerSettings[]
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** The realm of every token; undefined for none. */
  readonly realm: string | undefined
  /** The lives of the token types, in seconds. */
  readonly lifetimes: Readonly<Record<TokenType, number>>
  /** How long a fresh token stays fresh, in seconds. */
  readonly freshness: number
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** Bounds on tokens. */
  readonly limits: LimitSettings
  /** Bounds of the verified-token cache; null for none. */
  readonly cache: CacheBounds | null
  /** The schema of the custom claims; null for none. */
  readonly schema: StandardSchema<unknown, C> | null
  /** Claims of every issued token; null for none. */
  readonly additionalClaims: AuthOptions['additionalClaims'] | null
  /** Header members of every issued token; null for none. */
  readonly additionalHeaders: AuthOptions['additionalHeaders'] | null
  /** Where tokens are, cookies, and CSRF protection. */
  readonly http: HttpSettings
  /** Sessions and revocation; null without a store. */
  readonly store: StoreSettings<C> | null
  /** Where revocations are learned of without a store; null for nowhere. */
  readonly source: SourceSettings | null
  /** The application's own clock; null for the system's. */
  readonly ownClock: Clock | null
  /** The application's blocklist; null for none. */
  readonly isRevoked: ((payload: TokenPayload<C>) => boolean | Promise<boolean>) | null
  /** Loads the user of a payload; null for none. */
  readonly subject:
    | ((payload: TokenPayload<C>) => U | null | undefined | Promise<U | null | undefined>)
    | null
  /** The application's listeners. */
  readonly on: Listeners<AuthEvents>
}

/** The bounds on tokens. */
export interface LimitSettings {
  /** The longest token, in characters. */
  readonly tokenLength: number
  /** The longest life of a token, in seconds. */
  readonly lifetime: number
}

const OPTION_NAMES = keysOf<AuthOptions>({
  sessions: true,
  revocation: true,
  secret: true,
  keys: true,
  issuers: true,
  issuer: true,
  audience: true,
  profile: true,
  clientId: true,
  access: true,
  refresh: true,
  freshness: true,
  leeway: true,
  locations: true,
  header: true,
  cookies: true,
  query: true,
  body: true,
  origin: true,
  resource: true,
  problemDetails: true,
  csrf: true,
  isRevoked: true,
  interop: true,
  realm: true,
  claims: true,
  additionalClaims: true,
  additionalHeaders: true,
  cache: true,
  limits: true,
  subject: true,
  clock: true,
  on: true,
})

const LIFETIME_KEYS = keysOf<LifetimeOptions>({ expiresIn: true })
const FRESHNESS_KEYS = keysOf<FreshnessOptions>({ window: true })
const LIMIT_KEYS = keysOf<LimitOptions>({ tokenLength: true, lifetime: true })
const CACHE_KEYS = keysOf<CacheOptions>({ entries: true, bytes: true })

/** Any length of at least a second. */
const ANY_LENGTH = { min: 1, max: Number.MAX_SAFE_INTEGER } as const

/** `limits.lifetime` is at most a century. */
const LIFETIME_BOUNDS = { min: 1, max: 100 * 366 * 86_400 } as const

/** Options that only add checks. */
const CHECKING_OPTIONS: readonly (keyof AuthOptions)[] = [
  'issuer',
  'issuers',
  'audience',
  'realm',
  'origin',
  'claims',
  'sessions',
  'isRevoked',
]

/**
 * Checks every option, fills in every default and imports every key.
 *
 * @throws {ConfigurationError} for the first option that is missing, unknown, of the wrong shape or
 *   unsafe
 */
export function resolveOptions<I, C extends I, U>(options: AuthOptions<I, C, U>): Settings<C, U> {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('createAuth(options)', 'an object', options))
  checkKnownKeys('', options, OPTION_NAMES, OPTION_SYNONYMS)
  refuseUndefined('', options, CHECKING_OPTIONS)
  const { lifetimes, limits } = resolveLifetimes(options)
  const leeway = toSeconds('leeway', options.leeway === undefined ? DEFAULTS.leeway : options.leeway, {
    min: 0,
    max: 60,
  })
  const freshness = readOptionGroup('freshness', options.freshness, FRESHNESS_KEYS)
  const { window = DEFAULTS.freshness.window } = freshness
  const realm = readName('realm', options.realm, options.secret)
  const context = { accessTtl: lifetimes.access, maxLifetime: limits.lifetime, leeway, realm }
  // The refresh token's life is the session's idle time: one number under two names.
  const sessions = options.sessions && { ...options.sessions, idle: lifetimes.refresh }
  const on = readOptionGroup('on', options.on, EVENT_NAMES)
  for (const name of EVENT_NAMES) readFunction(`on.${name}`, on[name])
  const clock = readFunction('clock', options.clock)
  const ownClock = clock && checkClock(clock)
  const ring = resolveKeys(options)
  const rules = resolveTokenRules(options, DEFAULTS.interop)
  const hasOwnKeys = ring !== NO_KEYS
  const issuers = resolveIssuers(options.issuers, { ownIssuer: rules.issuer, hasOwnKeys })
  return Object.freeze({
    ring,
    issuers,
    clock: ownClock ?? systemClock,
    ownClock,
    ...rules,
    realm,
    lifetimes,
    limits,
    freshness: toSeconds('freshness.window', window, { min: MIN_WINDOW, max: limits.lifetime }),
    leeway,
    cache: resolveCache(options.cache),
    schema: readSchema(options.claims),
    http: resolveHttp(options, lifetimes.refresh, realm),
    store: resolveSessions(sessions, options.revocation, context),
    additionalClaims: readFunction('additionalClaims', options.additionalClaims),
    additionalHeaders: readFunction('additionalHeaders', options.additionalHeaders),
    source: resolveSource(options.revocation, {
      ...context,
      own: hasOwnKeys ? { issuer: rules.issuer, realm } : null,
      others: issuers.map((each) => ({ issuer: each.rules.issuer, realm: each.realm ?? realm })),
    }),
    isRevoked: readFunction('isRevoked', options.isRevoked),
    subject: readFunction('subject', options.subject),
    // A copy, as observers know each application by it.
    on: { ...on },
  })
}

/** The lives of tokens, in whole seconds, and the bounds on tokens. */
function resolveLifetimes<I, C extends I, U>(
  options: AuthOptions<I, C, U>,
): Pick<Settings<C, U>, 'lifetimes' | 'limits'> {
  const limits = readOptionGroup('limits', options.limits, LIMIT_KEYS)
  const { tokenLength = DEFAULTS.limits.tokenLength, lifetime = DEFAULTS.limits.lifetime } = limits
  const longest = toSeconds('limits.lifetime', lifetime, LIFETIME_BOUNDS)
  const access = readOptionGroup('access', options.access, LIFETIME_KEYS)
  const { expiresIn = DEFAULTS.access.expiresIn } = access
  const bounds = { min: 1, max: longest }
  return {
    lifetimes: {
      access: Math.floor(toSeconds('access.expiresIn', expiresIn, bounds)),
      refresh: Math.floor(toSeconds('refresh.expiresIn', resolveRefreshLife(options), bounds)),
    },
    limits: {
      tokenLength: readCount('limits.tokenLength', tokenLength, { min: 256, max: 65_536 }),
      lifetime: longest,
    },
  }
}

/**
 * The life of a refresh token, which is its session's idle time: `sessions.idle` or
 * `refresh.expiresIn`; both only where they agree. The default ends no later than the session.
 */
function resolveRefreshLife<I, C extends I, U>({ refresh, sessions }: AuthOptions<I, C, U>): Duration {
  const { expiresIn } = readOptionGroup('refresh', refresh, LIFETIME_KEYS)
  const idle = sessions?.idle
  const bothDiffer =
    idle !== undefined &&
    expiresIn !== undefined &&
    toSeconds('sessions.idle', idle, ANY_LENGTH) !== toSeconds('refresh.expiresIn', expiresIn, ANY_LENGTH)
  if (bothDiffer)
    throw new ConfigurationError('Expected `sessions.idle` or `refresh.expiresIn`, got both, and they differ')
  const life = toSeconds('refresh.expiresIn', DEFAULTS.refresh.expiresIn, ANY_LENGTH)
  const absolute = sessions?.absolute
  const latest = absolute === undefined ? life : toSeconds('sessions.absolute', absolute, ANY_LENGTH)
  return idle ?? expiresIn ?? Math.min(life, latest)
}

function resolveCache(value: CacheOptions | false | undefined): CacheBounds | null {
  if (value === false) return null
  const { entries = DEFAULTS.cache.entries, bytes = DEFAULTS.cache.bytes } = readOptionGroup(
    'cache',
    value,
    CACHE_KEYS,
  )
  return {
    entries: readCount('cache.entries', entries, { min: 1, max: 10_000_000 }),
    bytes: readCount('cache.bytes', bytes, { min: 65_536, max: Number.MAX_SAFE_INTEGER }),
  }
}

function readSchema<I, C extends I>(
  value: StandardSchema<I, C> | undefined,
): StandardSchema<unknown, C> | null {
  if (value === undefined) return null
  const inner = (value as { '~standard'?: { validate?: unknown } } | null)?.['~standard']
  if (typeof inner?.validate !== 'function')
    throw new ConfigurationError(expected('claims', 'a Standard Schema', value))
  return value as unknown as StandardSchema<unknown, C>
}
