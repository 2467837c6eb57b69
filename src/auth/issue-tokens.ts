/**
 * Issues tokens: one for a subject or for a verified payload, or a pair for a login.
 * `token-claims.ts` turns the options of a call into claims; `token/sign-token.ts` signs them.
 */
import { type Awaitable, isPromise } from '../internal/awaitable.ts'
import { ConfigurationError, expected, isOptions, misuse } from '../internal/configuration-error.ts'
import type { Duration } from '../internal/duration.ts'
import { emit } from '../internal/listeners.ts'
import { keysOf } from '../internal/read-options.ts'
import type { SessionRow } from '../session/session-row.ts'
import { type IssuedPair, type IssuedToken, issueBoth } from '../token/issued-token.ts'
import { checkTokenClaims, prepareSignToken, type SignToken, type TokenClaims } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { TokenToIssue } from './options.ts'
import type { Settings } from './resolve-options.ts'
import {
  ACCESS_KEYS,
  checkCallOptions,
  type IssueOptions,
  inheritClaims,
  prepareTokenClaims,
  REFRESH_KEYS,
  type RefreshIssueOptions,
  type ToTokenClaims,
} from './token-claims.ts'

/** Options of one token of a pair. */
export interface HalfOptions {
  /** How long it lives, in place of the configured life. */
  readonly expiresIn?: Duration
  /** Its scopes, in place of the pair's. */
  readonly scopes?: readonly string[]
}

/** Options of issuing a pair. */
export interface PairOptions<I> extends Omit<IssueOptions<I>, 'expiresIn' | 'expiresAt' | 'notBefore'> {
  /**
   * Whether the user wants to stay signed in. With `false` the cookies end with the browser, and
   * a session lasts as long as `sessions.brief` says; both hold until it ends. Default true, or
   * what a payload says.
   */
  readonly remember?: boolean
  /** What differs for the access token. */
  readonly access?: HalfOptions
  /** What differs for the refresh token. */
  readonly refresh?: HalfOptions
}

/** What a token grants. */
export type Grants = Pick<PairOptions<unknown>, 'scopes' | 'data'>

/** The session that is to grant more or less. */
export type GrantingSession = Pick<SessionRow, 'sub' | 'sid' | 'authTime' | 'amr' | 'acr'>

/** The claims of both tokens of a login. */
export interface PairClaims {
  /** Of the access token. */
  readonly access: TokenClaims
  /** Of the refresh token. */
  readonly refresh: TokenClaims
}

const PAIR_KEYS = keysOf<PairOptions<unknown>>({
  fresh: true,
  authTime: true,
  scopes: true,
  data: true,
  audience: true,
  headers: true,
  amr: true,
  acr: true,
  loginName: true,
  clientId: true,
  remember: true,
  access: true,
  refresh: true,
})

const HALF_KEYS = keysOf<HalfOptions>({ expiresIn: true, scopes: true })

/** Issues the tokens of one application. Options of the wrong shape reject with a `TypeError`. */
export class TokenIssuer<C> {
  readonly #settings: Pick<
    Settings<C, unknown>,
    'clock' | 'lifetimes' | 'on' | 'additionalClaims' | 'additionalHeaders'
  >
  readonly #toClaims: ToTokenClaims<C>
  readonly #sign: SignToken
  readonly #check: (claims: TokenClaims) => void

