/**
 * Mints the tokens of a session from its row. A refresh token is a function of its row and of what
 * the refresh token before it said, so that a client whose response was lost can be given the same
 * one again. Neither token outlives the session by more than the rounding to whole seconds: the row
 * says when it ends.
 */
import { AuthError } from '../errors.ts'
import { type IssuedPair, type IssueToken, issueBoth } from '../token/issued-token.ts'
import type { TokenClaims } from '../token/sign-token.ts'
import { type TokenPayload, toAccessAudience } from '../token/token-payload.ts'
import type { SessionRow } from './session-row.ts'

/** A generation of a session. */
export interface TokenGeneration {
  /** The session. */
  readonly sid: string
  /** The generation: 0 at the login. */
  readonly gen: number
}

/** The times of a token, epoch seconds. */
export type TokenTimes = Pick<TokenClaims, 'iat' | 'exp'>

/**
 * What the two tokens of a pair say beyond what their row says; the times of the access token
 * before they are capped.
 */
export interface MintClaims {
  /** Of the access token. */
  readonly access: Partial<TokenClaims> & TokenTimes
  /** Of the refresh token. */
  readonly refresh: Partial<TokenClaims> & TokenTimes
}

/**
 * The session and the generation that a refresh token names.
 *
 * @throws {AuthError} `refresh_token_required` for an access token, `session_revoked` for a refresh
 *   token without a session
 */
export function toTokenGeneration({ type, sid, jti = '' }: TokenPayload<unknown>): TokenGeneration {
  if (type !== 'refresh') throw new AuthError('refresh_token_required')
  const gen = sid !== undefined && jti.startsWith(`${sid}.`) ? jti.slice(sid.length + 1) : ''
  if (sid === undefined || !/^(?:0|[1-9]\d{0,8})$/.test(gen)) throw new AuthError('session_revoked')
  return { sid, gen: Number(gen) }
}

/**
 * The claims that every generation inherits from the one before: what was said at the
 * authentication.
 */
export function toSessionClaims(payload: TokenPayload<unknown>): Partial<TokenClaims> {
  const { csrf, auth_time, acr, amr, login_name, client_id } = payload
  return { csrf, aud: toAccessAudience(payload), auth_time, acr, amr, login_name, client_id }
}

/** The times of a refresh token: its row's. */
export function toTimes({ rotatedAt, idleExpiresAt }: SessionRow): TokenTimes {
  const iat = Math.floor(rotatedAt)
  // In the last second of its session a token would otherwise end before it begins.
  return { iat, exp: Math.max(iat + 1, Math.floor(idleExpiresAt)) }
}

/**
 * Mints both tokens of a row's generation.
 *
 * @param isRefreshKept whether the refresh token is the one that came
 */
export async function mintPair(
  issue: IssueToken,
  row: SessionRow,
  { access, refresh }: MintClaims,
  isRefreshKept = false,
): Promise<IssuedPair> {
  const { sid, sub, gen } = row
  const remember = toRemember(row)
  const minted = { ...refresh, type: 'refresh', sub, sid, gen, remember, jti: `${sid}.${gen}` } as const
  const [first, second] = await issueBoth(issue, minted, toAccessClaims(row, access))
  return { access: second, refresh: first, isRefreshKept }
}

function toAccessClaims(row: SessionRow, claims: MintClaims['access']): TokenClaims {
  const { iat } = claims
  // A login on a node whose clock is ahead must not make a token from the future, which would be
  // refused.
  const auth_time = claims.auth_time === undefined ? undefined : Math.min(claims.auth_time, iat)
  const exp = Math.max(iat + 1, Math.floor(Math.min(claims.exp, row.idleExpiresAt, row.absoluteExpiresAt)))
  const { sub, sid } = row
  return { ...claims, auth_time, type: 'access', sub, sid, exp, remember: toRemember(row) }
}

/** Tells whoever makes cookies of a token that they end with the browser. */
function toRemember({ brief }: SessionRow): false | undefined {
  return brief ? false : undefined
}
