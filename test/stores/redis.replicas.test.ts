/**
 * The option `replicas` on every kind of client: no revocation is acknowledged that no replica has,
 * whatever becomes of the connection in between. And what `inspect` says of replication.
 */
import { Redis } from 'ioredis'
import { createClient, createClientPool } from 'redis'
import { describe, expect, it } from 'vitest'
import { type RedisClient, redisStore } from '../../src/stores/redis.ts'
import { atOnce, onFinished } from '../at-once.ts'
import { startBalancer } from '../invariants/balancer.ts'
import { startGrouped } from '../invariants/clusters.ts'
import type { ClientKind, Group } from '../invariants/gate.ts'
import { type Replicated, replicateRedis } from '../invariants/replicas.ts'
import { startWatched } from '../invariants/sentinels.ts'
import { HAS_REDIS, startRedis, toDraft, waitFor } from './redis-server.ts'

const ENDING = { logTtl: 900, now: null } as const
const toPort = (spec: unknown): number => Number(Object(spec).port)

const ASYNCHRONOUS = expect.stringContaining('replicates asynchronously')
const ALONE = expect.stringContaining('min-replicas-to-write')
const HANGS = expect.stringContaining('sentinelCommandTimeout')
const ALONE_IN_CLUSTER = expect.stringMatching(/until cluster-node-timeout.*min-replicas/)

/** Clients of one primary with a replica, what `inspect` says of each, and what cuts it off. */
interface Opened {
  readonly clients: readonly (readonly [name: string, client: RedisClient, warnings: readonly unknown[]])[]
  loseReplica(): unknown
}

async function openPair(): Promise<Opened> {
  const servers = await replicateRedis()
  onFinished(() => servers.close())
  const url = `redis://127.0.0.1:${toPort(servers.primary)}`
  const single = new Redis(url, { keyPrefix: 'app:' })
  onFinished(() => single.disconnect())
  const client = await createClient({ url }).connect()
  onFinished(() => client.destroy())
  const pool = createClientPool({ url }, { minimum: 2, maximum: 4 })
  await pool.connect()
  onFinished(() => pool.destroy())
  const warnings = [ASYNCHRONOUS, ALONE]
  return {
    clients: [
      ['ioredis', single, warnings],
      ['node-redis client', client, warnings],
      ['node-redis pool', pool, warnings],
    ],
    loseReplica: () => servers.promote(),
  }
}

async function openGroup(
  start: () => Promise<Group>,
  warnings: Readonly<Record<ClientKind, readonly unknown[]>>,
): Promise<Opened> {
  const group = await start()
  onFinished(() => group.close())
  const open = async (kind: ClientKind) => {
    const { client, close } = await group.connect(kind, 'primary')
    onFinished(close)
    return [kind, client, warnings[kind]] as const
  }
  const clients = await Promise.all([open('ioredis'), open('node-redis')])
  return { clients, loseReplica: () => group.cut() }
}

const OF_CLUSTER = [ASYNCHRONOUS, ALONE_IN_CLUSTER]
const KINDS: Readonly<Record<string, () => Promise<Opened>>> = {
  'one primary': openPair,
  sentinels: () =>
    openGroup(startWatched, {
      ioredis: [ASYNCHRONOUS, ALONE, HANGS],
      'node-redis': [ASYNCHRONOUS, ALONE],
    }),
  cluster: () => openGroup(startGrouped, { ioredis: OF_CLUSTER, 'node-redis': OF_CLUSTER }),
}

describe.skipIf(!HAS_REDIS).each(Object.entries(KINDS))('%s with a replica', (_, open) => {
  it.concurrent(
    'is told of, and acknowledges no revocation that the replica has not confirmed',
    { timeout: 60_000 },
    atOnce(async () => {
      const { clients, loseReplica } = await open()
      const late: (() => Promise<unknown>)[] = []
      for (const [name, client, warnings] of clients) {
        expect(await redisStore(client).inspect(), name).toEqual(warnings)
        const store = redisStore(client, { replicas: 1, prefix: name.replaceAll(/\W/g, '') })
        const [{ sid }, other] = [toDraft(), toDraft()]
        for (const draft of [toDraft({ sid }), other]) await store.start(draft, null)
        expect(await store.end(sid, 'ended', ENDING), name).toBe(true)
        const ending = { ...ENDING, except: null, cutOff: 900 }
        expect(await store.endAll({ sub: 'nobody', realm: null }, 'ended', ending), name).toBe(0)
        expect((await store.get(sid))?.revokedAt, name).not.toBeNull()
        late.push(() => store.end(other.sid, 'ended', ENDING))
      }
      await loseReplica()
      const refused = expect.objectContaining({
        reason: expect.objectContaining({
          message: expect.stringContaining('0 of 1 replicas have confirmed'),
        }),
      })
      const results = await Promise.allSettled(late.map((end) => end()))
      expect(results).toEqual(clients.map(() => refused))
    }),
  )
})

async function confirmNothing(): Promise<void> {
  const [first, second] = await Promise.all([replicateRedis(), replicateRedis()])
  const balancer = await startBalancer(toPort(first.primary))
  const client = new Redis(balancer.port)
  onFinished(async () => {
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
  onFinished(() => admin.disconnect())
  await waitFor(async () => (await admin.hget(`{tw}:s:${draft.sid}`, 'why')) === 'ended')
  balancer.lead(toPort(second.primary))
  balancer.drop()
  // The server that it reaches now has a replica, and knows nothing of the revocation.
  expect(await ending).toBe('refused')
}

async function expectWarnings({ primary }: Replicated): Promise<void> {
  const client = new Redis(toPort(primary))
  onFinished(() => client.disconnect())
  expect(await redisStore(client, { replicas: 1 }).inspect()).toEqual([ALONE])
  await client.config('SET', 'min-replicas-to-write', '1')
  expect(await redisStore(client, { replicas: 1 }).inspect()).toEqual([])
  const alone = await startRedis('--appendonly', 'yes')
  onFinished(() => alone.close())
  const other = new Redis(alone.port)
  onFinished(() => other.disconnect())
  expect(await redisStore(other).inspect()).toEqual([])
}

describe.skipIf(!HAS_REDIS)('replicas', () => {
  it.concurrent(
    'a failover between a revocation and its confirmation confirms nothing',
    atOnce(confirmNothing),
  )
  it.concurrent(
    '`inspect` warns of what the server is not configured for',
    atOnce(async () => {
      const servers = await replicateRedis()
      onFinished(() => servers.close())
      await expectWarnings(servers)
    }),
  )
})

describe('the option `replicas`', () => {
  it('is refused for a client without pipelines, and for other than small numbers', () => {
    expect(() => redisStore({ call: () => undefined }, { replicas: 1 })).toThrow(/over one connection/)
    expect(() => redisStore({ call: () => undefined }, { replicas: 0.5 })).toThrow(/whole number/)
  })
})
