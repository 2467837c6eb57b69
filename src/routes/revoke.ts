/**
 * `POST /revoke` (RFC 7009): revokes an access token by itself, a refresh token with its session.
 * The response is 200 for any token that is the client's or no good, known or not (section 2.2). A
 * client revokes only its own tokens (section 2.1).
 */
import { AuthError } from '../errors.ts'
import { createErrorResponse } from '../http/error-response.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { readClientToken } from './client-token.ts'
import { askMayRevoke, type MayRevoke } from './clients.ts'
import { type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'

/** `POST /revoke`. */
export async function revoke<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { id, payload } = await readClientToken(deps, context, deps.requirements.any)
  // Another library's token may lack both names, and then nothing can be revoked.
  if (payload === null || (payload.jti === undefined && payload.sid === undefined))
    return toJsonResponse(200, {})
  if (!(await askMayRevoke(deps.mayRevoke, id, payload))) return refuseForeign(deps, context, payload)
  await deps.auth.revoke(payload)
  return toJsonResponse(200, {})
}

/**
 * Whose a token is where the application does not say: its `client_id` (RFC 9068 section 2.2), or
 * else the audience of its access tokens, names the client.
 *
 * @param audienceOf the audience of the access tokens that a token leads to
 */
export function isIssuedTo<C>(audienceOf: (payload: TokenPayload<C>) => unknown): MayRevoke<C> {
  return (id, payload) => {
    const { client_id: issuedTo } = payload
    return issuedTo === undefined ? [audienceOf(payload)].flat().includes(id) : issuedTo === id
  }
}

/** RFC 7009 section 2.1 has the client told. RFC 6749 section 5.2 has the word. */
function refuseForeign<C>(
  { auth }: RouteDependencies<C>,
  { port }: RouteContext,
  { sub }: TokenPayload<C>,
): Response {
  const error = new AuthError('request_invalid', { message: 'The token was not issued to this client' })
  auth.internals.reportRefusal(error, port, { sub })
  const { status, body } = createErrorResponse(error)
  return toJsonResponse(status, { ...(JSON.parse(body) as object), error: 'invalid_grant' })
}
