/**
 * Reads the environment once into a frozen configuration. Each setting is one row of a table.
 *
 * Reading touches no file and no network, so that a bad value is found before anything is created.
 * An empty variable counts as not set. The secret is the exception: an empty secret is a mistake,
 * and must not be taken as "generate one". An error message is one line, names the variable, and
 * never contains a secret or a database password.
 */

import { resolve } from 'node:path'
import {
  ConfigurationError,
  createKeyRing,
  type Environment,
  type EnvironmentOptions,
  optionsFromEnvironment,
} from 'tokenwright'
import {
  type DatabaseLocation,
  DEFAULT_DATABASE_URL,
  quote,
  type RedisLocation,
  readDatabase,
  readRedis,
} from './address.ts'
import type { AuditFormat } from './audit.ts'
import { readTrust, type TrustedProxies } from './trusted-proxies.ts'

/** All settings of the server. */
export interface ServerConfig extends OwnSettings {
  /** The options of `createAuth` that the environment sets, without keys and secrets. */
  readonly options: Omit<EnvironmentOptions, 'secret' | 'keys'>
  /** Undefined: generated at the first start and kept in a file beside the database. */
  readonly secret: string | undefined
  /** A secret that only verifies: the next one, or the one before. Undefined for none. */
  readonly otherSecret: string | undefined
}

/** What the server reads itself. */
interface OwnSettings {
  /** 0 lets the operating system choose. */
  readonly port: number
  readonly host: string
  /** Holds the users, and the sessions if there is no Redis. */
  readonly database: DatabaseLocation
  /** Holds the sessions. Undefined: the database does. */
  readonly redis: RedisLocation | undefined
  /**
   * Where browsers reach the server, such as `https://app.example.com`, if a proxy stands between.
   * Undefined: where the request says.
   */
  readonly origin: string | undefined
  /** Which proxies say the address of a client. Undefined: none, and it is the connection's. */
  readonly trustedProxies: TrustedProxies | undefined
  /** The key file that `tokenwright keys` writes, in place of a secret. Undefined: a secret. */
  readonly keyFile: string | undefined
  /** Lifetime of an access token, in seconds. */
  readonly accessTtl: number
  /** How long a token stays fresh after its login, in seconds. */
  readonly freshnessWindow: number
  /**
   * How long the previous refresh token is accepted after a rotation, in seconds. 0 means strict
   * single use.
   */
  readonly overlap: number
  /** How long the database and the store are waited for at the start, in seconds. 0: not at all. */
  readonly wait: number
  /**
   * How long requests are still served after SIGTERM, in seconds, while `/readyz` says 503.
   * Undefined: 5 in production, else 0.
   */
  readonly drain: number | undefined
  /** Where `GET /metrics` is, for Prometheus. Undefined: nowhere. */
  readonly metricsPort: number | undefined
  /** The form of the audit log. Undefined: text on a terminal, else JSON. */
  readonly log: AuditFormat | undefined
  /** Whether `NODE_ENV` is `production`. If so, no demo users are created. */
  readonly production: boolean
}

/** How a setting is read from its variable. */
interface Setting<T> {
  readonly variable: string
  readonly fallback?: string
  readonly read: (text: string | undefined, cwd: string) => T
}

/** The longest lifetime of an access token and of freshness, in seconds: 30 days. */
const LONGEST = 30 * 86_400
/** The longest overlap that the library accepts, in seconds. */
const LONGEST_OVERLAP = 300
/** The longest pause at the start and at the end, in seconds. */
const LONGEST_PAUSE = 600

/** The one table of settings. */
const SETTINGS: { readonly [K in keyof OwnSettings]: Setting<OwnSettings[K]> } = {
  port: { variable: 'PORT', fallback: '8000', read: readPort('PORT') },
  host: { variable: 'HOST', fallback: '127.0.0.1', read: (text = '') => text },
  database: { variable: 'DATABASE_URL', fallback: DEFAULT_DATABASE_URL, read: readDatabase },
  redis: { variable: 'REDIS_URL', read: readRedis },
  origin: { variable: 'TOKENWRIGHT_ORIGIN', read: readOrigin },
  trustedProxies: { variable: 'TOKENWRIGHT_TRUST_PROXY', read: readTrust },
  keyFile: { variable: 'TOKENWRIGHT_KEYS', read: (text, cwd) => (text ? resolve(cwd, text) : undefined) },
  accessTtl: {
    variable: 'TOKENWRIGHT_ACCESS_EXPIRES_IN',
    fallback: '15m',
    read: readDuration('TOKENWRIGHT_ACCESS_EXPIRES_IN', { min: 1, max: LONGEST }),
  },
  freshnessWindow: {
    variable: 'TOKENWRIGHT_FRESHNESS_WINDOW',
    fallback: '15m',
    // Under 5 seconds, a client would step up in a loop. `createAuth` refuses it too.
    read: readDuration('TOKENWRIGHT_FRESHNESS_WINDOW', { min: 5, max: LONGEST }),
  },
  overlap: {
    variable: 'TOKENWRIGHT_SESSIONS_OVERLAP',
    fallback: '30s',
    read: readDuration('TOKENWRIGHT_SESSIONS_OVERLAP', { min: 0, max: LONGEST_OVERLAP }),
  },
  wait: {
    variable: 'TOKENWRIGHT_WAIT',
    fallback: '0s',
    read: readDuration('TOKENWRIGHT_WAIT', { min: 0, max: LONGEST_PAUSE }),
  },
  drain: {
    variable: 'TOKENWRIGHT_DRAIN',
    read: (text) =>
      text ? readDuration('TOKENWRIGHT_DRAIN', { min: 0, max: LONGEST_PAUSE })(text) : undefined,
  },
  metricsPort: {
    variable: 'METRICS_PORT',
    read: (text) => (text ? readPort('METRICS_PORT')(text) : undefined),
  },
  log: { variable: 'TOKENWRIGHT_LOG', read: readLog },
  production: { variable: 'NODE_ENV', read: (text) => text === 'production' },
}

