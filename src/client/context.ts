/**
 * One client as one record: what it was created with, what it uses of its runtime, and what it
 * knows now. The other files are functions of it, not methods: bundlers shorten the names of
 * functions.
 */
import type { AuthClientError } from './client-error.ts'
import type { AuthClientOptions, AuthClientState, SignOutReason, StepUpHandler } from './options.ts'
import type { Platform, TokenStorage } from './platform.ts'
import type { Tabs } from './tabs.ts'

/** The tokens of a session, as one client knows them. */
export interface Tokens {
  /** The access token; undefined when it is in a cookie, and after a page load. */
  readonly access?: string | undefined
  /** The refresh token; undefined when it is in a cookie. */
  readonly refresh?: string | undefined
  /** The CSRF value of the session; or its id, where the server has no such values. */
  readonly csrf?: string | undefined
  /** When the access token ends, in epoch seconds by this machine's clock. */
  readonly expiresAt: number
  /** Its whole lifetime, in seconds. */
  readonly life: number
  /** Whether it came from a login or a step-up. */
  readonly fresh: boolean
  readonly login: string
}

/**
 * What tabs send each other. Never a refresh token. The new tokens, or null when the session is
 * over and why it is; or the failure of a refresh.
 */
export type TabMessage = readonly [
  tokens: Tokens | null,
  reason?: SignOutReason | undefined,
  failure?: Pick<AuthClientError, 'code' | 'status' | 'message' | 'retryAfter'>,
]

/** One client. */
export interface ClientContext extends Platform, Pick<AuthClientOptions, 'csrf' | 'debug'>, Tabs<TabMessage> {
  /** The server's address. */
  readonly base: URL
  /** What a path that starts with a slash is below. */
  readonly prefix: string
  /** What the application's addresses are relative to. */
  readonly root: string | URL
  /** The address of the auth routes. */
  readonly routes: string
  /** The key in the storage, and the name of the lock and of the channel. */
  readonly key: string
  /** Whether refresh tokens are in a cookie. */
  readonly byCookie: boolean
  /** Whether an address is of the server's origin. */
  readonly owns: (url?: string) => boolean
  readonly store: TokenStorage | null | undefined
  /** The deadline of an auth route, in seconds. */
  readonly timeout: number
  readonly listeners: Set<readonly [name: string, listener: (detail: never) => void]>
  /** Resolves when the storage was read. */
  loaded?: Promise<unknown>
  /** The last look at whose session it is, such as when the page comes back. */
  look?: Promise<unknown>
  refreshing?: Promise<unknown> | undefined
  /** The tokens, expired or not; null when no user is signed in, undefined while not known. */
  tokens?: Tokens | null
  /** What the application sees of them. */
  state: AuthClientState
  /** The login that the application knows: it has made it, read it, or was told of it. */
  known?: string | null
  /** The last failure of a refresh, until there are tokens again, and when it was. */
  failure?: AuthClientError | undefined
  failedAt?: number
  /** The deadline of the next refresh, in seconds: longer while the server is slow. */
  deadline: number
  /** The readable cookies about which the server was asked, or which an ended session has left. */
  seen?: string
  /** When the server last said whose session it is. */
  askedAt?: number
  /** The application's step-up dialog. */
  onStepUp?: StepUpHandler | undefined
  /** The dialog that is open, or was last. */
  dialog?: Promise<void>
  /** How many dialogs have closed so far. */
  closed: number
  /** How many calls wait for the dialog. */
  waiting: number
  dismiss?: (cause?: unknown) => void
}
