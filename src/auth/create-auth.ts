/**
 * `createAuth(options)` -> `Auth`: the wiring. It connects the rooms and decides nothing: what a token must be is in `token/`,
 * where it travels in `http/`, and the way through a protected route in `guard.ts`.
 */

import { AuthError } from '../errors.ts'
import { type CookieToken, clearCookies, setCookies } from '../http/cookies.ts'
import { createErrorResponse, type ResponseData } from '../http/error-response.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'
import type { FeedState } from '../session/revocation-feed.ts'
import { readUnverified } from '../token/jws.ts'
import type { Jwks } from '../token/key-ring.ts'
import { Tickets } from '../token/ticket.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import { Verifier, type VerifySettings } from '../token/verify.ts'
import { createGuard, type Guard } from './authenticate.ts'
import { type AuthRequests, createRequestApi } from './authenticator.ts'
import { TokenFollower } from './follow.ts'
import { createTokenIssuer, type PairOptions, type TokenIssuer, type TokenPair } from './issue-tokens.ts'
import { createOpenApi, type OpenApi } from './openapi.ts'
import type { AuthOptions } from './options.ts'
import { resolveOptions, type Settings } from './resolve-options.ts'
import { type AuthSessions, createSessionService, type SessionService } from './session-api.ts'
import type { IssueOptions, RefreshIssueOptions } from './token-claims.ts'
import { type AuthWatch, createWatchApi } from './watch.ts'

/** The payload's type of an application: `TokenOf<typeof auth>`. */
export type TokenOf<A> = A extends Auth<infer C, infer _> ? TokenPayload<C> : never

/** The user's type of an application with a `subject` option: `SubjectOf<typeof auth>`. */
export type SubjectOf<A> = A extends Auth<infer _, infer U> ? U : never

/** Token authentication for one application. Made by `createAuth`; share one instance. */
export interface Auth<C = Claims, U = unknown> extends AuthRequests<C>, AuthWatch<C> {
  /**
   * Issues an access token.
   *
   * @param subject for whom; or a verified payload, whose sub, sid, scopes, data, aud, csrf, auth_time, amr and acr are carried over
   * @throws {TypeError} for options of the wrong shape, a time that is past, reserved names in `data`
   */
  createAccessToken(subject: string | TokenPayload<C>, options?: IssueOptions<C>): Promise<string>
  /**
   * Issues a refresh token. It is never fresh.
   *
   * @throws {TypeError} as `createAccessToken`, and for `fresh`
   */
  createRefreshToken(subject: string | TokenPayload<C>, options?: RefreshIssueOptions<C>): Promise<string>
  /**
   * Issues both tokens for one login: one CSRF value, one set of scopes and data, lives of their own.
   *
   * @throws {TypeError} as `createAccessToken`
   * @see RFC 6749 section 5.1
   */
  createTokenPair(subject: string | TokenPayload<C>, options?: PairOptions<C>): Promise<TokenPair>
  /** Sessions: start, refresh, step up, list, end. */
  readonly sessions: AuthSessions<C>
  /**
   * Revokes one token: an access token by its `jti`, a refresh token by its session.
   *
   * @param payload a verified payload
   * @throws {AuthError} `store_unavailable`: then it is not revoked
   * @throws {ConfigurationError} without a session store
   */
  revoke(payload: TokenPayload<C>): Promise<void>
  /**
   * "Log out everywhere": ends every session of a subject, and refuses its tokens without a session that were issued until now.
   *
   * @returns how many sessions were live
   * @throws {AuthError} `store_unavailable`: then try again
   * @throws {ConfigurationError} without a session store
   */
  revokeSubject(subject: string): Promise<number>
  /** Waits until this process knows what is revoked; until then it asks the store each time. At once without a store. */
  ready(): Promise<void>
  /** How much this process knows of what is revoked, for health checks; null without a store. */
  state(): FeedState | null
  /** Stops following the store and ends all that is followed. The connection stays the user's own. */
  close(): Promise<void>
  /**
   * The `Set-Cookie` lines that hand a pair to a browser; only the types in `cookies.carry`.
   *
   * @throws {TypeError} when a cookie would be longer than the 4096 bytes that browsers keep
   */
  cookies(pair: Partial<Pick<TokenPair, 'access_token' | 'refresh_token'>>): readonly string[]
  /** The `Set-Cookie` lines that take the tokens away again. */
  clearCookies(): readonly string[]
  /**
   * Loads the user of a payload by the `subject` option.
   *
   * @throws {AuthError} `subject_unknown` when there is none, `store_unavailable` when the option throws
   * @throws {ConfigurationError} without a `subject` option
   */
  loadSubject(payload: TokenPayload<C>): Promise<U>
  /** Whether there is a `subject` option to load users by. */
  readonly loadsSubject: boolean
  /**
   * Words the answer to an error in the form of all other answers, with its challenge: for error handlers, and for handlers that
   * throw an `AuthError` of their own.
   */
  errorResponse(error: AuthError): ResponseData
  /** The public keys, for `/.well-known/jwks.json` (RFC 7517 section 5). HMAC secrets are never among them. */
  jwks(): Jwks
  /** Describes the guards for OpenAPI 3.1: `components`, and `route(requirement)` for what a route asks and answers. */
  openapi(): OpenApi
  /** The settings of the HTTP floor, for adapters and routes. They hold no key. */
  readonly http: HttpSettings
  /** The lives that are configured, in seconds, for answers and pages. */
  readonly lifetimes: {
    /** Of an access token. */
    readonly access: number
    /** Of a refresh token. */
    readonly refresh: number
    /** Of freshness. */
    readonly freshness: number
  }
  /** The present moment in epoch seconds, by the configured clock. */
  now(): number
}

