/**
 * What every route builds on: the options of the application, one request, and the responses that
 * several routes give. It knows no single route.
 */
import type { Auth } from '../auth/auth.ts'
import type { AuthenticatedRequest } from '../auth/authenticate.ts'
import type { Requirement } from '../auth/requirement.ts'
import { AuthError, isAuthError, type OtherErrorCode } from '../errors.ts'
import { BODY_LIMIT, readBody } from '../http/body.ts'
import { toSignal } from '../http/client-address.ts'
import { createOtherResponse } from '../http/error-response.ts'
import type { ProblemSettings } from '../http/problem-details.ts'
import { deleteRepeated } from '../http/repeated-cookies.ts'
import { type RequestInfo, type RequestPort, toRequestPort } from '../http/request-port.ts'
import type { Delivery } from '../http/token-response.ts'
import type { StandardSchema } from '../internal/schema.ts'
import type { FindClientAddress } from './client-address.ts'
import type { MayRevoke, VerifyClient } from './clients.ts'
import type { Continuations } from './continuations.ts'
import type { VerifyCredentials, VerifyStepUp } from './credentials.ts'
import type { ProofCheck } from './proof-check.ts'
import type { SetupWarnings } from './setup-warnings.ts'
import type { Usernames } from './usernames.ts'

/** What the routes of one application build on. */
export interface RouteDependencies<C> {
  /** The application. */
  readonly auth: Auth<C, unknown, unknown>
  /** Whether there are sessions. */
  readonly hasSessions: boolean
  /** Checks proofs within the limits. */
  readonly checkProof: ProofCheck
  /** What connects the steps of a login that takes several proofs. */
  readonly continuations: Continuations
  /** The application's check of a login. */
  readonly verifyCredentials: VerifyCredentials<unknown, unknown>
  /** The application's check of a step-up; null where it is that of a login. */
  readonly verifyStepUp: VerifyStepUp<C> | null
  /** The application's schema for the credentials of a login. */
  readonly credentials: StandardSchema<unknown, unknown> | undefined
  /** The account that a username names in reports: a hash. */
  readonly accountOf: (username: string) => string
  /** Warns of a setup that cannot work. */
  readonly warnings: SetupWarnings
  /** The usernames behind tokens. */
  readonly usernames: Usernames<C>
  /** The client's address. */
  readonly address: FindClientAddress
  /** Checks the clients that may introspect and revoke; null for none. */
  readonly verifyClient: VerifyClient | null
  /** Whether a client may revoke a token. */
  readonly mayRevoke: MayRevoke<C>
  /** Whether tokens may come by cookie. */
  readonly usesCookies: boolean
  /** How the tokens of a login travel that does not say. */
  readonly delivery: Delivery
  /** What the routes require of a token, prepared. */
  readonly requirements: RouteRequirements
}

/**
 * What routes require of a token. Unless it says otherwise, the token comes by any location of the
 * routes.
 */
export interface RouteRequirements {
  /** A valid access token. */
  readonly access: Requirement
  /** A fresh access token. */
  readonly fresh: Requirement
  /** A valid refresh token, whose session the route checks. */
  readonly refresh: Requirement
  /** A refresh token that is not in the header. */
  readonly refreshElsewhere: Requirement
  /** A refresh token in a cookie. */
  readonly refreshCookie: Requirement
  /** A valid access token of which the store knows nothing against, as text. */
  readonly live: Requirement
  /** A token of this application that has not expired, revoked or not, as text. */
  readonly any: Requirement
  /** The tokens that may name the session of a request, in order. None is required. */
  readonly current: readonly Requirement[]
  /** The tokens that may name the session of a logout, in order. */
  readonly logout: readonly Requirement[]
  /** The cookies that may name the earlier session of a browser that logs in, in order. */
  readonly earlier: readonly Requirement[]
}

/** One request to a route. */
export interface RouteContext {
  /** The request as it came; its body is read by `body`. */
  readonly request: Request
  /** The client's address; undefined where it is unknown. Looked up once. */
  readonly address: () => Promise<string | undefined>
  /** The request for `http/`. */
  readonly port: RequestPort
  /** The parsed body; read once. */
  readonly body: () => Promise<Record<string, unknown> | undefined>
  /** Is aborted when the client is gone, where the platform tells. */
  readonly signal: () => AbortSignal
  /** What a refusal of this request is reported with; routes fill it in. */
  readonly facts: { account?: string; sub?: string }
  /** Lines that delete cookies whose name came twice, for the response. */
  deletions: readonly string[]
  /** What the last segment of the path names, such as a session; empty where it names nothing. */
  readonly name: string
}

/** A route: responds to a request. */
export type Route = <C>(deps: RouteDependencies<C>, context: RouteContext) => Response | Promise<Response>

/** The routes of one path, by method. */
export type Methods = Readonly<Record<string, Route>>