  /** @param settings the options of the application */
  constructor(settings: Settings<C, unknown>) {
    this.#settings = settings
    this.#toClaims = prepareTokenClaims(settings)
    this.#check = (claims) => checkTokenClaims(claims, settings.limits.lifetime)
    this.#sign = prepareSignToken({
      ring: settings.ring,
      issuer: settings.issuer,
      audience: settings.audience.issued,
      realm: settings.realm,
      isProfiled: settings.isProfiled,
      clientId: settings.clientId,
      maxLifetime: settings.limits.lifetime,
      tokenLength: settings.limits.tokenLength,
      clock: settings.clock,
    })
  }

  /** Signs claims, at once where the key is in this process. @throws as `SignToken` */
  issue(claims: TokenClaims): Awaitable<IssuedToken> {
    const issued = this.#signWhole(claims)
    return isPromise(issued) ? issued.then((late) => this.#tell(late)) : this.#tell(issued)
  }

  #tell(issued: IssuedToken): IssuedToken {
    const { claims } = issued
    emit(this.#settings.on, 'issued', { type: claims.type, sub: claims.sub })
    return issued
  }

  /** Signs claims together with those that the application adds to every token. */
  #signWhole(claims: TokenClaims): Awaitable<IssuedToken> {
    const { additionalClaims, additionalHeaders } = this.#settings
    if (!additionalClaims && !additionalHeaders) return this.#signThese(claims)
    const data = addMembers('additionalClaims', additionalClaims, claims)
    const headers = addMembers('additionalHeaders', additionalHeaders, claims)
    const whole = {
      ...claims,
      ...(data !== undefined && { data: { ...claims.data, ...data } }),
      ...(headers !== undefined && {
        headers: { ...headers, ...claims.headers } as NonNullable<TokenClaims['headers']>,
      }),
    }
    return this.#signThese(whole)
  }

  #signThese(claims: TokenClaims): Awaitable<IssuedToken> {
    const text = this.#sign(claims)
    return isPromise(text) ? text.then((late) => ({ text: late, claims })) : { text, claims }
  }

  /** Issues an access token, at once where no schema is configured. */
  issueAccess(
    subject: string | TokenPayload<C>,
    options: IssueOptions<unknown> = {},
  ): Awaitable<IssuedToken> {
    checkCallOptions(options, ACCESS_KEYS)
    return this.#issueFrom(this.#toClaims('access', subject, options))
  }

  /** Issues a refresh token, at once where no schema is configured. */
  issueRefresh(
    subject: string | TokenPayload<C>,
    options: RefreshIssueOptions<unknown> = {},
  ): Awaitable<IssuedToken> {
    checkCallOptions(options, REFRESH_KEYS)
    return this.#issueFrom(this.#toClaims('refresh', subject, options))
  }

  #issueFrom(claims: Awaitable<TokenClaims>): Awaitable<IssuedToken> {
    return isPromise(claims) ? claims.then((checked) => this.issue(checked)) : this.issue(claims)
  }

  /** Issues both tokens of a login. */
  async issuePair(
    subject: string | TokenPayload<C>,
    options: PairOptions<unknown> = {},
  ): Promise<IssuedPair> {
    const { access, refresh } = await this.toPairClaims(subject, options)
    const [first, second] = await issueBoth((claims) => this.issue(claims), access, refresh)
    return { access: first, refresh: second, isRefreshKept: false }
  }

  /** The claims of both tokens of a login, not yet signed. */
  async toPairClaims(subject: string | TokenPayload<C>, options: PairOptions<unknown>): Promise<PairClaims> {
    checkCallOptions(options, PAIR_KEYS)
    const { access = {}, refresh = {}, remember } = options
    checkCallOptions(access, HALF_KEYS, { name: 'access' })
    checkCallOptions(refresh, HALF_KEYS, { name: 'refresh' })
    if (remember !== undefined && typeof remember !== 'boolean')
      throw misuse(expected('remember', 'true or false', remember))
    const first = await this.#toClaims('access', subject, options, access)
    const second = await this.#toClaims('refresh', subject, options, refresh)
    // The refresh token says what the access token says of the login, so that later access tokens
    // can.
    const pair = { access: first, refresh: { ...second, csrf: first.csrf, auth_time: first.auth_time } }
    if (remember === undefined) return pair
    const kept = { remember: remember ? undefined : (false as const) }
    return { access: { ...pair.access, ...kept }, refresh: { ...pair.refresh, ...kept } }
  }

  /**
   * Checks the claims of a login before its session is stored. The session says how long its tokens
   * live.
   *
   * @throws {TypeError} as `SignToken`
   */
  checkPair({ access, refresh }: PairClaims): void {
    this.#check(access)
    this.#check({ ...refresh, iat: access.iat, exp: access.exp })
  }

  /**
   * Signs an access token that no one gets, to see whether a session may grant so much.
   *
   * @throws {TypeError} as `SignToken`, and for data that the schema refuses
   */
  async signUnissued(
    { sub, sid, authTime, amr, acr }: GrantingSession,
    grants: Grants,
  ): Promise<IssuedToken> {
    const options = { ...grants, ...(amr && { amr }), ...(acr !== null && { acr }) }
    const base = await this.#toClaims('access', sub, options)
    const claims = { ...base, sid, auth_time: authTime ?? undefined }
    return this.#signWhole(claims)
  }

  /**
   * Issues an access token that inherits everything but `grants`, and is not fresh.
   *
   * @param until the latest end of the token, epoch seconds
   */
  renew(payload: TokenPayload<C>, until: number, { scopes, data }: Grants): Awaitable<IssuedToken> {
    const { clock, lifetimes } = this.#settings
    const iat = Math.floor(clock())
    const exp = Math.floor(Math.min(iat + lifetimes.access, until))
    const grants = { ...(scopes && { scopes }), ...(Boolean(data) && { data: data as object }) }
    return this.issue({ ...inheritClaims(payload), ...grants, type: 'access', iat, exp, fresh: false })
  }
}

/** What the application adds to a token; undefined for nothing. */
function addMembers(
  name: 'additionalClaims' | 'additionalHeaders',
  add: ((token: TokenToIssue) => object) | null | undefined,
  { type, sub, sid, scopes, data, client_id }: TokenClaims,
): object | undefined {
  if (!add) return undefined
  const added: unknown = add({ type, sub, sid, scopes, data, client_id })
  if (isOptions(added)) return added
  throw new ConfigurationError(expected(name, 'a function that returns an object at once', added))
}
