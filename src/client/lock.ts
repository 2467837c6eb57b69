/**
 * One at a time: over all tabs by a Web Lock, or where there are none within this tab by a queue.
 */
import type { Platform } from './platform.ts'

/** Runs work while no other runs. Never call it from within. */
export type Lock = <T>(work: () => Promise<T>) => Promise<T>

/** Seconds to wait for the lock before going on without it: a tab that the system suspended must not stop the others. */
const PATIENCE = 30

/** Makes the lock of a name. */
export function createLock(
  name: string,
  { locks, after }: Pick<Platform, 'after'> & Partial<Pick<Platform, 'locks'>>,
): Lock {
  let tail: Promise<unknown> = Promise.resolve()
  return async (work) => {
    if (!locks) {
      const done = tail.then(work)
      tail = done.catch(() => undefined)
      return done
    }
    const controller = new AbortController()
    const stop = after(PATIENCE, () => controller.abort())
    let begun = false
    const start: typeof work = () => {
      begun = true
      stop()
      return work()
    }
    return locks.request(name, { signal: controller.signal }, start).catch((error) => {
      if (begun) throw error
      return start()
    })
  }
}
