/** The rows of the memory store. */
import { deepFreeze } from '../../internal/json.ts'
import type { NewSession, SessionOwner, SessionRow } from '../../session/session-row.ts'

/** The row of a session that starts now. It shares nothing with its caller. */
export function toFirstRow(session: NewSession, now: number): SessionRow {
  const { amr, idle, absolute, idleFor } = session
  // Member by member: a spread before so many costs as much as signing both tokens.
  return {
    sid: session.sid,
    sub: session.sub,
    realm: session.realm,
    authTime: session.authTime,
    acr: session.acr,
    amr: amr && Object.freeze([...amr]),
    scopes: Object.freeze([...session.scopes]),
    data: copy(session.data),
    metadata: copy(session.metadata),
    label: session.label,
    ip: session.ip,
    userAgent: session.userAgent,
    brief: session.brief,
    idleFor,
    lastIp: null,
    lastUserAgent: null,
    gen: 0,
    rotatedAt: now,
    late: 0,
    lateBefore: 0,
    createdAt: now,
    lastUsedAt: now,
    idleExpiresAt: now + Math.min(idleFor ?? idle, absolute),
    absoluteExpiresAt: now + absolute,
    revokedAt: null,
    revokeReason: null,
  }
}

const EMPTY: SessionRow['data'] = Object.freeze({})

/** A copy that no one can change. */
export function copy(data: SessionRow['data']): SessionRow['data'] {
  if (Object.keys(data).length === 0) return EMPTY
  return deepFreeze(JSON.parse(JSON.stringify(data)) as Record<string, unknown>)
}

/** The key of an owner. */
export function toOwnerText({ realm, sub }: SessionOwner): string {
  return JSON.stringify([realm, sub])
}

/** Whether a session can be used at a moment. */
export function isLiveRow(row: SessionRow, now: number): boolean {
  return row.revokedAt === null && now < row.idleExpiresAt && now < row.absoluteExpiresAt
}
