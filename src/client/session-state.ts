/**
 * What a client knows of its session, and what the application knows of that: the tokens, the state
 * that is made of them, the last failure. It sends nothing.
 */
import { type AuthClientError, type ClientErrorCode, toSignedOut } from './client-error.ts'
import type { Events } from './events.ts'
import type { AuthClientState, SignOutReason } from './options.ts'
import type { Platform } from './platform.ts'
import type { Tokens } from './storage.ts'

/** What tabs send each other: exactly one of these members. Never a refresh token. */
export interface TabMessage {
  readonly tokens?: Tokens
  /** The session is over. */
  readonly ended?: SignOutReason
  /** A refresh failed. */
  readonly failure?: Failure
}

interface Failure {
  readonly code: ClientErrorCode
  readonly status: number
  readonly message: string
  readonly retryAfter: number | undefined
}

/** The longest time for which a failure stops the next refresh, in seconds, whatever it says. */
const MAX_WAIT = 60

/** An id of the session with this CSRF value, equal in all tabs. It does not reveal the value. */
export function toLoginId(csrf: string | undefined): string | undefined {
  return csrf?.slice(0, 6)
}

/**
 * How long before its end an access token is refreshed, in seconds: a tenth of its life, a minute
 * at most.
 */
export function ahead({ life }: Tokens): number {
  return Math.min(60, life / 10)
}

export class SessionState {
  readonly events: Events
  readonly platform: Platform
  /** The tokens, expired or not. */
  tokens: Tokens | null = null
  state: AuthClientState = { status: 'unknown', expiresAt: null, fresh: false, login: null }
  /** The login that the application knows: it has made it, read it, or was told of it. */
  known: string | null = null
  failure: { readonly error: AuthClientError; readonly at: number } | undefined

  constructor(events: Events, platform: Platform) {
    this.events = events
    this.platform = platform
  }

  /** The state, for the application. */
  show(): AuthClientState {
    this.known = this.state.login
    return this.state
  }

  /**
   * Rejects a call that was meant for another login than the present one.
   *
   * @param login the one that the application knew
   */
  check(login: string | null): void {
    const now = this.show().login
    if (!login || login === now) return
    this.events.note('another login')
    throw toSignedOut()
  }

  /** Seconds until the access token ends. */
  left({ expiresAt }: Tokens): number {
    return expiresAt - this.platform.now()
  }

  fail(error: AuthClientError): void {
    this.failure = { error, at: this.platform.now() }
    this.events.emit('refresh-failed', error)
  }

  /** Throws the last failure until it is time to try again. */
  refuseEarly(): void {
    const { error, at = 0 } = this.failure ?? {}
    const age = this.platform.now() - at
    // A clock that was set back must not make the failure last.
    if (error && age >= 0 && age < Math.min(error.retryAfter ?? 1, MAX_WAIT)) throw error
  }

  setTokens(tokens: Tokens | null, reason?: SignOutReason): void {
    const { events, state } = this
    const { expiresAt = null, fresh = false, login = null } = tokens ?? {}
    this.tokens = tokens
    this.state = { status: tokens ? 'signed-in' : 'signed-out', expiresAt, fresh, login }
    // Until the server has said whose session it is, the login has no id.
    const isNew = login !== state.login && state.login !== ''
    events.note(this.state.status, reason)
    const isTold = [
      events.emit('change', undefined),
      tokens && isNew && events.emit('signed-in', this.state),
      tokens && !isNew && expiresAt && events.emit('refreshed', this.state),
      reason && events.emit('signed-out', reason),
    ]
    if (isTold.some(Boolean)) this.show()
  }
}
