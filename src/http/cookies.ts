/**
 * Tokens as cookies: reading one from a `Cookie` header, and the `Set-Cookie` lines that set and
 * clear them (RFC 6265). `cookie-options.ts` prepares their names and attributes. The server never
 * reads the CSRF cookie: it compares with the token's claim. Nothing here verifies or decodes a
 * token.
 */

import { AuthError } from '../errors.ts'
import { misuse } from '../internal/configuration-error.ts'
import { COOKIE_TYPES, type CookieRow, type CookieSettings } from './cookie-options.ts'
import { isBlank, trimBlanks } from './syntax.ts'

/** A token for `setCookies`. */
export interface CookieToken {
  /** The encoded token. */
  readonly token: string
  /** When it expires, in epoch seconds. */
  readonly exp: number
  /** Its CSRF value, which all tokens of a session share; undefined without CSRF tokens. */
  readonly csrf: string | undefined
  /** False for a cookie that ends with the browser. */
  readonly remember?: false | undefined
}

/**
 * The most bytes of a cookie's name and value together. Browsers drop a longer one (RFC 6265bis
 * section 5.6).
 */
const SIZE_LIMIT = 4096

/** RFC 6265 section 4.1.1: `cookie-value`. */
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/**
 * Reads one cookie. The name matches exactly, the value is not percent-decoded, and quotes are part
 * of it.
 *
 * @param header the `Cookie` header
 * @returns the value, which may be empty; null when there is no such cookie
 * @throws {AuthError} request_invalid when the name comes twice: another site may have planted one
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

/** The value of the cookie whose name is between two indexes; null if that text is not a name. */
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
 * @param maxAge the cookie's lifetime in seconds, rounded down; a negative one is 0, which deletes;
 *   null for a cookie that ends with the browser
 * @throws {TypeError} when the value is not a cookie value, or name and value are longer than the
 *   4096 bytes that browsers keep; the message does not hold the value
 */
export function toSetCookie(row: CookieRow, value: string, maxAge: number | null): string {
  if (!COOKIE_VALUE.test(value)) throw misuse(`The value for the cookie ${row.name} is not a cookie value`)
  const size = row.name.length + value.length
  if (size > SIZE_LIMIT) {
    throw misuse(
      `The cookie ${row.name} would have ${size} bytes and browsers drop it beyond ${SIZE_LIMIT}: put less into the token`,
    )
  }
  const life = maxAge === null ? '' : `; Max-Age=${Math.max(0, Math.floor(maxAge))}`
  return `${row.name}=${value}${life}${row.attributes}`
}

/**
 * The `Set-Cookie` lines for newly issued tokens: one for each type with a cookie, and the CSRF
 * cookie when they have a CSRF value. A token's cookie lives as long as the token, the CSRF cookie
 * as long as the longest of them, and at least `refreshTtl` when the browser keeps its refresh
 * token. Where the user is not to be remembered, all of them end with the browser.
 *
 * @param now epoch seconds
 * @throws {TypeError} when a cookie would be too large for browsers
 */
export function setCookies(
  tokens: { readonly access?: CookieToken; readonly refresh?: CookieToken },
  cookies: CookieSettings,
  now: number,
): readonly string[] {
  const given = COOKIE_TYPES.flatMap((type) => {
    const token = cookies.carry.has(type) ? tokens[type] : undefined
    return token === undefined ? [] : { ...token, row: cookies[type], life: token.exp - now }
  })
  // Browsers would send cookies of former settings along: a login or a refresh deletes them.
  const old = tokens.access !== undefined && tokens.refresh !== undefined ? deleteFormer(cookies) : []
  const isBrief = given.some(({ remember }) => remember === false)
  const toMaxAge = (life: number): number | null => (isBrief && life > 0 ? null : life)
  const lines = [...old, ...given.map(({ row, token, life }) => toSetCookie(row, token, toMaxAge(life)))]
  const csrf = given.find((token) => token.csrf)?.csrf
  if (csrf === undefined) return lines
  // A new access token alone must not shorten the CSRF cookie: the refresh token still needs it.
  const kept = cookies.carry.has('refresh') && tokens.refresh === undefined ? cookies.refreshTtl : 0
  const life = Math.max(kept, ...given.map((token) => token.life))
  return [...lines, toSetCookie(cookies.csrf, csrf, toMaxAge(life))]
}

/**
 * The `Set-Cookie` lines that delete what `setCookies` sets: same names, paths, domain and flags,
 * `Max-Age=0`.
 */
export function clearCookies(cookies: CookieSettings): readonly string[] {
  const rows = [...COOKIE_TYPES.filter((type) => cookies.carry.has(type)), 'csrf' as const]
  return [...deleteFormer(cookies), ...rows.map((row) => toSetCookie(cookies[row], '', 0))]
}

function deleteFormer({ former }: CookieSettings): readonly string[] {
  return former.map((row) => toSetCookie(row, '', 0))
}

/** The name in a `Set-Cookie` line. */
function toName(line: string): string {
  return line.slice(0, line.indexOf('='))
}

/** Whether some of the `Set-Cookie` lines set or clear the same cookie as one of the others. */
export function setsAnyOf(lines: readonly string[], others: readonly string[]): boolean {
  const names = new Set(others.map(toName))
  return lines.some((line) => names.has(toName(line)))
}
