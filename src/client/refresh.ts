/**
 * Refreshes: one request for all callers of all tabs. Only the server ends the session, with a code
 * of its own. A server that is down, busy or out of reach ends nothing: the tabs share the failure
 * and do not refresh again for as long as the server asks (`Retry-After`), or for a second.
 */
import { type AuthClientError, toSignedOut } from './client-error.ts'
import type { ClientContext, TabMessage, Tokens } from './context.ts'
import { MAX_DEADLINE, MAX_WAIT, PAUSE, TRIES } from './limits.ts'
import { isOver } from './ownership.ts'
import { isRecent, takeMessage } from './session-state.ts'
import { conclude, refreshBody, takeTokens } from './tokens.ts'
import { REFRESH, readOwnCookies, send } from './transport.ts'

/**
 * Replaces the given tokens. Does nothing when they have been replaced already. All callers in all
 * tabs share one request.
 */
export async function refreshTokens(client: ClientContext, used?: Tokens | null): Promise<void> {
  while (client.tokens === used && used !== null) {
    client.refreshing ??= client
      .exclusive(() => renew(client, used))
      .finally(() => {
        client.refreshing = undefined
      })
    await client.refreshing
  }
  if (!client.tokens) throw toSignedOut()
}

/** Refreshes; the caller holds the lock. */
async function renew(client: ClientContext, used?: Tokens | null): Promise<void> {
  if (client.tokens !== used) return
  if (client.failure && isRecent(client, Math.min(client.failure.retryAfter ?? 1, MAX_WAIT), client.failedAt))
    throw client.failure
  try {
    await sendPatiently(client)
  } catch (cause) {
    // Without Web Locks another tab may have logged in meanwhile: the refusal is about the old
    // session.
    if (client.tokens !== used) return
    const error = cause as AuthClientError
    // Cookies of other programs and other logins are outvoted by the server.
    const mayAsk = /^csrf_/.test(error.code) && (!used?.life || readOwnCookies(client)[0])
    if (mayAsk && !(await isOver(client)) && client.tokens !== used) return
    const isEnd =
      /^(401(token|signature|session|refresh|access|subject|issuer|audience|realm)|403csrf)_/.test(
        error.status + error.code,
      )
    if (isEnd) {
      await conclude(client, null, error.code)
      throw toSignedOut(cause)
    }
    const message: TabMessage = [null, undefined, { ...error, message: error.message }]
    await client.post(message)
    takeMessage(client, message)
    throw error
  }
}

/**
 * Sends until a response comes. Within the overlap the server returns the same successor to each,
 * and later too while no one has used it. While the server is slow each is waited for longer.
 */
async function sendPatiently(client: ClientContext, tried = 1): Promise<void> {
  try {
    await takeTokens(client, REFRESH, send(client, REFRESH, await refreshBody(client)))
    client.deadline = client.timeout
  } catch (error) {
    const { code, cause } = error as AuthClientError
    // Out of reach is not slow.
    if (tried === TRIES && (cause as Error | undefined)?.name === 'AbortError')
      client.deadline = Math.min(client.deadline * 2, MAX_DEADLINE)
    if (code !== 'unreachable' || tried === TRIES) throw error
    await new Promise<void>((resolve) => client.after(PAUSE * tried, resolve))
    await sendPatiently(client, tried + 1)
  }
}
