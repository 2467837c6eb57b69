/**
 * What the simulator runs against: a login and a refresh, ours or anyone's. An adapter is a few
 * functions; for endpoints that take and give JSON over HTTP there is one here.
 */

/** What an endpoint returns. */
export interface RaceTokens {
  /** The access token. */
  readonly access: string
  /**
   * The refresh token; undefined where the client keeps the one it has, as when a response sets no
   * cookie.
   */
  readonly refresh: string | undefined
  /** How long the access token lives, in seconds; undefined where the endpoint does not say. */
  readonly expiresIn: number | undefined
}

/** The endpoint under test. A rejection is an outage, as a 503 is: the client tries again. */
export interface RefreshEndpoint {
  /** Signs the user in: a new session. */
  login(): Promise<RaceTokens>
  /** Refreshes; null when the token is refused. */
  refresh(token: string): Promise<RaceTokens | null>
  /**
   * Proves once more who the user is; null when that is refused. Without it nothing is said of
   * elevated tokens.
   */
  stepUp?(access: string, refresh: string): Promise<RaceTokens | null>
  /** Whether an access token has what only a step-up gives. */
  isElevated?(access: string): boolean | Promise<boolean>
}

/** Where an endpoint's routes stand and what they are sent. */
export interface HttpEndpointOptions {
  /**
   * The origin and path that the routes' paths are added to, such as
   * `'http://127.0.0.1:8000/auth'`.
   */
  readonly url: string
  /** The JSON body of a login. */
  readonly login: unknown
  /** The JSON body of a step-up; undefined for an endpoint without. */
  readonly stepUp?: unknown
  /** The routes' paths. Default `/login`, `/refresh` and `/verify-password`. */
  readonly paths?: Readonly<Partial<Record<'login' | 'refresh' | 'stepUp', string>>>
  /** Whether an access token has what only a step-up gives. */
  readonly isElevated?: RefreshEndpoint['isElevated']
}

/**
 * An endpoint that takes tokens as `Authorization: Bearer` and returns JSON as OAuth 2.0 does:
 * `access_token`, `refresh_token`, `expires_in`. Statuses 400-404 refuse; any other but 2xx is an
 * outage.
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
      throw new Error(`The endpoint answered ${response.status}`)
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
