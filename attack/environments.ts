/**
 * Where an attack takes place: the application in this process with sessions in memory, or on a
 * real store, behind a proxy that can be cut, with a feed that can be disturbed, or as several
 * processes. Which one follows from the steps of the case.
 */

import { isList, isObject, type Json, type JsonObject } from './cases.ts'
import { type Connection, connectStore, newNamespace } from './connections.ts'
import { type Disturbance, disturb } from './disturbance.ts'
import { serverKey } from './keys.ts'
import { type AppProcess, startProcess } from './processes.ts'
import { startProxy, type TcpProxy } from './proxy.ts'
import type { ServerKind, Servers, StoreServer } from './servers.ts'
import { createTarget, type Target, type TargetOptions } from './target.ts'
import { Absent, Unsupported } from './values.ts'

/** The application under attack and everything around it. */
export interface Environment {
  readonly target: Target
  /** The processes of an application that runs as several. */
  readonly processes: readonly AppProcess[]
  /** The server of its store. */
  readonly server?: StoreServer
  /** The attack's own way to the store. */
  readonly connection?: Connection
  /** What the names of the application's things in the store begin with. */
  readonly namespace?: string
  /** The proxy between application and store. */
  readonly proxy?: TcpProxy
  /** The disturber of its feed. */
  readonly disturbance?: Disturbance
  /** What users may do, where the attack takes it away. */
  readonly grants: Map<string, readonly string[]>
  /** Servers of stores, for steps that want more of them. */
  readonly servers: Servers
  close(): Promise<void>
}

/** What a world is made of. */
export interface EnvironmentOptions {
  readonly steps: readonly Json[]
  readonly target: TargetOptions
  /** The store of cases that want none in particular; in memory by default. */
  readonly store?: ServerKind | undefined
  readonly servers: Servers
  /** Takes what other processes say. */
  readonly output: string[]
}

/** Stores that several processes can share, the likeliest first. */
const SHARED: readonly ServerKind[] = ['redis', 'postgres', 'sqlite']

function findBody(steps: readonly Json[], name: string): Json | undefined {
  const bodies = steps.flatMap((step) =>
    isObject(step) && step[name] !== undefined && step[name] !== 'heal' ? [step[name]] : [],
  )
  return bodies[0]
}

/** What the `fault` step of a case breaks. */
function findAction(steps: readonly Json[]): JsonObject {
  const fault = findBody(steps, 'fault')
  return isObject(fault) && isObject(fault['action']) ? fault['action'] : {}
}

/** `demote alice`: until then she may do everything. */
function findGrants(steps: readonly Json[]): Map<string, readonly string[]> {
  const admin = findBody(steps, 'admin')
  const user = typeof admin === 'string' ? /^demote (\w+)$/.exec(admin)?.[1] : undefined
  return new Map(user === undefined ? [] : [[user, ['admin']]])
}

/** The first server of several kinds that this machine has. */
async function getFirst(servers: Servers, kinds: readonly ServerKind[]): Promise<StoreServer> {
  const reasons: string[] = []
  for (const kind of kinds) {
    try {
      return await servers.get(kind)
    } catch (error) {
      if (!(error instanceof Absent)) throw error
      reasons.push(error.message)
    }
  }
  throw new Absent(reasons.join('; '))
}

/** The application in this process, on a real store. */
async function createOnServer(
  { target: options, servers }: EnvironmentOptions,
  kind: ServerKind,
  { proxied = false, systemClock = true } = {},
): Promise<Environment> {
  const server = await servers.get(kind)
  const namespace = newNamespace()
  const proxy = proxied ? await startProxy(server.address.port) : undefined
  const own = await connectStore(server.address, { namespace })
  const connection = proxy ? await connectStore(server.address, { namespace, via: proxy.port }) : own
  // What passes the proxy is to be the refresh and nothing else: a feed would poll through it.
  const changes = proxy && { changes: { revocation: 'strict' as const } }
  const target = await createTarget({ ...options, store: connection.store, systemClock, ...changes })
  return {
    target,
    processes: [],
    server,
    connection: own,
    namespace,
    grants: new Map(),
    servers,
    ...(proxy && { proxy }),
    async close() {
      await target.close()
      await server.heal()
      await connection.close().catch(() => undefined)
      if (proxy) await own.close()
      await proxy?.close()
    },
  }
}

