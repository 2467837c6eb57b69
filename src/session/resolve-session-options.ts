/**
 * The options of sessions and revocation, and what they become. What needs a store is refused without one: a protection
 * that is silently off is worse than none.
 */

import { ConfigurationError, expected, isRecord } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { readFlag, readFunction, readOptionGroup } from '../internal/read-options.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import type { Rights, SessionSettings } from './dependencies.ts'
import type { RevocationMode, RevocationSettings } from './revocation-feed.ts'
import type { Store } from './store.ts'

/** Sessions: one row per login, refresh rotation, and what ends them. */
export interface SessionOptions<C = Claims> {
  /** Where sessions are kept: `memoryStore()`, `sqlStore(db)`, `redisStore(client)` or your own. The connection stays yours. */
  readonly store: Store
  /**
   * How long the refresh token before the current one stays good after a rotation, so that two tabs and lost answers log nobody out.
   * 0 is strict single use; at most 5 minutes. Default `'30s'`.
   */
  readonly overlap?: Duration
  /** When an unused session ends; it takes the place of `refresh.expiresIn`. Default `'20d'`. */
  readonly idle?: Duration
  /** When a session ends in any case; not before `idle`. Default `'90d'`. */
  readonly absolute?: Duration
  /** The largest share of an access token's life that is taken off at random at a refresh; 0-0.5. Default 0.1. */
  readonly jitter?: number
  /** False for plain refresh: the session is checked, and the refresh token stays the same. Default true. */
  readonly rotation?: boolean
  /**
   * The user's current scopes and custom claims, asked at refresh, renewal and step-up in place of those of the login; null when the
   * user is gone or blocked, which ends the session. A throw, or no answer within 2 s, is `store_unavailable`.
   */
  readonly rights?: (subject: string, payload: TokenPayload<C>) => Rights | null | Promise<Rights | null>
}

/** How revoked tokens are found out. */
export interface RevocationOptions {
  /** `'feed'` follows the store's log and looks up; `'strict'` asks the store each time; `'off'` waits for expiry. Default `'feed'`. */
  readonly mode?: RevocationMode
  /** How long the feed may be out of reach before tokens are refused; 1 s to 1 h. Default `'60s'`. */
  readonly maxStale?: Duration
  /** What happens then: `'refuse'` answers 503, `'allow'` goes on with what is known. Default `'refuse'`. */
  readonly whenStale?: 'refuse' | 'allow'
}

/** What sessions and revocation work from. */
export interface StoreSettings<C> {
  /** The store. */
  readonly store: Store
  /** The rules of sessions. */
  readonly sessions: SessionSettings<C>
  /** The rules of revocation. */
  readonly revocation: RevocationSettings
}

/** What the rest of the options says that matters here; lengths in seconds. */
export interface SessionContext {
  /** The life of an access token. */
  readonly accessTtl: number
  /** The longest life of any token. */
  readonly maxLifetime: number
  /** Forgiven clock skew. */
  readonly leeway: number
  /** The realm; undefined for none. */
  readonly realm: string | undefined
}

const SESSION_KEYS = ['store', 'overlap', 'idle', 'absolute', 'jitter', 'rotation', 'rights'] as const
const REVOCATION_KEYS = ['mode', 'maxStale', 'whenStale'] as const

/** How long the user's `rights` may take, in seconds. */
const RIGHTS_DEADLINE = 2

/** How much longer a log entry lives than any token it could hit, in seconds: clocks differ. */
const LOG_MARGIN = 120

/** The methods of the contracts; a store that lacks one is refused at start. */
const STORE_METHODS = [
  'now',
  'start',
  'rotate',
  'stepUp',
  'countAttempt',
  'get',
  'list',
  'isRevoked',
  'end',
  'endAll',
  'revokeToken',
  'readLog',
  'prune',
  'inspect',
] as const satisfies readonly (keyof Store)[]

