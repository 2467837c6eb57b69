/**
 * The tabs of one origin as one client: one lock over everything that changes the session, and a
 * message about the result. A lock alone is not enough: the next tab may get it before the message
 * arrives, and would refresh again. So the sender holds a second lock for a while, named after the
 * message's id. The tab that gets the first lock sees that name and asks for the message if it has
 * not arrived. Without Web Locks, work queues within this tab, and the server's overlap handles the
 * rest.
 */
import { attempt } from './attempt.ts'
import { ANNOUNCED_FOR, MESSAGE_TIMEOUT, REMEMBERED } from './limits.ts'
import { createLock, type Lock } from './lock.ts'
import type { Platform } from './platform.ts'

/** The tabs, seen from one of them. `M` is the message that they send each other. */
export interface Tabs<M> {
  /**
   * Runs the work while no other tab runs any, after all earlier messages have arrived. Not
   * reentrant.
   */
  readonly exclusive: Lock
  /** Sends a message to the other tabs. Call it inside `exclusive`. */
  publish(message: M): Promise<void>
  /** Leaves the other tabs. */
  close(): void
}

/** What goes over the channel: a message, or without one the request to send that message again. */
interface TabEnvelope<M> {
  readonly id: string
  readonly message?: M
}

/**
 * Joins the tabs of a name.
 *
 * @param onMessage called with what another tab published
 */
export function openTabs<M>(
  name: string,
  { locks, open, after }: Partial<Platform> & Pick<Platform, 'after'>,
  onMessage: (message: M) => void,
): Tabs<M> {
  const lock = createLock(name, { locks, after })
  let channel = attempt(() => open?.(name))
  /** The messages that have arrived or were sent. */
  const known = new Set<string>()
  /** Ends the waiting for a message. */
  const waiting = new Map<string, () => void>()
  let last: TabEnvelope<M> | undefined
  // Ends the announcement of our last message: the others should ask for the newest one, ours or
  // not.
  let withdraw: (() => void) | undefined

  const post = (envelope: TabEnvelope<M> | undefined): unknown =>
    attempt(() => channel?.postMessage(envelope))

  if (channel) {
    channel.onmessage = ({ data }) => {
      const { id, message } = data as TabEnvelope<M>
      if (!message) return void (id === last?.id && post(last))
      if (known.has(id)) return
      // Only ids of the last seconds are ever asked for.
      if (known.size > REMEMBERED) known.clear()
      known.add(id)
      withdraw?.()
      onMessage(message)
      waiting.get(id)?.()
    }
    attempt(() => channel?.unref?.())
  }

  /** Asks for an announced message and waits for it. */
  const receive = (lockName = ''): Promise<void> | undefined => {
    const id = lockName.split(`${name} `)[1]
    if (!id || !channel || known.has(id)) return
    return new Promise((resolve) => {
      waiting.set(id, resolve)
      after(MESSAGE_TIMEOUT, resolve)
      post({ id })
    })
  }

  return {
    exclusive: (work) =>
      lock(async () => {
        // Listing may be denied where requests are allowed, as in frames of other sites.
        const { held = [] } = (await attempt(() => locks?.query())?.catch(() => undefined)) ?? {}
        await Promise.all(held.map((lock) => receive(lock.name)))
        return work()
      }),
    async publish(message) {
      const id = toId()
      known.add(id)
      last = { id, message }
      post(last)
      if (channel && locks)
        await new Promise<void>((resolve) => {
          const announce = (): Promise<void> => {
            resolve()
            withdraw?.()
            return new Promise((end) => {
              withdraw = end
              after(ANNOUNCED_FOR, end)
            })
          }
          const request = async () => locks.request(`${name} ${id}`, {}, announce)
          request().catch(resolve)
        })
    },
    close() {
      attempt(() => channel?.close())
      // Work that goes on after this is this tab's alone.
      channel = undefined
    },
  }
}

/** An id that no other tab has. It is no secret. */
export function toId(): string {
  return Math.random().toString(36).slice(2)
}
