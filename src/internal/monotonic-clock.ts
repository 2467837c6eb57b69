/** A clock that never jumps. It stands still while the machine sleeps, on Linux. */

/** Seconds of a clock that never jumps. */
export function monotonic(): number {
  return performance.now() / 1000
}
