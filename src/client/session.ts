/**
 * The session of one client: what happens to its tokens when the page loads, when it comes back,
 * when a call needs them, and when the user signs in or out or proves who they are.
 */
import { type AuthClientError, isStale } from './client-error.ts'
import type { ClientContext, Tokens } from './context.ts'
import { note } from './events.ts'
import { COMING_BACK } from './limits.ts'
import type { AuthClientState, ClientCredentials, LoginResponse } from './options.ts'
import { checkCookies, isOver } from './ownership.ts'
import { refreshTokens } from './refresh.ts'
import { ahead, checkLogin, left, setTokens, show } from './session-state.ts'
import { readStored } from './storage.ts'
import { conclude, refreshBody, requestTokens, takeTokens } from './tokens.ts'
import { csrfValues, LOGIN, LOGOUT, readOwnCookies, send } from './transport.ts'

/** Reads what an earlier page stored. */
export async function load(client: ClientContext): Promise<void> {
  const stored = await readStored(client)
  if (client.state.status !== 'unknown') return
  if (stored?.login !== undefined) return setTokens(client, stored)
  // With cookies, an empty storage says nothing: browsers clear the one and keep the other.
  if (client.byCookie) checkCookies(client, csrfValues(client))
  if (!client.tokens && (!client.byCookie || stored)) setTokens(client, null)
}

/** Resolves as soon as it is known whether a user is signed in, or the server is out of reach. */
export async function waitUntilKnown(client: ClientContext): Promise<AuthClientState> {
  await client.loaded
  if (client.state.status === 'unknown') await refreshTokens(client, null).catch(() => undefined)
  return show(client)
}

/** Looks again at what may have changed while this page was away. */
export async function lookAgain(client: ClientContext, event: string): Promise<void> {
  note(client, 'looks again:', event)
  if (event === 'online') client.failure = undefined
  await client.loaded
  const stored = await readStored(client)
  const own = client.tokens
  if (stored?.login !== undefined) {
    // Tokens that were found out of date stay so.
    const isNewer = own?.expiresAt && stored.expiresAt > own.expiresAt
    if (stored.login !== own?.login || isNewer) setTokens(client, stored)
  } else if (stored && own?.life) setTokens(client, null, stored.reason ?? 'logout')
  checkCookies(client)
  const { tokens } = client
  // Other cookies are a reason to ask at once. A clock that was set back must not stop it.
  const isEarly = Math.abs(client.now() - (client.askedAt ?? 0)) < COMING_BACK && tokens?.expiresAt !== 0
  if (event !== 'storage' && !isEarly && (await isOver(client)))
    await refreshTokens(client, tokens).catch(() => undefined)
}

/**
 * The tokens, refreshed when they are about to end; null when no user is signed in. Rejects when
 * they have ended and the refresh failed.
 *
 * @param min how long they must last at least, in seconds
 * @param login the login that the application knew when it called; rejects with `signed_out` when
 *   it is another one now
 */
export async function getTokens(
  client: ClientContext,
  min = 0,
  login: string | null | undefined = client.known,
): Promise<Tokens | null> {
  await client.loaded
  if (!readOwnCookies(client)[0]) await client.looking
  const before = client.tokens
  checkCookies(client)
  // Where a cookie is all that is known of a login, such as one by redirect or form: a refresh
  // would throw away the freshness of a token that is still good.
  if (client.tokens !== before) client.looking = isOver(client)
  else if (client.tokens?.life === 0) client.looking ??= isOver(client)
  if (client.tokens?.expiresAt === 0) await client.looking
  const used = client.tokens
  if (used && left(client, used) <= Math.max(ahead(used), min)) {
    const renewed = refreshTokens(client, used).catch((error) => {
      // The old token is still good: use it.
      if (client.tokens !== used || left(client, used) <= min) throw error
    })
    if (left(client, used) <= Math.max(ahead(used) / 4, min)) {
      await renewed
      checkLogin(client, login)
      return client.tokens
    }
    // There is time left: this caller need not wait for the refresh. A later one does.
    renewed.catch(() => undefined)
  }
  checkLogin(client, login)
  return used
}

/** Refreshes now: the user or the application wants it, whatever the last failure said. */
export async function refreshNow(client: ClientContext): Promise<void> {
  await client.loaded
  client.failure = undefined
  await refreshTokens(client, client.tokens)
}

export function signIn(client: ClientContext, credentials: ClientCredentials): Promise<LoginResponse> {
  return exclusive(client, async () => {
    const body = { ...credentials, delivery: client.byCookie ? 'cookie' : 'body' }
    const { access_token, refresh_token, ...rest } = await requestTokens(client, LOGIN, body)
    show(client)
    return rest
  })
}

export function adopt(client: ClientContext, body: object): Promise<void> {
  return exclusive(client, async () => {
    await takeTokens(client, LOGIN, { ...body })
    show(client)
  })
}

export async function proveAgain(client: ClientContext, proof: string | object): Promise<void> {
  const used = await getTokens(client)
  const { known } = client
  const [path, body] =
    typeof proof === 'string' ? ['/verify-password', { password: proof }] : ['/step-up', proof]
  const prove = () => client.exclusive(() => requestTokens(client, path, body, client.tokens))
  try {
    await prove()
  } catch (error) {
    if (!isStale((error as AuthClientError).code)) throw error
    await refreshTokens(client, used)
    checkLogin(client, known)
    await prove()
  }
}

/**
 * Ends the session at the server, then here. Rejects, and ends nothing, when the server is out of
 * reach.
 */
export function signOut(client: ClientContext): Promise<void> {
  return exclusive(client, async () => {
    await send(client, LOGOUT, await refreshBody(client))
    await conclude(client, null, 'logout')
    show(client)
  })
}

/** Runs the work while no other tab runs any, after the storage was read. Not reentrant. */
async function exclusive<T>(client: ClientContext, work: () => Promise<T>): Promise<T> {
  await client.loaded
  return client.exclusive(work)
}
