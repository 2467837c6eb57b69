/**
 * The user's client: ioredis (`Redis`, `Cluster`) or node-redis (client, pool, cluster, sentinel),
 * told apart by shape and never imported. `createSend` turns each into one function that sends a
 * command, as strings, to the node that owns a key. `script.ts` reads the replies.
 */
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'

/** An ioredis client, version 5 or 6: `new Redis()` or `new Cluster()`. */
export interface IoredisClient {
  /** Sends a command by its name. */
  call(command: string, ...args: string[]): unknown
}

/** A node-redis client or pool, version 5 or 6. */
export interface NodeRedisClient {
  /** Sends a command as it goes over the wire. */
  sendCommand(args: string[]): Promise<unknown>
}

/** A node-redis cluster, version 5 or 6. */
export interface NodeRedisCluster {
  /** Sends a command to the node that owns a key. */
  sendCommand(firstKey: string, isReadonly: boolean, args: string[]): Promise<unknown>
  /** The nodes by their slots. */
  readonly slots: readonly unknown[]
}

/** A node-redis sentinel, version 5 or 6. */
export interface NodeRedisSentinel {
  /** Sends a command to the master. */
  sendCommand(isReadonly: boolean, args: string[]): Promise<unknown>
  /** The sentinel that is asked for the master. */
  getSentinelNode(): unknown
}

/** A client that the user made, and closes. */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster | NodeRedisSentinel

/** Sends a command to the node that owns `key`; rejects with what the client rejects with. */
export type Send = (key: string, args: readonly string[]) => Promise<unknown>

/**
 * Recognizes the client. The order matters: ioredis has a `sendCommand` of another shape.
 *
 * @throws {ConfigurationError} for any other value
 */
export function createSend(client: RedisClient): Send {
  // `slots` of a node-redis cluster is a getter that may be empty before it is connected.
  const has = (name: string): boolean => typeof client === 'object' && client !== null && name in client
  if (has('call')) {
    const { call } = client as IoredisClient
    return async (_key, [command = '', ...args]) => call.call(client, command, ...args)
  }
  if (!has('sendCommand'))
    throw new ConfigurationError(expected('client', 'an ioredis or node-redis client', client))
  listen(client)
  if (has('masters') || has('slots')) {
    return async (key, args) => (client as NodeRedisCluster).sendCommand(key, false, [...args])
  }
  if (has('getSentinelNode'))
    return async (_key, args) => (client as NodeRedisSentinel).sendCommand(false, [...args])
  return async (_key, args) => (client as NodeRedisClient).sendCommand([...args])
}

/**
 * node-redis ends the process when a connection breaks and no listener for `error` is attached. The
 * call that failed rejects anyway. A listener of the user's own is left alone.
 */
function listen(client: object): void {
  const { on, listenerCount } = client as { on?: unknown; listenerCount?: unknown }
  if (typeof on !== 'function' || typeof listenerCount !== 'function') return
  if (listenerCount.call(client, 'error') === 0) on.call(client, 'error', () => undefined)
}
