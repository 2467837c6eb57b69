import { expect, it } from 'vitest'
import type { LogClient } from '../../src/session/log-client.ts'
import { RevocationFeed } from '../../src/session/revocation-feed.ts'
import { RevocationRestorer } from '../../src/session/revocation-restorer.ts'
import type { LogEntry, LogPage } from '../../src/session/store.ts'
import { StoreClient } from '../../src/session/store-client.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const NOW = 1_800_000_000
const COUNT = 100_000
const toEntry = (i: number): LogEntry => ({ kind: 'sid', key: `s${i}`, at: NOW, until: NOW + 900 })

it('compares a long log that went back without holding requests up', async () => {
  const all = Array.from({ length: COUNT }, (_, i) => toEntry(i))
  // The log had all, and after a failover only the first half.
  const pages: LogPage[] = [
    { entries: all, cursor: 'a', more: false, now: NOW },
    { entries: all.slice(0, COUNT / 2), cursor: 'b', more: false, now: NOW, restarted: true },
  ]
  const rests: (() => void)[] = []
  const client: LogClient = {
    isRemote: false,
    now: () => NOW,
    load: () => ({ inFlight: 0, waiting: 0 }),
    readLog: async () => ({
      ...(pages.shift() ?? { entries: [], cursor: 'b', more: false, now: NOW }),
      completeAt: performance.now() / 1000,
    }),
    rest: () => new Promise((resolve) => rests.push(resolve)),
    interrupt: () => undefined,
    isRevoked: async () => false,
    close: () => undefined,
  }
  let stored = 0
  const store = { ...memoryStore(), end: async () => ++stored > 0 }
  const bounds = { deadline: 60, inFlight: 64 }
  let report: (lost: number) => void
  const reported = new Promise<number>((resolve) => (report = resolve))
  const restorer = new RevocationRestorer(
    new StoreClient(store, bounds, () => NOW),
    { realm: null, cutOffTtl: 900 },
    ({ lost }) => report(lost),
  )
  const settings = {
    mode: 'feed',
    maxStale: 60,
    whenStale: 'refuse',
    accessTtl: 900,
    leeway: 0,
    realm: null,
  } as const
  const feed = new RevocationFeed(client, settings, null, restorer)
  await feed.ready()
  expect(feed.state().entries).toBe(COUNT)

  // Requests have turns while it compares, and none of it is lost or taken twice.
  let turns = 0
  const count = setInterval(() => turns++, 0)
  rests.shift()?.()
  expect(await reported).toBe(COUNT / 2)
  clearInterval(count)
  expect(stored).toBe(COUNT / 2)
  expect(turns).toBeGreaterThan(5)
  feed.close()
})
