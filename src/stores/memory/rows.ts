/** The rows of the memory store. */
import { deepFreeze } from '../../internal/json.ts'
import type { NewSession, SessionOwner, SessionRow } from '../../session/session-row.ts'

/** The row of a session that starts now. It shares nothing with its caller. */
export function toFirstRow(session: NewSession, now: number): SessionRow {
  const { provedAt: _, idle, absolute, ...rest } = session
  return {
    ...rest,
    amr: rest.amr && Object.freeze([...rest.amr]),
    scopes: Object.freeze([...rest.scopes]),
    data: copy(rest.data),
    metadata: copy(rest.metadata),
    lastIp: null,
    lastUserAgent: null,
    gen: 0,
    rotatedAt: now,
    late: 0,
    lateBefore: 0,
    createdAt: now,
    lastUsedAt: now,
    idleExpiresAt: now + Math.min(rest.idleFor ?? idle, absolute),
    absoluteExpiresAt: now + absolute,
    revokedAt: null,
    revokeReason: null,
  }
}

/** A copy that no one can change. */
export function copy(data: SessionRow['data']): SessionRow['data'] {
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
