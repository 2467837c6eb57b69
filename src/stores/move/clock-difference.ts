/**
 * By how much the clock of one store is ahead of that of another one. Rows have the time of their
 * store, so what goes from one to the other is shifted by it. A difference that may come from the
 * measurement itself counts as none: then times stay as they are.
 */
import { monotonic } from '../../internal/monotonic-clock.ts'
import type { MovePair } from './movable.ts'

/** How long a measurement is used, in seconds. */
const USED_FOR = 60

/** The largest difference that counts as none, in seconds. */
const TOLERANCE = 0.1

/** Measures the difference of two stores' clocks. */
export class ClockDifference {
  readonly #pair: MovePair
  #known: { readonly ahead: number; readonly measuredAt: number } | null = null

  /** @param pair the two stores */
  constructor(pair: MovePair) {
    this.#pair = pair
  }

  /**
   * How many seconds `to` is ahead of `from`, negative where it is behind.
   *
   * @param now the application's own time, by which both stores go then; null for their own
   */
  async read(now: number | null): Promise<number> {
    if (now !== null) return 0
    const known = this.#known
    if (known !== null && monotonic() - known.measuredAt < USED_FOR) return known.ahead
    const { from, to } = this.#pair
    const sentAt = monotonic()
    const fromNow = await from.now()
    const betweenAt = monotonic()
    const toNow = await to.now()
    const doneAt = monotonic()
    // Each store has read its clock in the middle of its call, give or take half of it.
    const ahead = toNow - fromNow - (doneAt - sentAt) / 2
    const unsure = TOLERANCE + (doneAt - sentAt) / 2
    const measured = { ahead: Math.abs(ahead) <= unsure ? 0 : ahead, measuredAt: betweenAt }
    this.#known = measured
    return measured.ahead
  }
}
