/**
 * The rotation decision: what a refresh does, by the generation of its token. Pure; the one place
 * that knows the rules. Stores that decide in a language of their own (SQL, Lua) are held to it by
 * the store suite.
 *
 * A generation advances at most once in twice the overlap. So whichever response a client keeps,
 * however late and in whatever order the responses of parallel refreshes arrive, its next refresh
 * works; and only the generation before is ever forgiven.
 */
import type { RotationPolicy, RotationWord, SessionRow } from './store.ts'

/** What the decision looks at. */
export type RotationRecord = Pick<
  SessionRow,
  'gen' | 'rotatedAt' | 'lastUsedAt' | 'idleExpiresAt' | 'absoluteExpiresAt' | 'revokedAt'
>

/** How many overlaps long a generation is kept before the next use advances it. */
const KEPT_OVERLAPS = 2

/**
 * Decides; without `late`, which depends on whether the caller still waits.
 *
 * @param record the row; null for an unknown session
 * @param gen the generation of a token whose signature held
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
  const age = Math.max(0, now - record.rotatedAt)
  if (gen > record.gen) return 'healed'
  if (gen === record.gen) {
    const young = record.gen > 0 && age < KEPT_OVERLAPS * policy.overlap
    return young || hasSteppedUp(record, now, policy.overlap) ? 'kept' : 'rotated'
  }
  const forgiven = gen === record.gen - 1 && policy.overlap > 0 && age <= policy.overlap
  return forgiven ? 'replayed' : 'reused'
}

/**
 * Whether the session was stepped up within the overlap. The response to a step-up has a token of
 * the row's generation and may be late: after the next generation it would replace a newer cookie.
 */
function hasSteppedUp({ lastUsedAt, rotatedAt }: RotationRecord, now: number, overlap: number): boolean {
  return lastUsedAt > rotatedAt && now - lastUsedAt < overlap
}

/** Whether a word writes; where no caller waits any longer, it becomes `late` instead. */
export function isWriting(word: RotationWord, policy: RotationPolicy): boolean {
  return word === 'rotated' || word === 'healed' || word === 'reused' || (word === 'kept' && !policy.rotation)
}
