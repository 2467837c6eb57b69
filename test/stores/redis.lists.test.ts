/**
 * Lists in Redis cost what they return: one script reads some hundred rows at most, so that no list
 * holds up other clients, and a subject with very many sessions is not read to the end.
 */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, type RedisServer, startRedis, toDraft } from './redis-server.ts'

/** Rows that one script may read. */
const MOST_READ = 250

describe.skipIf(!HAS_REDIS)('a list', () => {
  let server: RedisServer
  let client: Redis
  let store: Store
  /** What each script has read, in rows. */
  let read: number[]
  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port)
    // A proxy that asks the server how many commands the scripts ran.
    const counting = new Proxy(client, {
      get(target, name) {
        if (name !== 'call') return Reflect.get(target, name)
        return async (...args: [string, ...string[]]) => {
          const before = await countReads(client)
          const reply = await target.call(...args)
          read.push((await countReads(client)) - before)
          return reply
        }
      },
    })
    store = redisStore(counting)
  })
  afterAll(async () => {
    client.disconnect()
    await server.close()
  })
  beforeEach(async () => {
    read = []
    await client.flushall()
  })

  /** Starts many sessions of one subject, side by side. */
  async function startMany(count: number, over: Parameters<typeof toDraft>[0]): Promise<void> {
    const direct = redisStore(client)
    for (let i = 0; i < count; i += 500) {
      const some = Array.from({ length: Math.min(500, count - i) }, () => direct.start(toDraft(over), null))
      await Promise.all(some)
    }
  }

  for (const realm of [null, 'staff']) {
    it(`of 5000 sessions reads no more than it returns, realm ${realm}`, async () => {
      await startMany(5000, { sub: 'ada', realm })
      expect(await store.list({ sub: 'ada', realm }, null)).toHaveLength(1000)
      expect(Math.max(...read)).toBeLessThanOrEqual(MOST_READ)
      expect(read.reduce((sum, rows) => sum + rows)).toBeLessThanOrEqual(1000)
    })
  }

  it('of few sessions reads these', async () => {
    await startMany(3, { sub: 'ada' })
    await startMany(300, { sub: 'bob' })
    expect(await store.list({ sub: 'ada', realm: null }, null)).toHaveLength(3)
    expect(read).toEqual([3])
  })

  it('forgets sessions that have ended: the next one reads none of them', async () => {
    await startMany(1200, { sub: 'ada', idle: 0.3 })
    await startMany(2, { sub: 'ada' })
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(await store.list({ sub: 'ada', realm: null }, null)).toHaveLength(2)
    expect(Math.max(...read)).toBeLessThanOrEqual(MOST_READ)
    read = []
    expect(await store.list({ sub: 'ada', realm: null }, null)).toHaveLength(2)
    expect(read).toEqual([2])
  })

  it('by a clock of the application forgets nothing', async () => {
    await startMany(4, { sub: 'ada', idle: 3600 })
    const later = Date.now() / 1000 + 7200
    expect(await store.list({ sub: 'ada', realm: null }, later)).toHaveLength(0)
    expect(await store.list({ sub: 'ada', realm: null }, null)).toHaveLength(4)
  })
})

/** How many rows have been read since the server started. */
async function countReads(client: Redis): Promise<number> {
  const stats = await client.info('commandstats')
  return Number(/cmdstat_hmget:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}
