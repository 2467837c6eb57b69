/**
 * The public types of the client: its options, its state, the user's sessions. Every option has a
 * default.
 */
import type { AuthClientError, Challenge } from './client-error.ts'
import type { Platform, TokenStorage } from './platform.ts'

/** What `onStepUp` is called with. */
export interface StepUpRequest extends Challenge {
  /**
   * Aborted after a step-up, also one in another tab, and after a sign-out. Close the dialog then.
   */
  readonly signal: AbortSignal
}

/**
 * Asks the user to prove who they are, usually by calling `stepUp(proof)`, as often as it takes.
 * All calls that wait for a step-up share one run of it. They go on when it resolves, or as soon as
 * a step-up succeeds. When it resolves to false or rejects, they reject with `step_up_cancelled`.
 */
export type StepUpHandler = (request: StepUpRequest) => unknown

/** Why a user is signed out: `logout`, or the code with which the server refused to refresh. */
export type SignOutReason = 'logout' | (string & {})

/** Where the CSRF value is read and written (double submit). */
export interface ClientCsrfOptions {
  /** The name of the CSRF cookie, with its prefix or without. Default `csrf_token`. */
  readonly cookie?: string
  /** The header that repeats it. Default `X-CSRF-Token`. */
  readonly header?: string
}

/** What `createAuthClient` takes. */
export interface AuthClientOptions {
  /**
   * The server; tokens go to its origin only. Its path is put before the auth routes and before
   * every path that is passed to `fetch`. Relative to the page. Default the page's own origin;
   * outside browsers it must be absolute, else requests are `unreachable`.
   */
  readonly baseUrl?: string
  /** Where `authRoutes` is mounted, below `baseUrl`. Default `/auth`. */
  readonly basePath?: string
  /**
   * How tokens reach the client: in HttpOnly cookies that no script can read, or in bodies, kept in
   * memory. With `'cookie'` the access token may still come in the body: that is the server's
   * choice. Default `'cookie'` in a page, `'body'` elsewhere.
   */
  readonly delivery?: 'cookie' | 'body'
  /**
   * With `delivery: 'body'`: keeps the refresh token here, so that it outlives the page and all
   * tabs share it. Any script of the page can read it. Default: no storage. With cookies it never
   * holds a token, only the end of the access token, the CSRF value and an id of the login. Default
   * `localStorage`; null for none.
   */
  readonly storage?: TokenStorage | null
  /** The names of the CSRF cookie and header. Default: the server's defaults. */
  readonly csrf?: ClientCsrfOptions
  /**
   * Asks the user to prove who they are. Without it, the caller gets the 401
   * `fresh_token_required`.
   */
  readonly onStepUp?: StepUpHandler
  /** Called once, in every tab that was signed in, when the session is over. */
  readonly onSignedOut?: (reason: SignOutReason) => void
  /**
   * The deadline of an auth route, in seconds, at most 600; a refresh is then sent again. Default
   * 10: three tries fit into the server's default overlap.
   */
  readonly timeout?: number
  /** Prints each decision to the console, in one line and never a token. Default false. */
  readonly debug?: boolean
  /** Replaces parts of the platform, for tests and for runtimes without them. */
  readonly platform?: Partial<Platform>
}

/** What the application's login takes: usually a username and a password. */
export type ClientCredentials = object

/** What the client tells with `on`, in all tabs; `step-up` in the one that is asked. */
export interface AuthClientEvents {
  /** A user is signed in: by a login here or in another tab, or found when the page was loaded. */
  readonly 'signed-in': AuthClientState
  /** There is a new access token, of a refresh or of a step-up. */
  readonly refreshed: AuthClientState
  /** A refresh failed, and no one is signed out. */
  readonly 'refresh-failed': AuthClientError
  /** The session is over. */
  readonly 'signed-out': SignOutReason
  /** The user is asked for a step-up. */
  readonly 'step-up': StepUpRequest
}

/** What `fetch` takes beside the standard options. */
export interface AuthRequestInit extends RequestInit {
  /**
   * False: the caller gets the 401 `fresh_token_required` and the user is not asked, as for what is
   * loaded in the background. Default true.
   */
  readonly stepUp?: boolean
}

/** What `getToken` takes. */
export interface GetTokenOptions {
  /** How long the token must be valid at least, in seconds; it is refreshed for that. Default 0. */
  readonly minValidity?: number
}

/**
 * The body of the login's response, with all that the application's login adds, and without the
 * tokens.
 */
export type LoginResponse = Readonly<Record<string, unknown>>

/** What the client knows of the user. A new object at each change. */
export interface AuthClientState {
  /**
   * `unknown` until storage has been read, right after the start, and with cookies and nothing in
   * storage until the server was asked. `signed-in` is what was known last; only the server knows
   * better.
   */
  readonly status: 'unknown' | 'signed-in' | 'signed-out'
  /**
   * When the access token ends by this machine's clock, in epoch seconds; 0 when unknown, null when
   * signed out.
   */
  readonly expiresAt: number | null
  /**
   * Whether the access token came from a login or a step-up, not from a refresh. The server decides
   * how long it counts as fresh.
   */
  readonly fresh: boolean
  /**
   * Changes with every login, also of another user in another tab: use it as the key of what you
   * show. Null when signed out.
   */
  readonly login: string | null
}
