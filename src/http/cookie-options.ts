/**
 * The three cookies of a login: the options for their names and attributes, checked and prepared
 * (RFC 6265, and the name prefixes of RFC 6265bis section 4.1.3). The access and the refresh cookie
 * are HttpOnly; the page's script reads the CSRF cookie. `cookies.ts` reads and writes them.
 */

import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { keysOf, readFlag, readOptionGroup, readWords } from '../internal/read-options.ts'
import { createWarnOnce } from '../internal/warn.ts'
import type { TokenType } from '../token/token-type.ts'
import { isToken } from './syntax.ts'

/** Name and path of one cookie. */
export interface CookieRowOptions {
  /**
   * The name without its prefix. The prefix is `__Host-` if the path is `/` and there is no
   * `domain`, else `__Secure-`. With `secure: false`, the name has no prefix. Default
   * `'access_token'`, `'refresh_token'`, `'csrf_token'`.
   */
  readonly name?: string
  /**
   * The `Path` attribute, which starts with `/`. The CSRF cookie does not take the path of the
   * others. Default `'/'`.
   */
  readonly path?: string
}

/** How cookies hold tokens. */
export interface CookieOptions {
  /** The cookie of the access token. */
  readonly access?: CookieRowOptions
  /** The cookie of the refresh token. */
  readonly refresh?: CookieRowOptions
  /** The cookie of the CSRF value, which a script of the page copies into the CSRF header. */
  readonly csrf?: CookieRowOptions
  /**
   * The `Domain` attribute of all three cookies: browsers send them to every subdomain too. Default
   * none: only this host.
   */
  readonly domain?: string
  /** The `SameSite` attribute of all three cookies. `'None'` needs `secure`. Default `'Lax'`. */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /**
   * Whether browsers send the cookies over HTTPS only. `false` is for development over plain HTTP:
   * it removes the prefixes of the names, warns once, and is refused if `NODE_ENV` is `production`.
   * Default `true`.
   */
  readonly secure?: boolean
  /**
   * The token types that have a cookie. With `['refresh']`, the access token stays in the memory of
   * the page. The cookie of another type is neither set nor read. Default `['access', 'refresh']`.
   */
  readonly carry?: readonly TokenType[]
  /**
   * Whether browsers keep separate cookies for each top-level site (CHIPS). Needs `secure`. Default
   * `false`.
   */
  readonly partitioned?: boolean
  /**
   * Earlier settings of the cookies. A browser keeps such a cookie beside the new one until it
   * expires, so login, refresh and logout delete it. Default `[]`.
   */
  readonly former?: readonly FormerCookieOptions[]
}

