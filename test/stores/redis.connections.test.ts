/**
 * Connections to Redis that lead nowhere: the store goes on within its deadline, whatever the client would do by itself.
 */
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigurationError } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { closing, heal, KINDS, startOne } from './redis-proxies.ts'
import { HAS_REDIS } from './redis-server.ts'

describe.skipIf(!HAS_REDIS).each(Object.entries(KINDS))('%s', (_, open) => {
  it.each([
    ['while others are sent', 20],
    ['with nothing else to send', null],
  ])('replaces a connection that leads nowhere, %s', async (_, interval) => {
    const { client, freeze } = await open()
    const store = redisStore(client, { deadline: '0.3s' })
    await Promise.all(Array.from({ length: 4 }, () => store.now()))
    freeze()
    // Commands that are written keep the timers of sockets from running out.
    const others = setInterval(() => store.now().catch(() => undefined), interval ?? 60_000)
    onTestFinished(() => clearInterval(others))
    expect(await heal(store)).toBeLessThan(5)
    clearInterval(others)
    for (let i = 0; i < 8; i++) expect(await store.now()).toBeGreaterThan(1e9)
  })
})

describe.skipIf(!HAS_REDIS)('a connection that is slow but alive', () => {
  it('is kept while replies come', async () => {
    const { port } = await startOne()
    const client = closing(new Redis(port))
    const store = redisStore(client, { deadline: '0.3s' })
    await store.now()
    let closed = 0
    client.on('close', () => {
      closed += 1
    })
    // Ten replies, each after less than the deadline, and all together after more.
    const sleeps = Array.from({ length: 4 }, () =>
      client
        .call(
          'EVAL',
          'local t = redis.call("TIME") repeat local n = redis.call("TIME") until (n[1] - t[1]) * 1000000 + n[2] - t[2] > 150000 return 1',
          '0',
        )
        .then(() => store.now()),
    )
    await Promise.all(sleeps)
    expect(closed).toBe(0)
  })
})

describe('the deadline of a Redis store', () => {
  it('is checked', () => {
    const client = { call: async () => undefined }
    for (const deadline of ['0s', '5', '2h', 30_000 * 60] as never[])
      expect(() => redisStore(client, { deadline })).toThrow(ConfigurationError)
    expect(() => redisStore(client, { deadlin: '1s' } as never)).toThrow(/did you mean `deadline`/)
  })
})
