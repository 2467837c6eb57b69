/**
 * Pages that a server renders: `peek` reads who is signed in where no response can be written, and
 * `refreshing` refreshes earlier, where one can. A server component cannot set a cookie, so a token
 * that it rotated would be lost.
 */
import type { Auth } from '../auth/auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { type CookieListItem, toCookieList } from '../http/cookie-list.ts'
import { hasFormValue, isUnsafe } from '../http/csrf.ts'
import { type RequestPort, toRequestPort } from '../http/request-port.ts'
import { requireRequest } from '../http/require-request.ts'
import { withTokenCookies } from '../http/token-cookies.ts'
import { ConfigurationError, expected, isCallable, misuse } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { readOptionGroup } from '../internal/read-options.ts'
import type { TokenPayload } from '../token/token-payload.ts'

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
  source: HeaderSource,
  requirement: Requirement,
): Promise<TokenPayload<C> | null> {
  const { headers } = Object(source) as Partial<HeaderSource>
  if (typeof Object(headers).get !== 'function')
    throw misuse(expected('source', 'an object with the headers of a request', source))
  const port: RequestPort = {
    method: 'GET',
    url: '/',
    header: (name) => source.headers.get(name) ?? undefined,
  }
  try {
    return (await auth.authenticate(port, requirement)) as TokenPayload<C> | null
  } catch (error) {
    if (!isAuthError(error) || error.status === 503) throw error
    return null
  }
}

/**
 * Prepares the refresh of a visitor's session: new cookies for a request whose access token has
 * expired or is about to, else none. Of unsafe requests only forms are refreshed.
 *
 * @returns a function that throws an `AuthError` if the refresh is refused
 * @throws {ConfigurationError} without a session store or the cookie location, and for an invalid
 *   `within`
 */
export function createPageRefresh<C, U>(
  auth: Auth<C, U>,
  within: Duration = '1m',
): (request: RequestPort) => Promise<readonly string[]> {
  if (!auth.internals.hasSessions || !auth.http.sources.locations.has('cookie')) {
    throw new ConfigurationError(
      "Expected `sessions.store`, and 'cookie' among `locations`: pages are refreshed by their session's cookie",
    )
  }
  const seconds = toSeconds('within', within, BOUNDS)
  const access = auth.prepare({ locations: ['cookie'] })
  const required = auth.prepare({
    type: 'refresh',
    locations: ['cookie'],
    optional: true,
    revocation: 'off',
  })
  const { requests, sessions, toCookies } = auth.internals
  return async (request) => {
    const current = await requests.extract(request, access)
    const exp = current === null ? 0 : Number(auth.decodeUnverified(current.text).payload['exp'])
    if (exp - auth.now() > seconds) return []
    // A form without the value, such as that of a login, asks for nothing. Scripts refresh by
    // themselves, and their calls of `/auth/refresh` must not be refreshed twice.
    if (isUnsafe(request.method) && !(await hasFormValue(request, auth.http.csrf))) return []
    const found = await requests.authenticate(request, required)
    if (found === null) return []
    const agent = [request.header('user-agent')].flat()[0]
    const pair = await sessions.refresh(found.payload, { userAgent: agent })
    // Only a new refresh token replaces the browser's: a response that repeats it may be late.
    return toCookies(pair.isRefreshKept ? { access: pair.access } : pair)
  }
}

/**
 * The request as the browser would send it next time: the same object wherever its headers can be
 * changed, as handlers read members of their platform's class, such as `nextUrl` of Next.js.
 */
function withNewCookies<R extends Request>(request: R, lines: readonly string[]): R {
  const cookies = toCookieList(lines)
  const header = mergeCookies(request.headers.get('cookie') ?? '', cookies)
  try {
    updateParsedCookies(request, cookies)
    request.headers.set('cookie', header)
    if (request.headers.get('cookie') === header) return request
  } catch {
    // The headers of requests are immutable on some platforms.
  }
  const headers = new Headers(request.headers)
  headers.set('cookie', header)
  return copyRequest(request, headers)
}

/** A `Cookie` header after `Set-Cookie` lines. A cookie that they delete is absent. */
export function mergeCookies(header: string, cookies: readonly CookieListItem[]): string {
  // The last line of a name counts: earlier ones delete it at former places.
  const fresh = new Map(cookies.map((item) => [item.name, item]))
  const others = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !fresh.has(pair.split('=', 1)[0]?.trim() ?? ''))
  const kept = [...fresh.values()].filter(({ options }) => options.maxAge !== 0)
  return [...others, ...kept.map(({ name, value }) => `${name}=${value}`)].join('; ')
}

/** The cookies that Next.js has parsed when it made the request. */
interface ParsedCookies {
  set?(name: string, value: string): unknown
  delete?(name: string): unknown
}

/**
 * Updates the parsed cookies of a request of Next.js, which is known by its `nextUrl`. What is set
 * in those of Bun is sent to the browser, without any attribute.
 */
function updateParsedCookies(request: Request, list: readonly CookieListItem[]): void {
  const { cookies, nextUrl } = request as { readonly cookies?: ParsedCookies; readonly nextUrl?: unknown }
  if (nextUrl === undefined) return
  if (typeof cookies?.set !== 'function' || typeof cookies.delete !== 'function') return
  for (const { name, value, options } of list) {
    if (options.maxAge !== 0) cookies.set(name, value)
    else cookies.delete(name)
  }
}

/** Copies a request with other headers, as one of the platform's own class where that has one. */
function copyRequest<R extends Request>(request: R, headers: Headers): R {
  const { constructor: Platform } = request as unknown as { readonly constructor: typeof Request }
  if (Platform === Request) return new Request(request, { headers }) as R
  try {
    const copy = new Platform(request, { headers }) as R
    if (copy.headers.get('cookie') === headers.get('cookie')) return copy
  } catch {
    // Its constructor takes other arguments.
  }
  return new Proxy(request, {
    get(target, key) {
      if (key === 'headers') return headers
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/**
 * Refreshes the session of a page's visitor before the page is rendered or its form is handled. A
 * form must pass the origin check and repeat the CSRF value, as behind a guard.
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
  return (handler, options) => {
    if (!isCallable(handler)) throw new ConfigurationError(expected('handler', 'a function', handler))
    const { within } = readOptionGroup('options', options, ['within'])
    const refresh = createPageRefresh(auth, within)
    const findCookies = async (request: Request): Promise<readonly string[]> => {
      try {
        return await refresh(toRequestPort(request))
      } catch (error) {
        // The page is rendered with the cookies of the request; its guards decide.
        if (isAuthError(error)) return []
        throw error
      }
    }
    return async (request, ...rest) => {
      requireRequest(request)
      const lines = await findCookies(request)
      if (lines.length === 0) return handler(request, ...rest)
      return withTokenCookies(await handler(withNewCookies(request, lines), ...rest), lines)
    }
  }
}
