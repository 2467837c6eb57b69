/**
 * Where an attack takes place: the application in this process with sessions in memory, or on a
 * real store, behind a proxy that can be cut, with a feed that can be disturbed, or as several
 * processes. Which one follows from the steps of the case.
 */

import { isList, isObject, type Json, type JsonObject } from './cases.ts'
import { type Connection, connectStore, newNamespace } from './connections.ts'
import { type Disturbance, disturb } from './disturbance.ts'
import { type Member, startMember } from './fleet.ts'
import { serverKey } from './keys.ts'
import type { ServerKind, Servers, StoreServer } from './servers.ts'
import { startTap, type Tap } from './tap.ts'
import { createTarget, type Target, type TargetOptions } from './target.ts'
import { Absent, Unsupported } from './values.ts'

/** The application under attack and everything around it. */
export interface World {
  readonly target: Target
  /** The processes of an application that runs as several. */
  readonly fleet: readonly Member[]
  /** The server of its store. */
  readonly server?: StoreServer
  /** The attack's own way to the store. */
  readonly connection?: Connection
  /** What the names of the application's things in the store begin with. */
  readonly namespace?: string
  /** The proxy between application and store. */
  readonly tap?: Tap
  /** The disturber of its feed. */
  readonly disturbance?: Disturbance
  /** What users may do, where the attack takes it away. */
  readonly grants: Map<string, readonly string[]>
  /** Servers of stores, for steps that want more of them. */
  readonly servers: Servers
  close(): Promise<void>
}

/** What a world is made of. */
export interface Ground {
  readonly steps: readonly Json[]
  readonly target: TargetOptions
  /** The store of cases that want none in particular; in memory by default. */
  readonly store?: ServerKind | undefined
  readonly servers: Servers
  /** Takes what other processes say. */
  readonly said: string[]
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
async function toServed(
  { target: options, servers }: Ground,
  kind: ServerKind,
  { tapped = false, systemClock = true } = {},
): Promise<World> {
  const server = await servers.get(kind)
  const namespace = newNamespace()
  const tap = tapped ? await startTap(server.address.port) : undefined
  const own = await connectStore(server.address, { namespace })
  const connection = tap ? await connectStore(server.address, { namespace, via: tap.port }) : own
  // What passes the proxy is to be the refresh and nothing else: a feed would poll through it.
  const changes = tap && { changes: { revocation: 'strict' as const } }
  const target = await createTarget({ ...options, store: connection.store, systemClock, ...changes })
  return {
    target,
    fleet: [],
    server,
    connection: own,
    namespace,
    grants: new Map(),
    servers,
    ...(tap && { tap }),
    async close() {
      await target.close()
      await server.heal()
      await connection.close().catch(() => undefined)
      if (tap) await own.close()
      await tap?.close()
    },
  }
}

/** The face of an application that runs in other processes: requests go to the first of them. */
function toFace(fleet: readonly Member[], { store }: Connection): Target {
  const elsewhere = (): never => {
    throw new Unsupported('that in an application that runs in other processes')
  }
  return {
    get port() {
      return fleet[0]?.port ?? 0
    },
    clock: { now: () => Math.floor(Date.now() / 1000), advance: elsewhere },
    executions: [],
    handling: [],
    heard: [],
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
async function toFleet(
  { target: { door = 'fetch' }, servers, said }: Ground,
  count: number,
  kinds: readonly ServerKind[],
): Promise<World> {
  const server = await getFirst(servers, kinds)
  const namespace = newNamespace()
  const connection = await connectStore(server.address, { namespace })
  const { key } = serverKey('HS256')
  const secret = Buffer.from(key as Uint8Array).toString('base64url')
  const settings = { address: server.address, namespace, secret, door }
  const started = await Promise.allSettled(Array.from({ length: count }, () => startMember(settings, said)))
  const fleet = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = started.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(fleet.map((member) => member.end('SIGKILL')))
    await connection.close()
    throw failed.reason
  }
  return {
    target: toFace(fleet, connection),
    fleet,
    server,
    connection,
    namespace,
    grants: new Map(),
    servers,
    async close() {
      await Promise.all(fleet.map((member) => member.end('SIGKILL')))
      await connection.close()
    },
  }
}

/**
 * The application in this process with sessions in memory, or where a store was asked for, in that
 * one.
 */
async function toPlain(ground: Ground): Promise<World> {
  const { target: options, servers, store, steps } = ground
  const grants = findGrants(steps)
  // Nobody asks for rights where nobody has any.
  const target = { ...options, ...(grants.size > 0 && { grants }) }
  if (store !== undefined)
    return { ...(await toServed({ ...ground, target }, store, { systemClock: false })), grants }
  const created = await createTarget(target)
  return { target: created, fleet: [], grants, servers, close: () => created.close() }
}

/** An application that follows a feed which the attack can disturb. */
async function toDisturbed({ target: options, servers }: Ground): Promise<World> {
  const disturbance = disturb()
  const revocation = { mode: 'feed', maxStale: 1 } as const
  const target = await createTarget({
    ...options,
    store: disturbance.store,
    systemClock: true,
    changes: { revocation },
  })
  return { target, fleet: [], grants: new Map(), servers, disturbance, close: () => target.close() }
}

/**
 * Makes the world that the steps of a case need. Throws `Unsupported` for one that cannot be made
 * here.
 */
export async function createWorld(ground: Ground): Promise<World> {
  const { steps } = ground
  const { store, config, proxy, inject, target } = findAction(steps)
  const repeat = findBody(steps, 'repeat')
  if (proxy !== undefined) return toServed(ground, store as ServerKind, { tapped: true })
  if (inject !== undefined) return toDisturbed(ground)
  if (target === 'app') return toFleet(ground, 1, SHARED)
  if (store === 'sqlite') return toFleet(ground, 8, ['sqlite'])
  if (store === 'redis' || store === 'postgres')
    return toServed(ground, config === 'default' ? 'redis-snapshots' : store)
  if (findBody(steps, 'sweep') !== undefined) return toFleet(ground, 1, ['sqlite'])
  if (isObject(repeat) && isList(repeat['step'])) return toFleet(ground, 4, SHARED)
  return toPlain(ground)
}
