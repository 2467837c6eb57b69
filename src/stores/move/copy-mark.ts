/**
 * The mark of a store that has copies of sessions whose originals stay where they are. Such copies
 * are live and may be out of date: a session that has ended since would go on in them. So a store
 * with them is no target of a move, and old copies are not copied over.
 */
import { ConfigurationError } from '../../internal/configuration-error.ts'
import type { Store } from '../../session/store.ts'
import type { MovableStore, MovePair } from './movable.ts'

/** The key under which the mark is counted. */
export const COPY_MARK = 'copied sessions'

/** How long a copied session may live, in seconds: the longest life of a session, and a day. */
const MARKED_FOR = 401 * 86_400

/**
 * How old copies may be when they are brought up to date, in seconds. What has ended a day ago is
 * no longer in the old store, and would stay live in the new one.
 */
const OLDEST = 20 * 3600

/** How many records are read at once. */
const BATCH = 500

/**
 * Marks the store that gets copies.
 *
 * @param isContinued whether a run goes on that was broken off
 * @throws {ConfigurationError} where it has old copies, or sessions that are not copies; for a run
 *   that goes on where it has none
 */
export async function markCopies(
  { from, to }: MovePair,
  isContinued: boolean,
  now: number | null,
): Promise<void> {
  const age = await readAge(to, now)
  if (age !== null && age > OLDEST)
    throw new ConfigurationError(
      'Expected `to` to have no copies, or copies of today: those of sessions that have ended since would stay live. Empty it first',
    )
  if (age !== null) return
  if (isContinued)
    throw new ConfigurationError(
      'Expected `to` to have what was copied up to `place`, and it has no copies: copy from the beginning',
    )
  // Copied back on the same day: what has ended in the copies since is still kept there.
  const ageOfSource = await readAge(from, now)
  if (ageOfSource === null || ageOfSource > OLDEST) await refuseSessions(to, now)
  await to.countAttempt(COPY_MARK, 1, MARKED_FOR, now)
}

/** How old the first copy in a store is, in seconds; null where it has none. */
async function readAge(store: Store, now: number | null): Promise<number | null> {
  const { count, endsIn } = await store.readAttempts(COPY_MARK, now)
  return count === 0 ? null : MARKED_FOR - endsIn
}

/** @throws {ConfigurationError} for a store with live sessions */
async function refuseSessions(store: MovableStore, now: number | null): Promise<void> {
  const moment = now ?? (await store.now())
  let place: string | null = null
  do {
    const page = await store.transfer.read(place, BATCH)
    const isUsed = page.records.some(
      (record) =>
        record.kind === 'session' && record.row.revokedAt === null && record.row.idleExpiresAt > moment,
    )
    if (isUsed)
      throw new ConfigurationError(
        'Expected no one to use `to` yet, and it has sessions that are no copies: empty it first',
      )
    place = page.place
  } while (place !== null)
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
