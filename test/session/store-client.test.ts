/** Calls of a store: the deadline, the places in flight, and what is learned of the store's clock. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { monotonic } from '../../src/session/clocks.ts'
import type { Store } from '../../src/session/store.ts'
import { type Moment, StoreClient } from '../../src/session/store-client.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const NOW = 1_700_000_000
const BOUNDS = { deadline: 2, inFlight: 3 }
const UNAVAILABLE = { code: 'store_unavailable', detail: { retryAfter: 1 } }

const never = (): Promise<never> => new Promise(() => undefined)

/** A client of a store whose clock is `ahead` seconds ahead of the system's. */
function setUp(changes: Partial<Store> = {}) {
  const store: Store = {
    ...memoryStore(),
    now: async () => Date.now() / 1000,
    ...changes,
  }
  return new StoreClient(store, BOUNDS, null)
}

const momentOf = (client: StoreClient): Promise<Moment> =>
  client.callTimed('now', async (_, moment) => moment)

beforeEach(() => {
  vi.useFakeTimers({ now: NOW * 1000 })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a call', () => {
  it('passes what the store returns', async () => {
    expect(await setUp().call('now', async () => 1)).toBe(1)
  })

  it.each([
    ['a rejection', () => Promise.reject(new Error('down'))],
    [
      'a throw before there is a promise',
      () => {
        throw new Error('down')
      },
    ],
  ])('turns %s into store_unavailable', async (_, work) => {
    const cause = expect.objectContaining({ message: 'down' })
    await expect(setUp().call('now', work)).rejects.toMatchObject({ ...UNAVAILABLE, cause })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fails at the deadline', async () => {
    const failed = expect(setUp().call('now', never)).rejects.toMatchObject(UNAVAILABLE)
    await vi.advanceTimersByTimeAsync(BOUNDS.deadline * 1000)
    await failed
  })

  it('waits for a place when too many are in flight', async () => {
    const client = setUp()
    const ends: (() => void)[] = []
    for (let i = 0; i < BOUNDS.inFlight; i++)
      void client.call('now', () => new Promise<void>((end) => ends.push(end)))
    let isDone = false
    const waiting = client.call('now', async () => 1).finally(() => (isDone = true))
    await vi.advanceTimersByTimeAsync(1000)
    expect([isDone, client.load()]).toEqual([false, { inFlight: BOUNDS.inFlight, waiting: 1 }])
    ends[0]?.()
    expect(await waiting).toBe(1)
    expect(client.load()).toEqual({ inFlight: BOUNDS.inFlight - 1, waiting: 0 })
  })

  it('that waits longer than its deadline is not made', async () => {
    const client = setUp()
    const made = vi.fn(async () => 1)
    for (let i = 0; i < BOUNDS.inFlight; i++) client.call('now', never).catch(() => undefined)
    const failed = expect(client.call('now', made)).rejects.toMatchObject(UNAVAILABLE)
    await vi.advanceTimersByTimeAsync(BOUNDS.deadline * 1000)
    await failed
    await vi.advanceTimersByTimeAsync(BOUNDS.deadline * 1000)
    expect(made).not.toHaveBeenCalled()
    expect(client.load()).toEqual({ inFlight: 0, waiting: 0 })
  })

  it('fails at once when sixteen wait for each place', async () => {
    const client = setUp()
    for (let i = 0; i < BOUNDS.inFlight * 17; i++) client.call('now', never).catch(() => undefined)
    await expect(client.call('now', async () => 1)).rejects.toMatchObject(UNAVAILABLE)
    expect(await client.call('now', async () => 1, 'revocation')).toBe(1)
    expect(await client.call('now', async () => 1, 'log')).toBe(1)
  })

  it('that revokes goes before what waits', async () => {
    const client = setUp()
    const order: string[] = []
    const ends: (() => void)[] = []
    const call = (name: string, priority: 'revocation' | 'ordinary') =>
      client.call(
        'now',
        () => {
          order.push(name)
          return new Promise<void>((end) => ends.push(end))
        },
        priority,
      )
    const all = Array.from({ length: BOUNDS.inFlight + 1 }, () => call('other', 'ordinary'))
    all.push(...Array.from({ length: 17 }, () => call('revocation', 'revocation')))
    await vi.advanceTimersByTimeAsync(0)
    // Sixteen revocations have places beside the others; one waits.
    expect(order.filter((name) => name === 'revocation')).toHaveLength(16)
    while (ends.length > 0) {
      ends.shift()?.()
      await vi.advanceTimersByTimeAsync(0)
    }
    await Promise.all(all)
    expect(order.slice(-2)).toEqual(['revocation', 'other'])
  })

  it('that never ends keeps its place past the deadline, and gives it back after twice the deadline', async () => {
    const client = setUp()
    for (let i = 0; i < BOUNDS.inFlight; i++) client.call('now', never).catch(() => undefined)
    await vi.advanceTimersByTimeAsync(BOUNDS.deadline * 2000 - 1)
    let isDone = false
    const waiting = client.call('now', async () => 1).finally(() => (isDone = true))
    await vi.advanceTimersByTimeAsync(0)
    expect(isDone).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await waiting).toBe(1)
  })

  it('that ends after twice the deadline gives its place back once', async () => {
    const client = setUp()
    let finish: (() => void) | undefined
    client.call('now', () => new Promise<void>((resolve) => (finish = resolve))).catch(() => undefined)
    await vi.advanceTimersByTimeAsync(BOUNDS.deadline * 2000)
    finish?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(client.load()).toEqual({ inFlight: 0, waiting: 0 })
  })
})

