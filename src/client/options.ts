/**
 * What the browser half takes from its user, and what it shows. Types only; every option has a default.
 */
import type { Challenge } from './client-error.ts'
import type { Platform, TokenStorage } from './platform.ts'

/** What `onStepUp` is called with. */
export interface StepUpRequest extends Challenge {
  /** Raised when the question is settled: by a step-up, also one in another tab, or by a sign-out. Close the dialog then. */
  readonly signal: AbortSignal
}

/**
 * Asks the user to prove who they are, usually by calling `stepUp(password)`, as often as it takes. Called once for any number of
 * calls that need it. When it resolves, or as soon as a step-up succeeds, they go on; when it resolves to false or
 * rejects, they reject with `step_up_cancelled`.
 */
export type StepUpHandler = (request: StepUpRequest) => unknown

/** Why a user is signed out: their own doing (`logout`), or the code with which the server refused to refresh. */
export type SignOutReason = 'logout' | (string & {})

/** Where the double submit is read and written. */
export interface ClientCsrfOptions {
  /** The name of the CSRF cookie without its prefix. Default `csrf_token`. */
  readonly cookie?: string
  /** The header that repeats it. Default `X-CSRF-Token`. */
  readonly header?: string
}

/** What `createAuthClient` takes. */
export interface AuthClientOptions {
  /** The server; tokens go to its origin only. Relative to the page. Default the page's own origin; needed outside browsers. */
  readonly baseUrl?: string
  /** Where `authRoutes` stands. Default `/auth`. */
  readonly basePath?: string
  /**
   * How tokens reach the client: by HttpOnly cookies that no script reads, or in bodies, kept in memory. Whether the access token
   * is in a cookie too or in memory follows from what the server sends. Default `'cookie'` in a page, `'body'` elsewhere.
   */
  readonly delivery?: 'cookie' | 'body'
  /**
   * With `delivery: 'body'`: keeps the refresh token here, where any script of the page can read it, so that it outlives the page
   * and is shared by all tabs. Default none. With cookies no token is ever kept here, only when the access token ends, the
   * CSRF value and an id of the login; default `localStorage`, null for nowhere.
   */
  readonly storage?: TokenStorage | null
  /** Names of the double submit. Default those of the server's defaults. */
  readonly csrf?: ClientCsrfOptions
  /** Asks the user to prove who they are. Without one, 401 `fresh_token_required` is handed to the caller. */
  readonly onStepUp?: StepUpHandler
  /** Called once in every tab that was signed in when the session is over. */
  readonly onSignedOut?: (reason: SignOutReason) => void
  /** How long an auth route may take, in seconds. Default 10; three tries fit into the server's default overlap. */
  readonly timeout?: number
  /** Replaces parts of the surroundings, for tests and for runtimes that have others. */
  readonly platform?: Partial<Platform>
}

/** A username and a password, and whatever else the login of the application takes. */
export interface ClientCredentials {
  /** The username. */
  readonly username: string
  /** The password. */
  readonly password: string
}

/** What is known of the user now. A new object at each change. */
export interface AuthClientState {
  /** `unknown` only until storage was read, right after the start. `signed-in` is what was known last; the server has the last word. */
  readonly status: 'unknown' | 'signed-in' | 'signed-out'
  /** When the access token ends by this machine's clock, in epoch seconds; 0 when unknown, null when signed out. */
  readonly expiresAt: number | null
  /** Whether the access token came of a login or a step-up and not of a refresh. How long it counts as fresh is the server's to say. */
  readonly fresh: boolean
  /** Changes with every login, also in another tab and of another user: key what you show on it. Null when signed out. */
  readonly login: string | null
}

/** A session as `GET /auth/sessions` lists it; times in epoch seconds. */
export interface ClientSession {
  /** The session's id. */
  readonly id: string
  /** Whether it is the session of this client. */
  readonly current: boolean
  /** When it was started. */
  readonly created_at: number
  /** When it was last refreshed. */
  readonly last_used_at: number
  /** When it ends unless it is used. */
  readonly expires_at: number
  /** When the user last proved who they are; null when unknown. */
  readonly auth_time: number | null
  /** The address at the login; null when unknown. */
  readonly ip: string | null
  /** The `User-Agent` at the login; null when unknown. */
  readonly user_agent: string | null
}

/** The user's sessions. */
export interface ClientSessions {
  /** The live ones, this one marked. */
  list(): Promise<readonly ClientSession[]>
  /** Ends one. Asks for a step-up when the token is not fresh. */
  end(id: string): Promise<void>
  /** Ends all but this one. Asks for a step-up when the token is not fresh. */
  endOthers(): Promise<void>
}
