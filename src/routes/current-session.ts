/**
 * `GET /session`: whether the tokens of a request are good now, and of which session. It changes
 * nothing: the access token stays fresh, no refresh token rotates. A page asks after a login
 * whether the browser kept the cookies, and when it comes back whether it still shows the user to
 * whom they belong.
 */
import { isAuthError } from '../errors.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { type RouteContext, type RouteDependencies, toJsonResponse } from './context.ts'
import { toSessionView } from './sessions.ts'

/** `GET /session`: by the access token, else by the refresh token in a cookie. */
export async function showSession<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  for (const requirement of deps.requirements.current) {
    try {
      const found = await deps.auth.internals.requests.authenticate(context.port, requirement)
      if (found === null) continue
      const { payload } = found
      const { sid, csrf, type, exp, fresh } = payload
      // Only whoever sends the cookies may read the value that belongs to them.
      const isByCookie = found.extracted.location === 'cookie'
      return toJsonResponse(200, {
        active: true,
        sub: payload.sub,
        ...(sid !== undefined && { session_id: sid }),
        ...(isByCookie && csrf !== undefined && { csrf_token: csrf }),
        ...(type === 'access' && {
          expires_in: Math.max(0, exp - Math.floor(deps.auth.now())),
          fresh: fresh === true,
          fresh_for: toFreshFor(deps, payload),
          scopes: payload.scopes,
        }),
        // JSON leaves out what is undefined.
        auth_time: payload.auth_time,
        amr: payload.amr,
        acr: payload.acr,
        session: await findView(deps, sid),
      })
    } catch (error) {
      // A token that is no good is no failure here: the next one may be.
      if (!isAuthError(error) || error.status !== 401) throw error
    }
  }
  return toJsonResponse(200, { active: false })
}

/**
 * The session as in the list of sessions. Left out without a store, and where it does not respond:
 * who is signed in is known without it.
 */
async function findView<C>(
  { auth, hasSessions }: RouteDependencies<C>,
  sid: string | undefined,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (!hasSessions || sid === undefined) return undefined
  try {
    const row = await auth.sessions.get(sid)
    return row === null ? undefined : toSessionView(row, sid)
  } catch (error) {
    if (isAuthError(error) && error.status === 503) return undefined
    throw error
  }
}

/** For how long the token stays fresh, in seconds; 0 where it is not. */
function toFreshFor<C>({ auth }: RouteDependencies<C>, { fresh, auth_time, exp }: TokenPayload<C>): number {
  if (fresh === false) return 0
  const until = typeof fresh === 'number' ? fresh : (auth_time ?? 0) + auth.lifetimes.freshness
  return Math.max(0, Math.floor(Math.min(until, exp) - auth.now()))
}
