/**
 * Issued tokens -> the members of a response's body: everything if tokens are delivered by body,
 * and what a script may know if they are delivered by cookie. A script never reads a token that has
 * a cookie (RFC 9700 section 4.14).
 */
import type { IssuedToken } from '../token/issued-token.ts'
import type { CookieSettings } from './cookie-options.ts'

/** How tokens reach the client. */
export type Delivery = 'cookie' | 'body'

/** The tokens of a response. */
export interface ResponseTokens {
  /** The access token. */
  readonly access: IssuedToken
  /** The refresh token. */
  readonly refresh: Pick<IssuedToken, 'text'>
  /** Present where the user has just authenticated again. */
  readonly fresh?: true
}

/**
 * The members of the body (RFC 6749 section 5.1), in the order in which they are sent. By cookie,
 * the CSRF value of the tokens is one of them, if they have one.
 */
export function toTokenResponse(
  by: Delivery,
  { access, refresh, fresh }: ResponseTokens,
  cookies: CookieSettings,
): Readonly<Record<string, unknown>> {
  const { exp, iat, csrf } = access.claims
  const about = { token_type: 'bearer', ...(fresh && { fresh }), expires_in: exp - iat }
  if (by === 'body') return { access_token: access.text, refresh_token: refresh.text, ...about }
  return {
    ...(!cookies.carry.has('access') && { access_token: access.text }),
    ...(!cookies.carry.has('refresh') && { refresh_token: refresh.text }),
    ...about,
    ...(csrf !== undefined && { csrf_token: csrf }),
  }
}
