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
import { ahead, checkLogin, isRecent, left, setTokens, show } from './session-state.ts'
import { readStored } from './storage.ts'
import { conclude, refreshBody, takeTokens } from './tokens.ts'
import { csrfValues, LOGIN, LOGOUT, readOwnCookies, send } from './transport.ts'

/** Takes over what was stored by an earlier page, or by another tab. */
async function takeStored(client: ClientContext): Promise<string | undefined> {
  const stored = await readStored(client)
  const own = client.tokens
  if (stored.login) {
    // Tokens that were found out of date stay so.
    if (stored.login !== own?.login || (own.expiresAt && stored.expiresAt > own.expiresAt))
      setTokens(client, stored)
  } else if (stored.reason && own?.life) setTokens(client, null, stored.reason)
  return stored.reason
}

/** Reads what an earlier page stored. */
export async function load(client: ClientContext): Promise<void> {
  const reason = await takeStored(client)
  // With cookies, an empty storage says nothing: browsers clear the one and keep the other.
  if (client.tokens === undefined && client.byCookie) checkCookies(client, csrfValues(client))
  if (!client.tokens && (!client.byCookie || reason)) setTokens(client, null)
}

/** Resolves as soon as it is known whether a user is signed in, or the server is out of reach. */
export async function waitUntilKnown(client: ClientContext): Promise<AuthClientState> {
  await client.loaded
  if (client.tokens === undefined) await refreshTokens(client).catch(() => undefined)
  return show(client)
}

/** Looks again at what may have changed while this page was away. */
export async function lookAgain(client: ClientContext, event: string): Promise<void> {
  note(client, 'looks again:', event)
  if (event === 'online') client.failure = undefined
  await client.loaded
  await takeStored(client)
  checkCookies(client)
  const { tokens } = client
  // Other cookies are a reason to ask at once.
  const isEarly = isRecent(client, COMING_BACK, client.askedAt) && tokens?.expiresAt !== 0
  if (event !== 'storage' && !isEarly) await askServer(client)
}

/** Takes over what the server says of the session. Only a refused refresh ends it. */
async function askServer(client: ClientContext): Promise<void> {
  if (await isOver(client)) await refreshTokens(client, client.tokens).catch(() => undefined)
}

/**
 * The tokens, refreshed when they are about to end; null when no user is signed in,
 * undefined while that is not known. Rejects when they have ended and the refresh failed.
 *
 * @param min how long they must last at least, in seconds
 * @param login the login that the application knew when it called; rejects with `signed_out` when
 *   it is another one now
 */
export async function getTokens(
  client: ClientContext,
  min = 0,
  login: string | null | undefined = client.known,
): Promise<Tokens | null | undefined> {
  await client.loaded
  if (!readOwnCookies(client)[0]) await client.look
  const before = client.tokens
  checkCookies(client)
  // Where a cookie is all that is known of a login, such as one by redirect or form: a refresh
  // would throw away the freshness of a token that is still good.
  if (client.tokens !== before) client.look = isOver(client)
  else if (client.tokens?.life === 0) client.look ??= isOver(client)
  if (client.tokens?.expiresAt === 0) await client.look
  const used = client.tokens
  if (used && left(client, used) <= Math.max(ahead(used), min)) {
    const renewed = refreshTokens(client, used).catch((error) => {
      // The old token is still good: use it.
      if (client.tokens !== used || left(client, used) <= min) throw error
    })
    if (left(client, used) <= Math.max(ahead(used) / 4, min)) await renewed
    // There is time left: this caller need not wait for the refresh. A later one does.
    else renewed.catch(() => undefined)
  }
  checkLogin(client, login)
  return client.tokens
}

/** What the application calls to sign in and out, and to prove who the user is. */
export interface SessionMethods {
  readonly login: (credentials: ClientCredentials) => Promise<LoginResponse>
  readonly logout: () => Promise<void>
  readonly adopt: (body: object) => Promise<void>
  readonly stepUp: (proof: string | object) => Promise<void>
  readonly refresh: () => Promise<void>
  readonly restore: () => Promise<boolean>
}

export function createMethods(client: ClientContext): SessionMethods {
  /** Runs the work while no other tab runs any, after the storage was read. Not reentrant. */
  const exclusive = async <T>(work: () => Promise<T>): Promise<T> => {
    await client.loaded
    const result = await client.exclusive(work)
    show(client)
    return result
  }
  const stepUp = async (proof: string | object, isAgain?: unknown): Promise<void> => {
    const used = await getTokens(client)
    const [path, body] =
      typeof proof === 'string' ? ['/verify-password', { password: proof }] : ['/step-up', proof]
    try {
      await client.exclusive(() => takeTokens(client, path, send(client, path, body, client.tokens)))
    } catch (error) {
      if (isAgain || !isStale((error as AuthClientError).code)) throw error
      await refreshTokens(client, used)
      await stepUp(proof, true)
    }
  }
  return {
    login: (credentials) =>
      exclusive(async () => {
        const body = { ...credentials, delivery: client.byCookie ? 'cookie' : 'body' }
        const { access_token, refresh_token, ...rest } = await takeTokens(
          client,
          LOGIN,
          send(client, LOGIN, body),
        )
        return rest
      }),
    logout: () =>
      exclusive(async () => {
        await send(client, LOGOUT, await refreshBody(client))
        await conclude(client, null, 'logout')
      }),
    adopt: async (body) => void (await exclusive(() => takeTokens(client, LOGIN, { ...body }))),
    stepUp: (proof) => stepUp(proof),
    async restore() {
      await client.loaded
      await askServer(client)
      return show(client).status === 'signed-in'
    },
    async refresh() {
      await client.loaded
      client.failure = undefined
      await refreshTokens(client, client.tokens)
    },
  }
}
