/**
 * The public interface `Auth`, in groups: requests, issuing, sessions, following tokens after a
 * request, and what adapters need. `create-auth.ts` makes it.
 */
import type { AuthError } from '../errors.ts'
import type { CookieListItem } from '../http/cookie-list.ts'
import type { ResponseData } from '../http/error-response.ts'
import type { ProtectedResource } from '../http/protected-resource.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { HttpSettings } from '../http/resolve-http-options.ts'
import type { Observer } from '../internal/diagnostics.ts'
import type { IssuerState } from '../issuers/options.ts'
import type { AttemptCounter } from '../session/attempt-counter.ts'
import type { FeedState } from '../session/revocation-feed.ts'
import type { RevocationPublisher } from '../session/revocation-publisher.ts'
import type { SessionDetails } from '../session/session-details.ts'
import type { IssuedPair, IssuedToken, TokenPair } from '../token/issued-token.ts'
import type { OneTimeTokens } from '../token/one-time-token.ts'
import type { Jwks } from '../token/ring.ts'
import type { Claims, TokenPayload } from '../token/token-payload.ts'
import type { AuthRequests, RequestInternals } from './authenticator.ts'
import type { AuthHealth } from './health.ts'
import type { PairOptions } from './issue-tokens.ts'
import type { AuthOneTime } from './one-time.ts'
import type { OpenApi } from './openapi.ts'
import type { RefusalFacts } from './refusal-reporter.ts'
import type { AuthSessions, SessionIssuing } from './session-api.ts'
import type { IssueArguments, IssueOptions, RefreshIssueOptions } from './token-claims.ts'
import type { AuthWatch } from './watch.ts'

/** The payload's type of an application: `TokenOf<typeof auth>`. */
export type TokenOf<A> = A extends Auth<infer C, infer _, infer _> ? TokenPayload<C> : never

/** The user's type of an application with a `subject` option: `SubjectOf<typeof auth>`. */
export type SubjectOf<A> = A extends Auth<infer _, infer U, infer _> ? U : never

/**
 * Token authentication for one application. Made by `createAuth`; share one instance. `C` is the
 * type of the custom claims, `U` of the user, and `I` of the custom claims before the schema has
 * filled in its defaults.
 */
export interface Auth<C = Claims, U = unknown, I = C>
  extends AuthRequests<C>,
    AuthIssuing<C, I>,
    AuthRevocation<C>,
    AuthWatch<C>,
    AuthResponses<C, U>,
    AuthSettings {
  /** Sessions: start, refresh, step up, list, end. */
  readonly sessions: AuthSessions<C, I>
  /** Tokens that are redeemed once: for mail verification, password resets, magic links. */
  readonly oneTime: AuthOneTime
  /**
   * For the routes and adapters of this package. Not for applications: it may change in any
   * version.
   */
  readonly internals: AuthInternals<C>
}

/** Members of `Auth` that issue tokens. */
export interface AuthIssuing<C, I = C> {
  /**
   * Issues an access token.
   *
   * @param subject the subject; or a verified payload, whose sub, sid, scopes, data, aud, csrf,
   *   auth_time, amr and acr the token inherits
   * @throws {TypeError} for options of the wrong shape, a time in the past, or reserved names in
   *   `data`
   */
  createAccessToken<S extends string | TokenPayload<C>>(
    subject: S,
    ...options: IssueArguments<S, IssueOptions<I>, I>
  ): Promise<string>
  /**
   * Issues a refresh token. It is never fresh.
   *
   * @throws {TypeError} as `createAccessToken`; for `fresh`; and with a session store, where
   *   `sessions.start` takes its place
   */
  createRefreshToken<S extends string | TokenPayload<C>>(
    subject: S,
    ...options: IssueArguments<S, RefreshIssueOptions<I>, I>
  ): Promise<string>
  /**
   * Issues both tokens of one login: one CSRF value, one set of scopes and data, lives of their
   * own. With a session store it starts a session.
   *
   * @throws {TypeError} as `createAccessToken`
   * @see RFC 6749 section 5.1
   */
  createTokenPair<S extends string | TokenPayload<C>>(
    subject: S,
    ...options: IssueArguments<S, PairOptions<I>, I>
  ): Promise<TokenPair>
}

