/**
 * The option `replicas` on every kind of client: no revocation is acknowledged that no replica has, whatever becomes of the connection
 * in between.
 */
import { Redis } from 'ioredis'
import { createClient, createClientPool } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type RedisClient, redisStore } from '../../src/stores/redis.ts'
import { startBalancer } from '../invariants/balancer.ts'
import { startGrouped } from '../invariants/clusters.ts'
import type { ClientKind, Group } from '../invariants/gate.ts'
import { replicateRedis } from '../invariants/replicas.ts'
import { startWatched } from '../invariants/sentinels.ts'
import { HAS_REDIS, startRedis, toDraft, waitFor } from './redis-server.ts'

const ENDING = { logTtl: 900, now: null } as const
const toPort = (spec: unknown): number => Number(Object(spec).port)

/** A client, and what makes its server lose the replica. */
interface Opened {
  readonly client: RedisClient
  loseReplica(): unknown
}

async function single(make: (port: number) => Promise<RedisClient>): Promise<Opened> {
  const servers = await replicateRedis()
  onTestFinished(() => servers.close())
  return { client: await make(toPort(servers.primary)), loseReplica: () => servers.promote() }
}

function grouped(start: () => Promise<Group>, kind: ClientKind): () => Promise<Opened> {
  return async () => {
    const group = await start()
    onTestFinished(() => group.close())
    const { client, close } = await group.connect(kind, 'primary')
    onTestFinished(async () => void (await close()))
    return { client, loseReplica: () => group.cut() }
  }
}

const KINDS: Readonly<Record<string, () => Promise<Opened>>> = {
  ioredis: () =>
    single(async (port) => {
      const client = new Redis(port, { keyPrefix: 'app:' })
      onTestFinished(() => client.disconnect())
      return client
    }),
  'node-redis client': () =>
    single(async (port) => {
      const client = createClient({ url: `redis://127.0.0.1:${port}` })
      await client.connect()
      onTestFinished(() => client.destroy())
      return client
    }),
  'node-redis pool': () =>
    single(async (port) => {
      const client = createClientPool({ url: `redis://127.0.0.1:${port}` }, { minimum: 2, maximum: 4 })
      await client.connect()
      onTestFinished(() => client.destroy())
      return client
    }),
  'ioredis with sentinels': grouped(startWatched, 'ioredis'),
  'node-redis with sentinels': grouped(startWatched, 'node-redis'),
  'ioredis cluster': grouped(startGrouped, 'ioredis'),
  'node-redis cluster': grouped(startGrouped, 'node-redis'),
}

describe.skipIf(!HAS_REDIS).each(Object.entries(KINDS))('%s', (_, open) => {
  it('acknowledges no revocation that its replica has not confirmed', async () => {
    const { client, loseReplica } = await open()
    const store = redisStore(client, { replicas: 1 })
    const [{ sid }, other] = [toDraft(), toDraft()]
    for (const draft of [toDraft({ sid }), other]) await store.start(draft, null)
    expect(await store.end(sid, 'ended', ENDING)).toBe(true)
    expect(
      await store.endAll({ sub: 'nobody', realm: null }, 'ended', { ...ENDING, except: null, cutOff: 900 }),
    ).toBe(0)
    expect((await store.get(sid))?.revokedAt).not.toBeNull()
    await loseReplica()
    await expect(store.end(other.sid, 'ended', ENDING)).rejects.toThrow('0 of 1 replicas have confirmed')
  })
})

describe.skipIf(!HAS_REDIS)('a failover between a revocation and its confirmation', () => {
  it('confirms nothing', async () => {
    const [first, second] = await Promise.all([replicateRedis(), replicateRedis()])
    const balancer = await startBalancer(toPort(first.primary))
    const client = new Redis(balancer.port)
    onTestFinished(async () => {
      client.disconnect()
      await Promise.all([balancer.close(), first.close(), second.close()])
    })
    const store = redisStore(client, { replicas: 1 })
    const draft = toDraft()
    await store.start(draft, null)
    await first.promote()
    const ending = store.end(draft.sid, 'ended', ENDING).then(
      () => 'acknowledged',
      () => 'refused',
    )
    const admin = new Redis(toPort(first.primary))
    onTestFinished(() => admin.disconnect())
    await waitFor(async () => (await admin.hget(`{tw}:s:${draft.sid}`, 'why')) === 'ended')
    balancer.lead(toPort(second.primary))
    balancer.drop()
    // The server that it reaches now has a replica, and knows nothing of the revocation.
    expect(await ending).toBe('refused')
  })
})

describe.skipIf(!HAS_REDIS)('what `inspect` says of replication', () => {
  const ASYNCHRONOUS = expect.stringContaining('replicates asynchronously')
  const ALONE = expect.stringContaining('min-replicas-to-write')

  it('names what a failover loses', async () => {
    const servers = await replicateRedis()
    onTestFinished(() => servers.close())
    const client = new Redis(toPort(servers.primary))
    onTestFinished(() => client.disconnect())
    expect(await redisStore(client).inspect()).toEqual([ASYNCHRONOUS, ALONE])
    expect(await redisStore(client, { replicas: 1 }).inspect()).toEqual([ALONE])
    await client.config('SET', 'min-replicas-to-write', '1')
    expect(await redisStore(client, { replicas: 1 }).inspect()).toEqual([])
    const alone = await startRedis('--appendonly', 'yes')
    const other = new Redis(alone.port)
    onTestFinished(async () => {
      other.disconnect()
      await alone.close()
    })
    expect(await redisStore(other).inspect()).toEqual([])
  })

  it.each(['ioredis', 'node-redis'] as const)(
    'names what hangs, and what a cluster loses (%s)',
    async (kind) => {
      const [watched, cluster] = await Promise.all([startWatched(), startGrouped()])
      onTestFinished(async () => void (await Promise.all([watched.close(), cluster.close()])))
      const clients = await Promise.all([watched.connect(kind, 'primary'), cluster.connect(kind, 'primary')])
      onTestFinished(async () => void (await Promise.all(clients.map(({ close }) => close()))))
      const [ofSentinels, ofCluster] = await Promise.all(
        clients.map(({ client }) => redisStore(client).inspect()),
      )
      const hangs = expect.stringContaining('sentinelCommandTimeout')
      expect(ofSentinels).toEqual([ASYNCHRONOUS, ALONE, ...(kind === 'ioredis' ? [hangs] : [])])
      expect(ofCluster).toEqual([
        ASYNCHRONOUS,
        expect.stringMatching(/until cluster-node-timeout.*min-replicas/),
      ])
    },
  )

  it('refuses `replicas` for a client without pipelines, and for other than small numbers', () => {
    expect(() => redisStore({ call: () => undefined }, { replicas: 1 })).toThrow(/over one connection/)
    expect(() => redisStore({ call: () => undefined }, { replicas: 0.5 })).toThrow(/whole number/)
  })
})
