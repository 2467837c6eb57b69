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
export type RequestTokens = Pick<Tokens, 'access' | 'csrf'> | null

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
  return /^(GET|HEAD|OPTIONS)$/.test(method)
}

/**
 * The CSRF values that may be right, the likeliest first: what the server said last, then what this
 * page can read in the server's own cookies.
 */
export function csrfValues({ options, base, cookies }: ClientContext, said = ''): readonly string[] {
  const { cookie = 'csrf_token' } = options.csrf ?? {}
  // Exact names: any host of the site can set a cookie that ends alike. Only the prefixed ones are
  // set over HTTPS.
  const prefixes = cookie.startsWith('__') ? [''] : ['__Host-', '__Secure-']
  if (base.protocol !== 'https:') prefixes.push('')
  // Denied in a sandboxed frame.
  const text = `; ${attempt(cookies)}`
  const read = (prefix: string): string[] => {
    const [, ...values] = text.split(`; ${prefix}${cookie}=`)
    return values.map((value) => value.replace(/;.*/, ''))
  }
  return [...new Set([said, ...prefixes.flatMap(read)])].filter(Boolean)
}

/** The CSRF values in the server's own cookies; empty when the page cannot read them. */
export function readOwnCookies(client: ClientContext): readonly string[] {
  return client.isOwn && client.byCookie ? csrfValues(client) : []
}

/** What a request with this method needs of headers: the token, or the CSRF value. */
export function authorize(client: ClientContext, method: string, tokens: RequestTokens): [string, string][] {
  if (tokens?.access) return [['Authorization', `Bearer ${tokens.access}`]]
  const [value] = client.byCookie && !isSafe(method) ? csrfValues(client, tokens?.csrf) : []
  return value ? [[client.options.csrf?.header ?? 'X-CSRF-Token', value]] : []
}

/**
 * Sends to an auth route, with a body as a POST, and reads the response. Throws `AuthClientError`
 * for everything but success.
 *
 * @param tokens by default no access token: some routes would take it for the refresh token
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
  const request = new Request(client.authUrl + path, {
    method,
    ...(body && { body: JSON.stringify(body) }),
    headers: [['Content-Type', 'application/json'], ...authorize(client, method, tokens)],
    redirect: 'error',
    signal: controller.signal,
    ...(client.byCookie && { credentials: 'include' }),
  })
  let response: Response
  let text: string
  try {
    response = await client.fetch(request)
    text = await response.text()
  } catch (cause) {
    note(client, path, 'unreachable')
    throw new AuthClientError('unreachable', { cause })
  } finally {
    stop()
  }
  const { ok, status } = response
  const failure = readFailure(response, text, true)
  note(client, path, ok ? status : failure.code)
  if (!ok) throw failure
  // Anything else between here and the server, such as a portal, may respond with 200.
  if (path === LOGOUT && status !== 204) throw new AuthClientError('response_invalid', { status })
  return readObject(text)
}

/** Asks whose session it is. Empty when the server does not say. */
export function askOwner(client: ClientContext, tokens: RequestTokens): Promise<Owner> {
  return send(client, '/session', null, client.byCookie ? null : tokens).catch(() => ({}))
}
