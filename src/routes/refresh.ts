/**
 * `POST /refresh`: a refresh token for a new access token that is not fresh, and the refresh token
 * that is good from now on. Without a session store that is the one that came.
 */
import type { RefreshOptions } from '../auth/session-api.ts'
import { isAuthError } from '../errors.ts'
import { createErrorResponse } from '../http/error-response.ts'
import { authenticateRequest, type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'
import { deliverTokens, toDelivery } from './token-delivery.ts'

/** `POST /refresh`. */
export async function refresh<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  try {
    return await refreshTokens(deps, context)
  } catch (error) {
    const isGrant = (await context.body())?.['grant_type'] === 'refresh_token'
    if (!isGrant || !isAuthError(error) || error.status !== 401) throw error
    deps.auth.internals.reportRefusal(error, context.port)
    // A client that speaks OAuth knows this word (RFC 6749 section 5.2), and no problem details.
    const { body } = createErrorResponse(error)
    return toJsonResponse(400, { ...(JSON.parse(body) as object), error: 'invalid_grant' })
  }
}

async function refreshTokens<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { auth, hasSessions, requirements } = deps
  const requirement = (await hasAccessToken(deps, context))
    ? requirements.refreshElsewhere
    : requirements.refresh
  const { payload, extracted } = await authenticateRequest(deps, context, requirement)
  const by = await toDelivery(deps, context, extracted)
  const own = extracted.text.slice(extracted.start)
  if (!hasSessions) {
    if (auth.loadsSubject) await auth.loadSubject(payload)
    const access = await auth.internals.issueAccess(payload)
    return deliverTokens(deps, by, { access, refresh: own })
  }
  const pair = await auth.internals.sessions.refresh(payload, await toClientNotes(context))
  return deliverTokens(deps, by, { access: pair.access, refresh: pair.isRefreshKept ? own : pair.refresh })
}

/** Where a refresh comes from. An address that cannot be learnt refuses no refresh. */
async function toClientNotes({ request, address }: RouteContext): Promise<RefreshOptions> {
  const ip = await address().catch(() => undefined)
  return { ip, userAgent: request.headers.get('user-agent') }
}

/** The `typ` of an access token in its header, with the profile of RFC 9068 and without. */
const ACCESS_TYP = /"(?:access|at)\+jwt"/

/**
 * Whether an access token lies in the header beside the refresh token. Clients that add it to every
 * request add it here too, and mean the other.
 */
async function hasAccessToken<C>(
  { auth, requirements }: RouteDependencies<C>,
  { port }: RouteContext,
): Promise<boolean> {
  const value = port.header('authorization')
  if (typeof value !== 'string') return false
  const [protectedHeader = ''] = value.slice(value.indexOf(' ') + 1).split('.', 1)
  if (!ACCESS_TYP.test(Buffer.from(protectedHeader, 'base64url').toString('latin1'))) return false
  try {
    return (await auth.internals.requests.extract(port, requirements.refreshElsewhere)) !== null
  } catch (error) {
    if (isAuthError(error)) return false
    throw error
  }
}
