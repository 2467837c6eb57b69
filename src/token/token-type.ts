/**
 * The one table of token types: how each is named in the `type` claim and in the header's `typ`
 * (RFC 7515 section 4.1.9, RFC 9068 section 2.1), and which error a route gives for the other one.
 */
import type { ErrorCode } from '../errors.ts'

/** The two types of token: one is for routes, the other only for getting new access tokens. */
export type TokenType = 'access' | 'refresh'

/** What differs between the token types. */
export interface TokenTypeRow {
  /**
   * The header's `typ`, as we write it. `at+jwt` promises the claims of RFC 9068, so only a token
   * of that profile says it.
   */
  readonly typ: string
  /** The `typ` of the profile of RFC 9068, which is read without the profile, too. */
  readonly profiled: string
  /** The error of a route that expects this type and gets the other. */
  readonly required: ErrorCode
}

/** Every token type. */
export const TOKEN_TYPES: Readonly<Record<TokenType, TokenTypeRow>> = {
  access: { typ: 'access+jwt', profiled: 'at+jwt', required: 'access_token_required' },
  refresh: { typ: 'rt+jwt', profiled: 'rt+jwt', required: 'refresh_token_required' },
}

/**
 * The audience of refresh tokens where no issuer is configured, or where the issuer is also an
 * audience of access tokens.
 */
export const REFRESH_AUDIENCE = 'urn:tokenwright:refresh'

/**
 * The audience of a refresh token: the issuer, which alone accepts it. So a verifier that checks
 * for the audience of access tokens refuses it (RFC 8725 section 3.9). Undefined where neither
 * issuer nor audience is configured: then no verifier can distinguish tokens by them.
 *
 * @param issuer the configured issuer
 * @param audiences the audiences of the access tokens
 */
export function toRefreshAudience(
  issuer: string | undefined,
  audiences: readonly string[],
): string | undefined {
  if (issuer === undefined && audiences.length === 0) return undefined
  return issuer === undefined || audiences.includes(issuer) ? REFRESH_AUDIENCE : issuer
}

/** What a header's `typ` says of the token's type. */
export interface HeaderType {
  /** The token type that `typ` names; null when it names none of ours. */
  readonly type: TokenType | null
  /** Whether `typ` is absent or plain `JWT`, so that the header names no type. */
  readonly untyped: boolean
}
