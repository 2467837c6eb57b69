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
  const [given, method, signal, isKept, create] = openRequest(input, init)
  // With a `baseUrl` the paths `me` and `/me` are one.
  let url = given?.url ?? new URL(`${input}`.replace(/^\/(?!\/)/, client.prefix), client.root).href
  let login = client.known
  if (!client.owns(url)) return client.fetch(given ?? url, init)
  // No redirect takes the CSRF header to another origin: `Authorization` and cookies are removed
  // then, a header like this one is not. A page follows redirects within its own origin; one of
  // another origin gets the redirect itself.
  const guard: RequestInit = client.owns(client.location) ? { mode: 'same-origin' } : { redirect: 'manual' }
  let refreshed: boolean | undefined
  let proved: boolean | undefined
  for (;;) {
    // When another user has logged in, this user's call must not be made in that name.
    const used = await heed(signal, getTokens(client, 0, login))
    login = client.known
    const { closed } = client
    const withCookies = client.byCookie && used !== null && !used?.access
    const request = create(url, withCookies && { credentials: 'include', ...(!isSafe(method) && guard) })
    if (request.headers.has('Authorization')) return client.fetch(request, { signal })
    for (const header of Object.entries(authorize(client, method, used))) request.headers.set(...header)
    // WebKit forgets a signal that only the request has.
    const response = await client.fetch(request, { signal })
    const isRefused = response.status === 401 || (response.status === 403 && withCookies)
    if (used === null || !isRefused) return response
    if (response.redirected) url = isSafe(method) ? response.url : ''
    if (!client.owns(url)) return response
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
    } else if (code === FRESH && !proved && mayAsk && client.onStepUp && init.stepUp !== false) {
      // A step-up may have succeeded while this request was under way: try its token first.
      if (client.tokens === used || !client.state.fresh) {
        proved = true
        await prove(client, challenge as Challenge, closed, signal)
      }
    } else return response
    if (!mayAsk) return response
  }
}
