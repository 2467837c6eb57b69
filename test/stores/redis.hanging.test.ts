/**
 * Connections to Redis that lead nowhere, and whose successors lead nowhere either: to a process that hangs, which takes connections and
 * says nothing. No client gives up such an attempt by itself.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'
import { heal, KINDS, openMapped, openUnmapped } from './redis-proxies.ts'
import { HAS_REDIS } from './redis-server.ts'

const { 'node-redis sentinel': _mapped, ...REACHING } = KINDS

const MAPPED = 'node-redis sentinel with a map and a timeout'

const ALL = Object.entries({
  ...REACHING,
  'node-redis sentinel': openUnmapped,
  [MAPPED]: () => openMapped(1000),
})

describe.skipIf(!HAS_REDIS).each(ALL)('%s', (_, open) => {
  it('replaces a connection that leads nowhere by one that leads nowhere, and that too', async () => {
    const { client, freeze } = await open()
    const store = redisStore(client, { deadline: '0.3s' })
    await Promise.all(Array.from({ length: 4 }, () => store.now()))
    freeze(0.8)
    await Promise.race([store.now().catch(() => undefined), pause(2000)])
    expect(await heal(store)).toBeLessThan(5)
    for (let i = 0; i < 8; i++) expect(await store.now()).toBeGreaterThan(1e9)
  })
})
