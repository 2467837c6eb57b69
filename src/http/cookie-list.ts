/**
 * `Set-Cookie` lines as data, for frameworks that set cookies one at a time: Next.js and Astro
 * `cookies.set(name, value, options)`, SvelteKit, Nuxt, h3, Express `res.cookie`. It reads only
 * lines that this library has written (RFC 6265 section 4.1.1).
 */

/** One cookie to set, as frameworks take it. */
export interface CookieListItem {
  /** The whole name with its prefix. */
  readonly name: string
  /** The value; empty for a cookie to delete. It needs no encoding. */
  readonly value: string
  /** The attributes, all of them stated: defaults differ between frameworks. */
  readonly options: CookieListOptions
}

/** The attributes of a cookie, by the names that frameworks use. */
export interface CookieListOptions {
  /** `Path`. */
  readonly path: string
  /** `Domain`; absent for a cookie of this host only. */
  readonly domain?: string
  /**
   * `Max-Age` in seconds; 0 deletes the cookie. Absent for a cookie that ends with the browser, as
   * of a login with `remember: false`.
   */
  readonly maxAge?: number
  /** `HttpOnly`. */
  readonly httpOnly: boolean
  /** `Secure`. */
  readonly secure: boolean
  /** `SameSite`; absent for cookies of former settings, which are only deleted. */
  readonly sameSite?: 'lax' | 'strict' | 'none'
  /** `Partitioned`, only if set. */
  readonly partitioned?: true
}

/** Reads `Set-Cookie` lines of this library. The order stays. */
export function toCookieList(lines: readonly string[]): readonly CookieListItem[] {
  return lines.map(toItem)
}

function toItem(line: string): CookieListItem {
  const [pair = '', ...rest] = line.split('; ')
  const equals = pair.indexOf('=')
  const attributes = new Map(rest.map((text) => toEntry(text)))
  const domain = attributes.get('domain')
  const maxAge = attributes.get('max-age')
  const sameSite = attributes.get('samesite')?.toLowerCase() as CookieListOptions['sameSite']
  return {
    name: pair.slice(0, equals),
    value: pair.slice(equals + 1),
    options: {
      path: attributes.get('path') ?? '/',
      ...(domain !== undefined && { domain }),
      ...(maxAge !== undefined && { maxAge: Number(maxAge) }),
      httpOnly: attributes.has('httponly'),
      secure: attributes.has('secure'),
      ...(sameSite !== undefined && { sameSite }),
      ...(attributes.has('partitioned') && { partitioned: true }),
    },
  }
}

function toEntry(text: string): [name: string, value: string] {
  const equals = text.indexOf('=')
  if (equals === -1) return [text.toLowerCase(), '']
  return [text.slice(0, equals).toLowerCase(), text.slice(equals + 1)]
}
