/**
 * The client's own requests to the auth routes, and what a token adds to any request: the header, or for tokens in cookies the
 * CSRF header on unsafe methods. Auth routes are never redirected: a password or a refresh token would travel on in the body.
 */
import { AuthClientError, readFailure, readObject } from './client-error.ts'
import type { AuthClientOptions } from './options.ts'
import type { Platform } from './platform.ts'

/** What a request needs of a token. */
export interface Bearer {
  /** The access token; undefined when it lies in a cookie. */
  readonly access?: string | undefined
  /** The CSRF value as the server last said it. */
  readonly csrf?: string | undefined
}

/** The way to the server. */
export interface Transport {
  /** The surroundings. */
  readonly platform: Platform
  /** The server. */
  readonly base: URL
  /** The address of the auth routes. */
  readonly authUrl: string
  /** Whether refresh tokens come by cookie. */
  readonly byCookie: boolean
  /** The CSRF cookie's value; empty when there is none that this page can read. */
  readCsrf(): string
  /** The request with what the token adds. */
  attach(request: Request, bearer: Bearer | null): Request
  /** Posts to an auth route and reads the answer. Throws `AuthClientError` for everything but success. */
  post(path: string, body: object, bearer: Bearer | null): Promise<Readonly<Record<string, unknown>>>
}

/** Prepares the way. Throws a TypeError without an address. */
export function createTransport(options: AuthClientOptions, platform: Platform): Transport {
  const { location } = platform
  const { baseUrl = location, basePath = '/auth', timeout = 10, csrf = {} } = options
  if (baseUrl === undefined) throw new TypeError('`baseUrl` is missing')
  const base = new URL(baseUrl, location)
  const authUrl = base.origin + basePath
  const byCookie = (options.delivery ?? (location ? 'cookie' : 'body')) === 'cookie'
  const { cookie = 'csrf_token', header = 'X-CSRF-Token' } = csrf
  const pattern = new RegExp(`(?:^|; )(?:__\\w+-)?${cookie}=([^;]*)`)
  const readCsrf = (): string => pattern.exec(platform.cookies())?.[1] ?? ''
  // The cookie of this page's own host may be another server's; then what the server said is right.
  const isOwn = location?.startsWith(`${base.origin}/`)

  const attach: Transport['attach'] = (request, bearer) => {
    const { headers, method } = request
    if (bearer?.access) headers.set('Authorization', `Bearer ${bearer.access}`)
    else if (byCookie && !/^(GET|HEAD|OPTIONS)$/.test(method)) {
      const said = bearer?.csrf
      const value = isOwn ? readCsrf() || said : said || readCsrf()
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
    attach,
    async post(path, body, bearer) {
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
        response = await platform.fetch(attach(request, bearer))
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
