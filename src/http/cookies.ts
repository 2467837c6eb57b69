/**
 * Tokens as cookies: the names and attributes of the three cookies, reading one from a `Cookie` header, and the
 * `Set-Cookie` lines that set and clear them (RFC 6265, and the name prefixes of RFC 6265bis section 4.1.3).
 * The access and the refresh cookie are HttpOnly; the CSRF cookie is there for scripts to read, and the server
 * never reads it: what it compares with stands in the token. Nothing here verifies or decodes a token.
 */
import { ConfigurationError, expected } from '../base/expected.ts'
import { readSection, readWords } from '../base/section.ts'
import { AuthError } from '../errors.ts'
import type { TokenType } from '../token/type.ts'
import { isBlank, isToken, trimBlanks } from './syntax.ts'

/** Name and path of one cookie. */
export interface CookieRowOptions {
  /**
   * The name without prefix. `__Host-` is put before it when the path is `/` and there is no `domain`, `__Secure-`
   * otherwise, and nothing with `secure: false`. Default `access_token`, `refresh_token`, `csrf_token`.
   */
  readonly name?: string
  /** The `Path` attribute; starts with `/`. Default `/`, also for the CSRF cookie when the others have another. */
  readonly path?: string
}

/** How tokens travel in cookies. */
export interface CookieOptions {
  /** The cookie that carries the access token. */
  readonly access?: CookieRowOptions
  /** The cookie that carries the refresh token. */
  readonly refresh?: CookieRowOptions
  /** The cookie from which the page's script copies the CSRF value into the CSRF header. */
  readonly csrf?: CookieRowOptions
  /** The `Domain` attribute of all three; it opens them to every subdomain. Default none: this host only. */
  readonly domain?: string
  /** The `SameSite` attribute of all three; `'None'` needs `secure`. Default `'Lax'`. */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /**
   * Whether browsers send the cookies over HTTPS only. `false` is for development over plain HTTP: it drops the name
   * prefixes, warns once, and is refused when `NODE_ENV` is `production`. Default true.
   */
  readonly secure?: boolean
  /**
   * The token types that travel by cookie: `['refresh']` keeps the access token in the page's memory. A type that
   * is not carried is neither set nor read. Default both.
   */
  readonly carry?: readonly TokenType[]
}

/** One cookie, ready to be written. */
export interface CookieRow {
  /** The name with its prefix. */
  readonly name: string
  /** The `Path` attribute. */
  readonly path: string
  /** Every attribute but `Max-Age`, as the end of a `Set-Cookie` line. */
  readonly attributes: string
}

/** The cookies as this floor works with them. */
export interface CookieSettings {
  /** The access token's cookie. */
  readonly access: CookieRow
  /** The refresh token's cookie. */
  readonly refresh: CookieRow
  /** The CSRF cookie, the only one that scripts can read. */
  readonly csrf: CookieRow
  /** The token types that travel by cookie. */
  readonly carry: ReadonlySet<TokenType>
  /** The life of a refresh token in seconds. */
  readonly refreshTtl: number
}

/** A token with what `setCookies` wants to know of it. */
export interface CookieToken {
  /** The encoded token. */
  readonly token: string
  /** When it expires, in epoch seconds. */
  readonly exp: number
  /** Its CSRF value, which all tokens of one session share; undefined when the CSRF token is not in use. */
  readonly csrf: string | undefined
}

/** Base names; the row of the CSRF cookie is the only one without HttpOnly. */
const ROWS = {
  access: { name: 'access_token', flags: '; HttpOnly' },
  refresh: { name: 'refresh_token', flags: '; HttpOnly' },
  csrf: { name: 'csrf_token', flags: '' },
} as const

/** Options of the section, and token types in the order in which their cookies are written. */
const KNOWN = ['access', 'refresh', 'csrf', 'domain', 'sameSite', 'secure', 'carry'] as const
const TYPES: readonly TokenType[] = ['access', 'refresh']

/** RFC 6265bis section 5.6: browsers drop a cookie whose name and value together are longer, in bytes. */
const SIZE_LIMIT = 4096

/** RFC 6265 section 4.1.1: `path-value` without what ends an attribute, and host names. */
const PATH = /^\/[\x20-\x3a\x3c-\x7e]*$/
const DOMAIN = /^\.?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/** Whether this process has been told that its cookies travel in the clear. */
let warned = false

