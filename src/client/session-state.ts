/**
 * What a client knows of its session, and what the application knows of that: the tokens, the state
 * that is made of them, the last failure. It sends nothing.
 */
import { AuthClientError, toSignedOut } from './client-error.ts'
import type { ClientContext, TabMessage, Tokens } from './context.ts'
import { note, raise } from './events.ts'
import type { AuthClientState, SignOutReason } from './options.ts'
import { csrfValues } from './transport.ts'

/** An id of the session with this CSRF value, equal in all tabs. It does not reveal the value. */
export function toLoginId(csrf: string | undefined): string | undefined {
  return csrf?.slice(0, 6)
}

/** Seconds until the access token ends. */
export function left(client: ClientContext, tokens: Tokens): number {
  return tokens.expiresAt - client.now()
}

/**
 * How long before its end an access token is refreshed, in seconds: a tenth of its life, a minute
 * at most.
 */
export function ahead(tokens: Tokens): number {
  return Math.min(60, tokens.life / 10)
}

/** The state, for the application. */
export function show(client: ClientContext): AuthClientState {
  client.known = client.state.login
  return client.state
}

/** Rejects a call that was meant for another login than the present one: the one that is given. */
export function checkLogin(client: ClientContext, login: string | null | undefined): void {
  const present = show(client).login
  if (login && login !== present) {
    note(client, 'another login')
    throw toSignedOut()
  }
}

/** Whether it is not long since then. A clock that was set back must not make it last. */
export function isRecent(client: ClientContext, seconds: number, since = 0): boolean {
  return Math.abs(client.now() - since) < seconds
}

/** Takes the tokens; null when no user is signed in, with the reason when the session has ended. */
export function setTokens(client: ClientContext, tokens: Tokens | null, reason?: SignOutReason): void {
  const before = client.state.login
  // A cookie of another program is no user who was signed in here.
  const wasIn = client.tokens && (client.tokens.life || reason !== 'token_missing')
  const { expiresAt = null, fresh = false, login = null } = tokens ?? {}
  const status = tokens ? 'signed-in' : 'signed-out'
  const state: AuthClientState = { status, expiresAt, fresh, login }
  client.tokens = tokens
  client.state = state
  client.failure = undefined
  note(client, status, reason)
  raise(client, 'change', undefined)
  if (!tokens) {
    client.seen = csrfValues(client).join()
    if (reason && wasIn) raise(client, 'signed-out', reason)
    // Until the server has said whose session it is, the login has no id.
  } else if (login !== before && before !== '') raise(client, 'signed-in', state)
  else if (expiresAt) raise(client, 'refreshed', state)
}

/** Takes over what another tab has learned. */
export function takeMessage(client: ClientContext, [tokens = null, reason, failure]: TabMessage): void {
  const own = client.tokens
  if (failure) {
    client.failure = new AuthClientError(failure.code, failure)
    client.failedAt = client.now()
    raise(client, 'refresh-failed', client.failure)
    return
  }
  // After a step-up a tab keeps its fresh token when another tab refreshes.
  const isFresher = own?.access && own.fresh && !tokens?.fresh && own.login === tokens?.login
  if (isFresher && !client.refreshing && left(client, own) > ahead(own)) return
  setTokens(client, tokens && { ...tokens, refresh: own?.refresh }, reason)
}
