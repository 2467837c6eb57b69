/**
 * The environment, read once into a frozen configuration. Pure: touches no file and no network, so
 * that every bad value is found before anything is created. One row per setting; an empty variable
 * counts as not set, except the secret: an empty secret is a mistake that must not pass as "make
 * one for me". A complaint is one line, names the variable and never shows a secret or a database
 * password.
 */

import { ConfigurationError, createKeyRing } from 'tokenwright'
import {
  type DatabaseLocation,
  DEFAULT_DATABASE_URL,
  quote,
  type RedisLocation,
  readDatabase,
  readRedis,
} from './address.ts'

/** Everything that can be set from outside. */
export interface ServerConfig {
  /** 0 lets the system choose. */
  readonly port: number
  readonly host: string
  /** Where the users are kept, and the sessions too if there is no Redis. */
  readonly database: DatabaseLocation
  /** Where the sessions are kept; undefined for the database. */
  readonly redis: RedisLocation | undefined
  /** Undefined: kept in a file beside the database, and generated on first start. */
  readonly secret: string | undefined
  /** Life of an access token, in seconds. */
  readonly accessTtl: number
  /** How long a fresh token stays fresh after its login, in seconds. */
  readonly freshnessWindow: number
  /**
   * How long the refresh token before the current one stays good after a rotation, in seconds; 0 is
   * strict single use.
   */
  readonly overlap: number
  /** Whether `NODE_ENV` is `production`: then no demo users are made. */
  readonly production: boolean
}

/** How one setting is read from its variable. */
interface Setting<T> {
  readonly variable: string
  readonly fallback?: string
  readonly read: (text: string | undefined, cwd: string) => T
}

/**
 * The longest access token and freshness: 30 days; and the longest overlap that the library takes.
 */
const LONGEST = 30 * 86_400
const LONGEST_OVERLAP = 300

/** The one table of settings. */
const SETTINGS: { readonly [K in keyof ServerConfig]: Setting<ServerConfig[K]> } = {
  port: { variable: 'PORT', fallback: '8000', read: readPort },
  host: { variable: 'HOST', fallback: '127.0.0.1', read: (text = '') => text },
  database: { variable: 'DATABASE_URL', fallback: DEFAULT_DATABASE_URL, read: readDatabase },
  redis: { variable: 'REDIS_URL', read: readRedis },
  secret: { variable: 'TOKENWRIGHT_SECRET', read: readSecret },
  accessTtl: {
    variable: 'TOKENWRIGHT_ACCESS',
    fallback: '15m',
    read: readDuration('TOKENWRIGHT_ACCESS', { min: 1, max: LONGEST }),
  },
  freshnessWindow: {
    variable: 'TOKENWRIGHT_FRESHNESS',
    fallback: '15m',
    // Under 5 seconds a client would step up in a loop; createAuth refuses it as well.
    read: readDuration('TOKENWRIGHT_FRESHNESS', { min: 5, max: LONGEST }),
  },
  overlap: {
    variable: 'TOKENWRIGHT_OVERLAP',
    fallback: '30s',
    read: readDuration('TOKENWRIGHT_OVERLAP', { min: 0, max: LONGEST_OVERLAP }),
  },
  production: { variable: 'NODE_ENV', read: (text) => text === 'production' },
}

/**
 * Reads the configuration.
 *
 * @param cwd the directory that relative database paths start from
 * @throws {ConfigurationError} with one line for the first bad value
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, cwd: string): ServerConfig {
  const entries = Object.entries(SETTINGS).map(([name, { variable, fallback, read }]) => {
    const text = env[variable]
    const given = text === '' && fallback !== undefined ? undefined : text
    return [name, read(given ?? fallback, cwd)]
  })
  return Object.freeze(Object.fromEntries(entries))
}

function readPort(text = ''): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new ConfigurationError(`PORT must be a whole number from 0 to 65535, got ${quote(text)}`)
}

function readSecret(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    createKeyRing({ signing: { alg: 'HS256', key: text } })
    return text
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    // The library names its own option, which is not what was set.
    throw new ConfigurationError(error.message.replace(/`signing[^`]*`/, '`TOKENWRIGHT_SECRET`'))
  }
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Reads a duration such as `10s`, `15m`, `2h` or `1d`; `min` and `max` are seconds. */
function readDuration(
  variable: string,
  { min, max }: { min: number; max: number },
): (text?: string) => number {
  return (text = '') => {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? []
    const seconds = Number(number) * (SECONDS[unit] ?? Number.NaN)
    if (seconds >= min && seconds <= max) return seconds
    const longest = max < 86_400 ? `${max / 60}m` : `${max / 86_400}d`
    throw new ConfigurationError(
      `${variable} must be a duration from ${min}s to ${longest} such as 10s, 15m or 2h, got ${quote(text)}`,
    )
  }
}
