/**
 * The options of revocation, checked and prepared. What needs a store, or another service that has
 * one, is refused without: a protection that is silently off is worse than none.
 */
import { ConfigurationError, expected, refuseUndefined } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { keysOf, readOptionGroup } from '../internal/read-options.ts'
import type { RevocationMode, RevocationSettings } from './revocation-feed.ts'

/** Where a service learns of revocations. Made by `remoteFeed`, for `revocation.source`. */
export interface RevocationSource {
  /** The address that it follows. */
  readonly url: string
  /** Whose revocations they are, where `remoteFeed` was told. */
  readonly issuer?: string
}

/** How revoked tokens are detected. */
export interface RevocationOptions {
  /**
   * `'feed'` follows the log of the store and checks in memory. `'strict'` asks the store each
   * time. `'off'` waits for expiry. Default `'feed'`.
   */
  readonly mode?: RevocationMode
  /**
   * How long the feed may fail to reach the store before `whenStale` applies, from 1 s to 1 h.
   * Default `'60s'`.
   */
  readonly maxStale?: Duration
  /**
   * What happens after `maxStale`: `'refuse'` responds with 503, `'allow'` continues with the known
   * revocations. Default `'refuse'`.
   */
  readonly whenStale?: 'refuse' | 'allow'
  /**
   * Where a service without a session store learns of revocations: `remoteFeed({ url, credentials
   * })`. Not together with `sessions.store`, which has them. Default none.
   */
  readonly source?: RevocationSource
}

/** The defaults of revocation. */
export const REVOCATION_DEFAULTS: Readonly<Required<Omit<RevocationOptions, 'source'>>> = {
  mode: 'feed',
  maxStale: '60s',
  whenStale: 'refuse',
}

/** Other options that revocation depends on; lengths in seconds. */
export interface RevocationContext {
  /** The life of an access token. */
  readonly accessTtl: number
  /** Forgiven clock skew. */
  readonly leeway: number
  /** The realm; undefined for none. */
  readonly realm: string | undefined
}

const REVOCATION_KEYS = keysOf<RevocationOptions>({
  mode: true,
  maxStale: true,
  whenStale: true,
  source: true,
})

const MODES = Object.keys({
  feed: true,
  strict: true,
  off: true,
} satisfies Record<RevocationMode, true>)

/** Checks and prepares the rules of revocation. @throws {ConfigurationError} */
export function resolveRevocation(
  option: RevocationMode | RevocationOptions | undefined,
  { accessTtl, leeway, realm }: RevocationContext,
): RevocationSettings {
  const {
    mode = REVOCATION_DEFAULTS.mode,
    maxStale = REVOCATION_DEFAULTS.maxStale,
    whenStale = REVOCATION_DEFAULTS.whenStale,
  } = readGroup(option)
  if (!MODES.includes(mode))
    throw new ConfigurationError(expected('revocation.mode', "'feed', 'strict' or 'off'", mode))
  if (whenStale !== 'refuse' && whenStale !== 'allow')
    throw new ConfigurationError(expected('revocation.whenStale', "'refuse' or 'allow'", whenStale))
  const seconds = toSeconds('revocation.maxStale', maxStale, { min: 1, max: 3600 })
  return Object.freeze({ mode, maxStale: seconds, whenStale, accessTtl, leeway, realm: realm ?? null })
}

/** The `source` of the options; undefined for none. */
export function readSource(
  option: RevocationMode | RevocationOptions | undefined,
): RevocationSource | undefined {
  return typeof option === 'object' ? option.source : undefined
}

function readGroup(option: RevocationMode | RevocationOptions | undefined): Partial<RevocationOptions> {
  const group = typeof option === 'string' ? { mode: option } : option
  if (group !== undefined) refuseUndefined('revocation', group, ['source'])
  return readOptionGroup('revocation', group, REVOCATION_KEYS)
}