/** Checks that a value can be a store. */
function toStore(value: unknown): Store {
  if (!isRecord(value))
    throw new ConfigurationError(expected('sessions.store', 'a store such as memoryStore()', value))
  const missing = STORE_METHODS.find((method) => typeof value[method] !== 'function')
  if (missing === undefined) return value as unknown as Store
  throw new ConfigurationError(`Expected \`sessions.store\` to be a store: it has no method \`${missing}\``)
}

/** Bounds the user's `rights` in time, and tells "no rights" from "could not say". */
function toRights<C>(rights: SessionOptions<C>['rights']): SessionSettings<C>['rights'] {
  const ask = readFunction('sessions.rights', rights)
  if (ask === null) return null
  return async (payload) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`No answer of \`rights\` within ${RIGHTS_DEADLINE} s`)),
        RIGHTS_DEADLINE * 1000,
      )
    })
    try {
      return await Promise.race([ask(payload.sub, payload), late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Reads the share that jitter may take. */
function toJitter(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 0.5) return value
  throw new ConfigurationError(expected('sessions.jitter', 'a number between 0 and 0.5', value))
}

/** Checks and prepares sessions. */
function toSessions<C>(options: Partial<SessionOptions<C>>, context: SessionContext): SessionSettings<C> {
  const { accessTtl, maxLifetime, leeway } = context
  const { overlap = '30s', idle = '20d', absolute = '90d', jitter = 0.1, rotation = true } = options
  const longest = { min: 1, max: maxLifetime }
  const settings = {
    overlap: toSeconds('sessions.overlap', overlap, { min: 0, max: 300 }),
    idle: toSeconds('sessions.idle', idle, longest),
    absolute: toSeconds('sessions.absolute', absolute, longest),
  }
  if (settings.absolute < settings.idle) {
    throw new ConfigurationError('Expected `sessions.absolute` to be no shorter than `sessions.idle`')
  }
  return Object.freeze({
    ...settings,
    rotation: readFlag('sessions.rotation', rotation),
    jitter: toJitter(jitter),
    accessTtl,
    logTtl: accessTtl + leeway + LOG_MARGIN,
    cutOffTtl: maxLifetime + leeway + LOG_MARGIN,
    realm: context.realm ?? null,
    rights: toRights(options.rights),
  })
}

/** Checks and prepares revocation. */
function toRevocation(
  option: RevocationMode | RevocationOptions | undefined,
  context: SessionContext,
): RevocationSettings {
  const section = typeof option === 'string' ? { mode: option } : option
  const {
    mode = 'feed',
    maxStale = '60s',
    whenStale = 'refuse',
  } = readOptionGroup('revocation', section, REVOCATION_KEYS)
  if (!['feed', 'strict', 'off'].includes(mode)) {
    throw new ConfigurationError(expected('revocation.mode', "'feed', 'strict' or 'off'", mode))
  }
  if (!['refuse', 'allow'].includes(whenStale)) {
    throw new ConfigurationError(expected('revocation.whenStale', "'refuse' or 'allow'", whenStale))
  }
  const { accessTtl, leeway } = context
  const stale = toSeconds('revocation.maxStale', maxStale, { min: 1, max: 3600 })
  return Object.freeze({ mode, maxStale: stale, whenStale, accessTtl, leeway })
}

/**
 * Checks and prepares sessions and revocation.
 *
 * @returns null when there are no sessions
 * @throws {ConfigurationError} for a store that is none, a rule out of bounds, or revocation without a store
 */
export function resolveSessions<C>(
  sessions: SessionOptions<C> | undefined,
  revocation: RevocationMode | RevocationOptions | undefined,
  context: SessionContext,
): StoreSettings<C> | null {
  const rules = toRevocation(revocation, context)
  if (sessions === undefined) {
    if (revocation === undefined || rules.mode === 'off') return null
    throw new ConfigurationError(
      'Expected `sessions.store` beside `revocation`: without a store nothing is known to be revoked',
    )
  }
  const options = readOptionGroup('sessions', sessions, SESSION_KEYS)
  return Object.freeze({
    store: toStore(options.store),
    sessions: toSessions(options, context),
    revocation: rules,
  })
}
