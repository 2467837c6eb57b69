/** The store on a real cluster of three masters: the suite over both clients, and what happens while our slot moves. */
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, startCluster, tally, toCall, toDraft, together } from './redis-server.ts'

/** Hash tags whose slots lie on the first, the second and the third master. */
const PREFIXES = ['bar', 'c', 'foo']

describe.skipIf(!HAS_REDIS)('a cluster of three masters', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>
  let ioredis: Cluster
  let node: Awaited<ReturnType<typeof connectNode>>
  const stores: Store[] = []

  async function connectNode() {
    const rootNodes = cluster.servers.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` }))
    const client = createCluster({ rootNodes })
    await client.connect()
    return client
  }

  beforeAll(async () => {
    cluster = await startCluster()
    ioredis = new Cluster(cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port })))
    node = await connectNode()
    for (const prefix of PREFIXES) stores.push(redisStore(ioredis, { prefix }), redisStore(node, { prefix }))
  }, 20_000)
  afterAll(async () => {
    ioredis?.disconnect()
    node?.destroy()
    await cluster?.close()
  })

  let turn = 0
  const next = (client: 0 | 1): Store => {
    turn += 1
    return stores[(turn % PREFIXES.length) * 2 + client] as Store
  }
  describe('ioredis', () => storeSuite(async () => ({ store: next(0) }), { describe, it }))
  describe('node-redis', () => storeSuite(async () => ({ store: next(1) }), { describe, it }))

  it('keeps every key of a store in one slot, and the three stores on three nodes', async () => {
    const used = await Promise.all(
      cluster.servers.map(async ({ port }) => {
        const client = new Redis(port)
        const keys = await client.keys('*')
        client.disconnect()
        return new Set(
          keys.map((key) =>
            /^\{(\w+)\}:[sucjaCA]:|^\{(\w+)\}:(?:log(?::trimmed|:pruned)?|due)$/.exec(key)?.slice(1).join(''),
          ),
        )
      }),
    )
    expect(used.map((tags) => [...tags])).toEqual(expect.arrayContaining(PREFIXES.map((prefix) => [prefix])))
  })

  it.each([0, 1] as const)(
    'rotates once, reports one reuse, and receives every revocation (client %i)',
    async (client) => {
      for (let round = 0; round < 6; round++) {
        const store = next(client)
        const { sid, sub } = toDraft()
        await store.start(toDraft({ sid, sub }), null)
        const words = (await together(200, () => store.rotate(toCall(sid, 0)))).map(({ word }) => word)
        expect(tally(words)).toEqual({ rotated: 1, replayed: 199 })
        const [rotated, ended] = await Promise.all([
          store.rotate(toCall(sid, 1, { overlap: 0 })),
          store.endAll({ sub, realm: null }, 'subject_revoked', {
            logTtl: 900,
            except: null,
            cutOff: 900,
            now: null,
          }),
        ])
        expect(ended).toBe(1)
        expect(['rotated', 'revoked']).toContain(rotated.word)
        expect(await store.list({ sub, realm: null }, null)).toEqual([])
      }
    },
  )

  it('stays in its slot, whatever braces a subject contains', async () => {
    for (const sub of ['}', '{', '{x}', 'a}b{c', '{}', '\\{"\u0000}\ud800']) {
      const store = next(1)
      const row = await store.start(toDraft({ sub }), null)
      await store.rotate(toCall(row?.sid ?? '', 0))
      await store.countAttempt(sub, 5, 900, null)
      await store.revokeToken(sub, (await store.now()) + 900, null)
      expect((await store.list({ sub, realm: null }, null)).map(({ sid }) => sid)).toEqual([row?.sid])
      const call = { logTtl: 900, except: null, cutOff: 900, now: null }
      expect(await store.endAll({ sub, realm: null }, 'subject_revoked', call)).toBe(1)
    }
  })

  it('loads the scripts on a node that does not know them', async () => {
    for (const { port } of cluster.servers) {
      const client = new Redis(port)
      await client.script('FLUSH')
      client.disconnect()
    }
    const answers = await together(60, (i) => (stores[i % stores.length] as Store).start(toDraft(), null))
    expect(answers.every((row) => row !== null)).toBe(true)
  })

  it('follows its slot, and while the slot moves does a step completely or not at all', async () => {
    const store = stores[0] as Store
    const [first, second] = cluster.servers.map(({ port }) => new Redis(port))
    const slot = String(await first?.call('CLUSTER', 'KEYSLOT', `{${PREFIXES[0]}}`))
    const owners = [first, second] as [Redis, Redis]
    const ids = (await Promise.all(owners.map((each) => each.call('CLUSTER', 'MYID')))) as [string, string]
    const { sub } = toDraft()
    const rows = await together(5, () => store.start(toDraft({ sub }), null))
    const [from, to] = owners
    await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[0])
    await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[1])
    const move = async (keys: string[]): Promise<unknown> =>
      from.call('MIGRATE', '127.0.0.1', String(to.options.port), '', '0', '5000', 'KEYS', ...keys)
    // Two rows have gone ahead: the script that ends all meets one that is not here.
    await move(rows.slice(0, 2).map((row) => `{${PREFIXES[0]}}:s:${row?.sid}`))
    const call = { logTtl: 900, except: null, cutOff: 900, now: null }
    await expect(store.endAll({ sub, realm: null }, 'subject_revoked', call)).rejects.toThrow()
    for (const each of owners) expect(await each.keys(`*:c:${sub}`)).toEqual([])
    for (const row of rows.slice(2)) expect((await store.get(row?.sid ?? ''))?.revokedAt).toBeNull()

    await move((await from.call('CLUSTER', 'GETKEYSINSLOT', slot, '100000')) as string[])
    for (const each of [to, from]) await each.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[1])
    expect(await store.endAll({ sub, realm: null }, 'subject_revoked', call)).toBe(5)
    expect(await store.list({ sub, realm: null }, null)).toEqual([])
    for (const each of owners) each.disconnect()
  }, 20_000)
})
