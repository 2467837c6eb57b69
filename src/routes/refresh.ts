/**
 * `POST /refresh`: a refresh token for a new access token that is not fresh, and the refresh token
 * that is good from now on. Without a session store that is the one that came.
 */
import { authenticateRequest, type RouteContext, type RouteDependencies } from './context.ts'
import { deliverTokens, toDelivery } from './token-delivery.ts'

/** `POST /refresh`. */
export async function refresh<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { auth, hasSessions, requirements } = deps
  const { payload, extracted } = await authenticateRequest(deps, context, requirements.refresh)
  const by = await toDelivery(deps, context, extracted)
  const own = extracted.text.slice(extracted.start)
  if (!hasSessions) {
    const access = await auth.internals.issueAccess(payload)
    return deliverTokens(deps, by, { access, refresh: own })
  }
  const pair = await auth.internals.sessions.refresh(payload)
  return deliverTokens(deps, by, { access: pair.access, refresh: pair.isRefreshKept ? own : pair.refresh })
}
