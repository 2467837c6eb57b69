/**
 * The application under attack on the adapters that speak fetch: `tokenwright/fetch` and
 * `tokenwright/hono`. Each row turns an `Application` into a listener for Node's HTTP server, and
 * all have the same routes. `frameworks.ts` has the other adapters.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import type { Auth, RequestInfo, Requirement, TokenPayload } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { forwardAuth } from 'tokenwright/forward-auth'
import { guards as honoGuards } from 'tokenwright/hono'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'

/** Returns the body of a guarded route: always JSON, with status 200. */
export type Handle = (payload: TokenPayload) => Readonly<Record<string, unknown>>

/** A guarded route. */
export interface ProtectedRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Whether it requires a fresh token. */
  readonly fresh: boolean
  /** The query parameter that names a required scope; undefined for no such parameter. */
  readonly scopeParameter?: string
  /** Its revocation mode; undefined for the application's. */
  readonly revocation?: 'strict' | 'off'
  /** Whether it renews an access token that is about to expire. */
  readonly renew?: true
  /** Headers that its handler sets. */
  readonly headers?: Readonly<Record<string, string>>
  readonly handle: Handle
}

/** What a route's guard requires beside a valid token; undefined for nothing. */
export function toRequirement({ revocation, renew }: ProtectedRoute): Requirement | undefined {
  if (renew !== undefined) return { renew }
  return revocation && { revocation }
}

/** What a login needs to know about a user. With `next` one more proof is wanted. */
export interface Identity {
  readonly subject: string
  readonly scopes?: readonly string[]
  readonly remember?: boolean
  readonly next?: Readonly<Record<string, unknown>>
}

/** What comes with a login: its whole body, and who was proved before. */
export type LoginBody = Readonly<Record<string, unknown>> & {
  readonly username: string
  readonly password: string
}

/** The application, without a framework. */
export interface Application {
  readonly auth: Auth
  readonly routes: readonly ProtectedRoute[]
  /** Whether password attempts are limited, as they are by default. */
  readonly throttled: boolean
  /** Checks a password, a code after it, or a link. Takes hostile input too. */
  verifyCredentials(credentials: LoginBody, proved: string | undefined): Promise<Identity | null>
  /** Checks the secret of a client that introspects or revokes tokens. */
  verifyClient(client: { id: string; secret: string }): boolean
  /** Issues tokens with claims from the request, as a careless application might. */
  loginWithClaims(body: unknown): Promise<{ readonly status: number; readonly body: unknown }>
}

/** Turns an application into a listener for `http.createServer`. */
export type Adapter = (app: Application) => (request: IncomingMessage, response: ServerResponse) => void

/** The path of `loginWithClaims`. */
export const CLAIMS_PATH = '/login-with-claims'

/** Where a proxy asks, from loopback: the attacker in its place, or from elsewhere. */
export const VERIFY_PATH = '/verify'

/** Gives a one-time token to whoever asks, in place of a mail. */
export const ONE_TIME_PATH = '/one-time'

type FetchHandler = (request: Request, info?: RequestInfo) => Response | Promise<Response>

function toJsonResponse(body: unknown, status = 200, headers = NO_STORE): Response {
  return Response.json(body, { status, headers })
}

const NO_STORE: Readonly<Record<string, string>> = { 'Cache-Control': 'no-store' }

/** One guarded route. A guard for a scope is made once. */
function toRouteHandler(auth: Auth, route: ProtectedRoute): FetchHandler {
  const { fresh, scopeParameter, headers, handle } = route
  const guard = guards(auth)
  const respond = (_request: Request, payload: TokenPayload) => toJsonResponse(handle(payload), 200, headers)
  const requirement = toRequirement(route)
  const wrap = requirement ? guard.token(requirement) : fresh ? guard.fresh() : guard.access()
  const plain: FetchHandler = wrap(respond)
  const scoped = new Map<string, FetchHandler>()
  return (request) => {
    const scope = scopeParameter && new URL(request.url).searchParams.get(scopeParameter)
    if (!scope) return plain(request)
    const handler = scoped.get(scope) ?? guard.scopes(scope)(respond)
    scoped.set(scope, handler)
    return handler(request)
  }
}