/**
 * Checks and prepares the cookies.
 *
 * @param options the section `cookies`
 * @param refreshTtl how long a refresh token can live, in seconds
 * @throws {ConfigurationError} for a name that is no token or breaks its own prefix's rules, two cookies of one name,
 *   `SameSite=None` without Secure, and `secure: false` in production
 */
export function resolveCookies(options: CookieOptions | undefined, refreshTtl: number): CookieSettings {
  const {
    domain,
    sameSite = 'Lax',
    secure = true,
    carry = TYPES,
    ...rows
  } = readSection('cookies', options, KNOWN)
  if (domain !== undefined && !(typeof domain === 'string' && DOMAIN.test(domain))) {
    throw new ConfigurationError(expected('cookies.domain', "a host name such as 'example.com'", domain))
  }
  if (!['Lax', 'Strict', 'None'].includes(sameSite)) {
    throw new ConfigurationError(expected('cookies.sameSite', "'Lax', 'Strict' or 'None'", sameSite))
  }
  if (typeof secure !== 'boolean')
    throw new ConfigurationError(expected('cookies.secure', 'true or false', secure))
  if (!secure) permitInsecure(sameSite)
  const shared = { domain, secure, tail: `${secure ? '; Secure' : ''}; SameSite=${sameSite}` }
  const settings: CookieSettings = {
    access: resolveRow('access', rows.access, shared),
    refresh: resolveRow('refresh', rows.refresh, shared),
    csrf: resolveRow('csrf', rows.csrf, shared),
    carry: readWords('cookies.carry', carry, TYPES),
    refreshTtl,
  }
  if (new Set([settings.access.name, settings.refresh.name, settings.csrf.name]).size < 3) {
    throw new ConfigurationError(
      'Expected `cookies.access`, `cookies.refresh` and `cookies.csrf` to have three names',
    )
  }
  return Object.freeze(settings)
}

/** What the three cookies have in common. */
interface SharedAttributes {
  readonly domain: string | undefined
  readonly secure: boolean
  readonly tail: string
}

/** Checks and prepares one cookie. */
function resolveRow(
  row: keyof typeof ROWS,
  options: CookieRowOptions | undefined,
  { domain, secure, tail }: SharedAttributes,
): CookieRow {
  const at = `cookies.${row}`
  const { name = ROWS[row].name, path = '/' } = readSection(at, options, ['name', 'path'])
  if (typeof path !== 'string' || !PATH.test(path)) {
    throw new ConfigurationError(expected(`${at}.path`, "a path that starts with '/' and has no ';'", path))
  }
  const prefix = !secure ? '' : path === '/' && domain === undefined ? '__Host-' : '__Secure-'
  return Object.freeze({
    name: toCookieName(`${at}.name`, name, prefix),
    path,
    attributes: `; Path=${path}${domain === undefined ? '' : `; Domain=${domain}`}${ROWS[row].flags}${tail}`,
  })
}

/**
 * Puts the prefix before a name, unless the name brings one along that its attributes allow.
 *
 * @param prefix the strictest prefix that the attributes allow
 */
function toCookieName(at: string, name: string, prefix: '' | '__Host-' | '__Secure-'): string {
  if (!isToken(name))
    throw new ConfigurationError(`Expected \`${at}\` to be a cookie name (RFC 6265 section 4.1.1)`)
  const own = /^__(?:host|secure)-/i.exec(name)?.[0].toLowerCase()
  if (own === undefined) return prefix + name
  if (prefix === '')
    throw new ConfigurationError(`\`${at}\` has the prefix ${own}, which browsers refuse without Secure`)
  if (own === '__host-' && prefix !== '__Host-') {
    throw new ConfigurationError(
      `\`${at}\` has the prefix __Host-, which browsers refuse with a domain or a path other than /`,
    )
  }
  return name
}

/** Lets `secure: false` pass outside production, with one warning per process. */
function permitInsecure(sameSite: string): void {
  if (sameSite === 'None') {
    throw new ConfigurationError(
      "`cookies.sameSite: 'None'` needs `cookies.secure`: browsers drop the cookie otherwise",
    )
  }
  if (typeof process === 'undefined') return
  if (process.env['NODE_ENV'] === 'production') {
    throw new ConfigurationError(
      '`cookies.secure: false` is refused in production: tokens would travel in the clear',
    )
  }
  if (warned) return
  warned = true
  process.emitWarning('`cookies.secure: false`: tokens travel in the clear. Never deploy this.', {
    type: 'TokenwrightWarning',
    code: 'TOKENWRIGHT_INSECURE_COOKIES',
  })
}

