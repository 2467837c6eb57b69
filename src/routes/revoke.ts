/**
 * `POST /revoke` (RFC 7009): revokes an access token by itself, a refresh token with its session.
 * The response is 200 for any token, known or not (section 2.2).
 */
import { readClientToken } from './client-token.ts'
import { type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'

/** `POST /revoke`. */
export async function revoke<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const payload = await readClientToken(deps, context, deps.requirements.any)
  // Another library's token may lack both names, and then nothing can be revoked.
  if (payload !== null && (payload.jti !== undefined || payload.sid !== undefined))
    await deps.auth.revoke(payload)
  return toJsonResponse(200, {})
}
