/**
 * The store suite over both clients on a primary that sentinels watch. What they do in a failover
 * is in test/invariants. The scripts are those of one Redis, which has all cases at all moments.
 */
import { storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import type { ClientKind, Connected, Group } from '../invariants/gate.ts'
import { startWatched } from '../invariants/sentinels.ts'
import { BRIEF } from './brief.ts'
import { HAS_REDIS } from './redis-server.ts'

const KINDS: readonly ClientKind[] = ['ioredis', 'node-redis']

describe.skipIf(!HAS_REDIS)('a primary under three sentinels', () => {
  let group: Group
  let connected: readonly Connected[] = []
  let stores: readonly Store[] = []

  beforeAll(async () => {
    group = await startWatched()
    connected = await Promise.all(KINDS.map((kind) => group.connect(kind, 'others')))
    stores = connected.map(({ client }, i) => redisStore(client, { prefix: `suite${i}`, replicas: i }))
  })
  afterAll(async () => {
    await Promise.all(connected.map(({ close }) => close()))
    await group?.close()
  })

  describe.each(KINDS.map((kind, i) => [kind, i] as const))('%s', (_, i) => {
    storeSuite(async () => ({ store: stores[i] as Store }), BRIEF)
  })
})
