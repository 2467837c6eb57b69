/**
 * Door `tokenwright/routes`: login, refresh, step-up by password, logout, the user's sessions and the key set, as one fetch handler.
 * The application brings one function that knows its users. Without a session store a refresh answers a new access token
 * and the same refresh token, logout ends nothing but the cookies, and there are no sessions to list.
 */
import type { Auth } from './auth/create-auth.ts'
import { isAuthError } from './errors.ts'
import { checkOrigin } from './http/csrf.ts'
import type { RequestInfo } from './http/request-port.ts'
import type { Delivery } from './http/token-response.ts'
import type { Location } from './http/token-sources.ts'
import { ConfigurationError, checkKnownKeys, expected, isRecord } from './internal/configuration-error.ts'
import type { VerifyClient } from './routes/clients.ts'
import {
  createRouteContext,
  type Route,
  type RouteDependencies,
  toNotAllowed,
  toNotFound,
} from './routes/context.ts'
import { type CorsOptions, resolveCors } from './routes/cors.ts'
import type { Credentials, VerifiedUser } from './routes/credentials.ts'
import { introspect, revoke } from './routes/introspection.ts'
import { endOthers, endSession, listSessions, logout } from './routes/sessions.ts'
import {
  createThrottle,
  type Throttle,
  type ThrottleOptions,
  UNTHROTTLED,
} from './routes/throttle/throttle.ts'
import { giveTicket, login, refresh, verifyPassword } from './routes/tokens.ts'
import type { TokenPayload } from './token/token-payload.ts'

export type { Client, VerifyClient } from './routes/clients.ts'
export type { CorsOptions } from './routes/cors.ts'
export type { Credentials, VerifiedUser } from './routes/credentials.ts'
export type { Limiter, LimiterResult, LimiterSettings } from './routes/throttle/memory-limiter.ts'
export type { ThrottleOptions } from './routes/throttle/throttle.ts'

/** What `authRoutes` takes. */
export interface AuthRoutesOptions<C> {
  /**
   * Checks a username and a password; null when they are wrong. Take the same time for unknown users. What it throws goes to
   * the caller of the handler, except an `AuthError`, which is answered.
   */
  readonly verifyCredentials: (
    credentials: Credentials,
    request: Request,
  ) => VerifiedUser<C> | null | Promise<VerifiedUser<C> | null>
  /** The username behind a token, for checking a password again. Default: its `sub`. */
  readonly usernameOf?: (payload: TokenPayload<C>) => string | Promise<string>
  /**
   * The client's address, for limits by address and for the list of sessions. Default: what `toNodeHandler` says; behind a proxy,
   * read its header here. Undefined: no limit by address, which is warned of once.
   */
  readonly address?: (request: Request, info: RequestInfo | undefined) => string | undefined
  /**
   * How often passwords may be tried: 5 failures of an account, then waits that double up to 15 minutes, and 20 failures a minute of
   * an address. False for no limit. Default: counted in the memory of this process.
   */
  readonly throttle?: ThrottleOptions | false
  /**
   * Knows the clients that may introspect and revoke tokens: resource servers. With it there are `POST {base}/introspect` (RFC 7662) and,
   * with a session store, `POST {base}/revoke` (RFC 7009). Compare secrets in constant time. Default: no such routes.
   */
  readonly verifyClient?: VerifyClient
  /** Which other origins may call the routes from a page. Default none. */
  readonly cors?: CorsOptions
  /** Where the routes stand, without a trailing slash. Default `/auth`. */
  readonly basePath?: string
  /** How a login is answered that does not say. Default `'cookie'` where that location is on. */
  readonly delivery?: Delivery
}

/** The routes as one handler. */
export type AuthHandler = (request: Request, info?: RequestInfo) => Promise<Response>

/** Methods by name, for one path. */
type Methods = Readonly<Record<string, Route>>

/** The public keys (RFC 7517 section 5). */
const jwks: Route = ({ auth }) => {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=300' }
  return new Response(JSON.stringify(auth.jwks()), { headers })
}

/** The one table of routes. A path that ends in `/` takes one more segment, which names something. */
function toTable(base: string, stateful: boolean, hasClients: boolean): ReadonlyMap<string, Methods> {
  return new Map<string, Methods>([
    [`${base}/login`, { POST: login }],
    [`${base}/refresh`, { POST: refresh }],
    [`${base}/verify-password`, { POST: verifyPassword }],
    [`${base}/logout`, { POST: logout }],
    ...(stateful
      ? ([
          [`${base}/ticket`, { POST: giveTicket }],
          [`${base}/sessions`, { GET: listSessions, DELETE: endOthers }],
          [`${base}/sessions/`, { DELETE: endSession }],
        ] as const)
      : []),
    ...(!hasClients ? [] : ([[`${base}/introspect`, { POST: introspect }]] as const)),
    ...(!hasClients || !stateful ? [] : ([[`${base}/revoke`, { POST: revoke }]] as const)),
    ['/.well-known/jwks.json', { GET: jwks, HEAD: jwks }],
  ])
}

/** Finds the methods of a path, and what its last segment names. */
function find(
  table: ReadonlyMap<string, Methods>,
  path: string,
): { readonly methods: Methods; readonly name: string } | null {
  const exact = path.endsWith('/') ? undefined : table.get(path)
  if (exact !== undefined) return { methods: exact, name: '' }
  const end = path.lastIndexOf('/') + 1
  const methods = end < path.length ? table.get(path.slice(0, end)) : undefined
  return methods === undefined ? null : { methods, name: path.slice(end) }
}

