/**
 * `POST /logout`: ends the session that a token of the request names and deletes the cookies; also
 * without a good token.
 */
import {
  endSessionOfRequest,
  findExpiredSession,
  type RouteContext,
  type RouteDependencies,
  toEmpty,
} from './context.ts'

/** `POST /logout`. */
export async function logout<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  if (deps.hasSessions && !(await endSessionOfRequest(deps, context, deps.requirements.logout))) {
    const sid = await findExpiredSession(deps, context)
    if (sid !== undefined) await deps.auth.sessions.end(sid)
  }
  return toEmpty(deps.usesCookies ? deps.auth.clearCookies() : [])
}