/** The face of an application that runs in other processes: requests go to the first of them. */
function toRemoteTarget(processes: readonly AppProcess[], { store }: Connection): Target {
  const elsewhere = (): never => {
    throw new Unsupported('that in an application that runs in other processes')
  }
  return {
    get port() {
      return processes[0]?.port ?? 0
    },
    clock: { now: () => Math.floor(Date.now() / 1000), advance: elsewhere },
    executions: [],
    handling: [],
    notices: [],
    store,
    get auth() {
      return elsewhere()
    },
    server: serverKey('HS256'),
    mistakes: elsewhere,
    unlimit: elsewhere,
    rebuild: elsewhere,
    rotate: elsewhere,
    retire: elsewhere,
    drain: async () => elsewhere(),
    close: async () => undefined,
  }
}

/** The application as several processes on one store. */
async function createInProcesses(
  { target: { adapter = 'fetch' }, servers, output }: EnvironmentOptions,
  count: number,
  kinds: readonly ServerKind[],
): Promise<Environment> {
  const server = await getFirst(servers, kinds)
  const namespace = newNamespace()
  const connection = await connectStore(server.address, { namespace })
  const { key } = serverKey('HS256')
  const secret = Buffer.from(key as Uint8Array).toString('base64url')
  const settings = { address: server.address, namespace, secret, adapter }
  const started = await Promise.allSettled(
    Array.from({ length: count }, () => startProcess(settings, output)),
  )
  const processes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = started.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(processes.map((member) => member.end('SIGKILL')))
    await connection.close()
    throw failed.reason
  }
  return {
    target: toRemoteTarget(processes, connection),
    processes,
    server,
    connection,
    namespace,
    grants: new Map(),
    servers,
    async close() {
      await Promise.all(processes.map((member) => member.end('SIGKILL')))
      await connection.close()
    },
  }
}

/**
 * The application in this process with sessions in memory, or where a store was asked for, in that
 * one.
 */
async function createPlain(options: EnvironmentOptions): Promise<Environment> {
  const { servers, store, steps } = options
  const grants = findGrants(steps)
  // Nobody asks for rights where nobody has any.
  const target = { ...options.target, ...(grants.size > 0 && { grants }) }
  if (store !== undefined)
    return { ...(await createOnServer({ ...options, target }, store, { systemClock: false })), grants }
  const created = await createTarget(target)
  return { target: created, processes: [], grants, servers, close: () => created.close() }
}

/** An application that follows a feed which the attack can disturb. */
async function createWithFeed({ target: options, servers }: EnvironmentOptions): Promise<Environment> {
  const disturbance = disturb()
  const revocation = { mode: 'feed', maxStale: 1 } as const
  const target = await createTarget({
    ...options,
    store: disturbance.store,
    systemClock: true,
    changes: { revocation },
  })
  return { target, processes: [], grants: new Map(), servers, disturbance, close: () => target.close() }
}

/**
 * Makes the world that the steps of a case need. Throws `Unsupported` for one that cannot be made
 * here.
 */
export async function createEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { steps } = options
  const { store, config, proxy, inject, target } = findAction(steps)
  const repeat = findBody(steps, 'repeat')
  if (proxy !== undefined) return createOnServer(options, store as ServerKind, { proxied: true })
  if (inject !== undefined) return createWithFeed(options)
  if (target === 'app') return createInProcesses(options, 1, SHARED)
  if (store === 'sqlite') return createInProcesses(options, 8, ['sqlite'])
  if (store === 'redis' || store === 'postgres')
    return createOnServer(options, config === 'default' ? 'redis-snapshots' : store)
  if (findBody(steps, 'sweep') !== undefined) return createInProcesses(options, 1, ['sqlite'])
  if (isObject(repeat) && isList(repeat['step'])) return createInProcesses(options, 4, SHARED)
  return createPlain(options)
}
