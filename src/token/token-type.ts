/**
 * The one table of token types: what each is called in the `type` claim and in the header's `typ`
 * (RFC 7515 section 4.1.9, RFC 9068 section 2.1), and what a route says when it got the other one.
 */
import type { ErrorCode } from '../errors.ts'

/** The two kinds of token: one opens routes, the other only gets new access tokens. */
export type TokenType = 'access' | 'refresh'

/** One row of the table of token types. */
export interface TokenTypeRow {
  /** The header's `typ`, as we write it. */
  readonly typ: string
  /** The error of a route that wanted this type and got the other. */
  readonly required: ErrorCode & `${TokenType}_token_required`
}

/** Every token type there is. */
export const TOKEN_TYPES: Readonly<Record<TokenType, TokenTypeRow>> = {
  access: { typ: 'at+jwt', required: 'access_token_required' },
  refresh: { typ: 'rt+jwt', required: 'refresh_token_required' },
}

/** What a header's `typ` says of the token's type. */
export interface NamedType {
  /** The token type that `typ` names; null when it names none of ours. */
  readonly type: TokenType | null
  /** Whether `typ` is absent or the plain `JWT` of tokens that name no type in their header. */
  readonly untyped: boolean
}
