/**
 * The token that an authenticated client asks about, in the body of a request.
 */
import type { Requirement } from '../auth/requirement.ts'
import { AuthError, isAuthError } from '../errors.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { authenticateClient } from './clients.ts'
import type { RouteContext, RouteDependencies } from './context.ts'

/**
 * Verifies the token that a client asks about. `token_type_hint` changes nothing: every token says
 * its type.
 *
 * @returns null for a bad token
 * @throws {AuthError} `client_invalid`, `request_invalid`; `store_unavailable`, which says nothing
 *   of the token
 */
export async function readClientToken<C>(
  { auth, verifyClient }: RouteDependencies<C>,
  { request, body }: RouteContext,
  requirement: Requirement,
): Promise<TokenPayload<C> | null> {
  await authenticateClient(verifyClient, request)
  const { token } = (await body()) ?? {}
  if (typeof token !== 'string' || token === '') throw new AuthError('request_invalid')
  try {
    return await auth.verifyToken(token, requirement)
  } catch (error) {
    if (isAuthError(error) && error.code !== 'store_unavailable') return null
    throw error
  }
}
