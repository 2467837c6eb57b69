/**
 * Requests as a user: for the tests of an application that is guarded, in any framework. The
 * tokens are real ones of the application's own `Auth`, and with a session store behind a real
 * session; nothing is bypassed.
 */
import type { Auth } from '../auth/auth.ts'
import type { PairOptions } from '../auth/issue-tokens.ts'
import type { IssueArguments } from '../auth/token-claims.ts'
import { checkMethod, expected, isOptions, misuse } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import type { TokenPair } from '../token/issued-token.ts'

/** Who acts, and what is known of them. */
export interface ActingOptions<I>
  extends Pick<PairOptions<I>, 'scopes' | 'data' | 'audience' | 'amr' | 'acr' | 'fresh'> {
  /** How long ago the user authenticated. Default: with `fresh` just now, else no one knows. */
  readonly age?: Duration
}

/** A user who acts. All tokens are of one login, which is made when the first is asked for. */
export interface Actor {
  /** The access token. */
  token(): Promise<string>
  /** The refresh token. */
  refreshToken(): Promise<string>
  /**
   * The header that holds the token, `authorization` by default, for `fetch`, supertest,
   * Fastify's `inject` and whatever else takes headers.
   */
  headers(): Promise<Record<string, string>>
  /**
   * The `Cookie` header with both tokens, and the CSRF header that unsafe methods need beside it.
   */
  cookies(): Promise<Record<string, string>>
  /**
   * A request that holds the token in the application's first location, header or cookie.
   *
   * @param input a path such as `/posts?page=2`, or a whole URL
   * @param init as for `new Request`; headers of the same names win
   */
  request(input: string, init?: RequestInit): Promise<Request>
}

/** Where a path is asked for; no test of a fetch handler looks anything up. */
const ORIGIN = 'http://localhost'

/** Any length of time. */
const BOUNDS = { min: 0, max: Number.MAX_SAFE_INTEGER } as const

/** The login behind an actor. */
function login<C, U>(
  auth: Auth<C, U, unknown>,
  subject: string,
  { age, ...options }: ActingOptions<unknown>,
): Promise<TokenPair> {
  const authTime = age === undefined ? {} : { authTime: auth.now() - toSeconds('age', age, BOUNDS) }
  return auth.createTokenPair(subject, { ...options, ...authTime })
}

/**
 * Acts as a user.
 *
 * @param auth the application's own
 * @param subject whom the tokens are about
 * @param options what is known of them. Default: no scopes, not fresh
 * @throws {ConfigurationError} for an `auth` that is not one
 * @throws {TypeError} for a subject that is no text; and from its methods, for options that
 *   `createTokenPair` refuses
 * @throws {ConfigurationError} from its methods, for an invalid `age`
 *
 * @example
 * ```ts
 * import { Hono } from 'hono'
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/hono'
 * import { actingAs } from 'tokenwright/testing'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const app = new Hono().get('/me', guards(auth).fresh(), (c) => c.json({ sub: c.var.auth.sub }))
 *
 * const alice = actingAs(auth, 'alice', { fresh: true })
 * const response = await app.request(await alice.request('/me')) // 200
 * const tired = actingAs(auth, 'alice', { fresh: true, age: '20m' })
 * const refused = await app.request(await tired.request('/me')) // 401 fresh_token_required
 * ```
 */
export function actingAs<C, U, I>(
  auth: Auth<C, U, I>,
  subject: string,
  ...[options = {}]: IssueArguments<string, ActingOptions<I>, I>
): Actor {
  checkMethod('auth', 'what `createAuth` returns, as in `actingAs(auth, subject)`', auth, 'authenticator')
  if (typeof subject !== 'string' || subject === '')
    throw misuse(expected('subject', 'a non-empty string, as in `actingAs(auth, subject)`', subject))
  if (!isOptions(options as unknown)) throw misuse(expected('options', 'an object', options))
  let pair: Promise<TokenPair> | undefined
  const tokens = (): Promise<TokenPair> => {
    pair ??= login(auth, subject, options)
    return pair
  }
  const byHeader = auth.http.sources.locations.has('header') || !auth.http.sources.locations.has('cookie')

  const actor: Actor = {
    token: async () => (await tokens()).access_token,
    refreshToken: async () => (await tokens()).refresh_token,
    async headers() {
      const { name, prefix } = auth.http.sources.header
      return { [name]: `${prefix}${await actor.token()}` }
    },
    async cookies() {
      const given = await tokens()
      const cookie = auth.cookies(given).map((line) => line.split(';', 1)[0])
      const { csrf } = auth.decodeUnverified(given.access_token).payload
      return {
        cookie: cookie.join('; '),
        ...(typeof csrf === 'string' && { [auth.http.csrf.header]: csrf }),
      }
    },
    async request(input, init = {}) {
      if (typeof input !== 'string') throw misuse(expected('input', "a path such as '/posts'", input))
      if (!isOptions(init as unknown)) throw misuse(expected('init', 'an object', init))
      const headers = new Headers(byHeader ? await actor.headers() : await actor.cookies())
      for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
      return new Request(new URL(input, ORIGIN), { ...init, headers })
    },
  }
  return actor
}
