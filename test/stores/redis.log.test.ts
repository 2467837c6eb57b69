/**
 * S26: entries of the log that must live long, cut-offs of subjects, do not hold back those that
 * need not: each write deletes more than it adds, wherever in the log that is, and `prune` reaches
 * the end.
 */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { PROVE } from '../invariants/size.ts'
import { HAS_REDIS, type RedisServer, startRedis } from './redis-server.ts'

const LOG = '{tw}:log'

describe.skipIf(!HAS_REDIS)('the log (S26)', () => {
  let server: RedisServer
  let client: Redis
  let store: Store
  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port)
  })
  afterAll(async () => {
    client.disconnect()
    await server.close()
  })
  beforeEach(async () => {
    await client.flushall()
    store = redisStore(client)
  })

  /** Writes entries as the scripts do; those that live end in a year, the others have ended. */
  async function write(count: number, isLive: (index: number) => boolean): Promise<void> {
    const now = Date.now()
    for (let from = 0; from < count; from += 5000) {
      const pipeline = client.pipeline()
      for (let i = from; i < Math.min(count, from + 5000); i++) {
        const [kind, until] = isLive(i) ? ['sub', now + 3e10] : ['sid', now - 1000]
        const entry = ['kind', kind, 'key', `k${i}`, 'at', now - 1e6, 'until', until, 'realm', '']
        pipeline.call('XADD', LOG, '*', ...entry)
      }
      await pipeline.exec()
    }
  }

  const readAll = async (): Promise<number> => {
    let count = 0
    for (let cursor: string | null = null, more = true; more; ) {
      const page = await store.readLog(cursor, 1000)
      count += page.entries.length
      cursor = page.cursor
      more = page.more
    }
    return count
  }

  it('is trimmed behind entries that live long', async () => {
    await write(400, () => true)
    await write(1200, (index) => index % 10 === 0)
    const writes = 500
    for (let i = 0; i < writes; i++) await store.revokeToken(`t${i}`, Date.now() / 1000 + 600, null)
    expect(await client.xlen(LOG)).toBe(400 + 120 + writes)
    // And again: what has ended since is found, too.
    await write(300, () => false)
    for (let i = 0; i < writes; i++) await store.revokeToken(`u${i}`, Date.now() / 1000 + 600, null)
    expect(await client.xlen(LOG)).toBe(400 + 120 + 2 * writes)
    expect(await readAll()).toBe(400 + 120 + 2 * writes)
  })

  it('is trimmed after it was lost', async () => {
    await write(50, () => true)
    for (let i = 0; i < 20; i++) await store.revokeToken(`t${i}`, Date.now() / 1000 + 600, null)
    await client.del(LOG)
    await write(20, () => false)
    for (let i = 0; i < 20; i++) await store.revokeToken(`u${i}`, Date.now() / 1000 + 600, null)
    expect(await client.xlen(LOG)).toBe(20)
  })

  it('is pruned to its end, in calls that end', async () => {
    const [live, all] = PROVE ? [300_000, 1_000_000] : [21_000, 24_000]
    await write(all, (index) => index < live)
    const stats = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
    let [calls, gone] = [0, 0]
    while (gone < all - live && calls < all / 10_000) {
      const before = await stats()
      // Each time by another process.
      gone += await redisStore(client).prune(null)
      expect((await stats()) - before).toBeLessThanOrEqual(41)
      calls += 1
    }
    expect(gone).toBe(all - live)
    expect(await client.xlen(LOG)).toBe(live)
    expect(await readAll()).toBe(live)
    expect(await store.prune(null)).toBe(0)
  }, 120_000)
})
