/**
 * Entry point `tokenwright/routes`: login, refresh, step-up, logout, the user's sessions and the
 * key set, as one fetch handler. The application brings one function that knows its users. Without
 * a session store a refresh keeps the refresh token, logout only deletes the cookies, and there are
 * no sessions to list.
 */
import type { Auth } from './auth/auth.ts'
import { isAuthError } from './errors.ts'
import { toRequestInfo } from './http/client-address.ts'
import { checkOrigin, isUnsafe } from './http/csrf.ts'
import { deleteAfterRefusal } from './http/repeated-cookies.ts'
import { readPath } from './http/request-target.ts'
import { requireRequest } from './http/require-request.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  checkMethod,
  expected,
  isCallable,
  isOptions,
} from './internal/configuration-error.ts'
import { readFlag, readFunction } from './internal/read-options.ts'
import { createClientAddress } from './routes/client-address.ts'
import {
  appendCookies,
  createRouteContext,
  type RouteContext,
  type RouteDependencies,
  toNotAllowed,
  toNotFound,
  toServerError,
} from './routes/context.ts'
import { createContinuations } from './routes/continuations.ts'
import { checkCookiePaths } from './routes/cookie-paths.ts'
import { resolveCors } from './routes/cors.ts'
import type { Credentials } from './routes/credentials.ts'
import { createMetadataRoutes } from './routes/metadata.ts'
import { type AuthRoutesOptions, checkCredentialsSchema, ROUTE_OPTION_NAMES } from './routes/options.ts'
import { prepareRequirements } from './routes/prepare-requirements.ts'
import { createProofCheck } from './routes/proof-check.ts'
import { isIssuedTo } from './routes/revoke.ts'
import { createRouteTable, findRoute } from './routes/route-table.ts'
import { createSetupWarnings } from './routes/setup-warnings.ts'
import { toAccountKey } from './routes/throttle/account-key.ts'
import { resolveThrottle } from './routes/throttle/resolve-throttle.ts'
import { type AccountName, type Throttle, UNTHROTTLED } from './routes/throttle/throttle.ts'
import { createUsernames } from './routes/usernames.ts'
import type { DataInput } from './token/custom-claims.ts'

export { readBody } from './http/body.ts'
export type { ClientAddress } from './routes/client-address.ts'
export type { Client, MayRevoke, VerifyClient } from './routes/clients.ts'
export type { CorsOptions } from './routes/cors.ts'
export type {
  Credentials,
  LoginContext,
  ProofWanted,
  ProvedSoFar,
  StepUpContext,
  VerifiedStepUp,
  VerifiedUser,
  VerifyCredentials,
  VerifyStepUp,
} from './routes/credentials.ts'
export type { AuthRoutesOptions } from './routes/options.ts'
export type { CreateLimiter, Limiter, LimiterResult, LimiterSettings } from './routes/throttle/limiter.ts'
export type { AccountName, CountAgainst, ThrottleOptions } from './routes/throttle/throttle.ts'
export type { UsernameOf } from './routes/usernames.ts'

/** The routes as one handler. */
export interface AuthHandler {
  /**
   * Responds to a request.
   *
   * @param info what the platform gives beside it, for the address of the client: `c.env` of Hono
   *   on Node, Bun and Deno; the second argument of a handler of `toNodeHandler`, `Bun.serve` or
   *   `Deno.serve`; or a `RequestInfo`. Anything else says nothing
   */
  (request: Request, info?: unknown): Promise<Response>
  /** The limits of attempts at passwords. */
  readonly throttle: {
    /**
     * Forgets the failures of an account, for administrators and after a password reset. An address
     * that must wait may try again.
     *
     * @param account a username as it is written at the login, or the subject that `countAgainst`
     *   was told
     * @throws {AuthError} `store_unavailable`
     */
    reset(account: AccountName): Promise<void>
  }
}

/** The default of `basePath`. */
const BASE_PATH = '/auth'

/**
 * Creates the routes of one application: `POST {base}/login`, `/refresh`, `/step-up`,
 * `/verify-password`, `/logout`, `GET {base}/session`, with a session store `POST {base}/ticket`,
 * `GET` and `DELETE {base}/sessions` and `DELETE {base}/sessions/:id`, with `verifyClient` the
 * routes for resource servers, `GET /.well-known/jwks.json`, and on request the documents of the
 * resource (RFC 9728) and of the issuer (RFC 8414). Any other path is a 404, any other method a
 * 405, in the form of all errors.
 *
 * It checks the origin of every POST and DELETE, login included. It limits how often passwords are
 * tried, by account and by address.
 *
 * @returns a fetch handler; mount it at the base path and at `/.well-known/jwks.json`
 * @throws {ConfigurationError} for an unknown or invalid option, and for cookies that do not reach
 *   the routes
 * @see RFC 6749 section 5.1, RFC 9700 section 4.14
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { authRoutes } from 'tokenwright/routes'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const handle = authRoutes(auth, {
 *   verifyCredentials: ({ username, password }) =>
 *     username === 'test' && password === 'test' ? { subject: username } : null,
 * })
 * const response = await handle(new Request('http://localhost/auth/login', { method: 'POST' }))
 * ```
 */
