/**
 * Notices that the process was suspended: the machine slept, a debugger stopped it, or the event
 * loop was blocked. The first request afterwards may come before any timer, so what the process
 * knows is older than it seems. The detector looks at the clocks often; a look that comes too late
 * by either of them follows a suspension: on Linux the monotonic one stands still while the machine
 * sleeps. A system's clock that is set forward looks the same, and does no harm.
 */
import { toWeakReference } from '../internal/weak-reference.ts'
import { monotonic } from './clocks.ts'

/** How often the detector looks by itself, in seconds. */
const CHECK_INTERVAL = 0.2

/** The shortest time between two looks that counts as a suspension, in seconds. */
const SUSPENSION = 0.5

/** Detects suspensions of one process. Its timer keeps neither the process nor itself alive. */
export class SuspendDetector {
  readonly #onWake: (seconds: number) => void
  /** The last look, by the monotonic and by the system's clock. */
  #lookedAt = { monotonic: Number.POSITIVE_INFINITY, system: Number.POSITIVE_INFINITY }
  #wokeAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setInterval> | undefined

  /** @param onWake called at the end of each suspension, with its length in seconds */
  constructor(onWake: (seconds: number) => void) {
    this.#onWake = onWake
  }

  /** Looks regularly from now on. */
  start(): void {
    this.stop()
    const self = toWeakReference(this)
    const timer = setInterval(() => {
      if (self.deref()?.check() === undefined) clearInterval(timer)
    }, CHECK_INTERVAL * 1000)
    this.#timer = timer
    timer.unref?.()
  }

  /**
   * Looks at the clocks.
   *
   * @returns when the last suspension ended, in seconds of the monotonic clock; minus infinity for
   *   never
   */
  check(): number {
    const now = monotonic()
    const system = Date.now() / 1000
    const seconds = Math.max(now - this.#lookedAt.monotonic, system - this.#lookedAt.system)
    this.#lookedAt = { monotonic: now, system }
    if (seconds >= SUSPENSION) {
      this.#wokeAt = now
      this.#onWake(seconds)
    }
    return this.#wokeAt
  }

  /** Stops looking. */
  stop(): void {
    clearInterval(this.#timer)
  }
}
