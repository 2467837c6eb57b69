/**
 * The client's own requests to the auth routes, and what a token adds to any request: the
 * `Authorization` header, or with cookies the CSRF header on unsafe methods. Redirects of auth
 * routes are refused: they would send a password or a refresh token on in the body.
 */
import { attempt } from './attempt.ts'
import { AuthClientError, readFailure, readObject } from './client-error.ts'
import type { ClientContext, Tokens } from './context.ts'
import { note } from './events.ts'

/** What a request takes of the tokens. */
export type RequestTokens = Pick<Tokens, 'access' | 'csrf'> | null | undefined

/** Whose session the cookies, or the access token, are of. */
export interface Owner {
  readonly active?: unknown
  readonly session_id?: string
  readonly csrf_token?: string
  readonly expires_in?: number
  readonly fresh?: boolean
}

export const LOGIN = '/login'
export const REFRESH = '/refresh'
export const LOGOUT = '/logout'

export type Body = Readonly<Record<string, unknown>>

/** Whether a method changes nothing (RFC 9110 section 9.2.1). */
export function isSafe(method: string): boolean {
  return /^(get|head|options)$/i.test(method)
}

/**
 * The CSRF values that may be right, the likeliest first: what the server said last, then what this
 * page can read in the server's own cookies.
 */
export function csrfValues({ base, csrf, cookies }: ClientContext): readonly string[] {
  const { cookie = 'csrf_token' } = csrf ?? {}
  // Exact names: any host of the site can set a cookie that ends alike. Only the prefixed ones are
  // set over HTTPS.
  const prefixes = ['__Host-', '__Secure-']
  if (base.protocol === 'http:') prefixes.push('')
  // Denied in a sandboxed frame.
  const text = `; ${attempt(cookies)}`
  return (/^__/.test(cookie) ? [''] : prefixes).flatMap((prefix) => {
    const [, ...values] = text.split(`; ${prefix}${cookie}=`)
    return values.map((value) => value.replace(/;.*/, ''))
  })
}

/** The CSRF values in the server's own cookies; empty when the page cannot read them. */
export function readOwnCookies(client: ClientContext): readonly string[] {
  return client.byCookie && client.owns(client.location) ? csrfValues(client) : []
}

/** What a request with this method needs of headers: the token, or the CSRF value. */
export function authorize(
  client: ClientContext,
  method: string,
  tokens: RequestTokens,
): Record<string, string> {
  if (tokens?.access) return { Authorization: `Bearer ${tokens.access}` }
  const value = client.byCookie && !isSafe(method) && (tokens?.csrf ?? csrfValues(client)[0])
  return value ? { [client.csrf?.header ?? 'X-CSRF-Token']: value } : {}
}

/**
 * Sends to an auth route, with a body as a POST, and reads the response. Throws `AuthClientError`
 * for everything but success.
 *
 * @param tokens by default no access token: some url would take it for the refresh token
 */
export async function send(
  client: ClientContext,
  path: string,
  body: object | null,
  tokens: RequestTokens = { csrf: client.tokens?.csrf },
): Promise<Body> {
  const controller = new AbortController()
  const stop = client.after(path === REFRESH ? client.deadline : client.timeout, () => controller.abort())
  const method = body ? 'POST' : 'GET'
  const request = new Request(client.routes + path, {
    method,
    body: body && JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...authorize(client, method, tokens) },
    redirect: 'error',
    signal: controller.signal,
    ...(client.byCookie && { credentials: 'include' }),
  })
  let failure: AuthClientError | undefined
  let text = ''
  try {
    const response = await client.fetch(request, { signal: controller.signal })
    text = await response.text()
    const { status } = response
    if (!response.ok) failure = readFailure(response, text, true)
    // Anything else between here and the server, such as a portal, may respond with 200.
    else if (path === LOGOUT && status !== 204) failure = new AuthClientError('response_invalid', { status })
  } catch (cause) {
    failure = new AuthClientError('unreachable', { cause })
  }
  stop()
  note(client, path, failure?.code ?? 200)
  if (failure) throw failure
  return readObject(text)
}

/** Asks whose session it is. Empty when the server does not say. */
export function askOwner(client: ClientContext): Promise<Owner> {
  return send(client, '/session', null, client.byCookie ? undefined : client.tokens).catch(() => ({}))
}
