/**
 * The routes that end and list: logout, and the user's own sessions. Only logout and ending one's own session clear cookies: any other
 * refusal may be a late answer to an older session.
 */
import { isAuthError } from '../errors.ts'
import type { Location } from '../http/token-sources.ts'
import type { SessionRow } from '../session/store.ts'
import type { TokenType } from '../token/token-type.ts'
import {
  authenticateRequest,
  type RouteContext,
  type RouteDependencies,
  toEmpty,
  toJson,
  toNotFound,
} from './context.ts'

/** The tokens that may name the session to end, in order. */
const TYPES: readonly TokenType[] = ['access', 'refresh']

/** Ends the session that a presented token names, if one does. A token that is no good names nothing. */
export async function endPresented<C>(
  { auth }: RouteDependencies<C>,
  { port }: RouteContext,
  locations: readonly Location[],
): Promise<void> {
  for (const type of TYPES) {
    try {
      const found = await auth.findToken(port, type, locations)
      if (found === null) continue
      const { sid } = await auth.verifyToken(found.token, { type, revocation: 'off' })
      if (sid === undefined) continue
      await auth.sessions.end(sid)
      return
    } catch (error) {
      if (!isAuthError(error) || error.status === 503) throw error
    }
  }
}

/** `POST /logout`: ends the session and takes the cookies away; also without a token that is any good. */
export async function logout<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  if (parts.stateful) await endPresented(parts, context, parts.locations)
  return toEmpty(parts.byCookie ? parts.auth.clearCookies() : [])
}

/** A session as its user sees it. */
function toView({ sid, ...row }: SessionRow, current: string | undefined): Readonly<Record<string, unknown>> {
  return {
    id: sid,
    current: sid === current,
    created_at: Math.floor(row.createdAt),
    last_used_at: Math.floor(row.lastUsedAt),
    expires_at: Math.floor(row.idleExpiresAt),
    auth_time: row.authTime === null ? null : Math.floor(row.authTime),
    ip: row.ip,
    user_agent: row.userAgent,
  }
}

/** `GET /sessions`: the user's live sessions, the current one marked. */
export async function listSessions<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(parts, context, parts.needs.access)
  const rows = await parts.auth.sessions.list(payload.sub)
  return toJson(200, { sessions: rows.map((row) => toView(row, payload.sid)) })
}

/** `DELETE /sessions`: ends all of the user's sessions but the current one. */
export async function endOthers<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(parts, context, parts.needs.fresh)
  await parts.auth.sessions.endAll(payload.sub, { except: payload.sid ?? null })
  return toEmpty()
}

/** `DELETE /sessions/:id`: ends one of the user's sessions; one of somebody else is not found. */
export async function endSession<C>(parts: RouteDependencies<C>, context: RouteContext): Promise<Response> {
  const { payload } = await authenticateRequest(parts, context, parts.needs.fresh)
  const row = await parts.auth.sessions.get(context.name)
  if (row === null || row.sub !== payload.sub) return toNotFound()
  await parts.auth.sessions.end(row.sid)
  const own = row.sid === payload.sid && parts.byCookie
  return toEmpty(own ? parts.auth.clearCookies() : [])
}
