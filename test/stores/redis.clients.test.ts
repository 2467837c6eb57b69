/**
 * The store suite over every kind of client on a single server, in RESP2 and RESP3, and with the clients' own ways of changing
 * commands (key prefixes, automatic pipelines, buffers as replies). Clusters are in redis.cluster.test.ts.
 */
import { Redis } from 'ioredis'
import { createClient, createClientPool, createSentinel, RESP_TYPES } from 'redis'
import { storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { type RedisClient, redisStore } from '../../src/stores/redis.ts'
import {
  HAS_REDIS,
  type RedisServer,
  startRedis,
  startSentinel,
  tally,
  toCall,
  toDraft,
  together,
} from './redis-server.ts'

interface Connection {
  readonly client: RedisClient
  close(): unknown
}

let server: RedisServer

beforeAll(async () => {
  if (HAS_REDIS) server = await startRedis()
})
afterAll(() => server?.close())

const url = (): string => `redis://127.0.0.1:${server.port}`

async function connect<C extends { connect(): Promise<unknown>; destroy(): unknown }>(client: C): Promise<C> {
  await client.connect()
  return client
}

const KINDS: Record<string, () => Promise<Connection>> = {
  'ioredis, RESP3': async () => {
    const client = new Redis(server.port, { protocol: 3 })
    return { client, close: () => client.disconnect() }
  },
  'ioredis, RESP2, a prefix of its own and automatic pipelines': async () => {
    const client = new Redis(server.port, {
      protocol: 2,
      keyPrefix: 'app:',
      enableAutoPipelining: true,
      stringNumbers: true,
    })
    return { client, close: () => client.disconnect() }
  },
  'node-redis client, RESP3': async () => {
    const client = await connect(createClient({ url: url(), RESP: 3 }))
    return { client, close: () => client.destroy() }
  },
  'node-redis client, RESP2, replies as buffers': async () => {
    const plain = await connect(createClient({ url: url(), RESP: 2 }))
    const client = plain.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.NUMBER]: String })
    return { client, close: () => plain.destroy() }
  },
  'node-redis pool': async () => {
    const client = await connect(createClientPool({ url: url() }, { minimum: 2, maximum: 8 }))
    return { client, close: () => client.destroy() }
  },
}

for (const [kind, open] of Object.entries(KINDS)) {
  describe.skipIf(!HAS_REDIS)(kind, () => {
    let connection: Connection
    let store: Store

    beforeAll(async () => {
      connection = await open()
      store = redisStore(connection.client, { prefix: `suite${Object.keys(KINDS).indexOf(kind)}` })
    })
    afterAll(() => connection.close())

    storeSuite(async () => ({ store }), { describe, it })

    it('rotates once for any number of parallel calls, and reports one reuse', async () => {
      for (let round = 0; round < 5; round++) {
        const { sid } = toDraft()
        await store.start(toDraft({ sid }), null)
        const words = (await together(200, () => store.rotate(toCall(sid, 0)))).map(({ word }) => word)
        expect(tally(words)).toEqual({ rotated: 1, replayed: 199 })
        await store.rotate(toCall(sid, 1, { overlap: 0 }))
        const since = (await store.readLog(null, 100_000)).cursor
        const thieves = (await together(200, () => store.rotate(toCall(sid, 0)))).map(({ word }) => word)
        expect(tally(thieves)).toEqual({ reused: 1, revoked: 199 })
        const { entries } = await store.readLog(since, 1000)
        expect(entries.filter(({ key }) => key === sid)).toHaveLength(1)
      }
    })
  })
}

describe.skipIf(!HAS_REDIS)('a sentinel', () => {
  it('finds the server for both clients', async () => {
    const sentinel = await startSentinel(server.port)
    const node = createSentinel({
      name: 'main',
      sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }],
    })
    const ioredis = new Redis({ name: 'main', sentinels: [{ host: '127.0.0.1', port: sentinel.port }] })
    try {
      await node.connect()
      for (const client of [node, ioredis]) {
        const store = redisStore(client, { prefix: 'sentinel' })
        const row = await store.start(toDraft(), null)
        const words = await together(50, () => store.rotate(toCall(row?.sid ?? '', 0)))
        expect(tally(words.map(({ word }) => word))).toEqual({ rotated: 1, replayed: 49 })
      }
      expect(node.listenerCount('error')).toBe(1)
    } finally {
      await node.destroy()
      ioredis.disconnect()
      sentinel.close()
    }
  })
})
