/**
 * The rotation decision: which word becomes of a presented generation. Pure; the one place that knows the rules.
 * Stores that decide in a language of their own (SQL, Lua) are held to it by the store suite.
 *
 * A generation advances at most once in twice the overlap. So whatever answer a client keeps, however late and in whatever
 * order the answers of parallel refreshes arrive, its next refresh works; and only the generation before is ever forgiven.
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
 * Decides, without `late`, which depends on who still waits.
 *
 * @param record the row; null when there is none
 * @param presented the generation of a token whose signature held
 * @param now epoch seconds, by the store's clock
 */
export function decideRotation(
  record: RotationRecord | null,
  presented: number,
  now: number,
  policy: RotationPolicy,
): Exclude<RotationWord, 'late'> {
  if (record === null) return 'unknown'
  if (record.revokedAt !== null) return 'revoked'
  if (now >= record.idleExpiresAt || now >= record.absoluteExpiresAt) return 'expired'
  if (!policy.rotation) return 'kept'
  const age = Math.max(0, now - record.rotatedAt)
  if (presented > record.gen) return 'healed'
  if (presented === record.gen) {
    const young = record.gen > 0 && age < KEPT_OVERLAPS * policy.overlap
    return young || hasSteppedUp(record, now, policy.overlap) ? 'kept' : 'rotated'
  }
  const forgiven = presented === record.gen - 1 && policy.overlap > 0 && age <= policy.overlap
  return forgiven ? 'replayed' : 'reused'
}

/**
 * Whether the session was stepped up within the overlap. The answer to a step-up carries the row's generation and may be late: were
 * it to arrive after the next generation, it would put a token into the jar that is out of date.
 */
function hasSteppedUp({ lastUsedAt, rotatedAt }: RotationRecord, now: number, overlap: number): boolean {
  return lastUsedAt > rotatedAt && now - lastUsedAt < overlap
}

/** Whether a word writes; if nobody waits any longer, it becomes `late` instead. */
export function isWriting(word: RotationWord, policy: RotationPolicy): boolean {
  return word === 'rotated' || word === 'healed' || word === 'reused' || (word === 'kept' && !policy.rotation)
}
