/**
 * Adds token cookies to a response that a handler has written, for every framework. Such a response
 * is for one browser only, but `Set-Cookie` alone keeps it out of no shared cache (RFC 9111 section
 * 7.3), from which another user would be signed in. So the response also gets
 * `Cache-Control: private, no-store`, whatever its handler has set (RFC 9111 section 5.2.2).
 */
import { setsAnyOf } from './cookies.ts'

/** For a response that no cache may store. */
export const PRIVATE = 'private, no-store'

/** The request headers that decide whether a response gets cookies. */
const VARY = ['Cookie', 'Authorization'] as const

/** The response headers of a framework. Names are in lower case. */
export interface ResponseHeaders {
  /** The names that are set. */
  names(): Iterable<string>
  /** A value; several are joined by commas. */
  get(name: string): string | undefined
  /** Replaces all values. */
  set(name: string, value: string): void
  /** Removes a header. */
  delete(name: string): void
  /** The `Set-Cookie` lines. */
  cookies(): readonly string[]
  /** Adds `Set-Cookie` lines. */
  addCookies(lines: readonly string[]): void
}

/**
 * Adds the cookies of tokens to a response, unless its handler has set or cleared one of them
 * itself. Keeps the response out of caches in both cases.
 *
 * @param lines `Set-Cookie` lines; none leaves the response as it is
 */
export function addTokenCookies(headers: ResponseHeaders, lines: readonly string[]): void {
  if (lines.length === 0) return
  keepPrivate(headers)
  if (!setsAnyOf(headers.cookies(), lines)) headers.addCookies(lines)
}

/**
 * Keeps a response out of every cache, including those that prefer their own header to
 * `Cache-Control`.
 */
export function keepPrivate(headers: ResponseHeaders): void {
  for (const name of [...headers.names()]) if (isCacheHeader(name)) headers.delete(name)
  headers.set('cache-control', PRIVATE)
  const vary = (headers.get('vary') ?? '').split(',').map((item) => item.trim())
  if (vary.includes('*')) return
  const known = new Set(vary.map((item) => item.toLowerCase()))
  const missing = VARY.filter((item) => !known.has(item.toLowerCase()))
  headers.set('vary', [...vary.filter((item) => item !== ''), ...missing].join(', '))
}

/**
 * Whether a header controls caches: `Cache-Control`, the targeted fields of RFC 9213 such as
 * `CDN-Cache-Control`, the older headers of single products, and the validators (RFC 9110 section
 * 8.8), by which some frameworks make a 304 of a response and lose its cookies.
 */
export function isCacheHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return lower.endsWith('cache-control') || OTHER_CACHE_HEADERS.has(lower)
}

const OTHER_CACHE_HEADERS: ReadonlySet<string> = new Set([
  'expires',
  'pragma',
  'surrogate-control',
  'edge-control',
  'x-accel-expires',
  'etag',
  'last-modified',
])

/** The headers of a fetch `Response`. */
export function toResponseHeaders(headers: Headers): ResponseHeaders {
  return {
    names: () => headers.keys(),
    get: (name) => headers.get(name) ?? undefined,
    set: (name, value) => headers.set(name, value),
    delete: (name) => headers.delete(name),
    cookies: () => headers.getSetCookie(),
    addCookies(lines) {
      for (const line of lines) headers.append('Set-Cookie', line)
    },
  }
}

/**
 * Adds the cookies of tokens to a fetch `Response`.
 *
 * @param lines `Set-Cookie` lines; none leaves the response as it is
 * @returns the response, or a copy where its headers cannot be changed, such as one that came from
 *   `fetch`
 */
export function withTokenCookies(response: Response, lines: readonly string[]): Response {
  if (lines.length === 0) return response
  let result = response
  try {
    // On some platforms the headers of a response that came from elsewhere are immutable.
    result.headers.set('cache-control', PRIVATE)
  } catch {
    // The response to a WebSocket handshake cannot be copied.
    if (response.status < 200) return response
    result = new Response(response.body, response)
  }
  addTokenCookies(toResponseHeaders(result.headers), lines)
  return result
}
