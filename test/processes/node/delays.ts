/** How long a busy machine holds this process up: so much may come on top of a bound that was promised for one that is not. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How often it looks, in milliseconds; so much later than asked for is not late. */
const RESOLUTION = 10

/** Starts to watch; answers a function that says how long the longest delay was since it was asked last, in seconds. */
export function watchDelays(): () => number {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION })
  delays.enable()
  return () => {
    const longest = delays.max / 1e6 - 2 * RESOLUTION
    delays.reset()
    return Math.max(0, longest) / 1000
  }
}
