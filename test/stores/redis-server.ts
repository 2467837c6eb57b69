/**
 * Redis servers of the tests' own, on free ports and in folders of their own, so that tests may kill, stop and fill them.
 * Without a `redis-server` program the tests that need one are skipped, loudly.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { randomId } from '../../src/internal/bytes.ts'
import type { NewSession } from '../../src/session/session-row.ts'
import type { RotateCall } from '../../src/session/store.ts'

/** Whether this machine has the program. */
export const HAS_REDIS: boolean = (() => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('\nNo redis-server program here: THE REDIS STORE IS NOT TESTED\n')
    return false
  }
})()

export interface RedisServer {
  readonly port: number
  readonly pid: number
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<void>
  /** Starts it again, on the same port and folder. */
  restart(): Promise<void>
  /** Ends it, and removes its folder. */
  close(): Promise<void>
}

const given = new Set<number>()

/**
 * A port that is free, and so is the one 10000 above, which a cluster's bus takes. It lies below
 * those that a system gives to connections, any of which could take it before the server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(11_000, 22_000)
    if (given.has(port) || !(await isFree(port)) || !(await isFree(port + 10_000))) continue
    given.add(port)
    return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Starts a server that answers. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-redis-'))
  let child: ChildProcess
  const launch = async (): Promise<void> => {
    const fixed = ['--port', String(port), '--dir', folder, '--bind', '127.0.0.1', '--save', '']
    child = spawn('redis-server', [...fixed, ...args], { stdio: 'ignore' })
    reapWithUs(child, folder)
    await waitFor(() => accepts(port))
    const probe = new Redis({ port, lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null })
    probe.on('error', () => undefined)
    await waitFor(async () => (await probe.ping().catch(() => '')) === 'PONG')
    probe.disconnect()
  }
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    // A stopped process dies of SIGKILL too.
    child.kill('SIGKILL')
    await ended
  }
  await launch()
  return {
    port,
    get pid() {
      // A signal to -1 would reach every process of this machine.
      if (child.pid === undefined) throw new Error('redis-server did not start')
      return child.pid
    },
    kill,
    restart: launch,
    async close() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * A run that is broken off (`--bail`, Ctrl-C, SIGKILL) comes to no `afterAll`. So a shell waits for the end of its input, which comes
 * when this process ends in whatever way, and then ends the server and removes its folder.
 */
export function reapWithUs(child: ChildProcess, folder: string): void {
  const end = 'read -r _; kill -9 "$1"; rm -rf "$2"'
  const args = ['-c', end, 'reap', String(child.pid), folder]
  const shell = spawn('sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  shell.unref()
  child.once('exit', () => shell.kill('SIGKILL'))
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Waits until something holds; by default at most ten seconds. */
export async function waitFor(holds: () => Promise<boolean>, seconds = 10): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited for ${seconds} seconds in vain`)
    await pause(10)
  }
}

/** Does something until it succeeds; by default for at most thirty seconds. */
export async function insist<T>(work: () => Promise<T>, seconds = 30): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > end) throw error
      await pause(50)
    }
  }
}

/** A cluster of three masters that all know each other. */
export async function startCluster(): Promise<{ servers: readonly RedisServer[]; close(): Promise<void> }> {
  const flags = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '15000']
  const servers = await Promise.all([1, 2, 3].map(() => startRedis(...flags)))
  const clients = servers.map(({ port }) => new Redis({ port }))
  const bounds = [0, 5461, 10_923, 16_384]
  for (const [i, client] of clients.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(bounds[i]), String((bounds[i + 1] ?? 0) - 1))
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
  }
  for (const { port } of servers.slice(1))
    await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(port))
  const knowsAll = async (client: Redis): Promise<boolean> =>
    /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(await client.call('CLUSTER', 'INFO')))
  await waitFor(async () => (await Promise.all(clients.map(knowsAll))).every(Boolean))
  for (const client of clients) client.disconnect()
  return { servers, close: async () => void (await Promise.all(servers.map((server) => server.close()))) }
}

/** A sentinel that watches a server under the name `main`. */
export async function startSentinel(master: number): Promise<{ readonly port: number; close(): void }> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  writeFileSync(file, `port ${port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${master} 1\n`)
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  reapWithUs(child, folder)
  await waitFor(() => accepts(port))
  return {
    port,
    close() {
      child.once('exit', () => rmSync(folder, { recursive: true, force: true }))
      child.kill('SIGKILL')
    },
  }
}

/** A login of a new subject. */
export function toDraft(over: Partial<NewSession> = {}): NewSession {
  return {
    sid: randomId(),
    sub: randomId(),
    realm: null,
    provedAt: Date.now() / 1000 + 3600,
    authTime: null,
    acr: null,
    amr: null,
    scopes: ['read'],
    data: {},
    brief: false,
    idleFor: null,
    metadata: {},
    label: null,
    ip: null,
    userAgent: null,
    idle: 3600,
    absolute: 86_400,
    ...over,
  }
}

/** A refresh. */
export function toCall(sid: string, gen: number, over: Partial<RotateCall> = {}): RotateCall {
  const policy = { overlap: 10, idle: 3600, rotation: true, logTtl: 900, seen: null }
  return { sid, gen, ...policy, notAfter: null, now: null, ...over }
}

/** Does something `count` times at once. */
export function together<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}

/** How often each word came. */
export function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}
