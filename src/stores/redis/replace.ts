/**
 * Replaces connections by the means of their client. A client never ends a connection attempt to
 * which a process that hangs says nothing, so what is replaced may have to be replaced again.
 */
import { errorMonitor } from 'node:events'

/** One ioredis connection. */
export interface IoredisConnection {
  /** Where it stands: `'ready'` while commands are sent, `'end'` where it is closed for good. */
  readonly status?: unknown
  /** The socket. */
  readonly stream?: { destroy(error: Error): unknown; cork?(): void; uncork?(): void }
}

/** One node-redis connection. */
export interface NodeRedisConnection {
  /** Whether commands are sent. */
  readonly isReady?: unknown
  /** Closes the connection at once. */
  destroy?(): unknown
  /** Opens a new one. */
  connect?(): Promise<unknown>
  /** Listens to what becomes of it. */
  on?(event: string | symbol, listener: () => void): unknown
}

/** A connection of either client. */
export type RedisConnection = IoredisConnection & NodeRedisConnection

/** The statuses of ioredis in which it waits for a server. */
const WAITING: readonly unknown[] = ['connecting', 'connect', 'ready']

/** How long a server has for a sign of life, in seconds. */
const PROBE = 1

/** How long node-redis needs to give up a connection attempt that is ended, in seconds. */
const FAREWELL = 0.05

/**
 * Replaces a connection. One that is being made has until the next call: on a busy machine each
 * attempt would be ended before it succeeds.
 */
export async function replaceConnection(connection: RedisConnection): Promise<void> {
  if (WAITING.includes(connection.status)) {
    if (connection.status !== 'ready' && !isKnown(connection, connection.stream)) return
    connection.stream?.destroy(new Error('Redis gave no reply in time: the connection is replaced'))
    return
  }
  if (connection.destroy === undefined) return
  const greetedAt = greetings.get(connection) ?? null
  const isUnheard = connection.isReady !== true && greetedAt !== null && isKnown(connection, greetedAt)
  if (connection.isReady !== true && !isUnheard) return
  watchGreetings(connection)
  connection.destroy()
  if (isUnheard) {
    const farewell = pause(FAREWELL)
    farewells.set(connection, farewell)
    await farewell
  }
  await connection.connect?.()
}

/** The attempt that was under way when a connection was to be replaced. */
const attempts = new WeakMap<object, unknown>()

/** Whether an attempt was under way the last time too. */
function isKnown(connection: object, attempt: unknown): boolean {
  const isSame = attempts.get(connection) === attempt
  attempts.set(connection, attempt)
  return isSame
}

/** The last moments of attempts that were ended. */
const farewells = new WeakMap<object, Promise<void>>()

/** When node-redis takes commands again, which it refuses between two attempts. */
export function untilOpen(connection: object): Promise<void> | undefined {
  return farewells.get(connection)
}

/** When node-redis reached a server that has not replied yet; null where it has. */
const greetings = new WeakMap<object, number | null>()

/** Follows the attempts of a node-redis connection from now on. */
export function watchGreetings(connection: NodeRedisConnection): void {
  if (greetings.has(connection) || connection.on === undefined) return
  greetings.set(connection, null)
  // A listener for `error` itself would count as one of the user's.
  for (const event of ['connect', 'ready', 'end', errorMonitor])
    connection.on(event, () => greetings.set(connection, event === 'connect' ? performance.now() : null))
}

/**
 * Replaces the connections of a cluster that lead nowhere: those whose node gives no reply to PING.
 */
export async function replaceDead(
  connections: readonly (RedisConnection & { ping(): Promise<unknown> })[],
): Promise<void> {
  const probe = async (connection: (typeof connections)[number]): Promise<void> => {
    const alive = connection.ping().then(
      () => true,
      () => true,
    )
    if (!(await Promise.race([alive, pause(PROBE, false)]))) await replaceConnection(connection)
  }
  await Promise.all(connections.map(probe))
}

/**
 * Whether a server takes connections and says nothing, as a process that is stopped does. A new
 * connection would hang there too. What cannot be reached at all does not count.
 */
export async function isMute(address: { readonly host?: string; readonly port?: number }): Promise<boolean> {
  const { host = '127.0.0.1', port = 6379 } = address
  // Only here: where there are no sockets a store is reached by a function.
  const { connect } = await import('node:net')
  const socket = connect({ host, port }).on('error', () => undefined)
  try {
    const reached = new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    if (!(await Promise.race([reached, pause(PROBE, false)]))) return false
    // With TLS this is no greeting, and the server closes the connection.
    socket.write('PING\r\n')
    const signOfLife = new Promise<false>((resolve) => {
      for (const event of ['data', 'end', 'close', 'error']) socket.once(event, () => resolve(false))
    })
    return await Promise.race([signOfLife, pause(PROBE, true)])
  } finally {
    socket.destroy()
  }
}

function pause<T = void>(seconds: number, value?: T): Promise<T> {
  return new Promise((resolve) => {
    const timer: ReturnType<typeof setTimeout> = setTimeout(() => resolve(value as T), seconds * 1000)
    timer.unref?.()
  })
}