/** Earlier settings of cookies. */
export interface FormerCookieOptions {
  /** The whole name with its prefix. Default: the current names of all three cookies. */
  readonly name?: string
  /** The `Domain` attribute. Default none. */
  readonly domain?: string
  /** The `Path` attribute. Default `'/'`. */
  readonly path?: string
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

/** The prepared settings of the cookies. */
export interface CookieSettings {
  /** The access token's cookie. */
  readonly access: CookieRow
  /** The refresh token's cookie. */
  readonly refresh: CookieRow
  /** The CSRF cookie, the only one that scripts can read. */
  readonly csrf: CookieRow
  /** Cookies of former settings, to be deleted. */
  readonly former: readonly CookieRow[]
  /** The token types that have a cookie. */
  readonly carry: ReadonlySet<TokenType>
  /** The life of a refresh token in seconds. */
  readonly refreshTtl: number
}

/** The default of every option of the cookies that has one. */
export const COOKIE_DEFAULTS: Readonly<
  Required<Omit<CookieOptions, 'access' | 'refresh' | 'csrf' | 'domain'>>
> &
  Readonly<Record<keyof typeof FLAGS, Readonly<Required<CookieRowOptions>>>> = {
  access: { name: 'access_token', path: '/' },
  refresh: { name: 'refresh_token', path: '/' },
  csrf: { name: 'csrf_token', path: '/' },
  sameSite: 'Lax',
  secure: true,
  carry: ['access', 'refresh'],
  partitioned: false,
  former: [],
}

/** Only the CSRF cookie is not HttpOnly. */
const FLAGS = { access: '; HttpOnly', refresh: '; HttpOnly', csrf: '' } as const

const KNOWN = keysOf<CookieOptions>({
  access: true,
  refresh: true,
  csrf: true,
  domain: true,
  sameSite: true,
  secure: true,
  carry: true,
  partitioned: true,
  former: true,
})

/** The token types that can have a cookie, in the order in which their cookies are written. */
export const COOKIE_TYPES: readonly TokenType[] = ['access', 'refresh']

/** RFC 6265 section 4.1.1: `path-value` without what ends an attribute, and host names. */
const PATH = /^\/[\x20-\x3a\x3c-\x7e]*$/
const DOMAIN = /^\.?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i

const warnOnce = createWarnOnce()

/**
 * Checks and prepares the cookies.
 *
 * @param options the option group `cookies`
 * @param refreshTtl how long a refresh token can live, in seconds
 * @throws {ConfigurationError} for a name that is not a token or breaks the rules of its prefix,
 *   two cookies with one name, `SameSite=None` without Secure, and `secure: false` in production
 */
export function resolveCookies(options: CookieOptions | undefined, refreshTtl: number): CookieSettings {
  const {
    domain,
    sameSite = COOKIE_DEFAULTS.sameSite,
    secure = COOKIE_DEFAULTS.secure,
    carry: types = COOKIE_DEFAULTS.carry,
    partitioned = COOKIE_DEFAULTS.partitioned,
    former = COOKIE_DEFAULTS.former,
    ...rows
  } = readOptionGroup('cookies', options, KNOWN)
  if (domain !== undefined && !(typeof domain === 'string' && DOMAIN.test(domain))) {
    throw new ConfigurationError(expected('cookies.domain', "a host name such as 'example.com'", domain))
  }
  if (
    domain !== undefined &&
    !/^\.?localhost$/i.test(domain) &&
    !/[a-z0-9-]\.[a-z0-9-]*[a-z]/i.test(domain)
  ) {
    throw new ConfigurationError(
      expected(
        'cookies.domain',
        'a domain of your own: browsers refuse a public suffix and an address',
        domain,
      ),
    )
  }
  if (!['Lax', 'Strict', 'None'].includes(sameSite)) {
    throw new ConfigurationError(expected('cookies.sameSite', "'Lax', 'Strict' or 'None'", sameSite))
  }
  if (!readFlag('cookies.secure', secure)) permitInsecure(sameSite)
  if (readFlag('cookies.partitioned', partitioned) && !secure)
    throw new ConfigurationError(
      '`cookies.partitioned` needs `cookies.secure`: browsers drop the cookie otherwise',
    )
  const tail = `${secure ? '; Secure' : ''}; SameSite=${sameSite}${partitioned ? '; Partitioned' : ''}`
  const shared = { domain, secure, tail }
  const present = {
    access: resolveRow('access', rows.access, shared),
    refresh: resolveRow('refresh', rows.refresh, shared),
    csrf: resolveRow('csrf', rows.csrf, shared),
  }
  const settings: CookieSettings = {
    ...present,
    former: resolveFormer(former, Object.values(present)),
    carry: readWords('cookies.carry', types, COOKIE_TYPES),
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
  row: keyof typeof FLAGS,
  options: CookieRowOptions | undefined,
  { domain, secure, tail }: SharedAttributes,
): CookieRow {
  const at = `cookies.${row}`
  const usual = COOKIE_DEFAULTS[row]
  const { name = usual.name, path = usual.path } = readOptionGroup(at, options, ['name', 'path'])
  if (typeof path !== 'string' || !PATH.test(path)) {
    throw new ConfigurationError(expected(`${at}.path`, "a path that starts with '/' and has no ';'", path))
  }
  const prefix = !secure ? '' : path === '/' && domain === undefined ? '__Host-' : '__Secure-'
  return Object.freeze({
    name: toCookieName(`${at}.name`, name, prefix),
    path,
    attributes: `; Path=${path}${domain === undefined ? '' : `; Domain=${domain}`}${FLAGS[row]}${tail}`,
  })
}

/** Prepares the cookies of former settings, except those that are still in use. */
function resolveFormer(former: unknown, present: readonly CookieRow[]): readonly CookieRow[] {
  if (!Array.isArray(former))
    throw new ConfigurationError(expected('cookies.former', 'a list of settings', former))
  return former.flatMap((options: FormerCookieOptions, index) => {
    const at = `cookies.former[${index}]`
    const { name, domain, path = '/' } = readOptionGroup(at, options, ['name', 'domain', 'path'])
    if (domain !== undefined && !(typeof domain === 'string' && DOMAIN.test(domain)))
      throw new ConfigurationError(expected(`${at}.domain`, "a host name such as 'example.com'", domain))
    if (typeof path !== 'string' || !PATH.test(path))
      throw new ConfigurationError(expected(`${at}.path`, "a path that starts with '/'", path))
    if (name !== undefined && !isToken(name))
      throw new ConfigurationError(`Expected \`${at}.name\` to be a cookie name (RFC 6265 section 4.1.1)`)
    const place = `; Path=${path}${domain === undefined ? '' : `; Domain=${domain}`}`
    return (name === undefined ? present.map((row) => row.name) : [name])
      .filter((cookie) => !present.some((row) => row.name === cookie && placeOf(row) === place))
      .map((cookie) => {
        const secure = /^__(?:host|secure)-/i.test(cookie) ? '; Secure' : ''
        return Object.freeze({ name: cookie, path, attributes: `${place}${secure}` })
      })
  })
}

/** The attributes of a cookie's path and domain. */
function placeOf({ attributes }: CookieRow): string {
  return /^; Path=[^;]*(?:; Domain=[^;]*)?/.exec(attributes)?.[0] ?? ''
}

/**
 * Adds the prefix to a name, unless the name already has one that its attributes allow.
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

/** Allows `secure: false` outside production, with one warning per process. */
function permitInsecure(sameSite: string): void {
  if (sameSite === 'None') {
    throw new ConfigurationError(
      "`cookies.sameSite: 'None'` needs `cookies.secure`: browsers drop the cookie otherwise",
    )
  }
  if (typeof process === 'undefined') return
  if (process.env['NODE_ENV'] === 'production') {
    throw new ConfigurationError(
      '`cookies.secure: false` is refused in production: tokens would be sent in plain text',
    )
  }
  warnOnce(
    'TOKENWRIGHT_INSECURE_COOKIES',
    '`cookies.secure: false`: tokens are sent in plain text. Never deploy this.',
  )
}
