/**
 * The rotation decision: what a refresh does, by the generation of its token. Pure; the one place
 * that knows the rules. Stores that decide in SQL or Lua are held to it by the store suite.
 *
 * A generation advances at most once in twice the overlap. So whichever response a client keeps,
 * however late and in whatever order the responses of parallel refreshes arrive, its next refresh
 * works.
 *
 * Only the generation before is forgiven, and only until its successor is used to advance again: a
 * client whose response was lost, or came later than the overlap, is not a thief. A thief who lives
 * on predecessors is found by their lateness, generation after generation: an honest client sends
 * one late now and then, a thief and his victim in every generation, since only one of the two can
 * be the first. docs/decisions/0021-shadowed-sessions.md has the reasons.
 */
import type { RevokeReason, SessionRow } from './session-row.ts'
import type { RotationPolicy, RotationWord, Sighting } from './store.ts'

/** What the decision reads. Times may be in any unit, as long as it is that of the policy. */
export type RotationRecord = Pick<
  SessionRow,
  | 'gen'
  | 'rotatedAt'
  | 'late'
  | 'lateBefore'
  | 'lastUsedAt'
  | 'idleExpiresAt'
  | 'absoluteExpiresAt'
  | 'revokedAt'
>

/** How many overlaps long a generation is kept before the next use advances it. */
export const KEPT_OVERLAPS = 2

/**
 * A predecessor is late after one part in so many of the overlap: tabs that race on a slow network
 * are faster. This constant and the next are chosen in docs/sessions/simulator.md.
 */
export const LATE_PARTS = 6

/** How many overlaps of lateness, at most one a generation, end a session as shadowed. */
export const SHADOWED_OVERLAPS = 12

/**
 * Decides, without `late`, which depends on the deadline of the caller.
 *
 * @param record the row; null for an unknown session
 * @param gen the generation of a token whose signature was verified
 * @param now epoch seconds, by the store's clock
 */
export function decideRotation(
  record: RotationRecord | null,
  gen: number,
  now: number,
  policy: RotationPolicy,
): Exclude<RotationWord, 'late'> {
  if (record === null) return 'unknown'
  if (record.revokedAt !== null) return 'revoked'
  if (now >= record.idleExpiresAt || now >= record.absoluteExpiresAt) return 'expired'
  if (!policy.rotation) return 'kept'
  if (gen > record.gen) return 'healed'
  if (gen === record.gen) {
    const isYoung = record.gen > 0 && ageOf(record, now) < KEPT_OVERLAPS * policy.overlap
    return isYoung || hasSteppedUp(record, now, policy.overlap) ? 'kept' : 'rotated'
  }
  if (gen < record.gen - 1 || policy.overlap === 0) return 'reused'
  const total = record.lateBefore + toLate(record, now, policy)
  return total < SHADOWED_OVERLAPS * policy.overlap ? 'replayed' : 'reused'
}

/** How late the predecessor came in this generation, now included; at most one overlap. */
export function toLate(
  record: Pick<RotationRecord, 'rotatedAt' | 'late'>,
  now: number,
  { overlap }: Pick<RotationPolicy, 'overlap'>,
): number {
  const age = ageOf(record, now)
  return age * LATE_PARTS > overlap ? Math.max(record.late, Math.min(age, overlap)) : record.late
}

/**
 * The lateness of the generations before, after one more: each that was not late takes off one
 * overlap.
 */
export function toLateBefore(
  { late, lateBefore }: Pick<RotationRecord, 'late' | 'lateBefore'>,
  { overlap }: Pick<RotationPolicy, 'overlap'>,
): number {
  return late > 0 ? lateBefore + late : Math.max(0, lateBefore - overlap)
}

/** When a session ends unused that is used now; times and lengths in the unit of the row. */
export function toIdleEnd(
  { idleFor, absoluteExpiresAt }: Pick<SessionRow, 'idleFor' | 'absoluteExpiresAt'>,
  now: number,
  { idle }: Pick<RotationPolicy, 'idle'>,
): number {
  return Math.min(now + (idleFor ?? idle), absoluteExpiresAt)
}

/**
 * Where the session was last seen, after a refresh that moves it. A refresh is noted only where it
 * is the first of its stretch.
 */
export function toLastSeen(
  { rotatedAt, lastIp, lastUserAgent }: Pick<SessionRow, 'rotatedAt' | 'lastIp' | 'lastUserAgent'>,
  now: number,
  seen: Sighting | null,
): Pick<SessionRow, 'lastIp' | 'lastUserAgent'> {
  const isNoted = seen !== null && Math.floor(now / seen.stretch) > Math.floor(rotatedAt / seen.stretch)
  if (!isNoted) return { lastIp, lastUserAgent }
  return { lastIp: seen.ip ?? lastIp, lastUserAgent: seen.userAgent ?? lastUserAgent }
}

/**
 * Why a `reused` revokes: an older generation, or a predecessor that was late one time too many.
 */
export function toReuseReason(
  { gen }: Pick<RotationRecord, 'gen'>,
  call: RotationPolicy & { readonly gen: number },
): RevokeReason {
  return call.gen === gen - 1 && call.overlap > 0 ? 'shadowed' : 'refresh_reused'
}

/** Whether a word writes; after the deadline, it becomes `late` instead. */
export function isWriting(word: RotationWord, policy: RotationPolicy): boolean {
  return word === 'rotated' || word === 'healed' || word === 'reused' || (word === 'kept' && !policy.rotation)
}

/** Time since the last rotation; a clock that stepped back counts as none. */
function ageOf({ rotatedAt }: Pick<RotationRecord, 'rotatedAt'>, now: number): number {
  return Math.max(0, now - rotatedAt)
}

/**
 * Whether the session was stepped up within the overlap. The response to a step-up contains the
 * row's generation and may be late: after the next rotation it would put an outdated token into the
 * cookies.
 */
function hasSteppedUp({ lastUsedAt, rotatedAt }: RotationRecord, now: number, overlap: number): boolean {
  return lastUsedAt > rotatedAt && now - lastUsedAt < overlap
}