export function authRoutes<C, U, I, B = Credentials>(
  auth: Auth<C, U, I>,
  options: AuthRoutesOptions<NoInfer<C>, NoInfer<DataInput<I>>, B>,
): AuthHandler {
  const call = 'authRoutes(auth, { verifyCredentials })'
  checkMethod('auth', `what \`createAuth\` returns, as in \`${call}\``, auth, 'authenticator')
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('options', `an object, as in \`${call}\``, options))
  checkKnownKeys('authRoutes', options, ROUTE_OPTION_NAMES)
  const { basePath = BASE_PATH } = options
  if (typeof basePath !== 'string' || !/^(?:\/[^/?#]+)*$/.test(basePath))
    throw new ConfigurationError(expected('basePath', "a path such as '/auth'", basePath))
  const throttle = resolveThrottle(options.throttle, {
    attempts: auth.internals.attempts,
    hasStore: auth.internals.hasSessions,
    realm: auth.http.realm,
    now: auth.now,
  })
  // What `verifyCredentials` takes is what the schema makes, or the check without one.
  const deps = resolveDependencies(
    auth,
    options as unknown as AuthRoutesOptions<C, unknown, unknown>,
    throttle,
  )
  const facts = { basePath, hasClients: deps.verifyClient !== null, hasSessions: deps.hasSessions }
  const metadata = createMetadataRoutes(auth, readFlag('metadata', options.metadata ?? false), facts)
  const table = createRouteTable(basePath, facts.hasSessions, facts.hasClients, metadata)
  const { csrf, problems } = auth.http
  const checksOrigin = csrf.checksOrigin || csrf.checksToken
  const cors = resolveCors(options.cors, csrf)

  async function respond(request: Request, info: unknown): Promise<Response> {
    const path = readPath(request.url)
    const found = path === null ? null : findRoute(table, path)
    if (found === null) {
      if (path !== null) deps.warnings.noteUnknownPath(path)
      return toNotFound(problems)
    }
    const { methods, name } = found
    const route = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined
    if (route === undefined && cors !== null && request.method === 'OPTIONS')
      return cors.preflight(request, Object.keys(methods))
    if (route === undefined) return toNotAllowed(Object.keys(methods), problems)
    const known = toRequestInfo(request, info)
    const context = createRouteContext(request, name, () => deps.address(request, known), known)
    try {
      if (checksOrigin && isUnsafe(request.method)) checkOrigin(context.port, csrf)
      return appendCookies(await route(deps, context), context.deletions)
    } catch (error) {
      if (!isAuthError(error)) return respondFailed(error, context)
      const address = await context.address().catch(() => undefined)
      auth.internals.reportRefusal(error, context.port, { ...context.facts, address })
      const { status, headers, body } = auth.errorResponse(error)
      const lines = deps.usesCookies ? deleteAfterRefusal(error, context.port, auth.http.cookies) : []
      return appendCookies(new Response(body, { status, headers }), lines)
    }
  }

  /** A mistake in the configuration has a response; the platform handles other defects. */
  function respondFailed(error: unknown, { port }: RouteContext): Response {
    auth.internals.reportFailure(error, port)
    if (Object(error).name === 'ConfigurationError') return toServerError(problems)
    throw error
  }

  function handle(request: Request, info?: unknown): Promise<Response> {
    // At once: Express 4 ignores promises, and its client would wait forever.
    requireRequest(request)
    return respondWithCors(request, info)
  }

  async function respondWithCors(request: Request, info: unknown): Promise<Response> {
    const response = await respond(request, info)
    return cors === null || request.method === 'OPTIONS' ? response : cors.expose(request, response)
  }
  return Object.assign(handle, { throttle: Object.freeze({ reset: throttle.reset }) })
}

/** Checks the options and fills in the defaults. */
function resolveDependencies<C>(
  auth: Auth<C, unknown, unknown>,
  options: AuthRoutesOptions<C, unknown, unknown>,
  throttle: Throttle,
): RouteDependencies<C> {
  const { verifyCredentials, usernameOf, address } = options
  if (!isCallable(verifyCredentials)) {
    throw new ConfigurationError(expected('verifyCredentials', 'a function', verifyCredentials))
  }
  readFunction('usernameOf', usernameOf)
  readFunction('address', address)
  const verifyStepUp = readFunction('verifyStepUp', options.verifyStepUp)
  checkCredentialsSchema(options.credentials)
  const { oneTimeTokens: tokens, attempts, checkMethods } = auth.internals
  const continuations = createContinuations({ tokens, attempts, now: auth.now })
  const verifyClient = readFunction('verifyClient', options.verifyClient)
  const isOwn = isIssuedTo<C>((payload) => auth.internals.audienceOf(payload))
  const mayRevoke = readFunction('mayRevoke', options.mayRevoke) ?? isOwn
  const usesCookies = auth.http.sources.locations.has('cookie')
  const { delivery = usesCookies ? 'cookie' : 'body' } = options
  if (delivery !== 'body' && !(delivery === 'cookie' && usesCookies)) {
    throw new ConfigurationError(
      expected('delivery', "'body', or 'cookie' with 'cookie' among `locations`", delivery),
    )
  }
  const { hasSessions } = auth.internals
  if (usesCookies) checkCookiePaths(options.basePath ?? BASE_PATH, auth.http.cookies, hasSessions)
  const accountOf = (username: string): string => toAccountKey(username, auth.http.realm ?? null).folded
  return {
    auth,
    hasSessions,
    checkProof: createProofCheck({ throttle, continuations, checkMethods }),
    continuations,
    verifyCredentials,
    verifyStepUp,
    credentials: options.credentials,
    accountOf,
    warnings: createSetupWarnings(options.basePath ?? BASE_PATH, auth.http.cookies),
    usernames: createUsernames(usernameOf),
    address: createClientAddress(address, throttle !== UNTHROTTLED),
    verifyClient,
    mayRevoke,
    usesCookies,
    delivery,
    requirements: prepareRequirements(auth, hasSessions),
  }
}
