/**
 * Turns of this process: steps of one owner that would make each other repeat run one after the
 * other. Between processes the database decides.
 */

import { OUTLIVES_REQUESTS } from '../../internal/request-scope.ts'

/** Runs work when the work of the same owner before it has ended. */
export type TakeTurn = <T>(owner: string, work: () => Promise<T>) => Promise<T>

/** Makes the turns of one store. */
export function createOwnerTurns(): TakeTurn {
  const last = new Map<string, Promise<unknown>>()
  return (owner, work) => {
    if (!OUTLIVES_REQUESTS) return work()
    const turn = (last.get(owner) ?? Promise.resolve()).then(work, work)
    const settled = turn.then(
      () => undefined,
      () => undefined,
    )
    last.set(owner, settled)
    void settled.then(() => {
      if (last.get(owner) === settled) last.delete(owner)
    })
    return turn
  }
}
