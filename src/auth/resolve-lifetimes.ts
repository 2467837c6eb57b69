/**
 * How long tokens and sessions live, and the bounds that they must keep: the options, checked and in seconds. A refresh token's life is its
 * session's idle time, one number under two names.
 */

import { ConfigurationError } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { readCount, readOptionGroup } from '../internal/read-options.ts'
import type { TokenType } from '../token/token-type.ts'
import type { AuthOptions } from './options.ts'

/** Bounds on tokens. */
export interface LimitSettings {
  /** The longest token, in characters. */
  readonly tokenLength: number
  /** The longest life of a token, in seconds. */
  readonly lifetime: number
}

/** The life of refresh tokens and the idle time of sessions, in seconds: 20 days. */
const DEFAULT_REFRESH_LIFE = 20 * 86_400

/** The lives and their bounds. */
export interface Lifetimes {
  /** The lives of the token types, in seconds. */
  readonly lifetimes: Readonly<Record<TokenType, number>>
  /** The bounds on tokens. */
  readonly limits: LimitSettings
}

/**
 * Reads the lives of tokens and the bounds that they must keep.
 *
 * @throws {ConfigurationError} for what is no duration or no count within its bounds, and for two lives of the refresh token that differ
 */
export function resolveLifetimes<I, C extends I, U>(options: AuthOptions<I, C, U>): Lifetimes {
  const { access, refresh, limits } = withIdle(options)
  const { tokenLength = 8192, lifetime = '400d' } = readOptionGroup('limits', limits, [
    'tokenLength',
    'lifetime',
  ])
  const longest = toSeconds('limits.lifetime', lifetime, { min: 1, max: 100 * 366 * 86_400 })
  const bounds = { min: 1, max: longest }
  const { expiresIn: accessLife = '15m' } = readOptionGroup('access', access, ['expiresIn'])
  const { expiresIn: refreshLife = DEFAULT_REFRESH_LIFE } = readOptionGroup('refresh', refresh, ['expiresIn'])
  return {
    lifetimes: {
      access: Math.floor(toSeconds('access.expiresIn', accessLife, bounds)),
      refresh: Math.floor(toSeconds('refresh.expiresIn', refreshLife, bounds)),
    },
    limits: {
      tokenLength: readCount('limits.tokenLength', tokenLength, { min: 256, max: 65_536 }),
      lifetime: longest,
    },
  }
}

/** The default idle time of sessions that end sooner than that in any case. */
function capIdle(absolute: Duration | undefined): Duration | undefined {
  if (absolute === undefined) return undefined
  return Math.min(
    DEFAULT_REFRESH_LIFE,
    toSeconds('sessions.absolute', absolute, { min: 1, max: Number.MAX_SAFE_INTEGER }),
  )
}

/** Lets `sessions.idle` take the place of `refresh.expiresIn`; both are fine only when they agree. */
function withIdle<I, C extends I, U>(
  options: AuthOptions<I, C, U>,
): Pick<AuthOptions, 'access' | 'refresh' | 'limits'> {
  const { access, refresh, limits, sessions } = options
  const idle = sessions?.idle
  const life = refresh?.expiresIn
  const bounds = { min: 1, max: Number.MAX_SAFE_INTEGER }
  if (
    idle !== undefined &&
    life !== undefined &&
    toSeconds('sessions.idle', idle, bounds) !== toSeconds('refresh.expiresIn', life, bounds)
  ) {
    throw new ConfigurationError('Expected `sessions.idle` or `refresh.expiresIn`, got both, and they differ')
  }
  const expiresIn = idle ?? life ?? capIdle(sessions?.absolute)
  return {
    ...(access && { access }),
    ...(limits && { limits }),
    refresh: { ...refresh, ...(expiresIn !== undefined && { expiresIn }) },
  }
}
