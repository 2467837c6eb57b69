/**
 * Pages that a server renders: `peek` reads who is signed in where no response can be written, and
 * `refreshing` refreshes earlier, where one can. A server component cannot set a cookie, so a token
 * that it rotated would be lost.
 */
import type { Auth } from '../../auth/auth.ts'
import type { Requirement } from '../../auth/requirement.ts'
import { isAuthError } from '../../errors.ts'
import { isUnsafe } from '../../http/csrf.ts'
import { type RequestPort, toRequestPort } from '../../http/request-port.ts'
import { withTokenCookies } from '../../http/token-cookies.ts'
import { ConfigurationError } from '../../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../../internal/duration.ts'
import type { TokenPayload } from '../../token/token-payload.ts'

/** An object with headers: a `Request`, or in Next.js `{ headers: await headers() }`. */
export interface HeaderSource {
  /** The headers. */
  readonly headers: Pick<Headers, 'get'>
}

/** The options of `refreshing`. */
export interface RefreshingOptions {
  /** How long before its end an access token is refreshed. Default `'1m'`. */
  readonly within?: Duration
}

/** A handler of requests, with further arguments of the platform. */
type Handler<R extends Request, Rest extends unknown[]> = (
  request: R,
  ...rest: Rest
) => Response | Promise<Response>

/** Any length of time. */
const BOUNDS = { min: 0, max: Number.MAX_SAFE_INTEGER } as const

/**
 * Reads who is signed in, and writes nothing. Null if no one is signed in, or if the token does not
 * satisfy the requirement.
 *
 * @throws {AuthError} `store_unavailable`, as the user's state is then unknown
 */
export async function peek<C, U>(
  auth: Auth<C, U>,
  { headers }: HeaderSource,
  requirement: Requirement,
): Promise<TokenPayload<C> | null> {
  const port: RequestPort = {
    method: 'GET',
    url: '/',
    header: (name) => headers.get(name) ?? undefined,
  }
  try {
    return (await auth.authenticate(port, requirement)) as TokenPayload<C> | null
  } catch (error) {
    if (!isAuthError(error) || error.code === 'store_unavailable') throw error
    return null
  }
}

/** When a page is refreshed, and with which tokens. */
interface RefreshRules {
  /** Seconds before the end of the access token. */
  readonly within: number
  readonly access: Requirement
  readonly refresh: Requirement
}

/** New cookies for a request whose access token has expired or is about to; else none. */
async function refresh<C, U>(
  auth: Auth<C, U>,
  request: Request,
  { within, access, refresh: required }: RefreshRules,
): Promise<readonly string[]> {
  const port = toRequestPort(request)
  try {
    const { requests, sessions, toCookies } = auth.internals
    const current = await requests.extract(port, access)
    const exp = current === null ? 0 : Number(auth.decodeUnverified(current.text).payload['exp'])
    if (exp - auth.now() > within) return []
    const found = await requests.authenticate(port, required)
    if (found === null) return []
    const pair = await sessions.refresh(found.payload)
    // Only a new refresh token replaces the browser's: a response that repeats it may be late.
    return toCookies(pair.isRefreshKept ? { access: pair.access } : pair)
  } catch (error) {
    // The page is rendered with the cookies of the request; its guards decide.
    if (isAuthError(error)) return []
    throw error
  }
}

/** The name and value of a `Set-Cookie` line. */
function toPair(line: string): string {
  return line.split(';', 1)[0] ?? ''
}

/** The request as the browser would send it next time. */
function withNewCookies<R extends Request>(request: R, lines: readonly string[]): R {
  const fresh = lines.map(toPair)
  const names = new Set(fresh.map((pair) => pair.slice(0, pair.indexOf('='))))
  const others = (request.headers.get('cookie') ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !names.has(pair.slice(0, pair.indexOf('='))))
  const headers = new Headers(request.headers)
  headers.set('cookie', [...others, ...fresh].join('; '))
  return copyRequest(request, headers)
}

/**
 * Copies a request with other headers, as one of the platform's own class where that has one:
 * handlers read members such as `nextUrl`.
 */
function copyRequest<R extends Request>(request: R, headers: Headers): R {
  const { constructor: Platform } = request as unknown as { readonly constructor: typeof Request }
  try {
    if (typeof Platform === 'function' && Platform !== Request) return new Platform(request, { headers }) as R
  } catch {
    // Its constructor takes other arguments.
  }
  return new Request(request, { headers }) as R
}

/**
 * Refreshes the session of a page's visitor before the page is rendered: GET and HEAD only.
 *
 * @throws {ConfigurationError} without a session store or the cookie location, and for an invalid
 *   `within`
 */
export function createRefreshing<C, U>(
  auth: Auth<C, U>,
): <R extends Request, Rest extends unknown[]>(
  handler: Handler<R, Rest>,
  options?: RefreshingOptions,
) => (request: R, ...rest: Rest) => Promise<Response> {
  return (handler, { within = '1m' } = {}) => {
    const stateful = auth.state() !== null
    if (!stateful || !auth.http.sources.locations.has('cookie')) {
      throw new ConfigurationError(
        "Expected `sessions.store`, and 'cookie' among `locations`: pages are refreshed by their session's cookie",
      )
    }
    const settings = {
      within: toSeconds('within', within, BOUNDS),
      access: auth.prepare({ locations: ['cookie'] }),
      refresh: auth.prepare({
        type: 'refresh',
        locations: ['cookie'],
        optional: true,
        revocation: 'off',
      }),
    }
    return async (request, ...rest) => {
      const lines = isUnsafe(request.method) ? [] : await refresh(auth, request, settings)
      if (lines.length === 0) return handler(request, ...rest)
      return withTokenCookies(await handler(withNewCookies(request, lines), ...rest), lines)
    }
  }
}
