/**
 * The client's own requests to the auth routes, and what a token adds to any request: the
 * `Authorization` header, or with cookies the CSRF header on unsafe methods. Redirects of auth
 * routes are refused: they would send a password or a refresh token on in the body.
 */
import { openAddress } from './address.ts'
import { AuthClientError, readFailure, readObject } from './client-error.ts'
import type { Events } from './events.ts'
import type { AuthClientOptions } from './options.ts'
import type { Platform } from './platform.ts'

/** What a request takes of the tokens. */
export interface RequestTokens {
  /** The access token; undefined when it is in a cookie. */
  readonly access?: string | undefined
  /** The CSRF value that the server sent last. */
  readonly csrf?: string | undefined
}

/** Whose session the cookies, or the access token, are of. */
export interface Ownership {
  readonly active?: unknown
  readonly session_id?: string
  readonly csrf_token?: string
  readonly expires_in?: number
  readonly fresh?: boolean
}

export interface Transport {
  readonly platform: Platform
  /** The server's address. */
  readonly base: URL
  /** The address of the auth routes. */
  readonly authUrl: string
  /** Whether refresh tokens are in a cookie. */
  readonly byCookie: boolean
  /** The address that a path or a relative address of the application means. */
  resolve(input: string | URL): string
  /**
   * The CSRF values that may be right, the likeliest first: what the server said last, then what
   * this page can read in the server's own cookies.
   */
  csrfValues(said?: string): readonly string[]
  /** The CSRF values in the server's own cookies; empty when the page cannot read them. */
  readOwnCookies(): readonly string[]
  /**
   * The options of a request by cookie with which no redirect takes the CSRF header to another
   * origin: `Authorization` and cookies are removed then, a header like this one is not. A page
   * follows redirects within its own origin; one of another origin gets the redirect itself.
   */
  guardRedirects(method: string, withCookies: boolean): RequestInit
  /** The headers of a request with this method: the token, or the CSRF value. */
  headers(method: string, tokens: RequestTokens | null): Record<string, string>
  /**
   * Posts to an auth route and reads the response. Throws `AuthClientError` for everything but
   * success.
   *
   * @param deadline in seconds
   */
  post(path: string, body: object | null, tokens: RequestTokens | null, deadline?: number): Promise<Body>
  /** Asks whose session it is. Empty when the server does not say. */
  ask(tokens: RequestTokens | null): Promise<Ownership>
  /** Why the browser did not keep the cookies, as far as a page can know. */
  explainRefusal(): 'http' | 'third-party' | 'domain'
}

export const LOGIN = '/login'
export const REFRESH = '/refresh'
/** The routes that take an access token. */
export const STEP_UP = '/verify-password'
export const OTHER_STEP_UP = '/step-up'
export const LOGOUT = '/logout'

export type Body = Readonly<Record<string, unknown>>

/** Whether a method changes nothing (RFC 9110 section 9.2.1). */
export function isSafe(method: string): boolean {
  return /^(GET|HEAD|OPTIONS)$/.test(method)
}

/** Reads the values of the CSRF cookie, under each name that it may have. */
function createCookieReader(cookie: string, base: URL, platform: Platform): () => string[] {
  // Exact names: any host of the site can set a cookie that ends alike. Only the prefixed ones are
  // set over HTTPS.
  const names = cookie.startsWith('__') ? [cookie] : [`__Host-${cookie}`, `__Secure-${cookie}`]
  if (base.protocol !== 'https:') names.push(cookie)
  return () => {
    try {
      const pairs = platform.cookies().split('; ')
      const read = (name: string): string[] => pairs.filter((pair) => pair.startsWith(`${name}=`))
      return names.flatMap(read).map((pair) => pair.slice(pair.indexOf('=') + 1))
    } catch {
      // Cookies are denied, as in a sandboxed frame.
      return []
    }
  }
}

/** @throws {TypeError} for an address that is not a URL, and a timeout that is no plausible one */
export function createTransport(
  options: AuthClientOptions,
  platform: Platform,
  note: Events['note'],
): Transport {
  const { basePath = '/auth', timeout = 10, csrf = {}, delivery } = options
  if (!(timeout > 0 && timeout <= 600)) throw new TypeError('Expected `timeout` to be seconds, at most 600')
  const { base, prefix, isOwn, resolve, explainRefusal } = openAddress(options.baseUrl, platform)
  const authUrl = prefix + basePath
  const byCookie = (delivery ?? (platform.location ? 'cookie' : 'body')) === 'cookie'
  const { cookie = 'csrf_token', header = 'X-CSRF-Token' } = csrf
  const readCookies = createCookieReader(cookie, base, platform)
  const csrfValues = (said?: string): string[] => [...new Set([said ?? '', ...readCookies()])].filter(Boolean)

  const headers: Transport['headers'] = (method, tokens) => {
    if (tokens?.access) return { Authorization: `Bearer ${tokens.access}` }
    const [value] = byCookie && !isSafe(method) ? csrfValues(tokens?.csrf) : []
    return value ? { [header]: value } : {}
  }
  return {
    platform,
    base,
    authUrl,
    byCookie,
    resolve,
    csrfValues,
    readOwnCookies: () => (isOwn && byCookie ? csrfValues() : []),
    guardRedirects: (method, withCookies) => {
      if (!withCookies) return {}
      const guard: RequestInit = isOwn ? { mode: 'same-origin' } : { redirect: 'manual' }
      return { credentials: 'include', ...(!isSafe(method) && guard) }
    },
    headers,
    post: send,
    ask: (tokens) => send('/session', null, byCookie ? null : tokens).catch(() => ({})),
    explainRefusal,
  }

  async function send(
    path: string,
    body: object | null,
    tokens: RequestTokens | null,
    deadline = timeout,
  ): Promise<Body> {
    const controller = new AbortController()
    const stop = platform.after(deadline, () => controller.abort())
    const request = new Request(authUrl + path, {
      ...(body && {
        method: 'POST',
        body: JSON.stringify(body),
      }),
      headers: { 'Content-Type': 'application/json', ...headers(body ? 'POST' : 'GET', tokens) },
      redirect: 'error',
      signal: controller.signal,
      ...(byCookie && { credentials: 'include' }),
    })
    let response: Response
    let text: string
    try {
      response = await platform.fetch(request)
      text = await response.text()
    } catch (cause) {
      note(path, 'unreachable')
      throw new AuthClientError('unreachable', { cause })
    } finally {
      stop()
    }
    const failure = readFailure(response, text, true)
    note(path, response.ok ? response.status : failure.code)
    if (!response.ok) throw failure
    // Anything else between here and the server, such as a portal, may respond with 200.
    if (path === LOGOUT && response.status !== 204)
      throw new AuthClientError('response_invalid', { status: response.status })
    return readObject(text)
  }
}
