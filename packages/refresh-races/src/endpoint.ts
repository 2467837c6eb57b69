/**
 * The interface of an endpoint under test: a login and a refresh of any server. An adapter is a few
 * functions. This file has one for endpoints with JSON over HTTP.
 */

/** The tokens that an endpoint returns. */
export interface RaceTokens {
  /** The access token. */
  readonly access: string
  /** The refresh token. Undefined if the client keeps its token: no new cookie, for example. */
  readonly refresh: string | undefined
  /** The lifetime of the access token in seconds. Undefined if the endpoint does not say. */
  readonly expiresIn: number | undefined
}

/** The endpoint under test. A rejected promise is an outage, like 503: the client tries again. */
export interface RefreshEndpoint {
  /** Signs the user in and starts a session. */
  login(): Promise<RaceTokens>
  /** Refreshes. Null if the token is refused. */
  refresh(token: string): Promise<RaceTokens | null>
  /**
   * Sends a step-up. Null if that is refused. Without this method, the report has no count of
   * elevated tokens.
   */
  stepUp?(access: string, refresh: string): Promise<RaceTokens | null>
  /** Whether an access token has the rights that only a step-up gives. */
  isElevated?(access: string): boolean | Promise<boolean>
}

/** The URLs of an endpoint and the bodies of its requests. */
export interface HttpEndpointOptions {
  /** The origin and path to which `paths` are appended, such as `'http://127.0.0.1:8000/auth'`. */
  readonly url: string
  /** The JSON body of a login. */
  readonly login: unknown
  /** The JSON body of a step-up. Undefined if the endpoint has none. */
  readonly stepUp?: unknown
  /** The paths of the routes. Default `/login`, `/refresh` and `/verify-password`. */
  readonly paths?: Readonly<Partial<Record<'login' | 'refresh' | 'stepUp', string>>>
  /** Whether an access token has the rights that only a step-up gives. */
  readonly isElevated?: RefreshEndpoint['isElevated']
}

/**
 * Creates an endpoint that takes tokens as `Authorization: Bearer` and returns JSON like OAuth 2.0:
 * `access_token`, `refresh_token`, `expires_in`. A status from 400 to 404 is a refusal. Any other
 * status except 2xx is an outage.
 *
 * @see RFC 6749 section 5.1
 */
export function toHttpEndpoint(options: HttpEndpointOptions): RefreshEndpoint {
  const { url, paths = {}, isElevated } = options
  const post = async (path: string, token: string | null, body: unknown): Promise<RaceTokens | null> => {
    const headers: Record<string, string> = { 'Content-Type': 'application/json' }
    if (token !== null) headers['Authorization'] = `Bearer ${token}`
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body ?? {}) })
    const members = (await response.json().catch(() => ({}))) as Record<string, unknown>
    if (response.status >= 400 && response.status <= 404) return null
    const { access_token: access, refresh_token: refresh, expires_in: expiresIn } = members
    if (!response.ok || typeof access !== 'string')
      throw new Error(`The endpoint responded with ${response.status}`)
    return {
      access,
      refresh: typeof refresh === 'string' ? refresh : undefined,
      expiresIn: typeof expiresIn === 'number' ? expiresIn : undefined,
    }
  }
  return {
    async login() {
      const tokens = await post(paths.login ?? '/login', null, options.login)
      if (tokens === null) throw new Error('The endpoint refused the login')
      return tokens
    },
    refresh: (token) => post(paths.refresh ?? '/refresh', token, {}),
    ...(options.stepUp !== undefined && {
      stepUp: (access: string) => post(paths.stepUp ?? '/verify-password', access, options.stepUp),
    }),
    ...(isElevated !== undefined && { isElevated }),
  }
}
