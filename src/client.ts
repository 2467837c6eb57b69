/**
 * Entry point `tokenwright/client`: the client for browsers, to use with `tokenwright/routes`. Its
 * `fetch` attaches the token and refreshes it once for all calls and all tabs. When routes require
 * a step-up it asks the user once and repeats the refused calls. When the session is over it tells
 * every tab. No dependency and no Node API; also runs in Node, Bun and Deno.
 */
import { call } from './client/calls.ts'
import { createContext } from './client/create-context.ts'
import { type AllEvents, on } from './client/events.ts'
import type {
  AuthClientEvents,
  AuthClientOptions,
  AuthClientState,
  AuthRequestInit,
  ClientCredentials,
  GetTokenOptions,
  LoginResponse,
  StepUpHandler,
} from './client/options.ts'
import { createMethods, getTokens, lookAgain, waitUntilKnown } from './client/session.ts'
import { show } from './client/session-state.ts'
import { authorize } from './client/transport.ts'

export type { AuthClientErrorInit, Challenge, ClientErrorCode } from './client/client-error.ts'
export { AuthClientError } from './client/client-error.ts'
export type {
  AuthClientEvents,
  AuthClientOptions,
  AuthClientState,
  AuthRequestInit,
  ClientCredentials,
  ClientCsrfOptions,
  GetTokenOptions,
  LoginResponse,
  SignOutReason,
  StepUpHandler,
  StepUpRequest,
} from './client/options.ts'
export type { Platform, TabChannel, TabLocks, TokenStorage } from './client/platform.ts'
export type { ClientSession, ClientSessions, SessionSource } from './client/sessions.ts'
export { createSessionList } from './client/sessions.ts'
export type { CurrentUser, UserSource } from './client/user.ts'
export { createUser } from './client/user.ts'
export type { ErrorCode, OtherErrorCode } from './errors.ts'

/** The client of an application. Its functions need no `this`: you may pass them around. */
export interface AuthClient {
  /**
   * `fetch` with the token. Paths start from `baseUrl`. Requests to another origin are sent
   * unchanged. Rejects as `fetch` does, and with `AuthClientError` when the token has expired and
   * cannot be refreshed, when the session is over or another user's, and when the user cancels a
   * step-up. Any other refusal is a `Response`.
   */
  readonly fetch: (input: string | URL | Request, init?: AuthRequestInit) => Promise<Response>
  /**
   * Signs in. Resolves to the body of the response, without the tokens. Rejects with the server's
   * code, such as `credentials_invalid` or `rate_limited`, with `cookies_refused` when the browser
   * did not keep the cookies, and with `proof_required` where one more proof is wanted: sign in
   * again with that and the error's `continuation`.
   */
  readonly login: (credentials: ClientCredentials) => Promise<LoginResponse>
  /**
   * Signs out at the server and in all tabs. When the server is out of reach it rejects and signs
   * no one out.
   */
  readonly logout: () => Promise<void>
  /**
   * Takes the tokens of a response that a route of the application's own gave: its parsed body, in
   * the form of a login's, or with cookies what names their `expires_in` and `csrf_token`.
   */
  readonly adopt: (body: object) => Promise<void>
  /**
   * Gets fresh tokens for the user's password, or for another proof, which goes to `/step-up` as it
   * is. Rejects with `credentials_invalid`, `rate_limited`, `proof_required`, ...
   */
  readonly stepUp: (proof: string | object) => Promise<void>
  /**
   * Asks the server whose session the cookies are of, and takes it over as it is, without a
   * refresh: after a redirect, a form or a passkey that signed the user in or proved who they are.
   * Resolves to whether a user is signed in; when the server is out of reach, as far as is known.
   */
  readonly restore: () => Promise<boolean>
  /**
   * Refreshes now. You rarely need it: `fetch` refreshes in time. Rejects with `signed_out`,
   * `unreachable`, `store_unavailable`, ...
   */
  readonly refresh: () => Promise<void>
  /**
   * A valid access token for what is not a fetch, such as a WebSocket; null when no user is signed
   * in or the token is in a cookie.
   */
  readonly getToken: (options?: GetTokenOptions) => Promise<string | null>
  /**
   * The headers of a request with this method, for what is not a fetch: `Authorization`, or with
   * cookies the CSRF header on unsafe methods. Send them to `baseUrl` only, with credentials.
   * Default `'GET'`.
   */
  readonly headers: (method?: string) => Promise<Record<string, string>>
  /** What the client knows of the user: the same object until something changes. */
  readonly state: AuthClientState
  /**
   * Resolves to `state` as soon as it is known whether a user is signed in. With cookies and
   * nothing in storage it asks the server; when that is out of reach it resolves to `unknown`.
   * Never rejects.
   */
  readonly ready: Promise<AuthClientState>
  /** Calls back after each change of `state`. Returns a function that ends this. */
  readonly subscribe: (listener: () => void) => () => void
  /** Calls back at each event of that name. Returns a function that ends this. */
  readonly on: <E extends keyof AuthClientEvents>(
    event: E,
    listener: (detail: AuthClientEvents[E]) => void,
  ) => () => void
  /**
   * Replaces `onStepUp`, for dialogs that appear later. Returns a function that puts `onStepUp`
   * back.
   */
  readonly handleStepUp: (handler: StepUpHandler) => () => void
  /** Leaves the other tabs and removes the listeners. */
  readonly close: () => void
}

/**
 * Creates the client of an application: one per page, at module scope. It sends nothing by itself.
 * Outside a page, as where a server renders it, requests without a `baseUrl` are `unreachable`.
 *
 * @throws {TypeError} for a `baseUrl` that is not a URL
 *
 * @example
 * ```ts
 * import { createAuthClient } from 'tokenwright/client'
 *
 * const auth = createAuthClient({
 *   baseUrl: 'https://app.example.com',
 *   onStepUp: async () => {
 *     const password = prompt('Your password, please')
 *     if (password === null) return false
 *     await auth.stepUp(password)
 *   },
 *   onSignedOut: (reason) => console.log(`signed out: ${reason}`),
 * })
 * await auth.login({ username: 'test', password: 'test' })
 * const response = await auth.fetch('/change-password', { method: 'POST' })
 * ```
 */
export function createAuthClient(options: AuthClientOptions = {}): AuthClient {
  const client = createContext(options)
  /** Whoever is told of a change knows the login. */
  const tell = <E extends keyof AllEvents>(event: E, listener: (detail: AllEvents[E]) => void) =>
    on(client, event, (detail) => {
      show(client)
      listener(detail)
    })
  if (options.onSignedOut) tell('signed-out', options.onSignedOut)
  const unwatch = client.watch((event) => {
    client.look = Promise.all([client.look, lookAgain(client, event)])
  })
  return {
    fetch: (input, init) => call(client, input, init),
    ...createMethods(client),
    getToken: async ({ minValidity } = {}) => (await getTokens(client, minValidity))?.access ?? null,
    headers: async (method = 'GET') => authorize(client, method, await getTokens(client)),
    get state() {
      return show(client)
    },
    get ready() {
      return waitUntilKnown(client)
    },
    subscribe: (listener) => tell('change', listener),
    on: tell,
    handleStepUp: (next) => {
      client.onStepUp = next
      return () => {
        if (client.onStepUp === next) client.onStepUp = options.onStepUp
      }
    },
    close() {
      unwatch()
      client.listeners.clear()
      client.close()
    },
  }
}
