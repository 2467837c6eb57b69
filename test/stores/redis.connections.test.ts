/**
 * Connections to Redis that lead nowhere, as behind a firewall that has forgotten them: what is sent
 * is acknowledged and never answered. The store goes on within its deadline, whatever the client
 * would do by itself.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigurationError } from '../../src/index.ts'
import { type RedisClient, redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, startCluster, startRedis, startSentinel } from './redis-server.ts'

/** A TCP proxy whose present connections can be made to swallow everything, while new ones work. */
interface Proxy {
  readonly port: number
  freeze(): void
}

async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const server: Server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target })
    const pair = [near, far] as const
    pairs.add(pair)
    near.on('error', () => undefined).on('close', () => far.destroy())
    far.on('error', () => near.destroy())
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const [near] of pairs) near.destroy()
  })
  return {
    port: (server.address() as { port: number }).port,
    freeze() {
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
        near.resume()
        far.pause()
      }
    },
  }
}

async function startOne(): Promise<Proxy> {
  const server = await startRedis()
  onTestFinished(server.close)
  return startProxy(server.port)
}

/** A cluster, each node behind a proxy; `map` leads from the nodes to the proxies. */
async function startThree() {
  const cluster = await startCluster()
  onTestFinished(cluster.close)
  const proxies = await Promise.all(cluster.servers.map(({ port }) => startProxy(port)))
  const nodes = cluster.servers.map(({ port }, index) => {
    return [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[index]?.port ?? 0 }] as const
  })
  return {
    map: Object.fromEntries(nodes),
    freeze() {
      for (const proxy of proxies) proxy.freeze()
    },
  }
}

async function opened<C extends { connect(): Promise<unknown>; destroy(): unknown }>(client: C): Promise<C> {
  await client.connect()
  onTestFinished(() => void client.destroy())
  return client
}

function closing<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  return client
}

const toUrl = ({ port }: { readonly port: number }): string => `redis://127.0.0.1:${port}`

const KINDS: Readonly<Record<string, () => Promise<{ client: RedisClient; freeze(): void }>>> = {
  async ioredis() {
    const proxy = await startOne()
    return { ...proxy, client: closing(new Redis(proxy.port)) }
  },
  async 'node-redis client'() {
    const proxy = await startOne()
    return { ...proxy, client: await opened(createClient({ url: toUrl(proxy) })) }
  },
  async 'node-redis client with a type mapping'() {
    const proxy = await startOne()
    const client = await opened(createClient({ url: toUrl(proxy) }))
    return { ...proxy, client: client.withTypeMapping({}) }
  },
  async 'node-redis pool'() {
    const proxy = await startOne()
    return {
      ...proxy,
      client: await opened(createClientPool({ url: toUrl(proxy) }, { minimum: 2, maximum: 2 })),
    }
  },
  async 'ioredis cluster'() {
    const { map, freeze } = await startThree()
    return { freeze, client: closing(new Cluster(Object.values(map), { natMap: map })) }
  },
  async 'node-redis cluster'() {
    const { map, freeze } = await startThree()
    const rootNodes = Object.values(map).map((node) => ({ url: toUrl(node) }))
    return { freeze, client: await opened(createCluster({ rootNodes, nodeAddressMap: map })) }
  },
  async 'node-redis sentinel'() {
    const server = await startRedis()
    onTestFinished(server.close)
    const proxy = await startProxy(server.port)
    const sentinel = await startSentinel(server.port)
    onTestFinished(sentinel.close)
    const client = createSentinel({
      name: 'main',
      sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }],
      nodeAddressMap: { [`127.0.0.1:${server.port}`]: { host: '127.0.0.1', port: proxy.port } },
    })
    return { ...proxy, client: await opened(client) }
  },
}

describe.skipIf(!HAS_REDIS).each(Object.entries(KINDS))('%s', (_, open) => {
  it.each([
    ['while others are sent', 20],
    ['with nothing else to send', null],
  ])('replaces a connection that leads nowhere, %s', async (_, interval) => {
    const { client, freeze } = await open()
    const store = redisStore(client, { deadline: '0.3s' })
    await Promise.all(Array.from({ length: 4 }, () => store.now()))
    freeze()
    const asked = performance.now()
    // Commands that are written keep the timers of sockets from running out.
    const others = setInterval(() => store.now().catch(() => undefined), interval ?? 60_000)
    onTestFinished(() => clearInterval(others))
    let isHealed = false
    while (!isHealed && performance.now() - asked < 10_000) {
      const now = store.now().catch(() => undefined)
      isHealed = (await Promise.race([now, pause(1000)])) !== undefined
    }
    expect(isHealed).toBe(true)
    expect(performance.now() - asked).toBeLessThan(5000)
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
