/**
 * Options -> frozen settings: every default filled in, every value checked, every key imported. No option is looked at
 * again after this. Setting up draws no randomness, starts no timer and reads no clock, as some runtimes forbid all three
 * while a module loads.
 */

import { type HttpSettings, resolveHttp } from '../http/resolve-http-options.ts'
import { ConfigurationError, checkKnownKeys, expected, isRecord } from '../internal/configuration-error.ts'
import { type Clock, systemClock, toSeconds } from '../internal/duration.ts'
import type { Listeners } from '../internal/listeners.ts'
import { readCount, readFlag, readFunction, readOptionGroup, readText } from '../internal/read-options.ts'
import type { StandardSchema } from '../internal/schema.ts'
import { resolveSessions, type StoreSettings } from '../session/resolve-session-options.ts'
import { createKeyRing, type KeyRing } from '../token/key-ring.ts'
import type { CacheBounds } from '../token/token-cache.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { MIN_WINDOW } from '../token/token-requirement.ts'
import type { TokenType } from '../token/token-type.ts'
import type { AuthEvents } from './events.ts'
import type { AuthOptions, CacheOptions } from './options.ts'
import { type LimitSettings, resolveLifetimes } from './resolve-lifetimes.ts'

/** The audience in both its uses. */
export interface AudienceSettings {
  /** What tokens are issued with; undefined for none. */
  readonly issued: string | readonly string[] | undefined
  /** Of which a token must name one; empty accepts only tokens without an audience. */
  readonly accepted: readonly string[]
}

/** Every option, checked and with its default: what all of `createAuth` works from. */
export interface Settings<C, U> {
  /** The keys. */
  readonly ring: KeyRing
  /** The present moment in epoch seconds. */
  readonly clock: Clock
  /** The `iss` of every token; undefined for none. */
  readonly issuer: string | undefined
  /** The audience. */
  readonly audience: AudienceSettings
  /** The realm of every token; undefined for none. */
  readonly realm: string | undefined
  /** The lives of the token types, in seconds. */
  readonly lifetimes: Readonly<Record<TokenType, number>>
  /** How long a fresh token stays fresh, in seconds. */
  readonly freshness: number
  /** Forgiven clock skew, in seconds. */
  readonly leeway: number
  /** Whether other libraries' tokens are accepted. */
  readonly interop: boolean
  /** Bounds on tokens: characters, and seconds. */
  readonly limits: LimitSettings
  /** Bounds of the verified-token cache; null for none. */
  readonly cache: CacheBounds | null
  /** The schema of the custom claims; null for none. */
  readonly schema: StandardSchema<unknown, C> | null
  /** What the HTTP floor works from. */
  readonly http: HttpSettings
  /** Sessions and revocation; null for none. */
  readonly store: StoreSettings<C> | null
  /** The application's own clock; null for the system's. */
  readonly ownClock: Clock | null
  /** The user's blocklist; null for none. */
  readonly isRevoked: ((payload: TokenPayload<C>) => boolean | Promise<boolean>) | null
  /** The user's loader of users; null for none. */
  readonly subject:
    | ((payload: TokenPayload<C>) => U | null | undefined | Promise<U | null | undefined>)
    | null
  /** The user's listeners. */
  readonly on: Listeners<AuthEvents>
}

/** Every option there is. */
const OPTION_NAMES = [
  'sessions',
  'revocation',
  'secret',
  'keys',
  'issuer',
  'audience',
  'access',
  'refresh',
  'freshness',
  'leeway',
  'locations',
  'header',
  'cookies',
  'query',
  'body',
  'csrf',
  'isRevoked',
  'interop',
  'realm',
  'claims',
  'cache',
  'limits',
  'subject',
  'clock',
  'on',
] as const

/** Every event there is. */
const EVENT_NAMES = [
  'issued',
  'refused',
  'renewed',
  'started',
  'refreshed',
  'replayed',
  'reused',
  'healed',
  'steppedUp',
  'ended',
] as const

/** The secret of the environment, on runtimes that have one. */
function readEnvironment(): string | undefined {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[
    'TOKENWRIGHT_SECRET'
  ]
}

