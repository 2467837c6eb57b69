/**
 * Connections to Redis that lead nowhere, and whose successors lead nowhere either: to a process
 * that hangs, which takes connections and says nothing. No client gives up such an attempt by
 * itself.
 */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, it } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'
import { atOnce } from '../at-once.ts'
import { closing, heal, KINDS, opened, openMapped, openUnmapped, settle, startOne } from './redis-proxies.ts'
import { HAS_REDIS, waitFor } from './redis-server.ts'

const { 'node-redis sentinel': _mapped, ...REACHING } = KINDS

const ALL = Object.entries({
  ...REACHING,
  'node-redis sentinel': openUnmapped,
  'node-redis sentinel with a map and a timeout': () => openMapped(1000),
})

/** Milliseconds. */
const LIMIT = { timeout: 90_000 }

describe.skipIf(!HAS_REDIS)('a connection that leads nowhere', () => {
  it.concurrent.for(ALL)(
    'is replaced by one that leads nowhere, and that too (%s)',
    LIMIT,
    ([, open], context) =>
      atOnce(async () => {
        const { client, hang, hung, open: reopen } = await open()
        const store = redisStore(client, { deadline: '0.5s' })
        await settle(store)
        await Promise.allSettled(Array.from({ length: 4 }, () => store.now()))
        hang()
        const asking = setInterval(() => store.now().catch(() => undefined), 100)
        await waitFor(async () => hung() > 0, 30).finally(() => clearInterval(asking))
        reopen()
        await heal(store)
      })(context),
  )

  it.concurrent.for([
    ['ioredis', (port: number) => closing(new Redis(port))],
    ['node-redis client', (port: number) => opened(createClient({ url: `redis://127.0.0.1:${port}` }))],
  ] as const)('is not replaced while it is made, within the deadline (%s)', LIMIT, ([, make], context) =>
    atOnce(async () => {
      const proxy = await startOne(970)
      const store = redisStore(await make(proxy.port), { deadline: '1s' })
      await settle(store)
      const made = proxy.made()
      proxy.freeze()
      await heal(store)
      expect(proxy.made() - made).toBe(1)
    })(context),
  )
})
