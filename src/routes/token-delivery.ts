/**
 * How issued tokens leave: by body, or by cookie. Delivery follows arrival: a token that came by
 * cookie gets a response with cookies, so that no script ever reads a refresh token that lives in
 * one.
 */
import { type Delivery, toTokenResponse } from '../http/token-response.ts'
import type { ExtractedToken } from '../http/token-sources.ts'
import type { IssuedToken } from '../token/issued-token.ts'
import { type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'

/** The tokens of a response. */
export interface DeliveredTokens {
  /** The access token. */
  readonly access: IssuedToken
  /**
   * A new refresh token; or the text of the one that the client keeps, which gets no `Set-Cookie`.
   */
  readonly refresh: IssuedToken | string
  /** Present where the user has just authenticated again. */
  readonly fresh?: true
}

/** The response with new tokens. */
export function deliverTokens<C>(
  { auth }: RouteDependencies<C>,
  by: Delivery,
  { access, refresh, fresh }: DeliveredTokens,
): Response {
  const isKept = typeof refresh === 'string'
  const tokens = { access, refresh: isKept ? { text: refresh } : refresh, ...(fresh && { fresh }) }
  const body = toTokenResponse(by, tokens, auth.http.cookies)
  if (by === 'body') return toJsonResponse(200, body)
  return toJsonResponse(200, body, auth.internals.toCookies(isKept ? { access } : { access, refresh }))
}

/**
 * Delivery as the token came. In the hybrid, by cookie also where only the refresh token lies in
 * one.
 */
export async function toDelivery<C>(
  { auth, usesCookies, requirements }: RouteDependencies<C>,
  { port }: RouteContext,
  { location }: ExtractedToken,
): Promise<Delivery> {
  if (location === 'cookie') return 'cookie'
  const isHybrid = usesCookies && !auth.http.cookies.carry.has('access')
  if (!isHybrid) return 'body'
  const cookie = await auth.internals.requests.extract(port, requirements.refreshCookie)
  return cookie === null ? 'body' : 'cookie'
}
