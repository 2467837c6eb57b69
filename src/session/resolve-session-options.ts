/**
 * The options of sessions and revocation, checked and prepared. What needs a store is refused
 * without one: a protection that is silently off is worse than none.
 */

import { ConfigurationError, expected, isRecord, refuseUndefined } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { keysOf, readFlag, readFunction, readOptionGroup } from '../internal/read-options.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { DataFor } from '../token/custom-claims.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import { type RevocationOptions, readSource, resolveRevocation } from './resolve-revocation-options.ts'
import type { RevocationMode, RevocationSettings } from './revocation-feed.ts'
import { type MaxOptions, resolveLimit } from './session-limit.ts'
import {
  BRIEF_DEFAULTS,
  type BriefOptions,
  fitOverlap,
  type LifeSettings,
  resolveLives,
} from './session-lives.ts'
import type { RotationPolicy, SessionLimit, Store } from './store.ts'

/** Sessions: one row per login, refresh rotation, and what ends them. */
export interface SessionOptions<C = Claims, I = C> {
  /**
   * The store of the sessions: `memoryStore()`, `sqlStore(db)`, `redisStore(client)` or your own.
   * You open and close its connection. Required.
   */
  readonly store: Store
  /**
   * How late an exchanged refresh token may be used again, at most 5 minutes. It works until its
   * successor is exchanged in turn, but a session whose tokens are later than this again and again
   * is ended. 0 means strict single use. Default `'30s'`, or shorter if `idle` is less than twice
   * this plus the lifetime of an access token.
   */
  readonly overlap?: Duration
  /**
   * When an unused session ends. It is another name for `refresh.expiresIn`. Default `'20d'`, or
   * `absolute` if that is shorter.
   */
  readonly idle?: Duration
  /** When a session ends in any case, not before `idle`. Default `'90d'`. */
  readonly absolute?: Duration
  /** When a session ends whose login has said `remember: false`. */
  readonly brief?: BriefOptions
  /**
   * How many live sessions a subject may have at once, in its realm. Default none: there is no
   * limit.
   */
  readonly max?: MaxOptions
  /**
   * How much shorter a refresh may make the lifetime of an access token, at random, so that clients
   * do not all refresh at once: a share from 0 to 0.5. Default 0.1.
   */
  readonly jitter?: number
  /**
   * Whether a refresh exchanges the refresh token. With `false`, the session is checked and the
   * refresh token stays the same. Default `true`.
   */
  readonly rotation?: boolean
  /**
   * How many calls of the store may run at once in this process, from 1 to 10,000. Further calls
   * wait, up to sixteen for each that may run. A call without a response within 2 s, its wait
   * included, is `store_unavailable`. Revocations go first, and reading the revocation log does not
   * wait. Set at most a few times the size of the connection pool, because calls that wait in the
   * pool have no such order. Default 64.
   */
  readonly concurrency?: number
  /**
   * How often the store is pruned, give or take a half, in one of the processes that share it; from
   * 1 s to a week. `false` leaves it to you: call `store.prune(null)`. Default `'1h'`.
   */
  readonly prune?: Duration | false
  /**
   * Returns the user's current scopes and custom claims, which replace those of the login at
   * refresh, renewal and step-up. Null ends the session: the user no longer exists or is blocked. A
   * throw, or no result within 2 s, is `store_unavailable`. Default none.
   */
  readonly rights?: (
    subject: string,
    payload: TokenPayload<C>,
  ) => Rights<I> | null | Promise<Rights<I> | null>
}

/** What a user may do now. */
export type Rights<I = Claims> = DataFor<I> & {
  /** The scopes. Default none. */
  readonly scopes?: readonly string[] | undefined
}

/** The defaults of sessions. `idle` is no longer than `absolute`. */
export const SESSION_DEFAULTS: Readonly<Omit<Required<SessionOptions>, 'store' | 'rights' | 'max'>> = {
  overlap: '30s',
  idle: '20d',
  absolute: '90d',
  brief: BRIEF_DEFAULTS,
  jitter: 0.1,
  rotation: true,
  concurrency: 64,
  prune: '1h',
}

/** The rules of sessions; lengths in seconds. */
export interface SessionSettings<C> extends RotationPolicy, LifeSettings {
  /** How many sessions a subject may have; null for no limit. */
  readonly limit: SessionLimit | null
  /** The largest share of an access token's life that a refresh takes off at random, 0-0.5. */
  readonly jitter: number
  /** The life of an access token. */
  readonly accessTtl: number
  /** How long a log entry lives: no shorter than any access token. */
  readonly logTtl: number
  /** How long a subject's cut-off lives: no shorter than any token. */
  readonly cutOffTtl: number
  /** The realm of every session; null for none. */
  readonly realm: string | null
  /** Loads a subject's current rights; null without the option. Rejects after 2 s. */
  readonly rights: ((payload: TokenPayload<C>) => Promise<Rights<unknown> | null>) | null
}

/** The rules of an application with a store. */
export interface StoreSettings<C> {
  /** The store. */
  readonly store: Store
  /** The rules of sessions. */
  readonly sessions: SessionSettings<C>
  /** The rules of revocation. */
  readonly revocation: RevocationSettings
  /** The most calls of the store in flight. */
  readonly concurrency: number
  /** How often the store is pruned, in seconds; 0 for never. */
  readonly prune: number
}

