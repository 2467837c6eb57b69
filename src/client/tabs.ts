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
import type { TabPlatform } from './platform.ts'

/** The tabs, seen from one of them. `M` is the message that they send each other. */
export interface Tabs<M> {
  /**
   * Runs the work while no other tab runs any, after all earlier messages have arrived. Not
   * reentrant.
   */
  readonly exclusive: Lock
  /** Sends a message to the other tabs. Call it inside `exclusive`. */
  post(message: M): Promise<void>
  /** Leaves the other tabs. */
  close(): void
}

/** What goes over the channel: a message, or without one the request to send that message again. */
type TabEnvelope<M> = readonly [id: string, message?: M]

/**
 * Joins the tabs of a name.
 *
 * @param onMessage called with what another tab published
 */
export function openTabs<M>(name: string, platform: TabPlatform, onMessage: (message: M) => void): Tabs<M> {
  const { locks, open, after } = platform
  const lock = createLock(name, platform)
  let channel = attempt(() => open?.(name))
  /** The messages: null when one has arrived or was sent, else what ends the waiting for it. */
  const known = new Map<string, (() => void) | null>()
  let last: TabEnvelope<M> | undefined
  // Ends the announcement of our last message: the others should ask for the newest one, ours or
  // not.
  let withdraw: (() => void) | undefined

  const send = (envelope: TabEnvelope<M> | undefined): unknown =>
    attempt(() => channel?.postMessage(envelope))

  if (channel) {
    channel.onmessage = ({ data }) => {
      const [id, message] = data as TabEnvelope<M>
      if (!message) return void (id === last?.[0] && send(last))
      const end = known.get(id)
      if (end === null) return
      // Only ids of the last seconds are ever asked for.
      if (known.size > REMEMBERED) known.clear()
      known.set(id, null)
      withdraw?.()
      onMessage(message)
      end?.()
    }
    attempt(() => channel?.unref?.())
  }

  /** Asks for an announced message and waits for it. */
  const receive = async ({ name: held = '' }) => {
    const id = held.split(`${name} `)[1]
    if (id && channel && known.get(id) !== null)
      await new Promise<void>((resolve) => {
        known.set(id, resolve)
        after(MESSAGE_TIMEOUT, resolve)
        send([id])
      })
  }

  return {
    exclusive: (work) =>
      lock(async () => {
        // Listing may be denied where requests are allowed, as in frames of other sites.
        await Promise.all(
          (await attempt(() => locks?.query())?.catch(() => undefined))?.held?.map(receive) ?? [],
        )
        return work()
      }),
    async post(message) {
      const id = toId()
      known.set(id, null)
      last = [id, message]
      send(last)
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
          void createLock(`${name} ${id}`, platform)(announce)
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
  return `${Math.random()}`
}
