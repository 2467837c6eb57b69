/**
 * The ways to ask for a token: for a subject, or carried over from a verified payload; one, or a pair for a login.
 * What one call says becomes a draft in `draft.ts`; building and signing are `token/issue.ts`'s work.
 */
import type { Duration } from '../internal/duration.ts'
import { emit } from '../internal/listeners.ts'
import { prepareSignToken, type SignToken, type TokenClaims } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { Settings } from './resolve-options.ts'
import {
  ACCESS_KEYS,
  checkCallOptions,
  type IssueOptions,
  inheritClaims,
  prepareTokenClaims,
  REFRESH_KEYS,
  type RefreshIssueOptions,
  SHARED_KEYS,
} from './token-claims.ts'

/** What may be said of one half of a pair. */
export interface HalfOptions {
  /** How long it lives, in place of the configured life. */
  readonly expiresIn?: Duration
  /** Its scopes, in place of the pair's. */
  readonly scopes?: readonly string[]
}

/** What may be said of a pair. */
export interface PairOptions<C> extends Omit<IssueOptions<C>, 'expiresIn' | 'expiresAt' | 'notBefore'> {
  /** What differs for the access token. */
  readonly access?: HalfOptions
  /** What differs for the refresh token. */
  readonly refresh?: HalfOptions
}

/** A token pair, as an answer's body has it (RFC 6749 section 5.1). */
export interface TokenPair {
  /** The access token. */
  readonly access_token: string
  /** The refresh token. */
  readonly refresh_token: string
  /** Always `'bearer'`. */
  readonly token_type: 'bearer'
  /** How long the access token lives, in seconds. */
  readonly expires_in: number
}

/** The drafts of a login's tokens. */
export interface PairClaims {
  /** The access token. */
  readonly access: TokenClaims
  /** The refresh token. */
  readonly refresh: TokenClaims
}

/** The issuing half of an application. */
export interface TokenIssuer<C> {
  /** Issues an access token. */
  readonly createAccessToken: (
    subject: string | TokenPayload<C>,
    options?: IssueOptions<C>,
  ) => Promise<string>
  /** Issues a refresh token. */
  readonly createRefreshToken: (
    subject: string | TokenPayload<C>,
    options?: RefreshIssueOptions<C>,
  ) => Promise<string>
  /** Issues both. */
  readonly createTokenPair: (
    subject: string | TokenPayload<C>,
    options?: PairOptions<C>,
  ) => Promise<TokenPair>
  /** Drafts both tokens of a login. */
  readonly pairClaims: (subject: string | TokenPayload<C>, options: PairOptions<C>) => Promise<PairClaims>
  /** Signs a draft. */
  readonly issue: SignToken
  /**
   * Issues an access token that carries everything over but what is given, is not fresh, and lives no longer than `until`,
   * epoch seconds.
   */
  readonly renew: (
    payload: TokenPayload<C>,
    until: number,
    rights: Pick<PairOptions<C>, 'scopes' | 'data'>,
  ) => string
}

/** The options of a pair, and of each half of it. */
const PAIR_KEYS = ['fresh', 'authTime', ...SHARED_KEYS, 'access', 'refresh']
const HALF_KEYS = ['expiresIn', 'scopes']

/** Makes the issuing half of an application. */
export function createTokenIssuer<C, U>(settings: Settings<C, U>): TokenIssuer<C> {
  const { clock, lifetimes, on } = settings
  const toDraft = prepareTokenClaims(settings)
  const issue = prepareSignToken({
    ring: settings.ring,
    issuer: settings.issuer,
    audience: settings.audience.issued,
    realm: settings.realm,
    maxLifetime: settings.limits.lifetime,
    tokenLength: settings.limits.tokenLength,
  })

  const sign: SignToken = (draft) => {
    const token = issue(draft)
    emit(on, 'issued', { type: draft.type, sub: draft.sub })
    return token
  }

  async function draftPair(subject: string | TokenPayload<C>, options: PairOptions<C>): Promise<PairClaims> {
    checkCallOptions(options, PAIR_KEYS)
    const { access = {}, refresh = {}, fresh = false, ...shared } = options
    checkCallOptions(access, HALF_KEYS)
    checkCallOptions(refresh, HALF_KEYS)
    const first = await toDraft('access', subject, { ...shared, fresh, ...access })
    const { authTime: _, ...said } = shared
    const second = await toDraft('refresh', subject, { ...said, ...refresh })
    // The refresh token carries what the access token says of the login, so that a later access token can say it again.
    return { access: first, refresh: { ...second, csrf: first.csrf, auth_time: first.auth_time } }
  }

  return {
    issue: sign,
    pairClaims: draftPair,
    async createAccessToken(subject, options = {}) {
      checkCallOptions(options, ACCESS_KEYS)
      const draft = toDraft('access', subject, options)
      return sign(draft instanceof Promise ? await draft : draft)
    },
    async createRefreshToken(subject, options = {}) {
      checkCallOptions(options, REFRESH_KEYS)
      const draft = toDraft('refresh', subject, options)
      return sign(draft instanceof Promise ? await draft : draft)
    },
    async createTokenPair(subject, options = {}) {
      const { access, refresh } = await draftPair(subject, options)
      return {
        access_token: sign(access),
        refresh_token: sign(refresh),
        token_type: 'bearer',
        expires_in: access.exp - access.iat,
      }
    },
    renew(payload, until, { scopes, data }) {
      const iat = Math.floor(clock())
      const exp = Math.floor(Math.min(iat + lifetimes.access, until))
      const rights = { ...(scopes && { scopes }), ...(data && { data: data as object }) }
      return sign({ ...inheritClaims(payload), ...rights, type: 'access', iat, exp, fresh: false })
    },
  }
}
