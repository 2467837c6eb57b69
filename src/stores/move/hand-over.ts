/**
 * Takes sessions over from one store to the other, each in two atomic steps: it is released in the
 * one, and written to the other unless it is there. Whoever finds a session between the two does
 * the second step again, so that none is lost where a process ends in the middle.
 */
import { monotonic } from '../../internal/monotonic-clock.ts'
import type { RevokeReason, SessionOwner, SessionRow } from '../../session/session-row.ts'
import { type EndAllCall, KEPT_AFTER_END } from '../../session/store.ts'
import type { WriteCall } from '../../session/transfer.ts'
import { toUnreleased } from '../../session/transfer.ts'
import type { ClockDifference } from './clock-difference.ts'
import { type MovableStore, type MovePair, shiftRow } from './movable.ts'

/**
 * How long the two steps may take, in seconds. A process that was stopped in between writes
 * nothing: the next one does.
 */
const LONGEST = 10

/** How all sessions of an owner end. */
export interface OwnerEnding extends Pick<EndAllCall, 'except' | 'logTtl' | 'now'> {
  /** Why. */
  readonly reason: RevokeReason
}

/** Takes sessions over. */
export class HandOver {
  readonly #pair: MovePair
  readonly #difference: ClockDifference

  /** @param difference between the clocks of the two stores */
  constructor(pair: MovePair, difference: ClockDifference) {
    this.#pair = pair
    this.#difference = difference
  }

  /** Takes over those of some sessions that are not revoked. */
  async take(sids: readonly string[], now: number | null): Promise<void> {
    const begunAt = monotonic()
    const { from, to } = this.#pair
    const rows = await from.transfer.release(sids, now)
    if (monotonic() - begunAt > LONGEST)
      throw new Error(`A session took more than ${LONGEST} s from one store to the other`)
    await this.#write(to, rows, { replaces: 'released', now })
  }

  /** Takes over all live sessions of an owner. */
  async takeAll(owner: SessionOwner, now: number | null): Promise<void> {
    for (;;) {
      const rows = await this.#pair.from.list(owner, now)
      if (rows.length === 0) break
      const sids = rows.map(({ sid }) => sid)
      await this.take(sids, now)
    }
    const released = await this.#pair.from.transfer.findReleased(owner, now)
    await this.#write(this.#pair.to, released, { replaces: 'released', now })
  }

  /**
   * Writes what one store has released and the other one does not have. Not where it was released
   * more than a day ago: then it has ended since.
   *
   * @param source the store that has released it
   * @returns whether it is in the other one now
   */
  async complete(source: MovableStore, row: SessionRow, now: number | null): Promise<boolean> {
    const moment = now ?? (await source.now())
    if (moment >= (row.revokedAt ?? 0) + KEPT_AFTER_END) return false
    await this.#write(this.#other(source), [toUnreleased(row)], { replaces: 'none', now })
    return true
  }

  /**
   * Ends what is on its way of an owner's sessions: a session that has ended is written where it
   * would arrive and where it came from, and stays there.
   *
   * @param log the store whose log tells of it
   * @returns how many, and the identifiers of those that may have arrived before
   */
  async endReleased(
    owner: SessionOwner,
    ending: OwnerEnding,
    log: MovableStore,
  ): Promise<{ readonly count: number; readonly arrived: readonly string[] }> {
    const { from, to } = this.#pair
    const { reason, except, logTtl, now } = ending
    const lists = await Promise.all([from, to].map((store) => store.transfer.findReleased(owner, now)))
    const arrived: string[] = []
    let count = 0
    for (const [place, rows] of lists.entries()) {
      const [source, target] = place === 0 ? [from, to] : [to, from]
      for (const row of rows.filter(({ sid }) => sid !== except)) {
        const ended = { ...row, revokedAt: now ?? (await source.now()), revokeReason: reason }
        const isEnded = (await this.#write(target, [ended], { replaces: 'released', now })) === 0
        // It may be on its way back: then it must not arrive in the source either.
        const isGone =
          isEnded &&
          (await source.transfer.write([{ kind: 'session', row: ended }], { replaces: 'released', now })) ===
            0
        if (!isGone) arrived.push(row.sid)
        if (!isEnded) continue
        const at = now ?? (await log.now())
        const entry = { kind: 'sid', key: row.sid, at, until: at + logTtl } as const
        await log.transfer.write([{ kind: 'entry', entry }], { replaces: 'none', now })
        count += 1
      }
    }
    return { count, arrived }
  }

  #other(store: MovableStore): MovableStore {
    return store === this.#pair.from ? this.#pair.to : this.#pair.from
  }

  /** Resolves to how many were not written. */
  async #write(target: MovableStore, rows: readonly SessionRow[], call: WriteCall): Promise<number> {
    if (rows.length === 0) return 0
    const ahead = await this.#difference.read(call.now)
    const shift = target === this.#pair.to ? ahead : -ahead
    const records = rows.map((row) => ({ kind: 'session', row: shiftRow(row, shift) }) as const)
    return target.transfer.write(records, call)
  }
}
