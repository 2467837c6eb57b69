/**
 * Requests that wait for an event. Only so many may: each holds a connection. Whoever gets no place
 * is told to ask again, and then without waiting.
 */
import { AuthError } from '../errors.ts'

/** How many may wait, and how many of one client. */
const PLACES = 2000
const PLACES_OF_CLIENT = 500

/** Those who wait. */
export class WaitingList {
  readonly #waiting = new Set<() => void>()
  readonly #byClient = new Map<string, number>()
  #isClosed = false

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether no one is let in any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Waits for the event; resolves without it, too: after some time, when the signal is aborted, or
   * at the close.
   *
   * @throws {AuthError} `rate_limited` where there is no place
   */
  async wait(client: string, seconds: number, signal: AbortSignal): Promise<void> {
    const count = this.#byClient.get(client) ?? 0
    if (this.#waiting.size >= PLACES || count >= PLACES_OF_CLIENT)
      throw new AuthError('rate_limited', { detail: { retryAfter: 1 } })
    this.#byClient.set(client, count + 1)
    let timer: ReturnType<typeof setTimeout> | undefined
    let end = (): void => undefined
    try {
      await new Promise<void>((resolve) => {
        end = resolve
        this.#waiting.add(end)
        timer = setTimeout(end, seconds * 1000)
        timer.unref?.()
        signal.addEventListener('abort', end)
      })
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      this.#waiting.delete(end)
      this.#leave(client)
    }
  }

  /** Tells all of the event. */
  wake(): void {
    for (const end of this.#waiting) end()
  }

  /** Lets all go, and no one in. */
  close(): void {
    this.#isClosed = true
    this.wake()
  }

  #leave(client: string): void {
    const left = (this.#byClient.get(client) ?? 1) - 1
    if (left > 0) this.#byClient.set(client, left)
    else this.#byClient.delete(client)
  }
}
