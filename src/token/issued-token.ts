/**
 * Tokens that were just signed, together with their claims, so that no code decodes what this
 * process has signed; and the public pair, which is made from them.
 */
import type { Awaitable } from '../internal/awaitable.ts'
import type { TokenClaims } from './sign-token.ts'

/** A token pair in the form of a response's body (RFC 6749 section 5.1). */
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

/** A token and the claims that it was signed with. */
export interface IssuedToken {
  /** The compact JWS. */
  readonly text: string
  /** Its claims, without what signing adds by default, such as `jti` and `iss`. */
  readonly claims: TokenClaims
}

/** Both tokens of a login, a refresh or a step-up. */
export interface IssuedPair {
  /** The access token. */
  readonly access: IssuedToken
  /** The refresh token to use from now on. */
  readonly refresh: IssuedToken
  /**
   * Whether the refresh token is the one that the request sent: same generation, same end. The
   * client then keeps its own copy, which a late response must not replace.
   */
  readonly isRefreshKept: boolean
}

/** The public form of a pair. */
export function toTokenPair({ access, refresh }: Pick<IssuedPair, 'access' | 'refresh'>): TokenPair {
  const { exp, iat } = access.claims
  return {
    access_token: access.text,
    refresh_token: refresh.text,
    token_type: 'bearer',
    expires_in: exp - iat,
  }
}

/**
 * Signs the claims of one token, at once where the key is in this process.
 *
 * @throws {TypeError} for claims that no verifier would accept
 * @throws {ConfigurationError} when the key ring only verifies
 * @throws {AuthError} `store_unavailable` where the key cannot be reached
 */
export type IssueToken = (claims: TokenClaims) => Awaitable<IssuedToken>

/** Signs two tokens, at the same time where the key is elsewhere. @throws as `IssueToken` */
export function issueBoth(
  issue: IssueToken,
  first: TokenClaims,
  second: TokenClaims,
): Promise<readonly [IssuedToken, IssuedToken]> {
  // `async`, so that no rejection is left alone when the other call throws.
  const start = async (claims: TokenClaims): Promise<IssuedToken> => issue(claims)
  return Promise.all([start(first), start(second)])
}
