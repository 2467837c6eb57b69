/**
 * The tabs of one origin as one client: one lock over everything that changes the session, and a
 * message about the result. A lock alone is not enough: the next tab may get it before the message
 * arrives, and would refresh again. So the sender holds a second lock for a while, named after the
 * message's id. The tab that gets the first lock sees that name and asks for the message if it has
 * not arrived. Without Web Locks, work queues within this tab, and the server's overlap handles the
 * rest.
 */
import { createLock, type Lock } from './lock.ts'
import type { Platform, TabChannel, TabLocks } from './platform.ts'

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

/** Seconds for which a lock announces a message. */
const ANNOUNCED_FOR = 5

/** Seconds to wait for an announced message; its tab may be gone. */
const MESSAGE_TIMEOUT = 1

/** How many ids of messages are remembered. */
const REMEMBERED = 50

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
  const known = new Map<string, (() => void) | true>()
  let last: TabEnvelope<M> | undefined
  // Ends the announcement of our last message: the others should ask for the newest one, ours or
  // not.
  let withdraw: (() => void) | undefined
  const lock = createLock(name, { locks, after })

  const take = ({ id, message }: TabEnvelope<M>): void => {
    const waiting = known.get(id)
    if (message === undefined) {
      if (id === last?.id) channel?.postMessage(last)
    } else if (waiting !== true) {
      // Only ids of the last seconds are ever asked for.
      if (known.size > REMEMBERED) known.clear()
      known.set(id, true)
      withdraw?.()
      onMessage(message)
      waiting?.()
    }
  }
  let channel = openChannel(open, name, (data) => take(data as TabEnvelope<M>))

  /** Asks for one message and waits for it. */
  const receive = (id: string): Promise<void> =>
    new Promise((resolve) => {
      const stop = after(MESSAGE_TIMEOUT, resolve)
      known.set(id, () => {
        stop()
        resolve()
      })
      channel?.postMessage({ id })
    })

  /** Waits for what other tabs published before we got the lock, a second at most. */
  const catchUp = async (): Promise<void> => {
    const held = await listLocks(locks)
    const ids = held.map((lock) => lock.name?.split(`${name} `)[1])
    await Promise.all(ids.map((id) => id && channel && known.get(id) !== true && receive(id)))
  }

  return {
    exclusive: (work) =>
      lock(async () => {
        await catchUp()
        return work()
      }),
    async publish(message) {
      const id = toId()
      known.set(id, true)
      last = { id, message }
      channel?.postMessage(last)
      if (!channel || !locks) return
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
      channel?.close()
      // Work that goes on after this is this tab's alone.
      channel = undefined
    },
  }
}

/** Opens a channel whose functions throw nothing. */
function openChannel(
  open: Platform['open'],
  name: string,
  onData: (data: unknown) => void,
): Pick<TabChannel, 'postMessage' | 'close'> | undefined {
  try {
    const channel = open?.(name)
    if (!channel) return undefined
    channel.onmessage = ({ data }) => onData(data)
    channel.unref?.()
    const attempt = (run: () => void): void => {
      try {
        run()
      } catch {
        // Denied after all: this tab is alone.
      }
    }
    return {
      postMessage: (message) => attempt(() => channel.postMessage(message)),
      close: () => attempt(() => channel.close()),
    }
  } catch {
    // Denied, as where cookies are blocked: this tab is alone.
    return undefined
  }
}

async function listLocks(locks: TabLocks | undefined): Promise<readonly { readonly name?: string }[]> {
  try {
    return (await locks?.query())?.held ?? []
  } catch {
    // Denied in frames of other sites, where requests may be allowed.
    return []
  }
}

/** An id that no other tab has. It is no secret. */
export function toId(): string {
  return Math.random().toString(36).slice(2)
}