/** Checks and prepares the limits. */
function toThrottle(options: unknown): Throttle {
  if (options === false) return UNTHROTTLED
  const { createLimiter, ...others } = (options ?? {}) as Record<string, unknown>
  const fits = createLimiter === undefined || typeof createLimiter === 'function'
  if ((options !== undefined && !isRecord(options)) || !fits) {
    throw new ConfigurationError(expected('throttle', 'false or { createLimiter }', options))
  }
  checkKnownKeys('throttle', { ...others, createLimiter }, ['createLimiter'])
  return createThrottle(createLimiter === undefined ? {} : (options as ThrottleOptions))
}

/** The client's address as the application says it; the first time that it is unknown is worth a warning. */
function warnWithout(
  address: RouteDependencies<never>['address'],
  isLimited: boolean,
): RouteDependencies<never>['address'] {
  let warned = !isLimited
  return (request, info) => {
    const found = address(request, info)
    if (found !== undefined || warned) return found
    warned = true
    process.emitWarning(
      '`authRoutes` does not learn the address of a client: no limit by address. Give `address`.',
      {
        type: 'TokenwrightWarning',
        code: 'TOKENWRIGHT_NO_ADDRESS',
      },
    )
    return found
  }
}

/** Checks and prepares the options. */
function toParts<C, U>(auth: Auth<C, U>, options: AuthRoutesOptions<C>): RouteDependencies<C> {
  const { verifyCredentials, usernameOf = ({ sub }) => sub, address = (_, info) => info?.address } = options
  if (typeof verifyCredentials !== 'function') {
    throw new ConfigurationError(expected('verifyCredentials', 'a function', verifyCredentials))
  }
  const { verifyClient = null } = options
  if (verifyClient !== null && typeof verifyClient !== 'function')
    throw new ConfigurationError(expected('verifyClient', 'a function', verifyClient))
  const byCookie = auth.http.sources.locations.has('cookie')
  const { delivery = byCookie ? 'cookie' : 'body' } = options
  if (delivery !== 'body' && !(delivery === 'cookie' && byCookie)) {
    throw new ConfigurationError(
      expected('delivery', "'body', or 'cookie' with 'cookie' among `locations`", delivery),
    )
  }
  const throttle = toThrottle(options.throttle)
  const locations = [...new Set<Location>([...auth.http.sources.locations, 'header', 'body'])]
  const stateful = auth.state() !== null
  const needs = {
    access: auth.prepare({ locations }),
    fresh: auth.prepare({ locations, fresh: true }),
    live: auth.prepare(stateful ? { revocation: 'strict' } : {}),
    any: auth.prepare({ type: 'any', ...(stateful && { revocation: 'off' }) }),
    refresh: auth.prepare({ locations, type: 'refresh', ...(stateful && { revocation: 'off' }) }),
  } as const
  return {
    auth,
    stateful,
    verifyCredentials,
    usernameOf,
    address: warnWithout(address, throttle !== UNTHROTTLED),
    throttle,
    verifyClient,
    byCookie,
    delivery,
    locations,
    needs,
  }
}

/** Methods that change nothing, whose origin is nobody's business. */
const SAFE_METHODS = ['GET', 'HEAD']

/**
 * Makes the routes of one application: `POST {base}/login`, `/refresh`, `/verify-password`, `/logout`, with a session store
 * `POST {base}/ticket`, `GET` and `DELETE {base}/sessions` and `DELETE {base}/sessions/:id`, and `GET /.well-known/jwks.json`. Anything else is a 404, a wrong
 * method a 405, both in the form of the other answers.
 *
 * It does check the origin of every POST and DELETE, login included. It limits how often passwords are tried, by
 * account and by address.
 *
 * @returns a fetch handler; mount it at the base path and at `/.well-known/jwks.json`
 * @throws {ConfigurationError} for an unknown or unfit option
 * @see RFC 6749 section 5.1, RFC 9700 section 4.14
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { authRoutes } from 'tokenwright/routes'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const handle = authRoutes(auth, {
 *   verifyCredentials: ({ username, password }) => (username === 'test' && password === 'test' ? { subject: username } : null),
 * })
 * const response = await handle(new Request('http://localhost/auth/login', { method: 'POST' }))
 * ```
 */
export function authRoutes<C, U>(auth: Auth<C, U>, options: AuthRoutesOptions<C>): AuthHandler {
  checkKnownKeys('authRoutes', options, [
    'verifyCredentials',
    'usernameOf',
    'address',
    'basePath',
    'delivery',
    'throttle',
    'verifyClient',
    'cors',
  ])
  const { basePath = '/auth' } = options
  if (!/^(?:\/[^/?#]+)*$/.test(basePath))
    throw new ConfigurationError(expected('basePath', "a path such as '/auth'", basePath))
  const parts = toParts(auth, options)
  const table = toTable(basePath, parts.stateful, parts.verifyClient !== null)
  const { csrf } = auth.http

  const cors = resolveCors(options.cors, csrf)

  async function answer(request: Request, info: RequestInfo | undefined): Promise<Response> {
    const found = find(table, new URL(request.url).pathname)
    if (found === null) return toNotFound()
    const { methods, name } = found
    if (cors !== null && request.method === 'OPTIONS') return cors.preflight(request, Object.keys(methods))
    const route = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined
    if (route === undefined) return toNotAllowed(Object.keys(methods))
    const context = createRouteContext(request, info, name)
    try {
      const checked = csrf.checksOrigin || csrf.checksToken
      if (checked && !SAFE_METHODS.includes(request.method)) checkOrigin(context.port, csrf)
      return await route(parts, context)
    } catch (error) {
      if (!isAuthError(error)) throw error
      const { status, headers, body } = auth.errorResponse(error)
      return new Response(body, { status, headers })
    }
  }
  if (cors === null) return answer
  return async (request, info) => {
    const response = await answer(request, info)
    return request.method === 'OPTIONS' ? response : cors.expose(request, response)
  }
}
