/**
 * The entry points of the pipeline: whole requests, bare tokens, and authenticators that adapters
 * prepare for their routes. Most tokens in the header take a shorter path here, without a promise:
 * only authenticators return values that may be promises.
 */
import { AuthError } from '../errors.ts'
import { type RequestPort, requirePort, toRequestPort } from '../http/request-port.ts'
import type { ExtractedToken, HandshakeLocation, Location } from '../http/token-sources.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError, expected, isCallable, isOptions } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { readUnverified, type UnverifiedPayload } from '../token/jws.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { TokenType } from '../token/token-type.ts'
import type { AuthenticatedRequest } from './authenticate.ts'
import { RequestAuthenticator, type RequestDependencies } from './request-authenticator.ts'
import type { Requirement } from './requirement.ts'

/** The payload type of a requirement: null is possible only where it says `optional: true`. */
export type PayloadFor<R, C> = R extends { readonly optional: true }
  ? TokenPayload<C> | null
  : TokenPayload<C>

/** The result of a guard: the payload and, with a loader, the user. */
export interface AuthContext<P = unknown, U = unknown> {
  /** The payload; null behind an optional guard for a request without a token. */
  readonly auth: P
  /** The user. */
  readonly subject?: U
}

/**
 * Authenticates the requests of one route. Returns or throws at once for most tokens in the
 * header; otherwise it returns a promise.
 */
export type Authenticator<R, C, U = never> = (
  request: RequestPort,
) => Awaitable<AuthContext<PayloadFor<R, C>, U>>

/** What `verifyToken` takes: a requirement, and more than any guard does. */
export interface VerifyOptions extends Requirement {
  /**
   * How long ago the token may have expired, from 1 s to 10 years: for audit and logout, never to
   * let a request pass. Of an expired token only signature, claims, type and realm are checked, not
   * revocation, freshness or scopes; `expiresAt` says when it ended. No method takes its payload,
   * only its `sub` and `sid`. Default none.
   */
  readonly allowExpired?: Duration
}

/** A token that was found in a request. */
export interface FoundToken {
  /** The token as it was sent. It is not verified and may be any text. */
  readonly token: string
  /**
   * Where it came from. The CSRF checks apply to `'cookie'` only. From `'ticket'` it is a ticket,
   * not a token.
   */
  readonly location: Location | HandshakeLocation
  /** Its CSRF value, unverified; null when it has none. */
  readonly csrf: string | null
}

/** Members of `Auth` that authenticate requests and tokens. */
export interface AuthRequests<C> {
  /**
   * Verifies a token against a requirement: everything but location and CSRF.
   *
   * @param requirement default: any valid access token
   * @throws {AuthError} for the first check that fails
   */
  verifyToken(token: string, requirement?: VerifyOptions): Promise<TokenPayload<C>>
  /**
   * Reads a token without verifying anything: for logs and debugging, never for a decision.
   *
   * @throws {AuthError} `token_malformed` for anything but a compact JWS with a JSON object as its
   *   payload
   */
  decodeUnverified(token: string): UnverifiedPayload
  /**
   * Authenticates a request: extract, origin, verify, type, realm, CSRF, revocation, freshness,
   * scopes.
   *
   * @param requirement default: any valid access token
   * @returns the payload; null only with `optional: true` and no token
   * @throws {AuthError} for the first check that fails
   */
  authenticate<const R extends Requirement = Record<never, never>>(
    request: Request | RequestPort,
    requirement?: R,
  ): Promise<PayloadFor<R, C>>
  /**
   * Prepares `authenticate` for one route, when the route is made. For adapters: most
   * tokens in the header cost no promise.
   *
   * @param load loads the user, if the route needs one
   * @throws {ConfigurationError} for an unknown or invalid member
   */
  authenticator<const R extends Requirement, U = never>(
    requirement: R,
    load?: (payload: PayloadFor<R, C>) => Promise<U>,
  ): Authenticator<R, C, U>
  /**
   * Checks a requirement when a route is made, so that a mistake shows at start.
   *
   * @returns a frozen copy, which `authenticate` does not prepare again
   * @throws {ConfigurationError} for an unknown or invalid member
   */
  prepare<const R extends Requirement>(requirement: R): R
  /**
   * Finds the token of a request without verifying it.
   *
   * @param type which token to look for. Default `'access'`
   * @param locations where to look. Default: the configured locations
   * @returns the token, its location, and its unverified CSRF value; null without a token
   * @throws {AuthError} `request_invalid` when there are several
   */
  findToken(
    request: Request | RequestPort,
    type?: TokenType | 'any',
    locations?: readonly (Location | HandshakeLocation)[],
  ): Promise<FoundToken | null>
}