/** Members of `Auth` that revoke, and that show the state of the revocation feed. */
export interface AuthRevocation<C> {
  /**
   * Revokes one token: an access token by its `jti`, a refresh token by its session.
   *
   * @param payload a verified payload
   * @throws {AuthError} `store_unavailable`: then it is not revoked
   * @throws {ConfigurationError} without a session store
   */
  revoke(payload: TokenPayload<C>): Promise<void>
  /**
   * "Log out everywhere": ends every session of a subject, and refuses its tokens without a session
   * that were issued until now.
   *
   * @returns how many sessions were live
   * @throws {AuthError} `store_unavailable`: then try again
   * @throws {ConfigurationError} without a session store
   */
  revokeSubject(subject: string): Promise<number>
  /**
   * Waits for the first keys, where `createKeyRing({ load })` loads them, for those of all
   * `issuers`, and until this process knows what is revoked; until then it asks the store each
   * time.
   *
   * @throws {AuthError} `store_unavailable` where the keys could not be loaded;
   *   `issuer_unavailable`, whose cause names the issuer
   */
  ready(): Promise<void>
  /**
   * What works and what does not, and why: for health checks. It writes one attempt to the store
   * and goes through the steps of a refresh, within 2 seconds; calls at the same time share one
   * check, and its result is kept for a second, so that whoever asks often loads nothing. It does
   * not throw for an outage. What it returns holds no secret and no address of a store.
   */
  health(): Promise<AuthHealth>
  /** How much this process knows of each of `issuers`, for health checks. */
  issuers(): readonly IssuerState[]
  /** How much this process knows of what is revoked; null without a store and without a source. */
  state(): FeedState | null
  /** Stops following the store and all tokens. You close the connection yourself. */
  close(): Promise<void>
}

/** Members of `Auth` that make what a response needs. */
export interface AuthResponses<C, U> {
  /**
   * The `Set-Cookie` lines that set the cookies of a pair; only the types in `cookies.carry`.
   *
   * @throws {TypeError} for texts that are no tokens, and for a cookie longer than the 4096 bytes
   *   that browsers keep
   */
  cookies(pair: Partial<Pick<TokenPair, 'access_token' | 'refresh_token'>>): readonly string[]
  /** The `Set-Cookie` lines that delete the cookies of the tokens. */
  clearCookies(): readonly string[]
  /**
   * The cookies of `cookies(pair)` as name, value and options, for frameworks that set one at a
   * time: `for (const { name, value, options } of list) store.set(name, value, options)`.
   *
   * @throws {TypeError} as `cookies`
   */
  cookieList(pair: Partial<Pick<TokenPair, 'access_token' | 'refresh_token'>>): readonly CookieListItem[]
  /**
   * The cookies of `clearCookies()` as name, empty value and options, to be *set*: the `delete` of
   * most frameworks leaves out `Secure`, without which browsers keep a cookie named `__Host-`.
   */
  clearCookieList(): readonly CookieListItem[]
  /**
   * Loads the user of a payload by the `subject` option.
   *
   * @throws {AuthError} `subject_unknown` when there is no user, `store_unavailable` when the
   *   option throws
   * @throws {ConfigurationError} without a `subject` option
   * @throws {TypeError} for a payload that was not verified here
   */
  loadSubject(payload: TokenPayload<C>): Promise<U>
  /** Whether there is a `subject` option to load users by. */
  readonly loadsSubject: boolean
  /**
   * The response to an error, with its challenge, in the form of all others: for error handlers,
   * and for handlers that throw an `AuthError` of their own.
   */
  errorResponse(error: AuthError): ResponseData
  /**
   * The public keys that have not retired, for `/.well-known/jwks.json` (RFC 7517 section 5). HMAC
   * secrets are never among them.
   *
   * @throws {AuthError} `store_unavailable` where no keys could be loaded yet
   */
  jwks(): Jwks
  /**
   * Describes the guards for OpenAPI 3.1: `components`, and `route(requirement)` for what a route
   * requires and how it responds.
   */
  openapi(): OpenApi
}

