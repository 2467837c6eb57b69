/**
 * The application's own requests: with the token attached, and sent again after a refresh or a
 * step-up. A refused request had no effect, so sending it again repeats nothing. After a redirect
 * the refusal is about another request: only a GET is sent again then, and to where it led. A body
 * that is not kept can be sent once only: its token is refreshed ahead of time like any other, and
 * a refusal goes to the caller.
 */
import { heed, openRequest } from './call-request.ts'
import { type Challenge, FRESH, isStale, readFailure } from './client-error.ts'
import type { ClientContext } from './context.ts'
import { note } from './events.ts'
import type { AuthRequestInit } from './options.ts'
import { refreshTokens } from './refresh.ts'
import { getTokens } from './session.ts'
import { prove } from './step-up.ts'
import { authorize, isSafe } from './transport.ts'

/** Sends a request of the application, at most three times: one refresh and one step-up at most. */
export async function call(
  client: ClientContext,
  input: string | URL | Request,
  init: AuthRequestInit = {},
): Promise<Response> {
  const { given, signal, method, isKept, create } = openRequest(input, init)
  // With a `baseUrl` the paths `me` and `/me` are one.
  const path = client.options.baseUrl ? `${input}`.replace(/^\/(?!\/)/, './') : input
  let url = given?.url ?? new URL(path as string | URL, client.root).href
  const isOurs = (address: string): boolean => address.startsWith(`${client.base.origin}/`)
  let login = client.known
  if (!isOurs(url)) return client.fetch(given ?? url, init)
  // No redirect takes the CSRF header to another origin: `Authorization` and cookies are removed
  // then, a header like this one is not. A page follows redirects within its own origin; one of
  // another origin gets the redirect itself.
  const guard: RequestInit = isSafe(method)
    ? {}
    : client.isOwn
      ? { mode: 'same-origin' }
      : { redirect: 'manual' }
  let refreshed = false
  let proved = false
  for (;;) {
    // When another user has logged in, this user's call must not be made in that name.
    const used = await heed(signal, getTokens(client, 0, login))
    login = client.known
    const { closed } = client
    const isAsked = used !== null || client.state.status === 'unknown'
    const withCookies = client.byCookie && isAsked && !used?.access
    const request = create(url, withCookies ? { credentials: 'include', ...guard } : {})
    if (request.headers.has('Authorization')) return client.fetch(request)
    for (const header of authorize(client, method, used)) request.headers.set(...header)
    const response = await client.fetch(request)
    const { status, redirected } = response
    if (!isAsked || !(status === 401 || (status === 403 && withCookies))) return response
    if (redirected) {
      url = response.url
      if (!isSafe(method) || !isOurs(url)) return response
    }
    const { code, challenge } = readFailure(response, await response.clone().text())
    note(client, method, new URL(url).pathname, code)
    const mayAsk = isKept()
    if (isStale(code) && !refreshed) {
      refreshed = true
      try {
        await heed(signal, refreshTokens(client, used))
      } catch (error) {
        // Whoever was not known to be signed in gets the refusal itself.
        if (used || signal?.aborted) throw error
        return response
      }
    } else if (code === FRESH && !proved && mayAsk && client.handler && init.stepUp !== false) {
      // A step-up may have succeeded while this request was under way: try its token first.
      if (client.tokens === used || !client.tokens?.fresh) {
        proved = true
        await prove(client, challenge as Challenge, closed, signal)
      }
    } else return response
    if (!mayAsk) return response
  }
}
