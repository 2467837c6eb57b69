/**
 * The tabs of one origin as one client: a single lock over everything that changes the session, and news of what came of it.
 * A lock alone is not enough: the next tab may get it before the news has reached it, and would refresh again. So whoever
 * publishes holds a second lock named after the news for a while; who gets the first one sees from its name that news is on
 * its way, and asks for it. (Without that, four tabs in Chromium refreshed twice once in some fifty expiries.) Where there are
 * no Web Locks, work queues within this tab, and the server's overlap does the rest.
 */
import { createLock, type Lock } from './lock.ts'
import type { Platform } from './platform.ts'

/** The tabs, seen from one of them. `N` is what they tell each other. */
export interface Tabs<N> {
  /** Runs the work while no other tab runs any, and once we know what they published before. Never call it from within. */
  readonly exclusive: Lock
  /** Tells the other tabs. Call it within `exclusive`. */
  publish(news: N): Promise<void>
  /** Leaves the others. */
  close(): void
}

/** Seconds for which news is announced by a lock. */
const CHANNEL_OPENED = 5

/** Seconds to wait for news that was announced; its tab may be gone. */
const ATTENTION = 1

/** What goes over the channel: news, or without any the wish to be sent that letter again. */
interface TabEnvelope<N> {
  readonly id: string
  readonly news?: N
}

/**
 * Joins the tabs of a name.
 *
 * @param hear called with what another tab published
 */
export function openTabs<N>(
  name: string,
  { locks, open, after }: Partial<Platform> & Pick<Platform, 'after'>,
  hear: (news: N) => void,
): Tabs<N> {
  let channel = open?.(name)
  const known = new Map<string, (() => void) | true>()
  let last: TabEnvelope<N> | undefined
  /** Ends the announcement of our last letter: a newer one, ours or not, is what the others should ask for. */
  let withdraw: (() => void) | undefined
  const lock = createLock(name, { locks, after })
  channel?.unref?.()

  const take = ({ id, news }: TabEnvelope<N>): void => {
    const waiting = known.get(id)
    if (news === undefined) {
      if (id === last?.id) channel?.postMessage(last)
    } else if (waiting !== true) {
      known.set(id, true)
      withdraw?.()
      hear(news)
      waiting?.()
    }
  }
  if (channel) channel.onmessage = ({ data }) => take(data as TabEnvelope<N>)

  /** Waits for one letter. */
  const receive = (id: string): Promise<void> =>
    new Promise((resolve) => {
      const stop = after(ATTENTION, resolve)
      known.set(id, () => {
        stop()
        resolve()
      })
      channel?.postMessage({ id })
    })

  /** Waits for what others published before we got the lock; a second at most. */
  const catchUp = async (): Promise<void> => {
    const { held = [] } = (await locks?.query()) ?? {}
    const ids = held.map((lock) => lock.name?.split(`${name} `)[1])
    await Promise.all(ids.map((id) => id && channel && known.get(id) !== true && receive(id)))
  }

  return {
    exclusive: (work) =>
      lock(async () => {
        await catchUp()
        return work()
      }),
    async publish(news) {
      const id = toId()
      known.set(id, true)
      last = { id, news }
      channel?.postMessage(last)
      if (!channel || !locks) return
      await new Promise<void>((resolve) => {
        const announce = (): Promise<void> => {
          resolve()
          withdraw?.()
          return new Promise((end) => {
            withdraw = end
            after(CHANNEL_OPENED, end)
          })
        }
        locks.request(`${name} ${id}`, {}, announce).catch(resolve)
      })
    },
    close() {
      channel?.close()
      // Whoever goes on after that is alone.
      channel = undefined
    },
  }
}

/** An id that no other tab has. It guards nothing. */
export function toId(): string {
  return Math.random().toString(36).slice(2)
}