/** The members for routes and adapters, which also return the extracted token. */
export interface RequestInternals<C> {
  /**
   * Authenticates a request. Resolves to the token and its place beside the payload; to null only
   * with `optional: true` and no token.
   */
  authenticate(request: RequestPort, requirement: Requirement): Promise<AuthenticatedRequest<C> | null>
  /** Extracts the token of a request and reads nothing of it. @param requirement from `prepare` */
  extract(request: RequestPort, requirement: Requirement): Promise<ExtractedToken | null>
}

/** Creates the entry points of one application. */
export function createRequestApi<C>(deps: RequestDependencies<C>): {
  readonly api: AuthRequests<C>
  readonly internals: RequestInternals<C>
} {
  const { prepare } = deps
  const requests = new RequestAuthenticator(deps)
  const verify = prepareVerify(deps, requests)

  const api: AuthRequests<C> = {
    // It awaits nothing: some runtimes run a function that may be suspended more slowly.
    async verifyToken(token, requirement) {
      return verify(token, requirement)
    },
    decodeUnverified(token) {
      const read = readUnverified(token)
      if (read === undefined) throw new AuthError('token_malformed')
      return read
    },
    async authenticate<const R extends Requirement>(request: Request | RequestPort, requirement?: R) {
      const port = toRequestPort(request)
      const prepared = prepare(requirement)
      const atOnce = requests.authenticateAtOnce(port, prepared)
      const payload = atOnce ?? (await requests.authenticate(port, prepared))?.payload ?? null
      return payload as PayloadFor<R, C>
    },
    authenticator<const R extends Requirement, U = never>(
      requirement: R,
      load?: (payload: PayloadFor<R, C>) => Promise<U>,
    ): Authenticator<R, C, U> {
      const prepared = prepare(requirement)
      if (load !== undefined && !isCallable(load))
        throw new ConfigurationError(expected('load', 'a function', load))
      const toContext = (found: AuthenticatedRequest<C> | null): AuthContext<PayloadFor<R, C>, U> => ({
        auth: (found?.payload ?? null) as PayloadFor<R, C>,
      })
      if (load !== undefined)
        return async (request) => {
          requirePort(request)
          const { auth } = toContext(await requests.authenticate(request, prepared))
          try {
            return { auth, subject: await load(auth) }
          } catch (error) {
            return requests.report(error, request)
          }
        }
      return (request) => {
        requirePort(request)
        const payload = requests.authenticateAtOnce(request, prepared)
        if (payload !== undefined) return { auth: payload as PayloadFor<R, C> }
        return requests.authenticate(request, prepared).then(toContext)
      }
    },
    prepare<const R extends Requirement>(requirement: R): R {
      // The original is checked before it is copied; the copy cannot change, so it is prepared
      // once.
      prepare(requirement)
      const copy: R = Object.freeze({ ...requirement })
      prepare(copy)
      return copy
    },
    async findToken(request, type = 'access', locations) {
      const prepared = prepare({ type, ...(locations !== undefined && { locations }) })
      const extracted = await prepared.extract(toRequestPort(request))
      if (extracted === null) return null
      const token = extracted.text.slice(extracted.start)
      const csrf = readUnverified(token)?.payload['csrf']
      return { token, location: extracted.location, csrf: typeof csrf === 'string' ? csrf : null }
    },
  }
  return {
    api,
    internals: {
      authenticate: (request, requirement) => requests.authenticate(request, prepare(requirement)),
      extract: async (request, requirement) => prepare(requirement).extract(request),
    },
  }
}

/** Prepares `verifyToken`; throws where that rejects. */
function prepareVerify<C>(
  { pipeline, prepare }: RequestDependencies<C>,
  requests: RequestAuthenticator<C>,
): (token: string, requirement: VerifyOptions | undefined) => Awaitable<TokenPayload<C>> {
  return (token, requirement) => {
    const { allowance, rest } = requirement === undefined ? NO_OPTIONS : splitAllowance(requirement)
    const prepared = prepare(rest)
    if (allowance !== undefined) return pipeline.verifyExpired(token, prepared, allowance)
    return requests.verifyAtOnce(token, 0, prepared) ?? requests.verifyToken(token, prepared)
  }
}

/** The longest `allowExpired`. */
const ALLOWANCE_BOUNDS = { min: 1, max: 3653 * 86_400 } as const

/** The options of `verifyToken`, taken apart. */
interface SplitOptions {
  /** How long ago a token may have expired, in seconds; undefined for not at all. */
  readonly allowance?: number
  readonly rest: Requirement | undefined
}

const NO_OPTIONS: SplitOptions = { rest: undefined }

/** Splits off how long ago a token may have expired: no route's requirement has it. */
function splitAllowance(options: VerifyOptions): SplitOptions {
  if (!isOptions(options as unknown) || !Object.hasOwn(options as object, 'allowExpired'))
    return { rest: options }
  const { allowExpired, ...rest } = options as VerifyOptions
  return { allowance: toSeconds('allowExpired', allowExpired as Duration, ALLOWANCE_BOUNDS), rest }
}
