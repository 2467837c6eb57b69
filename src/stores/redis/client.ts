/**
 * The user's own client, whichever it is: ioredis (`Redis`, `Cluster`) and node-redis (client, pool, cluster, sentinel), told apart
 * by their shape and never imported. One way out: a command as strings, sent to the node that owns a key.
 * What comes back is read by `script.ts`; when to give up waiting is decided above the store.
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
 * Tells the kind of client. The order matters: ioredis has a `sendCommand` too, which takes another thing.
 *
 * @throws {ConfigurationError} for what is none of them
 */
export function createSend(client: RedisClient): Send {
  // `slots` of a node-redis cluster is a getter that may find nothing before the connection stands: only its presence counts.
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
 * node-redis is an `EventEmitter` that ends the process when a connection breaks and nobody listens for `error`. What the error
 * means reaches us as a rejection anyway. A listener of the user's own is left alone.
 */
function listen(client: object): void {
  const { on, listenerCount } = client as { on?: unknown; listenerCount?: unknown }
  if (typeof on !== 'function' || typeof listenerCount !== 'function') return
  if (listenerCount.call(client, 'error') === 0) on.call(client, 'error', () => undefined)
}
