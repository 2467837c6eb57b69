/**
 * Door `tokenwright/client`: the browser half. A `fetch` that attaches the token, refreshes it once for all calls and all tabs,
 * asks for a step-up once when routes want one and goes on with the calls that were refused, and tells every tab when
 * the session is over. Goes with `tokenwright/routes`. No dependency, no import of Node's; also runs in Node, Bun, Deno.
 */
import { call, createStepUpCoordinator } from './client/calls.ts'
import { readFailure } from './client/client-error.ts'
import type {
  AuthClientOptions,
  AuthClientState,
  ClientCredentials,
  ClientSession,
  ClientSessions,
  StepUpHandler,
} from './client/options.ts'
import { type Platform, readPlatform } from './client/platform.ts'
import { Session, type TabMessage } from './client/session.ts'
import { openTokenPersistence } from './client/storage.ts'
import { openTabs } from './client/tabs.ts'
import { createTransport } from './client/transport.ts'

export type { Challenge, ClientErrorCode, FailureParts } from './client/client-error.ts'
export { AuthClientError } from './client/client-error.ts'
export type {
  AuthClientOptions,
  AuthClientState,
  ClientCredentials,
  ClientCsrfOptions,
  ClientSession,
  ClientSessions,
  SignOutReason,
  StepUpHandler,
  StepUpRequest,
} from './client/options.ts'
export type { Platform, TabChannel, TabLocks, TokenStorage } from './client/platform.ts'

/** The browser half of an application. Its functions can be taken off it and passed around. */
export interface AuthClient {
  /**
   * `fetch`, with the token. Relative addresses start from `baseUrl`; requests to another origin go out untouched. Rejects with
   * what `fetch` rejects with, and with `AuthClientError` when the token ended and no new one can be had, the session is over, or
   * the user cancelled a step-up; any other refusal is a `Response` like any other.
   */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /** Signs in. Rejects with the server's code, such as `credentials_invalid` or `rate_limited`. */
  readonly login: (credentials: ClientCredentials) => Promise<void>
  /** Signs out at the server and in all tabs; when the server cannot be asked it rejects, and nobody is signed out. */
  readonly logout: () => Promise<void>
  /** Proves who the user is, for fresh tokens. Rejects with `credentials_invalid`, `rate_limited`, ... */
  readonly stepUp: (password: string) => Promise<void>
  /** Refreshes now. Rarely needed: `fetch` does so in time. Rejects with `signed_out`, `unreachable`, `store_unavailable`, ... */
  readonly refresh: () => Promise<void>
  /** A good access token, for what is no fetch, such as a WebSocket; null when nobody is signed in or it lies in a cookie. */
  readonly getToken: () => Promise<string | null>
  /** The user's sessions. */
  readonly sessions: ClientSessions
  /** What is known of the user: the same object until something changes. */
  readonly state: AuthClientState
  /** Calls back after each change of `state`; what it returns ends that. */
  readonly subscribe: (listener: () => void) => () => void
  /** Sets the handler of step-ups in place of `onStepUp`, for dialogs that appear later; what it returns takes it away. */
  readonly handleStepUp: (handler: StepUpHandler) => () => void
  /** Leaves the other tabs and forgets the listeners. */
  readonly close: () => void
}

/** The user's sessions over the transport. */
function createSessions(fetch: AuthClient['fetch'], url: string): ClientSessions {
  const ask = async (path: string, method: string): Promise<Response> => {
    const response = await fetch(url + path, { method })
    if (!response.ok) throw readFailure(response, await response.text())
    return response
  }
  return {
    list: async () => ((await (await ask('', 'GET')).json()) as { sessions: ClientSession[] }).sessions,
    end: async (id) => void (await ask(`/${encodeURIComponent(id)}`, 'DELETE')),
    endOthers: async () => void (await ask('', 'DELETE')),
  }
}

/**
 * Makes the client of one application; one per page, at module scope. It sends nothing until it is asked to.
 *
 * @throws {TypeError} without `baseUrl` outside a page, or with one that is no URL
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
  const platform: Platform = { ...readPlatform(), ...options.platform }
  const transport = createTransport(options, platform)
  const { byCookie, authUrl } = transport
  const { storage = byCookie ? platform.storage() : undefined, onSignedOut, onStepUp } = options
  const name = `tokenwright ${authUrl}`
  // Without cookies and storage the tokens are this client's alone, and so is its queue.
  const around = byCookie || storage ? platform : { after: platform.after }
  const session = new Session(transport, openTokenPersistence(name, storage), onSignedOut, (hear) =>
    openTabs<TabMessage>(name, around, hear),
  )
  let handler = onStepUp
  const stepUp = createStepUpCoordinator(session, () => handler)
  const fetch: AuthClient['fetch'] = (input, init) =>
    call({ session, transport: transport, stepUp: handler && stepUp }, input, init)
  return {
    fetch,
    login: (credentials) => session.login(credentials),
    logout: () => session.logout(),
    stepUp: (password) => session.stepUp(password),
    refresh: () => session.refresh(),
    getToken: async () => (await session.current())?.access ?? null,
    sessions: createSessions(fetch, `${authUrl}/sessions`),
    get state() {
      return session.state
    },
    subscribe: (listener) => session.subscribe(listener),
    handleStepUp: (next) => {
      handler = next
      return () => {
        if (handler === next) handler = onStepUp
      }
    },
    close: () => session.close(),
  }
}
