/**
 * Where a session is while sessions move from one store to another, and which of the two decides
 * about it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionRow } from '../../session/session-row.ts'
import { isReleased } from '../../session/transfer.ts'
import { ClockDifference } from './clock-difference.ts'
import { forgetMark, refuseCopies } from './copy-mark.ts'
import { HandOver } from './hand-over.ts'
import type { MovableStore, MovePair } from './movable.ts'

/** How often a session is looked for that others move, and the pause in milliseconds. */
const MOST_TRIES = 8
const PAUSE = 5

const ON_ITS_WAY = 'The session is on its way from one store to the other'

/** A result of a step that decides about a session. */
interface Decision {
  readonly word: string
  readonly row: SessionRow | null
  readonly now: number
}

/** Two stores, and where a session is. */
export class MovingStore {
  readonly pair: MovePair
  /** Whether the phase is `'move'`. */
  readonly isMoving: boolean
  /** Between the clocks of the two. */
  readonly difference: ClockDifference
  /** Takes sessions over. */
  readonly handOver: HandOver
  /** The store in which sessions start, and whose time counts. */
  readonly first: MovableStore
  /** The other one. */
  readonly second: MovableStore
  #checked: Promise<void> | null = null

  /** @param isMoving whether the phase is `'move'` */
  constructor(pair: MovePair, isMoving: boolean) {
    this.pair = pair
    this.isMoving = isMoving
    this.difference = new ClockDifference(pair)
    this.handOver = new HandOver(pair, this.difference)
    this.first = isMoving ? pair.to : pair.from
    this.second = isMoving ? pair.from : pair.to
  }

  /** Checks once that the new store has no copies. */
  async check(now: number | null): Promise<void> {
    this.#checked ??= Promise.all([refuseCopies(this.pair.to, now), forgetMark(this.pair.from, now)]).then(
      () => undefined,
    )
    try {
      await this.#checked
    } catch (error) {
      this.#checked = null
      throw error
    }
  }

  /** The store that decides about a session. In the phase `'move'` one that is live moves first. */
  async findStore(sid: string, now: number | null): Promise<MovableStore> {
    const { first, second, isMoving } = this
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const row = await first.get(sid)
      if (isOwned(row)) return first
      const other = await second.get(sid)
      if (isOwned(other)) {
        if (!isMoving || other.revokedAt !== null) return second
        await this.handOver.take([sid], now)
      } else if (row === null || other === null) {
        const [source, released] = row === null ? [second, other] : [first, row]
        if (released === null || !(await this.handOver.complete(source, released, now))) return first
      } else if (isMoving) await this.handOver.take([sid], now)
      else await sleep(PAUSE)
    }
    throw new Error(ON_ITS_WAY)
  }

  /**
   * Does something in the store that has a session, and again where the session moved before.
   *
   * @param isDone whether a result shows that the session had not moved
   */
  async atPlace<T>(
    { sid, now }: { readonly sid: string; readonly now: number | null },
    step: (store: MovableStore) => Promise<T>,
    isDone: (result: T) => boolean,
  ): Promise<T> {
    let store = await this.findStore(sid, now)
    for (;;) {
      const result = await step(store)
      if (isDone(result)) return result
      const place = await this.findStore(sid, now)
      if (place === store) return result
      store = place
    }
  }

  /** Lets a store decide about a session: the first one, or the one that has it. */
  async decide<D extends Decision>(
    call: { readonly sid: string; readonly now: number | null; readonly notAfter: number | null },
    step: (store: MovableStore, notAfter: number | null) => Promise<D>,
  ): Promise<D> {
    const decision = await step(this.first, call.notAfter)
    if (isOwned(decision.row)) return decision
    const final = await this.atPlace(
      call,
      async (store) => {
        const ahead = await this.toAhead(store, call.now)
        const made = await step(store, call.notAfter === null ? null : call.notAfter + ahead)
        return { ...made, now: made.now - ahead }
      },
      ({ row }) => row === null || !isReleased(row),
    )
    if (final.row !== null && isReleased(final.row)) throw new Error(ON_ITS_WAY)
    return final
  }

  /** How far the clock of a store is ahead of that of the first one, in seconds. */
  async toAhead(store: MovableStore, now: number | null): Promise<number> {
    if (store === this.first) return 0
    const ahead = await this.difference.read(now)
    return this.isMoving ? -ahead : ahead
  }
}

/** Whether a store decides about the session of a row. */
export function isOwned(row: SessionRow | null): row is SessionRow {
  return row !== null && !isReleased(row)
}
