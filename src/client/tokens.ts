/**
 * Where tokens come from: the responses of the auth routes. They are taken over by this tab, by the
 * storage and by the other tabs, and so is the end of the session. The caller holds the lock.
 */
import { AuthClientError } from './client-error.ts'
import type { ClientContext, Tokens } from './context.ts'
import type { SignOutReason } from './options.ts'
import { setTokens, toLoginId } from './session-state.ts'
import { readStored, writeStored } from './storage.ts'
import { toId } from './tabs.ts'
import { askOwner, type Body, csrfValues, LOGIN, REFRESH, type RequestTokens, send } from './transport.ts'

/** Posts, and takes the tokens from the response. */
export async function requestTokens(
  client: ClientContext,
  path: string,
  body: object,
  tokens?: RequestTokens,
): Promise<Body> {
  const sentAt = client.now()
  return takeTokens(client, path, await send(client, path, body, tokens), sentAt)
}

/** Takes the tokens from the response of a path. */
export async function takeTokens(
  client: ClientContext,
  path: string,
  response: Body,
  sentAt: number = client.now(),
): Promise<Body> {
  const { byCookie, tokens } = client
  const { access_token, refresh_token, csrf_token, expires_in } = response as Readonly<Record<string, string>>
  const isLogin = path === LOGIN
  const life = Number(expires_in)
  if (!(life >= 0)) throw new AuthClientError('response_invalid', { status: 200 })
  let csrf = csrf_token ?? (isLogin ? undefined : tokens?.csrf)
  if (isLogin && byCookie && !csrfValues(client).includes(csrf ?? '')) {
    const { active, session_id } = await askOwner(client, null)
    if (active === false) {
      // As far as a page can know.
      const { base, location, isFramed } = client
      const isForeign = isFramed || (location && toSite(location) !== toSite(base.href))
      const cause = base.protocol === 'http:' ? 'http' : isForeign ? 'third-party' : 'domain'
      throw new AuthClientError('cookies_refused', { message: `cookies refused: ${cause}`, cause })
    }
    csrf ??= session_id
  }
  client.askedAt = client.now()
  await conclude(client, {
    access: access_token,
    refresh: byCookie ? undefined : (refresh_token ?? tokens?.refresh),
    csrf,
    expiresAt: sentAt + life,
    life,
    fresh: path !== REFRESH,
    // All tokens of a session have one CSRF value: with another one this is another session.
    login: toLoginId(csrf) ?? ((!isLogin && tokens?.login) || toId()),
  })
  return response
}

/** Takes the tokens, or with null the end of the session, in all tabs. */
export async function conclude(
  client: ClientContext,
  tokens: Tokens | null,
  reason?: SignOutReason,
): Promise<void> {
  // First, so that most tabs need not read it in the storage.
  await client.publish({ tokens: tokens && { ...tokens, refresh: undefined }, reason })
  await writeStored(client, tokens, reason)
  setTokens(client, tokens, reason)
}

/** The body with the refresh token; empty when a cookie holds it. */
export async function refreshBody(client: ClientContext): Promise<object> {
  const stored = client.byCookie ? undefined : await readStored(client)
  return { refresh_token: stored?.refresh ?? client.tokens?.refresh }
}

/** The part of a host name that a site has in common, for most sites. */
function toSite(url: string): string {
  return new URL(url).hostname.split('.').slice(-2).join('.')
}
