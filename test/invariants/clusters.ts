/**
 * A cluster of three masters, of which the one that owns a slot has a replica. That master can be
 * killed, stopped, or cut off from all other nodes, together with those clients that are on its
 * side.
 */
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { type RedisServer, startRedis, waitFor } from '../stores/redis-server.ts'
import { type Gate, type Group, openGate } from './gate.ts'

/** After how many milliseconds without a sign a node is taken for gone. */
const NODE_TIMEOUT = 2000

/** The address from which the primary calls the others, so that they can be cut off from it. */
const PRIMARY = '127.0.0.2'

interface Node {
  readonly server: RedisServer
  readonly admin: Redis
  /** What clients and replicas come through. */
  readonly data: Gate
  /** What the other nodes come through. */
  readonly bus: Gate
}

async function startNode(): Promise<Node> {
  const server = await startRedis(
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT)],
    ...['--repl-diskless-sync-delay', '0', '--appendonly', 'yes'],
  )
  const [data, bus] = await Promise.all([openGate(server.port), openGate(server.port + 10_000)])
  const admin = new Redis({ port: server.port, retryStrategy: () => 50, maxRetriesPerRequest: null })
  admin.on('error', () => undefined)
  await admin.config('SET', 'cluster-announce-port', data.port)
  await admin.config('SET', 'cluster-announce-bus-port', bus.port)
  return { server, admin, data, bus }
}

/**
 * Joins them: the first three as masters, the first of which has the slots of most names; the last
 * one as its replica.
 */
async function join(nodes: readonly Node[]): Promise<void> {
  const [primary, , , replica] = nodes.map(({ admin }) => admin)
  await primary?.config('SET', 'bind-source-addr', PRIMARY)
  const bounds = [0, 15_000, 16_000, 16_384]
  for (const [i, { admin }] of nodes.slice(0, 3).entries()) {
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(bounds[i]), String((bounds[i + 1] ?? 0) - 1))
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
  }
  for (const { data, bus } of nodes.slice(1))
    await primary?.call('CLUSTER', 'MEET', '127.0.0.1', String(data.port), String(bus.port))
  const knowsAll = async ({ admin }: Node): Promise<boolean> =>
    /cluster_state:ok[\s\S]*cluster_known_nodes:4/.test(String(await admin.call('CLUSTER', 'INFO')))
  await waitFor(async () => (await Promise.all(nodes.map(knowsAll))).every(Boolean))
  await replica?.call('CLUSTER', 'REPLICATE', String(await primary?.call('CLUSTER', 'MYID')))
  await waitFor(async () => /master_link_status:up/.test((await replica?.info('replication')) ?? ''))
  const seesReplica = async ({ admin }: Node): Promise<boolean> =>
    /slave/.test(String(await admin.call('CLUSTER', 'NODES')))
  await waitFor(async () => (await Promise.all(nodes.map(seesReplica))).every(Boolean))
}

/** Starts them. */
export async function startGrouped(): Promise<Group> {
  const nodes = (await Promise.all([1, 2, 3, 4].map(startNode))) as [Node, Node, Node, Node]
  await join(nodes)
  const [primary, , , replica] = nodes
  /** The ways of those clients to the other nodes that are cut off with the primary. */
  const ways = await Promise.all(nodes.slice(1).map(({ server }) => openGate(server.port)))
  const toMap = (ports: readonly number[]) =>
    Object.fromEntries(
      nodes.map(({ data }, i) => [`127.0.0.1:${data.port}`, { host: '127.0.0.1', port: ports[i] ?? 0 }]),
    )
  const maps = {
    primary: toMap([primary.server.port, ...ways.map(({ port }) => port)]),
    others: toMap([primary.data.port, ...nodes.slice(1).map(({ server }) => server.port)]),
  }
  const cutOff = [primary.data, primary.bus, ...ways]
  const others = nodes.slice(1).flatMap(({ data, bus }) => [data, bus])
  return {
    primary: primary.server,
    replica: replica.server,
    root: primary.data.port,
    async connect(kind, side) {
      const map = maps[side]
      const roots = Object.values(map)
      if (kind === 'ioredis') {
        const client = new Cluster(roots, { natMap: map })
        client.on('error', () => undefined)
        return { client, close: () => client.disconnect() }
      }
      const client = createCluster({
        rootNodes: roots.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })),
        nodeAddressMap: map,
      })
      client.on('error', () => undefined)
      await client.connect()
      return { client, close: () => client.destroy() }
    },
    cut() {
      for (const gate of cutOff) gate.shut()
      for (const gate of others) gate.shut(PRIMARY)
    },
    heal() {
      for (const gate of [...cutOff, ...others]) gate.open()
    },
    hasMoved: async () => /role:master/.test(await replica.admin.info('replication')),
    async close() {
      for (const { admin } of nodes) admin.disconnect()
      await Promise.all([...cutOff, ...others].map((gate) => gate.close()))
      await Promise.all(nodes.map(({ server }) => server.close()))
    },
  }
}
