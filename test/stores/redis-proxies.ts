/**
 * Clients of Redis behind proxies whose connections can be made to lead nowhere, as behind a
 * firewall that has forgotten them: what is sent is acknowledged and never answered.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import type { Store } from '../../src/session/store.ts'
import type { RedisClient } from '../../src/stores/redis.ts'
import { onFinished } from '../at-once.ts'
import { startCluster, startRedis, startSentinel, waitFor } from './redis-server.ts'

/** What is between a client and its servers. */
interface Way {
  /** Makes the present connections swallow everything. New ones work. */
  freeze(): void
  /** Makes new connections swallow everything too, for ever. */
  hang(): void
  /** Lets connections that are made from now on work. */
  open(): void
  /** How many connections were made to what hangs. */
  hung(): number
}

/** A proxy whose servers greet late. */
export interface Late extends Proxy {
  /** How many connections were made. */
  made(): number
}

/** A TCP proxy. */
interface Proxy extends Way {
  readonly port: number
}

/** @param delay after how many milliseconds a new connection is led on */
async function startProxy(target: number, delay = 0): Promise<Late> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let isMute = false
  let hung = 0
  let made = 0
  const server: Server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target })
    const pair = [near, far] as const
    made += 1
    pairs.add(pair)
    near.on('error', () => undefined).on('close', () => far.destroy())
    far.on('error', () => near.destroy())
    if (isMute) {
      hung += 1
      near.resume()
      return
    }
    far.pipe(near)
    if (delay === 0) near.pipe(far)
    else setTimeout(() => near.pipe(far), delay)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onFinished(() => {
    server.close()
    for (const [near] of pairs) near.destroy()
  })
  const freeze = (): void => {
    for (const [near, far] of pairs) {
      near.unpipe(far)
      far.unpipe(near)
      near.resume()
      far.pause()
    }
  }
  return {
    port: (server.address() as { port: number }).port,
    freeze,
    hang() {
      isMute = true
      freeze()
    },
    open() {
      isMute = false
    },
    hung: () => hung,
    made: () => made,
  }
}

/** A server behind a proxy. @param delay after how many milliseconds a new connection is led on */
export async function startOne(delay?: number): Promise<Late> {
  const server = await startRedis()
  onFinished(server.close)
  return startProxy(server.port, delay)
}

/** A cluster, each node behind a proxy; `map` leads from the nodes to the proxies. */
async function startThree() {
  const cluster = await startCluster()
  onFinished(cluster.close)
  const proxies = await Promise.all(cluster.servers.map(({ port }) => startProxy(port)))
  const nodes = cluster.servers.map(({ port }, index) => {
    return [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[index]?.port ?? 0 }] as const
  })
  const way: Way = {
    freeze() {
      for (const proxy of proxies) proxy.freeze()
    },
    hang() {
      for (const proxy of proxies) proxy.hang()
    },
    open() {
      for (const proxy of proxies) proxy.open()
    },
    hung: () => proxies.reduce((sum, proxy) => sum + proxy.hung(), 0),
  }
  return { map: Object.fromEntries(nodes), way }
}

export async function opened<C extends { connect(): Promise<unknown>; destroy(): unknown }>(
  client: C,
): Promise<C> {
  await client.connect()
  onFinished(() => void client.destroy())
  return client
}

export function closing<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => undefined)
  onFinished(() => client.disconnect())
  return client
}

const toUrl = ({ port }: { readonly port: number }): string => `redis://127.0.0.1:${port}`

/** A client, and the proxies that it goes through. */
export interface Opened extends Way {
  readonly client: RedisClient
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
    const { map, way } = await startThree()
    return { ...way, client: closing(new Cluster(Object.values(map), { natMap: map })) }
  },
  async 'node-redis cluster'() {
    const { map, way } = await startThree()
    const rootNodes = Object.values(map).map((node) => ({ url: toUrl(node) }))
    return { ...way, client: await opened(createCluster({ rootNodes, nodeAddressMap: map })) }
  },
  'node-redis sentinel': () => openMapped(),
}

/** The sentinel names an address that only the client's own map leads to. */
export async function openMapped(socketTimeout?: number): Promise<Opened> {
  const server = await startRedis()
  onFinished(server.close)
  const proxy = await startProxy(server.port)
  const sentinel = await startSentinel(server.port)
  onFinished(sentinel.close)
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
  onFinished(sentinel.close)
  const sentinelRootNodes = [{ host: '127.0.0.1', port: sentinel.port }]
  return { ...proxy, client: await opened(createSentinel({ name: 'main', sentinelRootNodes })) }
}

/** Waits until several calls in a row succeed, also where a slow machine broke off some before. */
export async function settle(store: Store): Promise<void> {
  const works = (): Promise<boolean> => store.now().then(Boolean, () => false)
  await waitFor(async () => {
    for (let i = 0; i < 8; i++) if (!(await works())) return false
    return true
  }, 30)
}

/** Waits until a store works again, at most thirty seconds. Calls that hang are left. */
export async function heal(store: Store): Promise<void> {
  await waitFor(async () => {
    const now = store.now().catch(() => undefined)
    return (await Promise.race([now, pause(1000)])) !== undefined
  }, 30)
  await settle(store)
}