/** Other options that these rules depend on; lengths in seconds. */
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

/** How long the user's `rights` may take, in seconds. */
const RIGHTS_DEADLINE = 2

/** How much longer a log entry lives than any token it could hit, in seconds: clocks differ. */
const LOG_MARGIN = 120

const SESSION_KEYS = keysOf<SessionOptions>({
  store: true,
  overlap: true,
  idle: true,
  absolute: true,
  brief: true,
  max: true,
  jitter: true,
  rotation: true,
  concurrency: true,
  prune: true,
  rights: true,
})

/** The methods that a store may lack. */
type OptionalMethod = 'knows' | 'diagnose' | 'countTogether' | 'forgetTogether'

/** The methods of a store; one that lacks a method is refused at start. */
const STORE_METHODS = keysOf<Omit<Store, 'name' | 'transfer' | OptionalMethod>>({
  now: true,
  start: true,
  rotate: true,
  startLimited: true,
  stepUp: true,
  update: true,
  countAttempt: true,
  readAttempts: true,
  forgetAttempts: true,
  get: true,
  list: true,
  isRevoked: true,
  end: true,
  endAll: true,
  revokeToken: true,
  readLog: true,
  prune: true,
  inspect: true,
})

/**
 * Checks and prepares sessions and revocation.
 *
 * @returns null when there are no sessions
 * @throws {ConfigurationError} for a value that is no store, a rule out of bounds, or revocation
 *   without a store
 */
export function resolveSessions<C>(
  sessions: SessionOptions<C, unknown> | undefined,
  revocation: RevocationMode | RevocationOptions | undefined,
  context: SessionContext,
): StoreSettings<C> | null {
  const rules = resolveRevocation(revocation, context)
  const hasSource = readSource(revocation) !== undefined
  if (sessions === undefined) {
    if (revocation === undefined || rules.mode === 'off' || hasSource) return null
    throw new ConfigurationError(
      'Expected `sessions.store` or `revocation.source` beside `revocation`: without either nothing is known to be revoked',
    )
  }
  if (hasSource)
    throw new ConfigurationError(
      'Expected `sessions.store` or `revocation.source`, got both: the store has the revocations',
    )
  if (isStore(sessions))
    throw new ConfigurationError('Expected `sessions` to be { store }, got the store itself')
  const options = readOptionGroup('sessions', sessions, SESSION_KEYS)
  refuseUndefined('sessions', options, ['rights', 'max'])
  return Object.freeze({
    store: readStore(options.store),
    sessions: resolveRules(options, context),
    revocation: rules,
    concurrency: readConcurrency(options.concurrency),
    prune: readPrune(options.prune),
  })
}

/** Whether a value has the methods of a store. */
function isStore(value: unknown): boolean {
  return typeof (value as Partial<Store> | null)?.rotate === 'function'
}

function readStore(value: unknown): Store {
  if (!isRecord(value))
    throw new ConfigurationError(expected('sessions.store', 'a store such as memoryStore()', value))
  const missing = STORE_METHODS.find((method) => typeof value[method] !== 'function')
  if (missing === undefined) return value as unknown as Store
  throw new ConfigurationError(`Expected \`sessions.store\` to be a store: it has no method \`${missing}\``)
}

function resolveRules<C>(
  options: Partial<SessionOptions<C, unknown>>,
  context: SessionContext,
): SessionSettings<C> {
  const { accessTtl, maxLifetime, leeway } = context
  const {
    overlap = SESSION_DEFAULTS.overlap,
    idle = SESSION_DEFAULTS.idle,
    absolute = SESSION_DEFAULTS.absolute,
    jitter = SESSION_DEFAULTS.jitter,
    rotation = SESSION_DEFAULTS.rotation,
  } = options
  const longest = toSeconds('sessions.overlap', overlap, { min: 0, max: 300 })
  const logTtl = accessTtl + leeway + LOG_MARGIN
  const lives = resolveLives({ idle, absolute, brief: options.brief }, maxLifetime)
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter <= 0.5))
    throw new ConfigurationError(expected('sessions.jitter', 'a number between 0 and 0.5', jitter))
  return Object.freeze({
    ...lives,
    overlap: fitOverlap(longest, Math.min(lives.idle, lives.brief.idle), accessTtl),
    rotation: readFlag('sessions.rotation', rotation),
    jitter,
    accessTtl,
    logTtl,
    limit: resolveLimit(options.max, logTtl),
    cutOffTtl: maxLifetime + leeway + LOG_MARGIN,
    realm: context.realm ?? null,
    rights: limitRights(readFunction('sessions.rights', options.rights)),
  })
}

function readConcurrency(value: unknown = SESSION_DEFAULTS.concurrency): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 10_000) return value
  throw new ConfigurationError(expected('sessions.concurrency', 'a whole number from 1 to 10000', value))
}

function readPrune(value: Duration | false = SESSION_DEFAULTS.prune): number {
  return value === false ? 0 : toSeconds('sessions.prune', value, { min: 1, max: 604_800 })
}

/** Bounds the user's `rights` in time. */
function limitRights<C>(
  load: NonNullable<SessionOptions<C, unknown>['rights']> | null,
): SessionSettings<C>['rights'] {
  if (load === null) return null
  return (payload) => withDeadline('sessions.rights', RIGHTS_DEADLINE, () => load(payload.sub, payload))
}
