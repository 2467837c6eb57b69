/**
 * One request on its way through a route: what every route reads, and the answers that every route gives. It knows nothing of any
 * one route.
 */
import type { FoundToken } from '../auth/authenticator.ts'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { AuthError } from '../errors.ts'
import { BODY_LIMIT, readBody } from '../http/body.ts'
import { type RequestInfo, type RequestPort, toRequestPort } from '../http/request-port.ts'
import type { Delivery } from '../http/token-response.ts'
import type { Location } from '../http/token-sources.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { VerifyClient } from './clients.ts'
import type { Credentials, VerifiedUser } from './credentials.ts'
import type { Throttle } from './throttle/throttle.ts'

/** What the routes of one application work from. */
export interface RouteDependencies<C> {
  /** The application. */
  readonly auth: Auth<C, unknown>
  /** Whether there are sessions. */
  readonly stateful: boolean
  /** Checks a username and a password. */
  readonly verifyCredentials: (
    credentials: Credentials,
    request: Request,
  ) => VerifiedUser<C> | null | Promise<VerifiedUser<C> | null>
  /** The username behind a token. */
  readonly usernameOf: (payload: TokenPayload<C>) => string | Promise<string>
  /** The client's address. */
  readonly address: (request: Request, info: RequestInfo | undefined) => string | undefined
  /** Limits attempts at passwords. */
  readonly throttle: Throttle
  /** Knows the clients that may introspect and revoke; null for none. */
  readonly verifyClient: VerifyClient | null
  /** Whether tokens may come by cookie. */
  readonly byCookie: boolean
  /** How a login is answered that does not say. */
  readonly delivery: Delivery
  /** Where these routes look for tokens: the configured locations, the header and the body. */
  readonly locations: readonly Location[]
  /** What the routes ask of a token, prepared. */
  readonly needs: RouteRequirements
}

/** What routes ask of a token. */
export interface RouteRequirements {
  /** A valid access token. */
  readonly access: Requirement
  /** A fresh access token. */
  readonly fresh: Requirement
  /** A valid access token that the store knows of nothing against, wherever it came from. */
  readonly live: Requirement
  /** A token that this application issued and that has not expired, revoked or not. */
  readonly any: Requirement
  /** A valid refresh token; its session is for the step to judge. */
  readonly refresh: Requirement
}

/** One request on its way through a route. */
export interface RouteContext {
  /** The request as it came; its body is for `body` to read. */
  readonly request: Request
  /** What the platform knows of it. */
  readonly info: RequestInfo | undefined
  /** The request for the HTTP floor. */
  readonly port: RequestPort
  /** The parsed body; read once. */
  readonly body: () => Promise<Record<string, unknown> | undefined>
  /** What the path names, such as a session; empty where it names nothing. */
  readonly name: string
}

/** A route: what it does with a context. */
export type Route = <C>(parts: RouteDependencies<C>, context: RouteContext) => Response | Promise<Response>

/** Starts a context. */
export function createRouteContext(
  request: Request,
  info: RequestInfo | undefined,
  name: string,
): RouteContext {
  let parsed: ReturnType<typeof readBody> | undefined
  const body = (): ReturnType<typeof readBody> => {
    parsed ??= readBody(request, BODY_LIMIT)
    return parsed
  }
  return { request, info, body, port: { ...toRequestPort(request), body }, name }
}

/** An answer that no cache may keep. */
export function toJson(status: number, body: unknown, cookies: readonly string[] = []): Response {
  const headers = new Headers({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  for (const line of cookies) headers.append('Set-Cookie', line)
  return new Response(JSON.stringify(body), { status, headers })
}

/** An answer without a body; with `cookies` it takes the tokens away. */
export function toEmpty(cookies: readonly string[] = []): Response {
  const headers = new Headers({ 'Cache-Control': 'no-store' })
  for (const line of cookies) headers.append('Set-Cookie', line)
  return new Response(null, { status: 204, headers })
}

/** Answers what is no route of ours, or nothing of the user's, in the form of the other answers. */
export function toNotFound(): Response {
  return toJson(404, { message: 'Not found', error_type: 'NotFoundError', code: 'not_found' })
}

/** Answers a method that a route does not have. */
export function toNotAllowed(methods: readonly string[]): Response {
  const body = {
    message: 'Method not allowed',
    error_type: 'MethodNotAllowedError',
    code: 'method_not_allowed',
  }
  const response = toJson(405, body)
  response.headers.set('Allow', methods.join(', '))
  return response
}

/** A token that was presented: verified, and as it came. */
export interface AuthenticatedRequest<C> {
  /** As it came. */
  readonly found: FoundToken
  /** What it says. */
  readonly payload: TokenPayload<C>
}

/** The presented token. Throws what the guard throws. */
export async function authenticateRequest<C>(
  { auth, locations }: RouteDependencies<C>,
  { port }: RouteContext,
  need: Requirement,
): Promise<AuthenticatedRequest<C>> {
  const payload: TokenPayload<C> | null = await auth.authenticate(port, need)
  const found = await auth.findToken(port, need.type, locations)
  if (payload === null || found === null) throw new AuthError('token_missing')
  return { found, payload }
}
