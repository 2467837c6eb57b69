/** Runs work one at a time: over all tabs with a Web Lock, else within this tab with a queue. */
import { LOCK_DEADLINE } from './limits.ts'
import type { TabPlatform } from './platform.ts'

/**
 * Runs work while no other work runs. Not reentrant: calling it inside the work would wait forever.
 */
export type Lock = <T>(work: () => Promise<T>) => Promise<T>

export function createLock(name: string, { locks, after }: TabPlatform): Lock {
  let tail: Promise<unknown> = Promise.resolve()
  return async <T>(work: () => Promise<T>) => {
    const controller = new AbortController()
    const stop = after(LOCK_DEADLINE, () => controller.abort())
    let done: Promise<T> | undefined
    const start = (): Promise<T> => {
      stop()
      done = work()
      return done
    }
    try {
      await locks?.request(name, controller, start)
    } catch {
      // Denied or not in time, unless it is the work that failed.
    }
    tail = done ?? tail.then(start, start)
    return tail as Promise<T>
  }
}
