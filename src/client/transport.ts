/**
 * The client's own requests to the auth routes, and what a token adds to any request: the
 * `Authorization` header, or with cookies the CSRF header on unsafe methods. Redirects of auth
 * routes are refused: they would send a password or a refresh token on in the body.
 */
import { AuthClientError, isCsrf, readFailure, readObject } from './client-error.ts'
import type { AuthClientOptions } from './options.ts'
import type { Platform } from './platform.ts'

/** What a request takes of the tokens. */
export interface RequestTokens {
  /** The access token; undefined when it is in a cookie. */
  readonly access?: string | undefined
  /** The CSRF value that the server sent last. */
  readonly csrf?: string | undefined
}

export interface Transport {
  readonly platform: Platform
  /** The server's address. */
  readonly base: URL
  /** The address of the auth routes. */
  readonly authUrl: string
  /** Whether refresh tokens are in a cookie. */
  readonly byCookie: boolean
  /**
   * The CSRF values that may be right, the likeliest first: what the server said last, then what
   * this page can read in the server's own cookies.
   */
  csrfValues(said?: string): readonly string[]
  /** Whether the cookies show another session than the one with this CSRF value. */
  isReplaced(said: string | undefined): boolean
  /**
   * The options of a request by cookie with which no redirect takes the CSRF header to another
   * origin: `Authorization` and cookies are removed then, a header like this one is not. A page
   * follows redirects within its own origin; one of another origin gets the redirect itself.
   */
  guardRedirects(method: string, withCookies: boolean): RequestInit
  /** Adds the token, or the CSRF value, to the request. */
  attach(request: Request, tokens: RequestTokens | null): Request
  /**
   * Posts to an auth route and reads the response. Throws `AuthClientError` for everything but
   * success.
   */
  post(path: string, body: object, tokens: RequestTokens | null): Promise<Readonly<Record<string, unknown>>>
}

/** The one route that takes an access token. */
export const STEP_UP = '/verify-password'
export const LOGOUT = '/logout'

type Body = Readonly<Record<string, unknown>>

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

/**
 * The address outside a page where none is given, so that a client can be created while a server
 * renders. It never resolves (RFC 6761 section 6.4), and says in the cause what is missing.
 */
const MISSING = 'https://baseurl-is-missing.invalid'

/** @throws {TypeError} for an address that is not a URL, and a timeout that is no plausible one */
export function createTransport(options: AuthClientOptions, platform: Platform): Transport {
  const { location } = platform
  const { baseUrl = location ?? MISSING, basePath = '/auth', timeout = 10, csrf = {} } = options
  const base = new URL(baseUrl, location)
  if (!(timeout > 0 && timeout <= 600)) throw new TypeError('Expected `timeout` to be seconds, at most 600')
  const authUrl = base.origin + basePath
  const byCookie = (options.delivery ?? (location ? 'cookie' : 'body')) === 'cookie'
  const { cookie = 'csrf_token', header = 'X-CSRF-Token' } = csrf
  const isOwn = Boolean(location?.startsWith(`${base.origin}/`))
  const readCookies = createCookieReader(cookie, base, platform)
  const csrfValues = (said?: string): string[] => [...new Set([said ?? '', ...readCookies()])].filter(Boolean)

  const attach: Transport['attach'] = (request, tokens) => {
    const { headers, method } = request
    if (tokens?.access) headers.set('Authorization', `Bearer ${tokens.access}`)
    else if (byCookie && !isSafe(method)) {
      const [value] = csrfValues(tokens?.csrf)
      if (value) headers.set(header, value)
    }
    return request
  }

  return {
    platform,
    base,
    authUrl,
    byCookie,
    csrfValues,
    isReplaced: (said) => {
      const read = readCookies()
      return isOwn && Boolean(said && read[0]) && !read.includes(said as string)
    },
    guardRedirects: (method, withCookies) => {
      if (!withCookies) return {}
      const guard: RequestInit = isOwn ? { mode: 'same-origin' } : { redirect: 'manual' }
      return { credentials: 'include', ...(!isSafe(method) && guard) }
    },
    attach,
    async post(path, body, tokens) {
      const [, other] = csrfValues(tokens?.csrf)
      try {
        return await send(path, body, tokens)
      } catch (error) {
        // A step-up is for the user of this session only.
        const mayTry = byCookie && other && path !== STEP_UP && isCsrf(error as AuthClientError)
        if (!mayTry) throw error
        return send(path, body, { csrf: other })
      }
    },
  }

  async function send(path: string, body: object, tokens: RequestTokens | null): Promise<Body> {
    const controller = new AbortController()
    const stop = platform.after(timeout, () => controller.abort())
    const request = new Request(authUrl + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: controller.signal,
      ...(byCookie && { credentials: 'include' }),
    })
    let response: Response
    let text: string
    try {
      response = await platform.fetch(attach(request, tokens))
      text = await response.text()
    } catch (cause) {
      throw new AuthClientError('unreachable', { cause })
    } finally {
      stop()
    }
    if (!response.ok) throw readFailure(response, text, true)
    // Anything else between here and the server, such as a portal, may respond with 200.
    if (path === LOGOUT && response.status !== 204)
      throw new AuthClientError('response_invalid', { status: response.status })
    return readObject(text)
  }
}
