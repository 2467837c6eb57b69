/**
 * `/sessions`: the user's own sessions, listed and ended. Only the end of one's own session deletes
 * the cookies: any refusal may be a late response to an older session.
 */
import type { SessionInfo } from '../session/session-info.ts'
import {
  authenticateRequest,
  type RouteContext,
  type RouteDependencies,
  toEmpty,
  toJsonResponse,
  toNotFound,
} from './context.ts'

/** `GET /sessions`: the user's live sessions, the current one marked. */
export async function listSessions<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(deps, context, deps.requirements.access)
  const rows = await deps.auth.sessions.list(payload.sub)
  return toJsonResponse(200, { sessions: rows.map((row) => toSessionView(row, payload.sid)) })
}

/** `DELETE /sessions`: ends all of the user's sessions but the current one. */
export async function endOthers<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(deps, context, deps.requirements.fresh)
  await deps.auth.sessions.endAll(payload.sub, { except: payload.sid ?? null })
  return toEmpty()
}

/** `DELETE /sessions/:id`: ends one of the user's sessions; another user's is not found. */
export async function endSession<C>(deps: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(deps, context, deps.requirements.fresh)
  const row = await deps.auth.sessions.get(context.name)
  if (row === null || row.sub !== payload.sub) return toNotFound(deps.auth.http.problems)
  await deps.auth.sessions.end(row.sid)
  const isOwn = row.sid === payload.sid && deps.usesCookies
  return toEmpty(isOwn ? deps.auth.clearCookies() : [])
}

/**
 * A session as its user sees it. Where it was last seen is where it started, until a refresh says
 * more.
 */
export function toSessionView(
  { sid, ...row }: SessionInfo,
  current: string | undefined,
): Readonly<Record<string, unknown>> {
  return {
    id: sid,
    current: sid === current,
    label: row.label,
    created_at: Math.floor(row.createdAt),
    last_used_at: Math.floor(row.lastUsedAt),
    expires_at: Math.floor(row.idleExpiresAt),
    auth_time: row.authTime === null ? null : Math.floor(row.authTime),
    ip: row.ip,
    user_agent: row.userAgent,
    last_ip: row.lastIp ?? row.ip,
    last_user_agent: row.lastUserAgent ?? row.userAgent,
  }
}
