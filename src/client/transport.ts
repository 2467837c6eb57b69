/**
 * The client's own requests to the auth routes, and what a token adds to any request: the
 * `Authorization` header, or with cookies the CSRF header on unsafe methods. Redirects of auth
 * routes are refused: they would send a password or a refresh token on in the body.
 */
import { AuthClientError, readFailure, readObject } from './client-error.ts'
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
  /** The CSRF cookie's value; empty when this page can read none. */
  readCsrf(): string
  /**
   * The options of a request by cookie with which no redirect takes the CSRF header to another
   * origin: `Authorization` and cookies are removed then, a header like this one is not. A page
   * follows redirects within its own origin; one of another origin gets the redirect itself.
   */
  guardRedirects(method: string, tokens: RequestTokens | null): RequestInit
  /** Adds the token, or the CSRF value, to the request. */
  attach(request: Request, tokens: RequestTokens | null): Request
  /**
   * Posts to an auth route and reads the response. Throws `AuthClientError` for everything but
   * success.
   */
  post(path: string, body: object, tokens: RequestTokens | null): Promise<Readonly<Record<string, unknown>>>
}

/** Whether a method changes nothing (RFC 9110 section 9.2.1). */
export function isSafe(method: string): boolean {
  return /^(GET|HEAD|OPTIONS)$/.test(method)
}

/**
 * The address outside a page where none is given, so that a client can be created while a server
 * renders. It never resolves (RFC 6761 section 6.4), and says in the cause what is missing.
 */
const MISSING = 'https://baseurl-is-missing.invalid'

/** @throws {TypeError} for an address that is not a URL */
export function createTransport(options: AuthClientOptions, platform: Platform): Transport {
  const { location } = platform
  const { baseUrl = location ?? MISSING, basePath = '/auth', timeout = 10, csrf = {} } = options
  const base = new URL(baseUrl, location)
  const authUrl = base.origin + basePath
  const byCookie = (options.delivery ?? (location ? 'cookie' : 'body')) === 'cookie'
  const { cookie = 'csrf_token', header = 'X-CSRF-Token' } = csrf
  const pattern = new RegExp(`(?:^|; )(?:__\\w+-)?${cookie}=([^;]*)`)
  const readCsrf = (): string => pattern.exec(platform.cookies())?.[1] ?? ''
  // This page's CSRF cookie may come from another server; then the value in the response is right.
  const isOwn = location?.startsWith(`${base.origin}/`)

  const attach: Transport['attach'] = (request, tokens) => {
    const { headers, method } = request
    if (tokens?.access) headers.set('Authorization', `Bearer ${tokens.access}`)
    else if (byCookie && !isSafe(method)) {
      const sent = tokens?.csrf
      const value = isOwn ? readCsrf() || sent : sent || readCsrf()
      if (value) headers.set(header, value)
    }
    return request
  }

  return {
    platform,
    base,
    authUrl,
    byCookie,
    readCsrf,
    guardRedirects: (method, tokens) => {
      if (!byCookie || tokens?.access) return {}
      const guard: RequestInit = isOwn ? { mode: 'same-origin' } : { redirect: 'manual' }
      return { ...(tokens && { credentials: 'include' }), ...(!isSafe(method) && guard) }
    },
    attach,
    async post(path, body, tokens) {
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
      if (!response.ok) throw readFailure(response, text)
      return readObject(text)
    },
  }
}
