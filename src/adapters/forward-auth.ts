/**
 * Entry point `tokenwright/forward-auth`: authenticates requests for a proxy, by `auth_request` of
 * nginx, ForwardAuth of Traefik and `forward_auth` of Caddy. The proxy asks before it passes a
 * request on, and gets 200 with the user in headers, or the refusal. It decides about the client's
 * request, whose method, origin and target the proxy says, and not about the one that asks.
 */
import type { Auth } from '../auth/auth.ts'
import type { AuthContext } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { toRequestInfo } from '../http/client-address.ts'
import type { RequestPort } from '../http/request-port.ts'
import { requireRequest } from '../http/require-request.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  checkMethod,
  expected,
  isOptions,
} from '../internal/configuration-error.ts'
import { keysOf, readFlag } from '../internal/read-options.ts'
import { createWarnOnce } from '../internal/warn.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { toIdentity } from './forward-auth/identity.ts'
import { toOriginalRequest, UNKNOWN_METHOD } from './forward-auth/original-request.ts'
import { type ForwardProxy, readProxy, readTrusted, type TrustProxy } from './forward-auth/proxies.ts'
import { createFindRequirement, resolveForwardRequirements } from './forward-auth/requirements.ts'
import { toAllowed, toForbidden, toRefusal } from './forward-auth/responses.ts'

export type { ForwardProxy, TrustProxy } from './forward-auth/proxies.ts'

/** The options of `forwardAuth`. */
export interface ForwardAuthOptions {
  /**
   * The proxy that asks. `'nginx'`, `'traefik'` and `'caddy'` say the client's request in
   * `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`; `'ingress-nginx'`, which writes its own
   * configuration, in `X-Original-Method` and `X-Original-URL`. For both kinds of nginx, which pass
   * on 401 and 403 alone, any other refusal is a 403.
   */
  readonly proxy: ForwardProxy
  /**
   * The addresses from which the proxy asks, such as `['127.0.0.1', '10.0.0.0/8']`, or a function
   * that returns true for a request of the proxy, for a Unix socket or a secret header. Any other
   * request is refused: its headers may be the client's own.
   */
  readonly trusted: readonly string[] | TrustProxy
  /** What a request at `basePath` itself requires. Default: any valid access token. */
  readonly requirement?: Requirement
  /**
   * What a request at `{basePath}/{name}` requires, by name: `{ admin: { scopes: ['admin'] } }`.
   * The proxy chooses the name for each part of the application. Default none.
   */
  readonly requirements?: Readonly<Record<string, Requirement>>
  /** The path at which the proxy asks, without a trailing slash. Default `/verify`. */
  readonly basePath?: string
  /**
   * Whether preflight requests of browsers pass without a token, which they never have: for an
   * application behind the proxy that responds to them. Default `false`.
   */
  readonly preflights?: boolean
}

/**
 * Responds to the requests of a proxy.
 *
 * @param info what the platform gives beside the request, for the address of the connection, as
 *   the handler of `authRoutes` takes it
 */
export type ForwardAuthHandler = (request: Request, info?: unknown) => Promise<Response>

const OPTION_NAMES = keysOf<ForwardAuthOptions>({
  proxy: true,
  trusted: true,
  requirement: true,
  requirements: true,
  basePath: true,
  preflights: true,
})

/** The default of `basePath`. */
const BASE_PATH = '/verify'

/**
 * Creates the handler that a proxy asks whether a request may pass. It takes any method.
 *
 * 200 has `X-Auth-Subject` and `X-Auth-Scopes`, percent-encoded; neither for an optional token that
 * is missing. Behind nginx a refusal has `X-Auth-Status` and, as `X-Auth-Error`, the body of the
 * response that other proxies get. It does not renew tokens, and it sees no body: tokens and CSRF
 * fields in one are not found.
 *
 * @returns a fetch handler, for `toNodeHandler` and others that tell the address of the connection.
 *   Only the proxy should reach it
 * @throws {ConfigurationError} for an unknown or invalid option, and for a requirement that a proxy
 *   cannot satisfy
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { createAuth } from 'tokenwright'
 * import { forwardAuth } from 'tokenwright/forward-auth'
 * import { toNodeHandler } from 'tokenwright/node'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const verify = forwardAuth(auth, {
 *   proxy: 'nginx',
 *   trusted: ['127.0.0.1'],
 *   requirements: { admin: { scopes: ['admin'] } },
 * })
 * createServer(toNodeHandler(verify))
 * ```
 */
