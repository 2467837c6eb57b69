/**
 * The clocks of this process. The monotonic clock never jumps, but stands still while the machine
 * sleeps, on Linux. The system's clock goes on then, but can be set. Neither is believed alone:
 * where they move apart, what was measured before is worth nothing.
 */
import { monotonic } from '../internal/monotonic-clock.ts'

/** By how much the clocks may move apart unnoticed, in seconds. */
export const CLOCK_TOLERANCE = 0.1

export { monotonic }

/** Watches whether the two clocks move apart. */
export class ClockWatch {
  #difference = toDifference()
  #movedAt = Number.NEGATIVE_INFINITY

  /**
   * Looks at the clocks.
   *
   * @returns whether they have moved apart since the last look
   */
  check(): boolean {
    const difference = toDifference()
    if (Math.abs(difference - this.#difference) <= CLOCK_TOLERANCE) return false
    this.#difference = difference
    this.#movedAt = monotonic()
    return true
  }

  /** Whether a look since a moment of the monotonic clock has seen them move apart. */
  hasMovedSince(at: number): boolean {
    return this.#movedAt > at
  }
}

/** The system's time less the monotonic. */
function toDifference(): number {
  return Date.now() / 1000 - monotonic()
}
