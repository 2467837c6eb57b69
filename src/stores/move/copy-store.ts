/**
 * Copies all that a store keeps into another store, in batches. Or moves it: then each session is
 * taken over, and lives on in the new store only. Both may be broken off at any point and run
 * again: what is there already is written again as it is.
 */
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import { type Clock, checkClock } from '../../internal/duration.ts'
import { keysOf, readFunction, readOptionGroup } from '../../internal/read-options.ts'
import type { Store } from '../../session/store.ts'
import { type CopyProgress, type CopyResult, CopyRun, type CopySettings } from './copy-run.ts'
import { readPair } from './movable.ts'

/** The options of `copyStore`. */
export interface CopyOptions {
  /**
   * Takes the sessions over, so that they live on in the new store only: while the application runs
   * with `moveStore` in the phase `'move'`. Default false: the old store stays as it is, and
   * nothing may be written to it meanwhile.
   */
  readonly move?: boolean
  /** How many records are read and written at once, from 1 to 1000. Default 200. */
  readonly batch?: number
  /**
   * Where to go on: `place` of the last progress of a run that was broken off. What was copied
   * until then is not read again, so nothing may have changed there since.
   */
  readonly place?: string | null
  /** Breaks it off after the batch that is being written; it rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Is told after each batch. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** The application's own clock, if `createAuth` has one. */
  readonly clock?: Clock
}

const OPTION_KEYS = keysOf<CopyOptions>({
  move: true,
  batch: true,
  place: true,
  signal: true,
  onProgress: true,
  clock: true,
})

/**
 * Copies sessions with their generations, cut-offs, revocations and counted attempts into another
 * store, whose tables exist. Times are shifted by the difference of the stores' clocks, where there
 * is one.
 *
 * A copy may be brought up to date within 20 hours, by copying again. Without `move` no application
 * may use the new store yet: its sessions are ahead then, and the copy stops.
 *
 * @throws {ConfigurationError} for options of the wrong kind; where the new store has copies that
 *   are older, or sessions that are no copies; without `move` where the old one has sessions that
 *   moved, and for a `place` where the new one has no copies; with `move` where it has some
 * @throws the stores' errors: run it again, with the `place` of the last progress or without
 *
 * @example
 * ```ts
 * import { copyStore } from 'tokenwright/stores/move'
 * import { memoryStore } from 'tokenwright/stores/memory'
 *
 * const [from, to] = [memoryStore(), memoryStore()] // such as sqlStore(db), redisStore(client)
 * const { sessions, changed } = await copyStore(from, to)
 * console.log(sessions, changed === 0 ? 'copied' : 'copied; the application still writes')
 * ```
 */
export async function copyStore(from: Store, to: Store, options: CopyOptions = {}): Promise<CopyResult> {
  const pair = readPair(from, to)
  return new CopyRun(pair, readCopyOptions(options)).run()
}

function readCopyOptions(options: CopyOptions): CopySettings {
  const given = readOptionGroup('options', options, OPTION_KEYS)
  const { move = false, batch = 200, place = null, signal } = given
  if (typeof move !== 'boolean') throw new ConfigurationError(expected('move', 'true or false', move))
  if (!Number.isInteger(batch) || batch < 1 || batch > 1000)
    throw new ConfigurationError(expected('batch', 'a whole number from 1 to 1000', batch))
  if (place !== null && typeof place !== 'string')
    throw new ConfigurationError(expected('place', 'the place of an earlier progress', place))
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function')
    throw new ConfigurationError(expected('signal', 'an AbortSignal', signal))
  const onProgress = readFunction('onProgress', given.onProgress)
  const own = readFunction('clock', given.clock)
  const clock = own === null ? null : checkClock(own)
  return {
    move,
    batch,
    now: () => (clock === null ? null : clock()),
    place,
    ...(signal !== undefined && { signal }),
    ...(onProgress !== null && { onProgress }),
  }
}