export function forwardAuth<C, U, I>(auth: Auth<C, U, I>, options: ForwardAuthOptions): ForwardAuthHandler {
  const call = "forwardAuth(auth, { proxy: 'nginx', trusted: ['127.0.0.1'] })"
  checkMethod('auth', `what \`createAuth\` returns, as in \`${call}\``, auth, 'authenticator')
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('options', `an object, as in \`${call}\``, options))
  checkKnownKeys('forwardAuth', options, OPTION_NAMES)
  const { basePath = BASE_PATH, preflights = false } = options
  const row = readProxy(options.proxy)
  const trusts = readTrusted(options.trusted)
  const passesPreflights = readFlag('preflights', preflights)
  const requirements = resolveForwardRequirements(options.requirement, options.requirements)
  const find = createFindRequirement<(request: RequestPort) => Awaitable<AuthContext>>(
    basePath,
    new Map([...requirements].map(([name, requirement]) => [name, auth.authenticator(requirement)])),
  )
  const { problems, sources } = auth.http
  const takesCookies = sources.locations.has('cookie')
  const warn = createWarnOnce()

  async function handle(request: Request, info: unknown): Promise<Response> {
    if (!trusts(request, toRequestInfo(request, info))) {
      warn('TOKENWRIGHT_FORWARD_AUTH_TRUSTED', UNTRUSTED)
      return toForbidden('proxy_untrusted', row, problems)
    }
    const authenticate = find(request.url)
    if (authenticate === undefined) {
      warn('TOKENWRIGHT_FORWARD_AUTH_PATH', `${UNKNOWN_PATH} '${basePath}'.`)
      return toForbidden('requirement_unknown', row, problems)
    }
    const original = toOriginalRequest(request, row)
    if (original.method === UNKNOWN_METHOD && takesCookies)
      warn('TOKENWRIGHT_FORWARD_AUTH_METHOD', `${NO_METHOD} \`${row.method}\`.`)
    if (passesPreflights && isPreflight(original)) return toAllowed({})
    try {
      const payload = (await authenticate(original)).auth as TokenPayload<C> | null
      const identity = payload === null ? {} : toIdentity(payload)
      return identity === null ? toForbidden('identity_too_long', row, problems) : toAllowed(identity)
    } catch (error) {
      if (isAuthError(error)) return toRefusal(auth.errorResponse(error), row)
      throw error
    }
  }

  return async (request, info) => {
    requireRequest(request)
    const response = await handle(request, info)
    if (announcesBody(request)) response.headers.set('Connection', 'close')
    return response
  }
}

/** Whether a browser asks if it may send a request (Fetch standard, "CORS-preflight request"). */
function isPreflight({ method, header }: RequestPort): boolean {
  return method === 'OPTIONS' && ['origin', 'access-control-request-method'].every((name) => header(name))
}

/**
 * Whether a request says that it has a body. nginx sends none and keeps the client's
 * `Content-Length` unless it is told not to: the server would then wait for that body, and take the
 * next request of the connection for it (RFC 9112 section 6.3).
 */
function announcesBody({ headers }: Request): boolean {
  return headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0'
}

const UNTRUSTED =
  '`forwardAuth` refused a request from an address that is not among `trusted`. If it was the proxy, add its address; if not, let no one else reach this port.'

const UNKNOWN_PATH =
  '`forwardAuth` refused a request of the proxy: its path names no requirement, or has a query. Known are the names of `requirements` below'

const NO_METHOD =
  'A proxy asked `forwardAuth` without the method of the client, so every request by cookie needs a CSRF token. Let the proxy set'
