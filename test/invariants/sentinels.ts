/**
 * A Redis with a replica under three sentinels, which promote the replica when the primary is gone.
 * The primary can be killed, stopped, or cut off from replica and sentinels, together with those
 * clients that are on its side.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { freePort, type RedisServer, reapWithUs, startRedis, waitFor } from '../stores/redis-server.ts'
import { type Gate, type Group, openGate } from './gate.ts'

/** After how many milliseconds without a reply a sentinel takes the primary for gone. */
const DOWN_AFTER = 2000

interface Sentinel {
  readonly port: number
  close(): void
}

async function startSentinel(primary: number): Promise<Sentinel> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor main 127.0.0.1 ${primary} 2`,
    `sentinel down-after-milliseconds main ${DOWN_AFTER}`,
    'sentinel failover-timeout main 3000',
  ]
  writeFileSync(file, lines.join('\n'))
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  reapWithUs(child, folder)
  return {
    port,
    close() {
      child.once('exit', () => rmSync(folder, { recursive: true, force: true }))
      child.kill('SIGKILL')
    },
  }
}

/** Asks a server one thing. */
async function ask<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

/** Waits until the replica has the log, and all sentinels know it and each other. */
async function settle(replica: RedisServer, sentinels: readonly Sentinel[]): Promise<void> {
  await waitFor(() =>
    ask(replica.port, async (client) => /master_link_status:up/.test(await client.info('replication'))),
  )
  const learn = ({ port }: Sentinel): Promise<void> =>
    ask(port, async (client) => {
      // A sentinel corrects the role of a primary that comes back after four of these: 8 s otherwise.
      await client.call('SENTINEL', 'DEBUG', 'PUBLISH-PERIOD', '200', 'INFO-PERIOD', '500')
      await waitFor(async () => {
        const known = String(await client.info('sentinel'))
        return /status=ok,address=\S+,slaves=1,sentinels=3/.test(known)
      })
    })
  await Promise.all(sentinels.map(learn))
}

/** Starts them. */
export async function startWatched(): Promise<Group> {
  const primary = await startRedis('--appendonly', 'yes', '--repl-diskless-sync-delay', '0')
  const gate = await openGate(primary.port)
  const replica = await startRedis('--replicaof', `127.0.0.1 ${gate.port}`)
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(gate.port)))
  await settle(replica, sentinels)
  /** The ways of those clients to the sentinels that are cut off with the primary. */
  const ways: Gate[] = await Promise.all(sentinels.map(({ port }) => openGate(port)))
  const direct = { [`127.0.0.1:${gate.port}`]: { host: '127.0.0.1', port: primary.port } }
  return {
    primary,
    replica,
    root: sentinels[0]?.port ?? 0,
    async connect(kind, side) {
      const asked = (side === 'primary' ? ways : sentinels).map(({ port }) => ({ host: '127.0.0.1', port }))
      const map = side === 'primary' ? direct : {}
      if (kind === 'ioredis') {
        const client = new Redis({ sentinels: asked, name: 'main', natMap: map })
        client.on('error', () => undefined)
        return { client, close: () => client.disconnect() }
      }
      const client = createSentinel({ name: 'main', sentinelRootNodes: asked, nodeAddressMap: map })
      await client.connect()
      return { client, close: () => client.destroy() }
    },
    cut() {
      for (const way of [gate, ...ways]) way.shut()
    },
    heal() {
      for (const way of [gate, ...ways]) way.open()
    },
    hasMoved: () =>
      ask(sentinels[0]?.port ?? 0, async (client) => {
        const address = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')
        return String((address as string[])[1]) === String(replica.port)
      }),
    async close() {
      for (const sentinel of sentinels) sentinel.close()
      await Promise.all([gate, ...ways].map((each) => each.close()))
      await Promise.all([primary.close(), replica.close()])
    },
  }
}