/** Creates the context of one request. @param info what the platform knows of it */
export function createRouteContext(
  request: Request,
  name: string,
  findAddress: () => Promise<string | undefined>,
  info: RequestInfo | undefined,
): RouteContext {
  let found: Promise<string | undefined> | undefined
  const address = async (): Promise<string | undefined> => {
    found ??= findAddress()
    return found
  }
  let parsed: ReturnType<typeof readBody> | undefined
  const body = (): ReturnType<typeof readBody> => {
    parsed ??= readBody(request, BODY_LIMIT)
    return parsed
  }
  const port = { ...toRequestPort(request), body, address: info?.address }
  const signal = (): AbortSignal => info?.signal ?? toSignal(request.signal) ?? new AbortController().signal
  return { request, address, body, port, signal, facts: {}, deletions: [], name }
}

/** Authenticates the request. @throws {AuthError} as `auth.authenticate` */
export async function authenticateRequest<C>(
  { auth }: RouteDependencies<C>,
  { port }: RouteContext,
  requirement: Requirement,
): Promise<AuthenticatedRequest<C>> {
  const found = await auth.internals.requests.authenticate(port, requirement)
  if (found === null) throw new AuthError('token_missing')
  return found
}

/**
 * Ends the session that a token of the request names. A bad token names none.
 *
 * @param candidates the tokens that may name one, in order
 * @returns whether one did
 */
export async function endSessionOfRequest<C>(
  { auth }: RouteDependencies<C>,
  context: RouteContext,
  candidates: readonly Requirement[],
): Promise<boolean> {
  const { port } = context
  for (const requirement of candidates) {
    try {
      const extracted = await auth.internals.requests.extract(port, requirement)
      if (extracted === null && requirement.type === 'any') return false
      if (extracted === null) continue
      const { sid } = await auth.verifyToken(extracted.text.slice(extracted.start), requirement)
      if (sid === undefined) continue
      await auth.sessions.end(sid)
      return true
    } catch (error) {
      if (!isAuthError(error) || error.status === 503) throw error
      if (error.code === 'request_invalid') context.deletions = deleteRepeated(port, auth.http.cookies, true)
    }
  }
  return false
}

/**
 * The session of an access token that has expired in the last day: a logout that comes a little
 * late still ends it.
 *
 * @returns undefined for any other token
 */
export async function findExpiredSession<C>(
  { auth, requirements }: RouteDependencies<C>,
  { port }: RouteContext,
): Promise<string | undefined> {
  const [requirement] = requirements.logout
  if (requirement === undefined) return undefined
  try {
    const extracted = await auth.internals.requests.extract(port, requirement)
    if (extracted === null) return undefined
    const text = extracted.text.slice(extracted.start)
    const error: unknown = await auth.verifyToken(text, requirement).catch((reason: unknown) => reason)
    // Times are checked last: whatever has expired has a good signature, and is ours.
    if (!isAuthError(error) || error.code !== 'token_expired') return undefined
    const { sid, type, exp, login_type } = auth.decodeUnverified(text).payload
    const isOurs = type === 'access' && (login_type ?? undefined) === auth.http.realm
    const isRecent = typeof exp === 'number' && exp > auth.now() - 86_400
    return isOurs && isRecent && typeof sid === 'string' ? sid : undefined
  } catch (error) {
    if (!isAuthError(error) || error.status === 503) throw error
    return undefined
  }
}

/** A response with JSON, which no cache may store. */
export function toJsonResponse(status: number, body: unknown, cookies: readonly string[] = []): Response {
  const headers = new Headers({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  for (const line of cookies) headers.append('Set-Cookie', line)
  return new Response(JSON.stringify(body), { status, headers })
}

/** A response without a body, which no cache may store. @param cookies `Set-Cookie` lines */
export function toEmpty(cookies: readonly string[] = []): Response {
  const headers = new Headers({ 'Cache-Control': 'no-store' })
  for (const line of cookies) headers.append('Set-Cookie', line)
  return new Response(null, { status: 204, headers })
}

/** Adds `Set-Cookie` lines to a response of a route. */
export function appendCookies(response: Response, lines: readonly string[]): Response {
  for (const line of lines) response.headers.append('Set-Cookie', line)
  return response
}

/** The response where the application is at fault. */
export function toServerError(problems: ProblemSettings | null): Response {
  return toOtherResponse('configuration_invalid', problems)
}

/** The response where there is no route, or nothing of the user's. */
export function toNotFound(problems: ProblemSettings | null): Response {
  return toOtherResponse('not_found', problems)
}

/** The response where the route lacks the method. */
export function toNotAllowed(methods: readonly string[], problems: ProblemSettings | null): Response {
  const response = toOtherResponse('method_not_allowed', problems)
  response.headers.set('Allow', methods.join(', '))
  return response
}

function toOtherResponse(code: OtherErrorCode, problems: ProblemSettings | null): Response {
  const { status, headers, body } = createOtherResponse(code, problems)
  return new Response(body, { status, headers })
}
