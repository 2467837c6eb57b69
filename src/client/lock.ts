/** Runs work one at a time: over all tabs with a Web Lock, else within this tab with a queue. */
import type { Platform } from './platform.ts'

/**
 * Runs work while no other work runs. Not reentrant: calling it inside the work would wait forever.
 */
export type Lock = <T>(work: () => Promise<T>) => Promise<T>

/**
 * How long to wait for the lock before the work runs without it, in seconds: a tab that the system
 * suspended must not stop the others.
 */
const LOCK_DEADLINE = 30

export function createLock(
  name: string,
  { locks, after }: Pick<Platform, 'after'> & Partial<Pick<Platform, 'locks'>>,
): Lock {
  let tail: Promise<unknown> = Promise.resolve()
  return async (work) => {
    const queue = (run: typeof work): ReturnType<typeof work> => {
      const done = tail.then(run)
      tail = done.catch(() => undefined)
      return done
    }
    if (!locks) return queue(work)
    const controller = new AbortController()
    const stop = after(LOCK_DEADLINE, () => controller.abort())
    let begun = false
    const start: typeof work = () => {
      begun = true
      stop()
      return work()
    }
    try {
      return await locks.request(name, { signal: controller.signal }, start)
    } catch (error) {
      if (begun) throw error
      return queue(start)
    }
  }
}
