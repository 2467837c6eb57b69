/**
 * Tokens of a session, minted from its row. A refresh token is a function of its row and of what the presented token said, so
 * that a client whose answer was lost can be handed the same one again. Neither token outlives the session, but for the part of a
 * second that whole seconds cost: the row says when it ends.
 */
import { AuthError } from '../errors.ts'
import type { SignToken, TokenClaims } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { SessionRow } from './store.ts'

/** A token pair of a session. */
export interface SessionTokens {
  /** The access token. */
  readonly access_token: string
  /** The refresh token. */
  readonly refresh_token: string
  /** Always `'bearer'`. */
  readonly token_type: 'bearer'
  /** How long the access token lives, in seconds. */
  readonly expires_in: number
}

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
 * The session and the generation that a refresh token names.
 *
 * @throws {AuthError} `refresh_token_required` for an access token, `session_revoked` for a refresh token without a session
 */
export function toTokenGeneration({ type, sid, jti = '' }: TokenPayload<unknown>): TokenGeneration {
  if (type !== 'refresh') throw new AuthError('refresh_token_required')
  const gen = sid !== undefined && jti.startsWith(`${sid}.`) ? jti.slice(sid.length + 1) : ''
  if (sid === undefined || !/^(?:0|[1-9]\d{0,8})$/.test(gen)) throw new AuthError('session_revoked')
  return { sid, gen: Number(gen) }
}

/** What a token carries from one generation to the next: all that was said at the authentication behind it. */
export function toSessionClaims({
  csrf,
  aud,
  auth_time,
  acr,
  amr,
}: TokenPayload<unknown>): Partial<TokenClaims> {
  return { csrf, aud, auth_time, acr, amr }
}

/** The times of a refresh token: its row's. */
export function toTimes({ rotatedAt, idleExpiresAt }: SessionRow): TokenTimes {
  const iat = Math.floor(rotatedAt)
  // In its last second a session would get a token that ends before it begins.
  return { iat, exp: Math.max(iat + 1, Math.floor(idleExpiresAt)) }
}

/** Mints a refresh token of the row's generation. */
export function mintRefresh(
  issue: SignToken,
  { sid, sub, gen }: SessionRow,
  said: Partial<TokenClaims>,
  times: TokenTimes,
): string {
  return issue({ ...said, ...times, type: 'refresh', sub, sid, gen, jti: `${sid}.${gen}` })
}

/**
 * Mints both tokens.
 *
 * @param access what the access token says, with its times as they would be without a session
 * @param refresh the refresh token
 */
export function mintPair(
  issue: SignToken,
  row: SessionRow,
  access: Partial<TokenClaims> & TokenTimes,
  refresh: string,
): SessionTokens {
  const { iat } = access
  // A login on a node whose clock is ahead of ours must not make tokens from the future, which we would refuse ourselves.
  const auth_time = access.auth_time === undefined ? undefined : Math.min(access.auth_time, iat)
  const exp = Math.max(iat + 1, Math.floor(Math.min(access.exp, row.idleExpiresAt, row.absoluteExpiresAt)))
  const token = issue({ ...access, auth_time, type: 'access', sub: row.sub, sid: row.sid, exp })
  return { access_token: token, refresh_token: refresh, token_type: 'bearer', expires_in: exp - iat }
}