/**
 * Reads the configuration.
 *
 * @param cwd the directory to which database paths are relative
 * @throws {ConfigurationError} with one line for the first bad value, and for an unknown variable
 *   whose name begins like ours
 */
export function readConfig(env: Environment, cwd: string): ServerConfig {
  const entries = Object.entries(SETTINGS).map(([name, { variable, fallback, read }]) => {
    const text = env[variable]
    const given = text === '' && fallback !== undefined ? undefined : text
    return [name, read(given ?? fallback, cwd)]
  })
  return Object.freeze({ ...Object.fromEntries(entries), ...readOptions(env) })
}

/** The variables of the tests and scripts of this repository, which start servers. */
const OF_OTHERS = /^TOKENWRIGHT_(?:TEST_\w+|PROVE|NODE\w*|VECTORS\w*)$/

/** The options of the library, and the secrets, which are checked as variables. */
function readOptions(env: Environment): Pick<ServerConfig, 'options' | 'secret' | 'otherSecret'> {
  const own = Object.values(SETTINGS).map(({ variable }) => variable)
  const rest = Object.entries(env).filter(([name]) => !own.includes(name) && !OF_OTHERS.test(name))
  refuseWithPrefix(
    rest.map(([name]) => name),
    own,
  )
  const { secret: given, keys: _, ...options } = optionsFromEnvironment(Object.fromEntries(rest), own)
  const [secret, otherSecret] = [given].flat() as (string | undefined)[]
  checkSecret('TOKENWRIGHT_SECRET', secret)
  checkSecret('TOKENWRIGHT_SECRET_OTHER', otherSecret)
  return { options, secret, otherSecret }
}

/** Refuses `TOKENWRIGHT_PORT`, where `PORT` is meant. */
function refuseWithPrefix(names: readonly string[], own: readonly string[]): void {
  const plain = own.filter((variable) => !variable.startsWith(NAMESPACE))
  for (const name of names) {
    const word = name.startsWith(NAMESPACE) ? name.slice(NAMESPACE.length) : ''
    const near = plain.find((variable) => word.length > 2 && variable.startsWith(word))
    if (near !== undefined) throw new ConfigurationError(`${name} is not a setting; did you mean ${near}?`)
  }
}

const NAMESPACE = 'TOKENWRIGHT_'

function readPort(variable: string): (text?: string) => number {
  return (text = '') => {
    if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
    throw new ConfigurationError(`${variable} must be a whole number from 0 to 65535, got ${quote(text)}`)
  }
}

/** Browsers offer passkeys on HTTPS, and on this machine. */
function readOrigin(text = ''): string | undefined {
  if (text === '') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLocal = url?.protocol === 'http:' && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  if (url?.origin === text && (url.protocol === 'https:' || isLocal)) return text
  throw new ConfigurationError(
    `TOKENWRIGHT_ORIGIN must be an origin such as https://app.example.com, got ${quote(text)}`,
  )
}

function readLog(text = ''): AuditFormat | undefined {
  if (text === '') return undefined
  if (text === 'json' || text === 'text') return text
  throw new ConfigurationError(`TOKENWRIGHT_LOG must be json or text, got ${quote(text)}`)
}

function checkSecret(variable: string, text: string | undefined): void {
  if (text === undefined) return
  try {
    createKeyRing({ signing: { alg: 'HS256', key: text } })
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    // The library's message names its own option. The operator has set this variable.
    throw new ConfigurationError(error.message.replace(/`signing[^`]*`/, `\`${variable}\``))
  }
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** Reads a duration such as `10s`, `15m`, `2h` or `1d`. `min` and `max` are in seconds. */
function readDuration(
  variable: string,
  { min, max }: { min: number; max: number },
): (text?: string) => number {
  return (text = '') => {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? []
    const seconds = Number(number) * (SECONDS[unit] ?? Number.NaN)
    if (seconds >= min && seconds <= max) return seconds
    const longest = max < 86_400 ? `${max / 60}m` : `${max / 86_400}d`
    throw new ConfigurationError(
      `${variable} must be a duration from ${min}s to ${longest} such as 10s, 15m or 2h, got ${quote(text)}`,
    )
  }
}
