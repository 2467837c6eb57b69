/**
 * What callers see of a session. Times of its last use are coarse: a thief who could see to the
 * second when his victim refreshes would send the token before, each time, and pass for another
 * tab. A coarse time still moves at the moment of a refresh; so it must move at few of them, and
 * all times at the same ones. Where a session was last seen is noted at those only: an address that
 * changes would show the same.
 */
import type { SessionRow } from './session-row.ts'

/**
 * A session as `auth.sessions` shows it. `rotatedAt` and `lastUsedAt` are too early, and
 * `idleExpiresAt` is too late, by at most an hour, or four lives of an access token where that is
 * longer; all stay within `createdAt` and `absoluteExpiresAt`. `gen` is exact, and not for the eyes
 * of a client.
 */
export type SessionInfo = Omit<SessionRow, 'late' | 'lateBefore'>

/** The rules that say how coarse times are; lengths in seconds. */
export interface SessionInfoSettings {
  /** The life of an access token: who uses a session refreshes it about so often. */
  readonly accessTtl: number
  /** When an unused session ends. */
  readonly idle: number
}

/** How coarse the times of the last use are, in seconds, at least. */
const COARSE = 3600

/** How many generations of a session in use show one change of its times. */
const GENERATIONS = 4

/** How far apart changes of what callers see are at least, in seconds. */
export function toCoarseStep(accessTtl: number): number {
  return Math.max(COARSE, GENERATIONS * accessTtl)
}

/** Coarsens the times that show when a session was last refreshed. */
export function toSessionInfo(row: SessionRow, { accessTtl, idle }: SessionInfoSettings): SessionInfo {
  const { late: _late, lateBefore: _lateBefore, ...info } = row
  const step = toCoarseStep(accessTtl)
  const life = row.idleFor ?? idle
  const toCoarse = (at: number): number => Math.floor(at / step) * step
  return {
    ...info,
    rotatedAt: Math.max(row.createdAt, toCoarse(row.rotatedAt)),
    lastUsedAt: Math.max(row.createdAt, toCoarse(row.lastUsedAt)),
    // Counted from the use that set it.
    idleExpiresAt: Math.min(row.absoluteExpiresAt, toCoarse(row.idleExpiresAt - life) + step + life),
  }
}
