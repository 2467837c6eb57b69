/**
 * The target of a request: its path and host as sent, compared with those of a URL parser. A parser
 * resolves dot segments and reads backslashes as slashes, and the path rules of a framework in
 * front do not: routing by the parsed path alone would bypass them. Such targets are refused (RFC
 * 9112 section 3.2, RFC 9110 section 4.2).
 */

/** RFC 3986 section 3.2.2 and 3.2.3: a host and a port, without user information. */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]+)(?::\d*)?$/i

/** Whether a text is a host, with or without a port, that a URL can have. */
export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text) && URL.canParse(`http://${text}`)
}

/**
 * Parses host and target of a request.
 *
 * @param scheme `'http'` or `'https'`
 * @param authority the `Host` header; empty for none
 * @param target the request target: a path and a query, or a whole URL
 * @returns null for an invalid host, and for a path that a URL parser would change
 */
export function parseTarget(scheme: string, authority: string, target: string): URL | null {
  const host = authority === '' ? 'localhost' : authority
  if (!isAuthority(host)) return null
  const url = new URL(`${scheme}://${host}`)
  // A server ignores the fragment; the setters of `URL` would make it a part of the query.
  const [bare = ''] = toOriginForm(target).split('#', 1)
  const mark = bare.indexOf('?')
  const path = mark === -1 ? bare : bare.slice(0, mark)
  url.pathname = path
  url.search = mark === -1 ? '' : bare.slice(mark)
  return isSamePath(path, url.pathname) ? url : null
}

/**
 * The path of a whole URL or of a request target; null if a URL parser would change it, or if the
 * text is not a URL.
 */
export function readPath(url: string): string | null {
  const [bare = ''] = url.split(/[?#]/, 1)
  const path = toOriginForm(bare)
  if (!URL.canParse(url, 'http://localhost')) return null
  const { pathname } = new URL(url, 'http://localhost')
  return isSamePath(path, pathname) ? pathname : null
}

/** The path and the query of a target that may be a whole URL. */
function toOriginForm(target: string): string {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(target)
  if (absolute === null) return target
  const [, rest = ''] = absolute
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Whether two paths are the same except for the percent-encoding of single characters. */
function isSamePath(sent: string, parsed: string): boolean {
  return sent === parsed || toBytes(sent) === toBytes(parsed)
}

/** The bytes of a path, one character each. */
function toBytes(path: string): string {
  const utf8 = Buffer.from(path, 'utf8').toString('latin1')
  return utf8.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
