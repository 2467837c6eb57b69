/**
 * The endpoint of the command: a login and a refresh of any server over HTTP. The refresh token is
 * sent in a JSON body, in the `Authorization` header or in cookies. Of cookies, it keeps the newest
 * value of each name, like a browser.
 */
import type { RaceTokens, RefreshEndpoint } from './endpoint.ts'

/** How the refresh token is sent. */
export type RefreshBy = 'body' | 'header' | 'cookie'

/** Where requests go and what they contain. */
export interface HttpTarget {
  /** The URL of the refresh. */
  readonly refresh: string
  /** The URL of the login. */
  readonly login: string
  /** The JSON body of a login. */
  readonly body: string
  /** How the refresh token is sent. */
  readonly by: RefreshBy
  /** Where the refresh token is in a JSON response: member names joined by dots. */
  readonly tokenPath: string
  /** The name of the refresh token in the JSON body of a refresh. */
  readonly field: string
  /** Headers of every request. */
  readonly headers: Readonly<Record<string, string>>
  /** A cookie whose value is also sent in a header, for CSRF protection. Undefined for none. */
  readonly echo: { readonly cookie: string; readonly header: string } | undefined
}

/** How long a request may take, in milliseconds. */
const TIMEOUT = 30_000

/**
 * Creates the endpoint. A status from 400 to 404 of a refresh is a refusal. Any other status except
 * 2xx is an outage. `login` throws if the server refuses it or responds without a refresh token.
 */
export function createHttpEndpoint(target: HttpTarget): RefreshEndpoint {
  const { by, tokenPath, field, echo } = target

  async function post(url: string, headers: Record<string, string>, body: string | null): Promise<Response> {
    const json = body === null ? {} : { 'Content-Type': 'application/json' }
    const signal = AbortSignal.timeout(TIMEOUT)
    const init = { method: 'POST', redirect: 'manual', signal, body } as const
    return fetch(url, {
      ...init,
      headers: { Accept: 'application/json', ...json, ...target.headers, ...headers },
    })
  }

  async function readTokens(response: Response, cookies: string): Promise<RaceTokens> {
    const members: unknown = await response.json().catch(() => undefined)
    const refresh =
      by === 'cookie' ? mergeCookies(cookies, response.headers.getSetCookie()) : memberAt(members, tokenPath)
    return { access: '', refresh: typeof refresh === 'string' ? refresh : undefined, expiresIn: undefined }
  }

  function toRefresh(token: string): Promise<Response> {
    if (by === 'body') return post(target.refresh, {}, JSON.stringify({ [field]: token }))
    if (by === 'header') return post(target.refresh, { Authorization: `Bearer ${token}` }, null)
    const value = echo === undefined ? undefined : parseCookies(token).get(echo.cookie)
    const csrf = echo === undefined || value === undefined ? {} : { [echo.header]: value }
    return post(target.refresh, { Cookie: token, ...csrf }, null)
  }

  return {
    async login() {
      const response = await post(target.login, {}, target.body)
      if (!response.ok) throw new Error(`POST ${target.login} refuses the login: status ${response.status}`)
      const tokens = await readTokens(response, '')
      if (tokens.refresh) return tokens
      throw new Error(
        by === 'cookie'
          ? `POST ${target.login} sets no cookie`
          : `POST ${target.login} returns no string at "${tokenPath}" of its JSON: set --token-path`,
      )
    },
    async refresh(token) {
      const response = await toRefresh(token)
      if (response.ok) return readTokens(response, token)
      await response.body?.cancel()
      if (response.status >= 400 && response.status <= 404) return null
      throw new Error(`POST ${target.refresh}: status ${response.status}`)
    },
  }
}

/** The member of a JSON value at a path of names, joined by dots. */
function memberAt(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, name) => {
    return typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
      ? (inner as Record<string, unknown>)[name]
      : undefined
  }, value)
}

function parseCookies(header: string): Map<string, string> {
  const pairs = header.split('; ').filter(Boolean)
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
}

/**
 * The `Cookie` header after the `Set-Cookie` headers of a response. An empty value or `Max-Age=0`
 * removes a cookie.
 */
function mergeCookies(header: string, lines: readonly string[]): string {
  const cookies = parseCookies(header)
  for (const line of lines) {
    const [pair = '', ...attributes] = line.split(';')
    const name = pair.slice(0, pair.indexOf('=')).trim()
    const value = pair.slice(pair.indexOf('=') + 1).trim()
    const isGone = value === '' || attributes.some((attribute) => /^\s*max-age\s*=\s*(0|-)/i.test(attribute))
    if (isGone) cookies.delete(name)
    else cookies.set(name, value)
  }
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
}