/** The login routes, the same on every adapter, and the one that takes custom claims. */
export function toLoginHandler(app: Application): FetchHandler {
  const login = authRoutes(app.auth, {
    verifyCredentials: (credentials, { proved }) => app.verifyCredentials(credentials, proved?.subject),
    // The attacks set this header in place of a trusted proxy.
    address: (request, info) => request.headers.get('x-test-ip') ?? info?.address,
    verifyClient: (client) => app.verifyClient(client),
    ...(!app.throttled && { throttle: false }),
  })
  const verify = forwardAuth(app.auth, {
    proxy: 'nginx',
    trusted: ['127.0.0.1', '::1'],
    requirements: { admin: { scopes: ['admin'] } },
  })
  return async (request, info) => {
    const { pathname } = new URL(request.url)
    const address = request.headers.get('x-test-ip') ?? info?.address
    if (isVerifyPath(pathname)) return verify(request, { address })
    if (pathname === ONE_TIME_PATH) {
      const { purpose, subject } = Object(await request.json())
      return toJsonResponse({ token: await app.auth.oneTime.create(purpose, subject) })
    }
    if (pathname !== CLAIMS_PATH) return login(request, info)
    const { status, body } = await app.loginWithClaims(await request.json())
    return toJsonResponse(body, status)
  }
}

function isVerifyPath(path: string): boolean {
  return path === VERIFY_PATH || path.startsWith(`${VERIFY_PATH}/`)
}

/** Whether a path is one of the login routes. */
export function isLoginPath(path: string): boolean {
  return (
    path === CLAIMS_PATH ||
    path === ONE_TIME_PATH ||
    isVerifyPath(path) ||
    path.startsWith('/auth/') ||
    path.startsWith('/.well-known/')
  )
}

/** The application as one function from request to response, guarded by `tokenwright/fetch`. */
function toFetchHandler(app: Application): FetchHandler {
  const login = toLoginHandler(app)
  const routes = new Map(
    app.routes.map((route) => [`${route.method} ${route.path}`, toRouteHandler(app.auth, route)]),
  )
  return async (request, info) => {
    const { pathname } = new URL(request.url)
    if (isLoginPath(pathname)) return login(request, info)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = routes.get(`${method} ${pathname}`)
    return route === undefined ? toJsonResponse({ message: 'Not found' }, 404) : route(request)
  }
}

/** The application in Hono, guarded by `tokenwright/hono`. */
function toHonoHandler(app: Application): FetchHandler {
  const hono = new Hono()
  const guard = honoGuards(app.auth)
  const login = toLoginHandler(app)
  for (const route of app.routes) {
    const { method, path, fresh, scopeParameter, headers, handle } = route
    const requirement = toRequirement(route)
    const plain = requirement ? guard.token(requirement) : fresh ? guard.fresh() : guard.access()
    const guarded: MiddlewareHandler = (c, next) => {
      const scope = scopeParameter && c.req.query(scopeParameter)
      return (scope ? guard.scopes(scope) : plain)(c, next)
    }
    hono.on(method, path, guarded, (c: Context) => c.json(handle(c.get('auth')), 200, headers))
  }
  hono.all('*', (c) =>
    isLoginPath(c.req.path) ? login(c.req.raw, c.env as RequestInfo) : c.json({ message: 'Not found' }, 404),
  )
  return (request, info) => hono.fetch(request, info)
}

/** The adapters that speak fetch, by name. */
export const FETCH_ADAPTERS: Readonly<Record<string, Adapter>> = {
  fetch: (app) => toNodeHandler(toFetchHandler(app)),
  hono: (app) => toNodeHandler(toHonoHandler(app)),
}
