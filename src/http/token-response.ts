/**
 * New tokens -> the members of an answer's body, for both ways in which tokens reach a client: by body with everything, or by
 * cookie with what a script may know. A script never reads a token that lives in a cookie (RFC 9700 section 4.14).
 */
import type { CookieSettings } from './cookie-options.ts'

/** How tokens reach the client. */
export type Delivery = 'cookie' | 'body'

/** Tokens on their way out. */
export interface IssuedTokens {
  /** The access token. */
  readonly access_token: string
  /** The refresh token. */
  readonly refresh_token: string
  /** Always `'bearer'`. */
  readonly token_type: 'bearer'
  /** How long the access token lives, in seconds. */
  readonly expires_in: number
  /** Present where the user has just authenticated. */
  readonly fresh?: true
}

/**
 * The members of the body (RFC 6749 section 5.1), in the order of the wire.
 *
 * @param csrf the CSRF value that goes with tokens in cookies; undefined when the CSRF token is not in use
 */
export function toTokenResponse(
  by: Delivery,
  tokens: IssuedTokens,
  cookies: CookieSettings,
  csrf: string | undefined,
): Readonly<Record<string, unknown>> {
  const { access_token, refresh_token, token_type, fresh, expires_in } = tokens
  const about = { token_type, ...(fresh && { fresh }), expires_in }
  if (by === 'body') return { access_token, refresh_token, ...about }
  return {
    ...(!cookies.carry.has('access') && { access_token }),
    ...(!cookies.carry.has('refresh') && { refresh_token }),
    ...about,
    ...(csrf !== undefined && { csrf_token: csrf }),
  }
}