/** Finds the keys: a ring, a secret, or the environment's secret. */
function toRing(secret: string | Uint8Array | undefined, keys: KeyRing | undefined): KeyRing {
  if (keys !== undefined) {
    if (secret !== undefined) throw new ConfigurationError('Expected `secret` or `keys`, got both')
    if (isRecord(keys as unknown) && Array.isArray(keys.keys) && 'signer' in keys) return keys
    throw new ConfigurationError(expected('keys', 'a key ring made by createKeyRing', keys))
  }
  const key = secret ?? readEnvironment()
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) {
    const wanted = 'a string or bytes (or set TOKENWRIGHT_SECRET, or give `keys`); make one with: '
    throw new ConfigurationError(
      expected('secret', `${wanted}node -p "crypto.randomBytes(48).toString('base64url')"`, key),
    )
  }
  try {
    return createKeyRing({ signing: { alg: 'HS256', key } })
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause
    const name = secret === undefined ? 'TOKENWRIGHT_SECRET' : 'secret'
    throw new ConfigurationError(cause.message.replaceAll(/`signing(?:\.key)?`/g, `\`${name}\``))
  }
}

/** Reads the audience in both its forms. */
function toAudience(value: unknown): AudienceSettings {
  if (value === undefined) return { issued: undefined, accepted: [] }
  const accepted: readonly unknown[] = Array.isArray(value) ? [...value] : [value]
  if (accepted.length > 0 && accepted.every((name) => typeof name === 'string' && name !== '')) {
    return Object.freeze({
      issued: typeof value === 'string' ? value : Object.freeze(accepted),
      accepted,
    } as AudienceSettings)
  }
  throw new ConfigurationError(expected('audience', 'a non-empty string or a non-empty list of them', value))
}

/** Reads the bounds of the cache. */
function toCache(value: CacheOptions | false | undefined): CacheBounds | null {
  if (value === false) return null
  const { entries = 10_000, bytes = 16 * 1024 * 1024 } = readOptionGroup('cache', value, ['entries', 'bytes'])
  return {
    entries: readCount('cache.entries', entries, { min: 1, max: 10_000_000 }),
    bytes: readCount('cache.bytes', bytes, { min: 65_536, max: Number.MAX_SAFE_INTEGER }),
  }
}

/** Reads the schema of the custom claims. */
function toSchema<I, C extends I>(
  value: StandardSchema<I, C> | undefined,
): StandardSchema<unknown, C> | null {
  if (value === undefined) return null
  const inner = (value as { '~standard'?: { validate?: unknown } } | null)?.['~standard']
  if (typeof inner?.validate !== 'function')
    throw new ConfigurationError(expected('claims', 'a Standard Schema', value))
  return value as unknown as StandardSchema<unknown, C>
}

/**
 * Checks every option, fills in every default and imports every key.
 *
 * @throws {ConfigurationError} for the first option that is missing, unknown, of the wrong shape or unsafe
 */
export function resolveOptions<I, C extends I, U>(options: AuthOptions<I, C, U>): Settings<C, U> {
  if (!isRecord(options as unknown))
    throw new ConfigurationError(expected('createAuth(options)', 'an object', options))
  checkKnownKeys('', options, OPTION_NAMES)
  const { lifetimes, limits } = resolveLifetimes(options)
  const leeway = toSeconds('leeway', options.leeway ?? 5, { min: 0, max: 60 })
  const { window = '15m' } = readOptionGroup('freshness', options.freshness, ['window'])
  const realm = readText('realm', options.realm)
  // The refresh token's life is the session's: one number under two names.
  const sessions = options.sessions && { ...options.sessions, idle: lifetimes.refresh }
  const on = readOptionGroup('on', options.on, EVENT_NAMES)
  for (const name of EVENT_NAMES) readFunction(`on.${name}`, on[name])
  return Object.freeze({
    ring: toRing(options.secret, options.keys),
    clock: readFunction('clock', options.clock) ?? systemClock,
    ownClock: options.clock ?? null,
    issuer: readText('issuer', options.issuer),
    audience: toAudience(options.audience),
    realm,
    lifetimes,
    limits,
    freshness: toSeconds('freshness.window', window, { min: MIN_WINDOW, max: limits.lifetime }),
    leeway,
    interop: readFlag('interop', options.interop ?? false),
    cache: toCache(options.cache),
    schema: toSchema(options.claims),
    http: resolveHttp(options, lifetimes.refresh, realm),
    store: resolveSessions(sessions, options.revocation, {
      accessTtl: lifetimes.access,
      maxLifetime: limits.lifetime,
      leeway,
      realm,
    }),
    isRevoked: readFunction('isRevoked', options.isRevoked),
    subject: readFunction('subject', options.subject),
    on,
  })
}