/**
 * Reads one cookie. The name matches exactly, the value is not percent-decoded, and quotes are part of it.
 *
 * @param header the `Cookie` header
 * @returns the value, which may be empty; null when there is no such cookie
 * @throws {AuthError} request_invalid when the name comes twice: one of them was tossed in by somebody else
 */
export function readCookie(header: string | readonly string[] | undefined, name: string): string | null {
  if (header === undefined) return null
  let found: string | null = null
  for (const line of typeof header === 'string' ? [header] : header) {
    for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + name.length)) {
      const value = readValue(line, at, at + name.length)
      if (value === null) continue
      if (found !== null) throw new AuthError('request_invalid', { message: 'A cookie came twice' })
      found = value
    }
  }
  return found
}

/** The value of the cookie whose name stands between two indexes; null when that is only a part of something else. */
function readValue(line: string, start: number, end: number): string | null {
  let before = start - 1
  while (isBlank(line, before)) before--
  let equals = end
  while (isBlank(line, equals)) equals++
  if ((before >= 0 && line[before] !== ';') || line[equals] !== '=') return null
  const semicolon = line.indexOf(';', equals)
  return trimBlanks(line, equals + 1, semicolon === -1 ? line.length : semicolon)
}

/**
 * Writes one `Set-Cookie` line.
 *
 * @param maxAge the cookie's life in seconds; rounded down, and 0 (which deletes it) when it is negative
 * @throws {TypeError} when the value is no cookie value, or name and value are longer than the 4096 bytes that
 *   browsers keep; the message does not hold the value
 */
export function toSetCookie(row: CookieRow, value: string, maxAge: number): string {
  if (!COOKIE_VALUE.test(value))
    throw new TypeError(`The value for the cookie ${row.name} is no cookie value`)
  const size = row.name.length + value.length
  if (size > SIZE_LIMIT) {
    throw new TypeError(
      `The cookie ${row.name} would have ${size} bytes and browsers drop it beyond ${SIZE_LIMIT}: put less into the token`,
    )
  }
  return `${row.name}=${value}; Max-Age=${Math.max(0, Math.floor(maxAge))}${row.attributes}`
}

/**
 * The `Set-Cookie` lines for newly issued tokens: one for each that is carried, and the CSRF cookie when they have
 * a CSRF value. A token's cookie lives as long as the token, the CSRF cookie as long as the longest of them, and at
 * least `refreshTtl` when the browser is left with the refresh token that it has.
 *
 * @param now epoch seconds
 * @throws {TypeError} when a cookie would be too large for browsers
 */
export function setCookies(
  tokens: { readonly access?: CookieToken; readonly refresh?: CookieToken },
  settings: CookieSettings,
  now: number,
): readonly string[] {
  const given = TYPES.flatMap((type) => {
    const token = settings.carry.has(type) ? tokens[type] : undefined
    return token === undefined ? [] : { ...token, row: settings[type], life: token.exp - now }
  })
  const lines = given.map(({ row, token, life }) => toSetCookie(row, token, life))
  const csrf = given.find((token) => token.csrf)?.csrf
  if (csrf === undefined) return lines
  // A new access token alone must not cut the CSRF cookie short that the browser's refresh token still needs.
  const kept = settings.carry.has('refresh') && tokens.refresh === undefined ? settings.refreshTtl : 0
  return [...lines, toSetCookie(settings.csrf, csrf, Math.max(kept, ...given.map(({ life }) => life)))]
}

/** The `Set-Cookie` lines that delete what `setCookies` sets: same names, paths, domain and flags, `Max-Age=0`. */
export function clearCookies(settings: CookieSettings): readonly string[] {
  const rows = [...TYPES.filter((type) => settings.carry.has(type)), 'csrf' as const]
  return rows.map((row) => toSetCookie(settings[row], '', 0))
}

/** The name in a `Set-Cookie` line. */
function toName(line: string): string {
  return line.slice(0, line.indexOf('='))
}

/** Whether some of the `Set-Cookie` lines set or clear a cookie that one of the others does. */
export function setsAnyOf(lines: readonly string[], others: readonly string[]): boolean {
  const names = new Set(others.map(toName))
  return lines.some((line) => names.has(toName(line)))
}
