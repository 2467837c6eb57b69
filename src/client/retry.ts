/**
 * Requests whose response may be lost or late: they are sent again, and while the server is slow
 * each is waited for longer.
 */
import type { AuthClientError } from './client-error.ts'
import type { Platform } from './platform.ts'

/** How often a request is sent when no response comes, and the first pause between, in seconds. */
const TRIES = 3
const PAUSE = 0.5

/** The longest deadline of a request, in seconds. */
const MAX_DEADLINE = 60

/**
 * Sends until a response comes, three times at most. Within the overlap the server returns the same
 * successor to each, and later too while no one has used it.
 *
 * @param send takes its deadline, in seconds
 */
export type Retry = (send: (deadline: number) => Promise<unknown>) => Promise<void>

/** @param timeout the first deadline, in seconds; it doubles when no response comes in time */
export function createRetry(after: Platform['after'], timeout: number): Retry {
  let deadline = timeout
  return async (send) => {
    for (let tried = 1; ; tried++) {
      try {
        await send(deadline)
        deadline = timeout
        return
      } catch (error) {
        const { code, cause } = error as AuthClientError
        if (code !== 'unreachable') throw error
        if (tried === TRIES) {
          // Out of reach is not slow.
          if (Object(cause).name === 'AbortError') deadline = Math.min(deadline * 2, MAX_DEADLINE)
          throw error
        }
        await new Promise<void>((resolve) => after(PAUSE * tried, resolve))
      }
    }
  }
}
