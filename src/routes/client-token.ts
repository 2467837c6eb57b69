/**
 * The token that an authenticated client asks about, in the body of a request.
 */
import type { Requirement } from '../auth/requirement.ts'
import { AuthError, isAuthError } from '../errors.ts'
import { isOutage } from '../internal/outage.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateClient } from './clients.ts'
import type { RouteContext, RouteDependencies } from './context.ts'

/** What a client asks about. */
export interface ClientToken<C> {
  /** The client's identifier, authenticated. */
  readonly id: string
  /** What the token says; null for a bad one. */
  readonly payload: TokenPayload<C> | null
}

/**
 * Verifies the token that a client asks about. `token_type_hint` changes nothing: every token says
 * its type.
 *
 * @throws {AuthError} `client_invalid`, `request_invalid`; `store_unavailable` and
 *   `issuer_unavailable`, which say nothing of the token
 */
export async function readClientToken<C>(
  { auth, verifyClient }: RouteDependencies<C>,
  { request, body }: RouteContext,
  requirement: Requirement,
): Promise<ClientToken<C>> {
  const id = await authenticateClient(verifyClient, request)
  const { token } = (await body()) ?? {}
  if (typeof token !== 'string' || token === '')
    throw new AuthError('request_invalid', { message: 'Expected `token` in the body to be a token' })
  try {
    return { id, payload: await auth.verifyToken(token, requirement) }
  } catch (error) {
    if (!isAuthError(error) || isOutage(error)) throw error
    return { id, payload: null }
  }
}
