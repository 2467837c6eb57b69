/**
 * The mark of a store that has copies of sessions whose originals stay where they are. Such copies
 * are live and may be out of date: a session that has ended since would go on in them. So a store
 * with them is no target of a move, and old copies are not copied over.
 */
import { ConfigurationError } from '../../internal/configuration-error.ts'
import type { Store } from '../../session/store.ts'

/** The key under which the mark is counted. */
export const COPY_MARK = 'copied sessions'

/** How long a copied session may live, in seconds: the longest life of a session, and a day. */
const MARKED_FOR = 401 * 86_400

/**
 * How old copies may be when they are brought up to date, in seconds. What has ended a day ago is
 * no longer in the old store, and would stay live in the new one.
 */
const OLDEST = 20 * 3600

/** Marks a store that gets copies. @throws {ConfigurationError} where it has old ones */
export async function markCopies(to: Store, now: number | null): Promise<void> {
  const { count, endsIn } = await to.readAttempts(COPY_MARK, now)
  if (count === 0) await to.countAttempt(COPY_MARK, 1, MARKED_FOR, now)
  else if (MARKED_FOR - endsIn > OLDEST)
    throw new ConfigurationError(
      'Expected `to` to have no copies, or copies of today: those of sessions that have ended since would stay live. Empty it first',
    )
}

/** @throws {ConfigurationError} for a store with copies */
export async function refuseCopies(to: Store, now: number | null): Promise<void> {
  const { count } = await to.readAttempts(COPY_MARK, now)
  if (count === 0) return
  throw new ConfigurationError(
    'Expected `to` to have no copies of sessions, which go on in `from`: empty it, and let the sessions move',
  )
}

/** Takes the mark from a store whose sessions are its own. */
export async function forgetMark(store: Store, now: number | null): Promise<void> {
  await store.forgetAttempts(COPY_MARK, null, now)
}