describe("the store's clock", () => {
  /** What a client takes a time of its own for, in the store's time. */
  const offsetOf = async (client: StoreClient): Promise<number> => {
    const { toStoreTime } = await momentOf(client)
    return Math.round((toStoreTime(NOW) - NOW) * 1000) / 1000
  }

  it('is asked once a minute', async () => {
    let asked = 0
    const client = setUp({
      now: async () => {
        asked++
        return Date.now() / 1000 + 100
      },
    })
    expect([await offsetOf(client), await offsetOf(client), asked]).toEqual([100, 100, 1])
    vi.advanceTimersByTime(60_001)
    await momentOf(client)
    expect(asked).toBe(2)
  })

  it('is known best by the shortest round trip, whichever comes last', async () => {
    const client = setUp()
    const storeNow = NOW + 100
    client.learn(storeNow, monotonic() - 0.5)
    client.learn(storeNow + 0.3, monotonic() - 0.1)
    expect(await offsetOf(client)).toBe(100.3)
    client.learn(storeNow + 0.2, monotonic() - 0.3)
    expect(await offsetOf(client)).toBe(100.3)
    client.learn(storeNow + 0.35, monotonic() - 0.1)
    expect(await offsetOf(client)).toBe(100.35)
  })

  it('is learned from any round trip where the best one is over a minute old', async () => {
    const client = setUp()
    client.learn(NOW + 100, monotonic() - 0.1)
    vi.advanceTimersByTime(60_001)
    client.learn(Date.now() / 1000 + 7, monotonic() - 0.5)
    const { toStoreTime } = await momentOf(client)
    expect(toStoreTime(Date.now() / 1000) - Date.now() / 1000).toBeCloseTo(7, 3)
  })

  it.each([
    ['ahead', 103, 0.4],
    ['behind', 97, 0.4],
  ])('is learned from any round trip that shows it %s of what was known (S23)', async (_, ahead, trip) => {
    const client = setUp()
    client.learn(NOW + 100, monotonic() - 0.1)
    client.learn(NOW + ahead, monotonic() - trip)
    expect(await offsetOf(client)).toBe(ahead)
  })

  it.each([5, 3, -3])('is asked again after the clocks moved apart by %d s (S23)', async (seconds) => {
    let asked = 0
    const client = setUp({
      now: async () => {
        asked++
        return Date.now() / 1000
      },
    })
    await momentOf(client)
    // The monotonic clock stands still, or the system's was set.
    vi.setSystemTime((NOW + seconds) * 1000)
    const { notAfter } = await momentOf(client)
    expect([asked, notAfter]).toEqual([2, NOW + seconds + BOUNDS.deadline])
    await momentOf(client)
    expect(asked).toBe(2)
  })

  it('is not learned from a round trip during which the clocks moved apart (S23)', async () => {
    const client = setUp()
    await momentOf(client)
    const sentAt = monotonic()
    const storeNow = Date.now() / 1000
    vi.setSystemTime((NOW + 5) * 1000)
    client.learn(storeNow, sentAt)
    expect((await momentOf(client)).notAfter).toBe(NOW + 5 + BOUNDS.deadline)
  })

  it('is learned from each call that tells it (S23)', async () => {
    const client = setUp()
    await momentOf(client)
    await client.callTimed('now', async () => ({ word: 'kept', now: NOW + 3 }))
    expect(await offsetOf(client)).toBe(3)
  })

  it('takes no time of the application for later than now', async () => {
    const { toStoreTime } = await momentOf(setUp())
    expect(toStoreTime(NOW + 60)).toBe(NOW)
  })

  it('says until when a write is of use: one deadline from now', async () => {
    const client = setUp({ now: async () => Date.now() / 1000 + 100 })
    const { now, notAfter } = await momentOf(client)
    expect(now).toBeNull()
    expect(notAfter).toBeCloseTo(NOW + 100 + BOUNDS.deadline, 3)
  })

  it('is replaced by the application’s own', async () => {
    const client = new StoreClient(memoryStore(), BOUNDS, () => 42)
    const moment = await momentOf(client)
    expect([client.now(), moment.now, moment.notAfter, moment.toStoreTime(7)]).toEqual([42, 42, null, 7])
  })
})
