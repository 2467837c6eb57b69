/**
 * Cross-origin requests to the routes, for applications whose pages live on another origin than
 * their API: named origins only, with credentials, and with the headers that a client needs to
 * distinguish responses. Never `*`: a wildcard and credentials exclude each other (Fetch standard,
 * "HTTP-network protocol extensions").
 */

import { type CsrfSettings, isOrigin, ORIGIN_FORM } from '../http/csrf.ts'
import { ERROR_RESPONSE_HEADERS } from '../http/error-response.ts'
import { isToken } from '../http/syntax.ts'
import { ConfigurationError, checkKnownKeys, expected, isOptions } from '../internal/configuration-error.ts'

/** Which other origins may call the routes. */
export interface CorsOptions {
  /**
   * Origins as browsers spell them, such as `https://app.example.com`. Each must be among
   * `csrf.origins` where the origin is checked.
   */
  readonly origins: readonly string[]
  /**
   * Request headers that pages may send beside our own, such as `traceparent` of a tracing library.
   * Default none.
   */
  readonly allowedHeaders?: readonly string[]
}

/** The headers of cross-origin responses. */
export interface Cors {
  /** The response to a preflight request for a path that has these methods. */
  preflight(request: Request, methods: readonly string[]): Response
  /** Adds the headers that let a page on an accepted origin read a response. */
  expose(request: Request, response: Response): Response
}

/** How long browsers may remember a preflight, in seconds. */
const MAX_AGE = 600

/**
 * Checks and prepares the headers of cross-origin responses.
 *
 * @param csrf the origin check, which must accept the same origins
 * @returns null for none
 * @throws {ConfigurationError} for `*`, for what is no origin, and for an origin that the origin
 *   check would refuse
 */
export function resolveCors(options: CorsOptions | undefined, csrf: CsrfSettings): Cors | null {
  if (options === undefined) return null
  if (!isOptions(options) || !Array.isArray(options.origins))
    throw new ConfigurationError(expected('cors', '{ origins }', options))
  checkKnownKeys('cors', options, ['origins', 'allowedHeaders'])
  const { allowedHeaders = [] } = options
  if (!Array.isArray(allowedHeaders) || !allowedHeaders.every(isToken))
    throw new ConfigurationError(
      expected('cors.allowedHeaders', "a list of header names such as 'traceparent'", allowedHeaders),
    )
  for (const [index, origin] of options.origins.entries()) {
    if (!isOrigin(origin)) {
      throw new ConfigurationError(expected(`cors.origins[${index}]`, ORIGIN_FORM, origin))
    }
    if ((csrf.checksOrigin || csrf.checksToken) && !csrf.origins.has(origin)) {
      throw new ConfigurationError(
        `Expected ${origin} of \`cors.origins\` to be among \`csrf.origins\` too: its requests would be refused`,
      )
    }
  }
  return createCors(new Set(options.origins), [
    'Authorization',
    'Content-Type',
    csrf.header,
    ...allowedHeaders,
  ])
}

function createCors(origins: ReadonlySet<string>, requestHeaders: readonly string[]): Cors {
  function allow(request: Request, headers: Headers): boolean {
    headers.append('Vary', 'Origin')
    const origin = request.headers.get('origin')
    if (origin === null || !origins.has(origin)) return false
    headers.set('Access-Control-Allow-Origin', origin)
    headers.set('Access-Control-Allow-Credentials', 'true')
    return true
  }
  return {
    preflight(request, methods) {
      const headers = new Headers({ 'Cache-Control': 'no-store' })
      if (allow(request, headers)) {
        headers.set('Access-Control-Allow-Methods', methods.join(', '))
        headers.set('Access-Control-Allow-Headers', requestHeaders.join(', '))
        headers.set('Access-Control-Max-Age', String(MAX_AGE))
      }
      return new Response(null, { status: 204, headers })
    },
    expose(request, response) {
      if (allow(request, response.headers))
        response.headers.set('Access-Control-Expose-Headers', ERROR_RESPONSE_HEADERS)
      return response
    },
  }
}
