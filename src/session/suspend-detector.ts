/**
 * Whether this process has been awake all the time. A machine that sleeps, a debugger or a blocked event loop hold a process up, and
 * the first request that it meets afterwards may come before any timer: what it knows is then older than it seems. The pulse beats often; a
 * beat that is overdue was a nap.
 */
import { monotonic } from './store-client.ts'

/** How often it beats by itself, in seconds. */
const CHECK_INTERVAL = 0.2

/** How far apart two beats are that had a nap between them, in seconds. */
const SUSPENSION = 0.5

/** A pulse. It never keeps the process alive. */
export interface SuspendDetector {
  /** Lets it beat by itself. */
  start(): void
  /** Beats; answers when the last nap ended, in seconds of the monotonic clock: minus infinity for never. */
  check(): number
  /** Stops it. */
  stop(): void
}

/**
 * Makes a pulse.
 *
 * @param onWake hears of the end of each nap, and how long it was in seconds
 */
export function createSuspendDetector(onWake: (seconds: number) => void): SuspendDetector {
  let beatAt = Number.POSITIVE_INFINITY
  let wokeAt = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setInterval> | undefined

  function beat(): number {
    const now = monotonic()
    const seconds = now - beatAt
    beatAt = now
    if (seconds >= SUSPENSION) {
      wokeAt = now
      onWake(seconds)
    }
    return wokeAt
  }

  return {
    start() {
      clearInterval(timer)
      timer = setInterval(beat, CHECK_INTERVAL * 1000)
      timer.unref?.()
    },
    check: beat,
    stop: () => clearInterval(timer),
  }
}