/** Members of `Auth` that show settings. */
export interface AuthSettings {
  /** Locations, cookies and CSRF protection, for adapters and routes. They hold no key. */
  readonly http: HttpSettings
  /**
   * The protected resource metadata (RFC 9728), for routes of your own that serve it at its `path`;
   * null without the option `resource`.
   */
  readonly resource: ProtectedResource | null
  /** The configured lives, in seconds, for responses and pages. */
  readonly lifetimes: {
    /** Of an access token. */
    readonly access: number
    /** Of a refresh token. */
    readonly refresh: number
    /** Of freshness. */
    readonly freshness: number
  }
  /** The time in epoch seconds, by the configured clock. */
  now(): number
}

/** The members for the routes and adapters of this package. */
export interface AuthInternals<C> {
  /** Waits for the first keys. @throws {AuthError} `store_unavailable` */
  loadKeys(): Promise<void>
  /** For how long the published keys stay as they are, in seconds; Infinity for no end. */
  keysLast(): number
  /** The `kid` of the key that signs, null for none, and of every key that verifies now. */
  keyIds(): { readonly signing: string | null; readonly verifying: readonly string[] }
  /** Shows an observer all operations and events, until the function is called that it returns. */
  observe(observer: Observer): () => void
  /** Whether this application verified a payload, and not another one. */
  hasVerified(payload: unknown): boolean
  /** Whether a token was issued by this application: of any type, expired or not. */
  isOurs(token: string): boolean
  /** The audience of a token; of a refresh token, that of its access tokens. */
  audienceOf(payload: TokenPayload<C>): string | readonly string[] | undefined
  /** The configured issuer. */
  readonly issuer: string | undefined
  /** Requests, with the token that was found. */
  readonly requests: RequestInternals<C>
  /** Whether sessions are kept in a store of this application. */
  readonly hasSessions: boolean
  /** Passes the log of revocations on to services without the store; null without a store. */
  readonly revocations: RevocationPublisher | null
  /** Sessions, with the claims of the tokens that they issue. */
  readonly sessions: SessionIssuing<C>
  /**
   * Counts attempts in the session store; null without a store, and for one that cannot take any
   * back.
   */
  readonly attempts: AttemptCounter | null
  /** Issues and verifies one-time tokens. */
  readonly oneTimeTokens: OneTimeTokens
  /** Notifies the listeners of a refused request, unless a guard has done so. */
  reportRefusal(error: AuthError, request: RequestPort, facts?: RefusalFacts): void
  /** Tells the listeners of a request that failed because of a defect, unless a guard has. */
  reportFailure(error: unknown, request: RequestPort): void
  /** As `createAccessToken`. */
  issueAccess(subject: string | TokenPayload<C>, options?: IssueOptions<unknown>): Promise<IssuedToken>
  /** As `createTokenPair` without a session store. */
  issuePair(subject: string | TokenPayload<C>, options?: PairOptions<unknown>): Promise<IssuedPair>
  /** Checks the claims of a login as issuing does, and issues nothing. @throws {TypeError} */
  checkClaims(subject: string, options: PairOptions<unknown>): Promise<void>
  /** Checks the details of a login as a start does. @throws {TypeError} */
  checkDetails(details: SessionDetails): void
  /** Checks how a user authenticated as issuing does. @throws {TypeError} */
  checkMethods(proof: { readonly amr?: unknown; readonly acr?: unknown }): void
  /** The `Set-Cookie` lines of tokens that were just issued. */
  toCookies(issued: Pick<IssuedPair, 'access'> & Partial<Pick<IssuedPair, 'refresh'>>): readonly string[]
}
