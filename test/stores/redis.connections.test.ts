/**
 * Connections to Redis that lead nowhere: the store goes on within its deadline, whatever the
 * client would do by itself.
 */
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { atOnce, onFinished } from '../at-once.ts'
import { closing, heal, KINDS, settle, startOne } from './redis-proxies.ts'
import { HAS_REDIS } from './redis-server.ts'

const CASES = Object.entries(KINDS).flatMap(([name, open]) => [
  [`${name}, while others are sent`, open, 20] as const,
  [`${name}, with nothing else to send`, open, 60_000] as const,
])

/** Milliseconds. */
const LIMIT = { timeout: 90_000 }

describe.skipIf(!HAS_REDIS)('a connection that leads nowhere', () => {
  it.concurrent.for(CASES)('is replaced (%s)', LIMIT, ([, open, interval], context) =>
    atOnce(async () => {
      const { client, freeze } = await open()
      const store = redisStore(client, { deadline: '0.5s' })
      await settle(store)
      await Promise.allSettled(Array.from({ length: 4 }, () => store.now()))
      freeze()
      // Commands that are written keep the timers of sockets from running out.
      const others = setInterval(() => store.now().catch(() => undefined), interval)
      onFinished(() => clearInterval(others))
      await heal(store)
    })(context),
  )
})

describe.skipIf(!HAS_REDIS)('a connection that is slow but alive', () => {
  it('is kept while replies come', async () => {
    const { port } = await startOne()
    const client = closing(new Redis(port))
    const store = redisStore(client, { deadline: '1s' })
    await settle(store)
    let closed = 0
    client.on('close', () => {
      closed += 1
    })
    // Each reply comes after less than the deadline, and all together after more.
    const sleeps = Array.from({ length: 4 }, () =>
      client
        .call(
          'EVAL',
          'local t = redis.call("TIME") repeat local n = redis.call("TIME") until (n[1] - t[1]) * 1000000 + n[2] - t[2] > 300000 return 1',
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
