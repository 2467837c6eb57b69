/**
 * What callers see of a session. Times of its last use are coarse: a thief who could see to the
 * second when his victim refreshes would send the token before, each time, and pass for another
 * tab.
 */
import type { SessionRow } from './store.ts'

/**
 * A session as `auth.sessions` shows it. `rotatedAt` and `lastUsedAt` are at most an hour too
 * early, `idleExpiresAt` at most an hour too late; all stay within `createdAt` and
 * `absoluteExpiresAt`. `gen` is exact, and not for the eyes of a client.
 */
export type SessionInfo = Omit<SessionRow, 'late' | 'lateBefore'>

/** How coarse the times of the last use are, in seconds. */
const COARSE = 3600

/** Coarsens the times that show when a session was last refreshed. */
export function toSessionInfo(row: SessionRow): SessionInfo {
  const { late: _late, lateBefore: _lateBefore, ...info } = row
  const toCoarse = (at: number): number => Math.max(row.createdAt, Math.floor(at / COARSE) * COARSE)
  return {
    ...info,
    rotatedAt: toCoarse(row.rotatedAt),
    lastUsedAt: toCoarse(row.lastUsedAt),
    idleExpiresAt: Math.min(row.absoluteExpiresAt, Math.ceil(row.idleExpiresAt / COARSE) * COARSE),
  }
}
