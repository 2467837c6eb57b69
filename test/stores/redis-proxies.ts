/**
 * Clients of Redis behind proxies whose connections can be made to lead nowhere, as behind a firewall that has forgotten them: what is
 * sent is acknowledged and never answered.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { onTestFinished } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import type { RedisClient } from '../../src/stores/redis.ts'
import { startCluster, startRedis, startSentinel } from './redis-server.ts'

/** A TCP proxy whose present connections can be made to swallow everything, while new ones work. */
interface Proxy {
  readonly port: number
  /** @param mute for how many seconds connections that are made from now on swallow everything too, for ever */
  freeze(mute?: number): void
}

async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let isMute = false
  const server: Server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target })
    const pair = [near, far] as const
    pairs.add(pair)
    near.on('error', () => undefined).on('close', () => far.destroy())
    far.on('error', () => near.destroy())
    if (isMute) {
      near.resume()
      return
    }
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
    freeze(mute = 0) {
      isMute = true
      setTimeout(() => {
        isMute = false
      }, mute * 1000)
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
        near.resume()
        far.pause()
      }
    },
  }
}

export async function startOne(): Promise<Proxy> {
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
    freeze(mute?: number) {
      for (const proxy of proxies) proxy.freeze(mute)
    },
  }
}

async function opened<C extends { connect(): Promise<unknown>; destroy(): unknown }>(client: C): Promise<C> {
  await client.connect()
  onTestFinished(() => void client.destroy())
  return client
}

export function closing<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  return client
}

const toUrl = ({ port }: { readonly port: number }): string => `redis://127.0.0.1:${port}`

/** A client, and the proxies that it goes through. */
export interface Opened {
  readonly client: RedisClient
  freeze(mute?: number): void
}

export const KINDS: Readonly<Record<string, () => Promise<Opened>>> = {
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
  'node-redis sentinel': () => openMapped(),
}

/** The sentinel names an address that only the client's own map leads to. */
export async function openMapped(socketTimeout?: number): Promise<Opened> {
  const server = await startRedis()
  onTestFinished(server.close)
  const proxy = await startProxy(server.port)
  const sentinel = await startSentinel(server.port)
  onTestFinished(sentinel.close)
  const client = createSentinel({
    name: 'main',
    sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }],
    ...(socketTimeout !== undefined && { nodeClientOptions: { socket: { socketTimeout } } }),
    nodeAddressMap: { [`127.0.0.1:${server.port}`]: { host: '127.0.0.1', port: proxy.port } },
  })
  return { ...proxy, client: await opened(client) }
}

/** As the sentinel names it, the address of the master is that of the proxy. */
export async function openUnmapped(): Promise<Opened> {
  const proxy = await startOne()
  const sentinel = await startSentinel(proxy.port)
  onTestFinished(sentinel.close)
  const sentinelRootNodes = [{ host: '127.0.0.1', port: sentinel.port }]
  return { ...proxy, client: await opened(createSentinel({ name: 'main', sentinelRootNodes })) }
}

/** Waits until a store works again, for up to ten seconds. Resolves to how many that took. */
export async function heal(store: Store): Promise<number> {
  const asked = performance.now()
  const elapsed = (): number => (performance.now() - asked) / 1000
  for (let isHealed = false; !isHealed && elapsed() < 10; ) {
    const now = store.now().catch(() => undefined)
    isHealed = (await Promise.race([now, pause(1000)])) !== undefined
    // A call that fails at once leaves no time for anything else.
    await pause(10)
  }
  return elapsed()
}
