/**
 * Where an attack takes place: the application in this process with sessions in memory, on a real
 * store, behind a proxy that can cut connections, with a feed that can be disturbed, or as several
 * processes. The steps of the case decide which one.
 */
import { isList, isObject, type Json, type JsonObject } from './cases.ts'
import { type Connection, connectStore, newNamespace } from './connections.ts'
import { type Disturbance, disturb } from './disturbance.ts'
import { type FaultKind, toFault } from './fault-kinds.ts'
import { serverKey } from './keys.ts'
import { Outside } from './outside.ts'
import { type AppProcess, startProcess } from './processes.ts'
import { startProxy, type TcpProxy } from './proxy.ts'
import type { ServerKind, Servers, StoreServer } from './servers.ts'
import { createTarget, type Target, type TargetOptions } from './target.ts'
import { Absent, Unsupported } from './values.ts'

/** The application under attack and everything around it. */
export interface Environment extends Inside {
  /** Servers, names and files that a case puts around it. */
  readonly outside: Outside
}

/** The application under attack and its store. */
interface Inside {
  readonly target: Target
  /** The processes of the application, where it runs as several. */
  readonly processes: readonly AppProcess[]
  /** The server of its store. */
  readonly server?: StoreServer
  /** The attack's own connection to the store. */
  readonly connection?: Connection
  /** The prefix of all names that the application uses in the store. */
  readonly namespace?: string
  /** The proxy between application and store. */
  readonly proxy?: TcpProxy
  /** Disturbs the application's feed. */
  readonly disturbance?: Disturbance
  /** What users may do, in attacks that take rights away. */
  readonly grants: Map<string, readonly string[]>
  /** More store servers, for steps that need them. */
  readonly servers: Servers
  close(): Promise<void>
}

/** What an environment is made from. */
export interface EnvironmentOptions {
  readonly steps: readonly Json[]
  readonly target: TargetOptions
  /** The store of cases that name none; in memory by default. */
  readonly store?: ServerKind | undefined
  readonly servers: Servers
  /** Collects what other processes print. */
  readonly output: string[]
}

/** Stores that several processes can share, most likely first. */
const SHARED: readonly ServerKind[] = ['redis', 'postgres', 'sqlite']

function findBody(steps: readonly Json[], name: string): Json | undefined {
  const found = steps.find((step) => isObject(step) && step[name] !== undefined)
  return isObject(found) ? found[name] : undefined
}

/** The case's first fault. */
function findFault(steps: readonly Json[]): JsonObject | undefined {
  const faults = steps.flatMap((step) => (isObject(step) && isObject(step['fault']) ? [step['fault']] : []))
  return faults.find(({ action }) => action !== 'heal')
}

/** Before `demote alice`, she may do everything. */
function findGrants(steps: readonly Json[]): Map<string, readonly string[]> {
  const admin = findBody(steps, 'admin')
  const user = typeof admin === 'string' ? /^demote (\w+)$/.exec(admin)?.[1] : undefined
  return new Map(user === undefined ? [] : [[user, ['admin']]])
}

/** The first of several kinds that this machine has a server for. */
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
): Promise<Inside> {
  const server = await servers.get(kind)
  const namespace = newNamespace()
  const proxy = proxied ? await startProxy(server.address.port) : undefined
  const own = await connectStore(server.address, { namespace })
  const connection = proxy ? await connectStore(server.address, { namespace, via: proxy.port }) : own
  // Only the refresh must pass the proxy. A feed would poll through it.
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

/** An application in other processes. Requests go to the first of them. */
function toRemoteTarget(processes: readonly AppProcess[], { store }: Connection): Target {
  const elsewhere = (): never => {
    throw new Unsupported('a step that needs the application in this process')
  }
  return {
    get port() {
      return processes[0]?.port ?? 0
    },
    clock: { now: () => Math.floor(Date.now() / 1000), advance: elsewhere },
    executions: [],
    handling: [],
    notices: [],
    refusals: [],
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
  { proxied = false } = {},
): Promise<Inside> {
  const server = await getFirst(servers, kinds)
  const proxy = proxied ? await startProxy(server.address.port) : undefined
  const namespace = newNamespace()
  const connection = await connectStore(server.address, { namespace })
  const { key } = serverKey('HS256')
  const secret = Buffer.from(key as Uint8Array).toString('base64url')
  const address = { ...server.address, ...(proxy && { port: proxy.port }) }
  const settings = { address, namespace, secret, adapter }
  const started = await Promise.allSettled(
    Array.from({ length: count }, () => startProcess(settings, output)),
  )
  const processes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = started.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(processes.map((member) => member.end('SIGKILL')))
    await connection.close()
    await proxy?.close()
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
    ...(proxy && { proxy }),
    async close() {
      await Promise.all(processes.map((member) => member.end('SIGKILL')))
      await connection.close()
      await proxy?.close()
    },
  }
}

/** The application in this process, with sessions in memory or in the store of the command line. */
async function createPlain(options: EnvironmentOptions): Promise<Inside> {
  const { servers, store, steps } = options
  const grants = findGrants(steps)
  // Without grants the application does not look rights up.
  const target = { ...options.target, ...(grants.size > 0 && { grants }) }
  if (store !== undefined)
    return { ...(await createOnServer({ ...options, target }, store, { systemClock: false })), grants }
  const created = await createTarget(target)
  return { target: created, processes: [], grants, servers, close: () => created.close() }
}

/** An application with a feed that the attack can disturb. */
async function createWithFeed({ target: options, servers }: EnvironmentOptions): Promise<Inside> {
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

/** The environment of each kind of fault. */
const CREATE: Readonly<
  Record<FaultKind, (options: EnvironmentOptions, store: ServerKind) => Promise<Inside>>
> = {
  cuts: (options, store) => createOnServer(options, store, { proxied: true }),
  greeting: (options, store) => createInProcesses(options, 1, [store], { proxied: true }),
  feed: createWithFeed,
  shutdown: (options) => createInProcesses(options, 1, SHARED),
  transaction: (options) => createInProcesses(options, 8, ['sqlite']),
  snapshot: (options) => createOnServer(options, 'redis-snapshots'),
  outage: (options, store) => createOnServer(options, store),
}

/**
 * Creates the environment that the steps of a case need.
 *
 * @throws {Unsupported} for one that cannot be created here
 */
export async function createEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const inside = await createInside(options)
  const outside = new Outside()
  return {
    ...inside,
    outside,
    async close() {
      await inside.close()
      await outside.close()
    },
  }
}

async function createInside(options: EnvironmentOptions): Promise<Inside> {
  const { steps } = options
  const fault = findFault(steps)
  if (fault !== undefined) {
    const { kind, action } = toFault(fault)
    return CREATE[kind](options, action['store'] as ServerKind)
  }
  const repeat = findBody(steps, 'repeat')
  if (findBody(steps, 'sweep') !== undefined) return createInProcesses(options, 1, ['sqlite'])
  if (isObject(repeat) && isList(repeat['step'])) return createInProcesses(options, 4, SHARED)
  return createPlain(options)
}
