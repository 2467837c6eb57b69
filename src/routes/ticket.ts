/**
 * `POST /ticket`: an access token for a ticket that opens one WebSocket, for pages that cannot send
 * the token there.
 */
import { authenticateRequest, type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'

/** `POST /ticket`. */
export async function createTicket<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(deps, context, deps.requirements.access)
  return toJsonResponse(200, await deps.auth.createTicket(payload))
}
