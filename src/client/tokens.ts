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
import { askOwner, type Body, csrfValues, LOGIN, REFRESH } from './transport.ts'

/** Takes the tokens from the response of a path. Call it when the request is sent. */
export async function takeTokens(
  client: ClientContext,
  path: string,
  response: Body | Promise<Body>,
): Promise<Body> {
  const sentAt = client.now()
  const body = await response
  /** What stays as it is in the same session. */
  const own = path === LOGIN ? undefined : client.tokens
  const {
    access_token: access,
    refresh_token: refresh = own?.refresh,
    csrf_token,
    expires_in,
  } = body as Readonly<Record<string, string | undefined>>
  let csrf = csrf_token ?? own?.csrf
  const life = Number(expires_in)
  if (!(life >= 0)) throw new AuthClientError('response_invalid', { status: 200 })
  if (path === LOGIN && client.byCookie && !csrfValues(client).includes(csrf ?? '')) {
    const { active, session_id } = await askOwner(client)
    if (active === false) throw explainRefusal(client)
    csrf ??= session_id
  }
  client.askedAt = client.now()
  await conclude(client, {
    access,
    refresh: client.byCookie ? undefined : refresh,
    csrf,
    expiresAt: sentAt + life,
    life,
    fresh: path !== REFRESH,
    // All tokens of a session have one CSRF value: with another one this is another session.
    login: (toLoginId(csrf) ?? own?.login) || toId(),
  })
  return body
}

/** Why the browser has not kept the cookies, as far as a page can know. */
function explainRefusal({ base, location = base.href, isFramed }: ClientContext): AuthClientError {
  const toSite = (url: string | URL) => new URL(url).hostname.split('.').slice(-2).join()
  const cause =
    base.protocol === 'http:'
      ? 'http'
      : isFramed || toSite(location) !== toSite(base)
        ? 'third-party'
        : 'domain'
  return new AuthClientError('cookies_refused', { message: `cookies_refused: ${cause}`, cause })
}

/** Takes the tokens, or with null the end of the session, in all tabs. */
export async function conclude(
  client: ClientContext,
  tokens: Tokens | null,
  reason?: SignOutReason,
): Promise<void> {
  // First, so that most tabs need not read it in the storage.
  await client.post([tokens && { ...tokens, refresh: undefined }, reason])
  await writeStored(client, tokens, reason)
  setTokens(client, tokens, reason)
}

/** The body with the refresh token; empty when a cookie holds it. */
export async function refreshBody(client: ClientContext): Promise<object> {
  return { refresh_token: (await readStored(client)).refresh ?? client.tokens?.refresh }
}
