/**
 * The ways to ask for a token: for a subject, or carried over from a verified payload; one, or a pair for a login.
 * What one call says becomes a draft in `draft.ts`; building and signing are `token/issue.ts`'s work.
 */
import type { Duration } from '../internal/duration.ts'
import { emit } from '../internal/listeners.ts'
import {
  ACCESS_KEYS,
  carry,
  checkKeys,
  type IssueOptions,
  prepareDraft,
  REFRESH_KEYS,
  type RefreshIssueOptions,
  SHARED_KEYS,
} from './token-claims.ts'
import type { Settings } from './resolve-options.ts'
import { type Draft, type Issue, prepareIssue } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'

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
export interface DraftPair {
  /** The access token. */
  readonly access: Draft
  /** The refresh token. */
  readonly refresh: Draft
}

/** The issuing half of an application. */
export interface Issuance<C> {
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
  readonly draftPair: (subject: string | TokenPayload<C>, options: PairOptions<C>) => Promise<DraftPair>
  /** Signs a draft. */
  readonly issue: Issue
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
export function createIssuance<C, U>(settings: Settings<C, U>): Issuance<C> {
  const { clock, lifetimes, on } = settings
  const toDraft = prepareDraft(settings)
  const issue = prepareIssue({
    ring: settings.ring,
    issuer: settings.issuer,
    audience: settings.audience.issued,
    realm: settings.realm,
    maxLifetime: settings.limits.lifetime,
    tokenLength: settings.limits.tokenLength,
  })

  const sign: Issue = (draft) => {
    const token = issue(draft)
    emit(on, 'issued', { type: draft.type, sub: draft.sub })
    return token
  }

  async function draftPair(subject: string | TokenPayload<C>, options: PairOptions<C>): Promise<DraftPair> {
    checkKeys(options, PAIR_KEYS)
    const { access = {}, refresh = {}, fresh = false, ...shared } = options
    checkKeys(access, HALF_KEYS)
    checkKeys(refresh, HALF_KEYS)
    const first = await toDraft('access', subject, { ...shared, fresh, ...access })
    const { authTime: _, ...said } = shared
    const second = await toDraft('refresh', subject, { ...said, ...refresh })
    // The refresh token carries what the access token says of the login, so that a later access token can say it again.
    return { access: first, refresh: { ...second, csrf: first.csrf, auth_time: first.auth_time } }
  }

  return {
    issue: sign,
    draftPair,
    async createAccessToken(subject, options = {}) {
      checkKeys(options, ACCESS_KEYS)
      const draft = toDraft('access', subject, options)
      return sign(draft instanceof Promise ? await draft : draft)
    },
    async createRefreshToken(subject, options = {}) {
      checkKeys(options, REFRESH_KEYS)
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
      return sign({ ...carry(payload), ...rights, type: 'access', iat, exp, fresh: false })
    },
  }
}
