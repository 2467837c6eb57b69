/**
 * The doors of the application under attack: one for each adapter, all with the same routes. A door
 * takes the application's parts and gives a listener for Node's HTTP server; a further adapter is
 * one more row of `DOORS`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import type { Auth, RequestInfo, TokenPayload } from 'tokenwright'
import { guards } from 'tokenwright/fetch'
import { guards as honoGuards } from 'tokenwright/hono'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'

/** What a guarded route answers: always JSON, status 200. */
export type Handle = (payload: TokenPayload) => Readonly<Record<string, unknown>>

/** A route that a token opens. */
export interface ProtectedRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Whether only a fresh token opens it. */
  readonly fresh: boolean
  /** Which query parameter names the scope that is asked for; none when undefined. */
  readonly scopeParameter?: string
  /** Whether a store is asked each time, or never; the application's own way when undefined. */
  readonly revocation?: 'strict' | 'off'
  readonly handle: Handle
}

/** What a login must know of a user. */
export interface Identity {
  readonly subject: string
  readonly scopes?: readonly string[]
}

/** The parts of the application; the same for every door. */
export interface Application {
  readonly auth: Auth
  readonly routes: readonly ProtectedRoute[]
  /** Whether attempts at passwords are limited, as they are by default. */
  readonly throttled: boolean
  /** Looks a user up; hostile input included. */
  verifyCredentials(credentials: { username: string; password: string }): Promise<Identity | null>
  /**
   * Issues tokens with custom claims that come with the request: what an incautious application
   * might do.
   */
  loginWithClaims(body: unknown): Promise<{ readonly status: number; readonly body: unknown }>
}

/** Turns an application into a listener for `http.createServer`. */
export type Adapter = (app: Application) => (request: IncomingMessage, response: ServerResponse) => void

/** Where `loginWithClaims` is. */
export const CLAIMS_PATH = '/login-with-claims'

type FetchHandler = (request: Request, info?: RequestInfo) => Response | Promise<Response>

function toJsonResponse(body: unknown, status = 200): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store' } })
}

/** One guarded route; guards for a scope are made once per scope. */
function toRouteHandler(auth: Auth, route: ProtectedRoute): FetchHandler {
  const { fresh, scopeParameter, revocation, handle } = route
  const guard = guards(auth)
  const response = (_request: Request, payload: TokenPayload) => toJsonResponse(handle(payload))
  const wrap = revocation ? guard.token({ revocation }) : fresh ? guard.fresh() : guard.access()
  const plain: FetchHandler = wrap(response)
  const scoped = new Map<string, FetchHandler>()
  return (request) => {
    const scope = scopeParameter && new URL(request.url).searchParams.get(scopeParameter)
    if (!scope) return plain(request)
    const handler = scoped.get(scope) ?? guard.scopes(scope)(response)
    scoped.set(scope, handler)
    return handler(request)
  }
}

/** The login routes, which are the same behind every door, and the one that takes custom claims. */
export function toLoginHandler(app: Application): FetchHandler {
  const login = authRoutes(app.auth, {
    verifyCredentials: (credentials) => app.verifyCredentials(credentials),
    // What the attacks say of an address stands for what a proxy of ours would say.
    address: (request, info) => request.headers.get('x-test-ip') ?? info?.address,
    ...(!app.throttled && { throttle: false }),
  })
  return async (request, info) => {
    if (new URL(request.url).pathname !== CLAIMS_PATH) return login(request, info)
    const { status, body } = await app.loginWithClaims(await request.json())
    return toJsonResponse(body, status)
  }
}

/** Whether a path is one of the login routes. */
export function isLoginPath(path: string): boolean {
  return path === CLAIMS_PATH || path.startsWith('/auth/') || path.startsWith('/.well-known/')
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
  for (const { method, path, fresh, scopeParameter, revocation, handle } of app.routes) {
    const plain = revocation ? guard.token({ revocation }) : fresh ? guard.fresh() : guard.access()
    const guarded: MiddlewareHandler = (c, next) => {
      const scope = scopeParameter && c.req.query(scopeParameter)
      return (scope ? guard.scopes(scope) : plain)(c, next)
    }
    hono.on(method, path, guarded, (c: Context) => c.json(handle(c.get('auth'))))
  }
  hono.all('*', (c) =>
    isLoginPath(c.req.path) ? login(c.req.raw, c.env as RequestInfo) : c.json({ message: 'Not found' }, 404),
  )
  return (request, info) => hono.fetch(request, info)
}

/** The doors that speak fetch, by name. */
export const FETCH_ADAPTERS: Readonly<Record<string, Adapter>> = {
  fetch: (app) => toNodeHandler(toFetchHandler(app)),
  hono: (app) => toNodeHandler(toHonoHandler(app)),
}