/** Reads what a cookie wants to know of one of our own tokens. */
function toCookieToken(token: string): CookieToken {
  const { exp, csrf } = readUnverified(token)?.payload ?? {}
  if (typeof exp !== 'number')
    throw new TypeError('Expected `cookies(pair)` to get tokens that this application issued')
  return { token, exp, csrf: typeof csrf === 'string' ? csrf : undefined }
}

/** Loads a user, and tells "there is none" from "the loader failed". */
async function loadSubject<C, U>(
  payload: TokenPayload<C>,
  load: (payload: TokenPayload<C>) => unknown,
): Promise<U> {
  let subject: unknown
  try {
    subject = await load(payload)
  } catch (cause) {
    throw new AuthError('store_unavailable', { cause })
  }
  if (subject === null || subject === undefined) throw new AuthError('subject_unknown')
  return subject as U
}

/** What verifying works from. */
function toVerifySettings<C, U>(
  { limits, ring, cache, schema, ...settings }: Settings<C, U>,
  hasRows: boolean,
): VerifySettings<C> {
  const { issuer, audience, interop, leeway, clock } = settings
  const rules = { issuer, audience: audience.accepted, interop, maxLifetime: limits.lifetime, leeway, clock }
  return { ring, rules, limits, cache, schema, hasRows }
}

/** The parts of an application that its guard connects. */
interface Wiring<C> {
  readonly issuer: TokenIssuer<C>
  readonly sessionService: SessionService<C>
  readonly verifying: VerifySettings<C>
  /** Null without a session store. */
  readonly tickets: Tickets<C> | null
}

/** Wires the way through a protected route. */
function createApplicationGuard<C, U>(settings: Settings<C, U>, wiring: Wiring<C>): Guard<C> {
  const { http, clock, leeway, realm, freshness } = settings
  const { issuer, sessionService, tickets } = wiring
  return createGuard({
    verifier: new Verifier(wiring.verifying),
    redeem:
      tickets &&
      (async (ticket) => {
        const { jti, payload } = await tickets.verify(ticket)
        await sessionService.spend(jti)
        return payload
      }),
    leeway,
    http,
    defaults: {
      freshness,
      realm,
      revocable: sessionService.revocable,
      issues: settings.ring.signer !== null,
    },
    clock,
    checkRevocation: sessionService.checkRevocation,
    isRevoked: settings.isRevoked,
    async renew(payload, until) {
      const token = issuer.renew(payload, until, await sessionService.renewal(payload))
      return setCookies({ access: toCookieToken(token) }, http.cookies, Math.floor(clock()))
    },
    on: settings.on,
  })
}

/**
 * Makes token authentication for one application: checks and freezes the options, imports the keys, prepares everything.
 * It draws no randomness, starts no timer and reads no clock, so it may be called at module scope of any runtime.
 *
 * @throws {ConfigurationError} for the first option that is missing, unknown, of the wrong shape or unsafe
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const { access_token } = await auth.createTokenPair('user-1', { fresh: true })
 * const payload = await auth.verifyToken(access_token, { fresh: true })
 * console.log(payload.sub, payload.timeUntilExpiry)
 * ```
 */
export function createAuth<I = Claims, C extends I = I, U = unknown>(
  options: AuthOptions<I, C, U> = {},
): Auth<C, U> {
  const settings = resolveOptions(options)
  const { http, clock, lifetimes, freshness } = settings
  const issuer = createTokenIssuer(settings)
  const sessionService = createSessionService(settings, issuer)
  const verifying = toVerifySettings(settings, sessionService.revocable)
  const tickets = sessionService.revocable ? new Tickets(verifying) : null
  const guard = createApplicationGuard(settings, { issuer, sessionService, verifying, tickets })
  const following = new TokenFollower<C>({
    clock,
    checkRevocation: guard.checkRevocation,
    listen: sessionService.listen,
    mustAsk: (payload) => settings.isRevoked !== null || sessionService.isLongLived(payload),
    patience: sessionService.patience,
  })

  return Object.freeze({
    createAccessToken: issuer.createAccessToken,
    async createRefreshToken(subject, options) {
      if (!sessionService.revocable) return issuer.createRefreshToken(subject, options)
      throw new TypeError(
        'Expected `sessions.start` in place of `createRefreshToken`: no session would know the token',
      )
    },
    createTokenPair: sessionService.revocable ? sessionService.sessions.start : issuer.createTokenPair,
    sessions: sessionService.sessions,
    revoke: sessionService.revoke,
    revokeSubject: sessionService.revokeSubject,
    ready: sessionService.ready,
    state: sessionService.state,
    async close() {
      following.close()
      sessionService.close()
    },
    ...createRequestApi(guard),
    ...createWatchApi(guard, following, tickets),
    cookies({ access_token, refresh_token }) {
      const access = access_token === undefined ? {} : { access: toCookieToken(access_token) }
      const refresh = refresh_token === undefined ? {} : { refresh: toCookieToken(refresh_token) }
      return setCookies({ ...access, ...refresh }, http.cookies, Math.floor(clock()))
    },
    clearCookies: () => clearCookies(http.cookies),
    async loadSubject(payload) {
      if (settings.subject === null)
        throw new ConfigurationError('Expected the option `subject`: nothing else loads a user')
      return loadSubject<C, U>(payload, settings.subject)
    },
    loadsSubject: settings.subject !== null,
    errorResponse: (error) => createErrorResponse(error, http.realm),
    jwks: () => settings.ring.jwks,
    openapi: () => createOpenApi(settings, guard.prepare, sessionService.revocable),
    http,
    lifetimes: Object.freeze({ ...lifetimes, freshness }),
    now: clock,
  } satisfies Auth<C, U>)
}
