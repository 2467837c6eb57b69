/**
 * The user's client: ioredis (`Redis`, `Cluster`) or node-redis (client, pool, cluster, sentinel),
 * told apart by shape and never imported; or a function that sends a command. `createSend` turns
 * each into one function that sends a command, as strings, to the node that owns a key. `script.ts`
 * reads the replies.
 */
import { ConfigurationError, expected, isCallable } from '../../internal/configuration-error.ts'
import {
  type IoredisConnection,
  type NodeRedisConnection,
  ReplyTimeout,
  replaceConnection,
  replaceDead,
} from './reply-timeout.ts'

/** An ioredis client, version 5 or 6: `new Redis()` or `new Cluster()`. */
export interface IoredisClient {
  /** Sends a command by its name. */
  call(command: string, ...args: string[]): unknown
}

/** A node-redis client or pool, version 5 or 6. */
export interface NodeRedisClient {
  /** Sends a command as a list of strings. */
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

/**
 * Sends a command, such as `['TIME']`, and resolves to its reply: a number, a string, null, or a
 * list of these. Rejects with an error whose message is that of Redis, such as `NOSCRIPT ...`. For
 * other clients, and for Redis over HTTP. It ends a command that gets no reply by itself.
 */
export type RedisFunction = (command: string[]) => Promise<unknown>

/** A client that the user made, and closes. */
export type RedisClient =
  | IoredisClient
  | NodeRedisClient
  | NodeRedisCluster
  | NodeRedisSentinel
  | RedisFunction

/** Sends a command to the node that owns `key`; rejects with what the client rejects with. */
export type Send = (key: string, args: readonly string[]) => Promise<unknown>

/** The other members that a client may have. */
type AnyClient = IoredisClient &
  IoredisConnection &
  NodeRedisConnection & {
    /** The connections of an ioredis cluster. */
    nodes?(role: 'master'): readonly Node[]
    /** The nodes of a node-redis cluster. */
    readonly masters?: readonly { readonly client?: Node | Promise<Node> }[]
    /** Lends a client of a node-redis pool. */
    execute?(work: (client: NodeRedisClient & NodeRedisConnection) => unknown): Promise<unknown>
    /** Sends by node-redis, with the arguments that its kind takes before the command. */
    sendCommand(...args: readonly unknown[]): Promise<unknown>
  }

/** A connection to one node of a cluster. */
type Node = IoredisConnection & NodeRedisConnection & { ping(): Promise<unknown> }

/**
 * Recognizes the client. The order matters: ioredis has a `sendCommand` of another shape.
 *
 * @param seconds how long a connection may give no reply before it is replaced
 * @throws {ConfigurationError} for any other value
 */
export function createSend(given: RedisClient, seconds: number): Send {
  if (isCallable(given)) {
    const send = given as RedisFunction
    return async (_key, args) => send([...args])
  }
  // `slots` of a node-redis cluster is a getter that may be empty before it is connected.
  const has = (name: string): boolean => typeof given === 'object' && given !== null && name in given
  const client = given as AnyClient
  if (has('call')) {
    const timeout = new ReplyTimeout(seconds, () =>
      has('nodes') ? replaceDead(client.nodes?.('master') ?? []) : replaceConnection(client),
    )
    return (_key, [command = '', ...args]) => timeout.watch(() => client.call(command, ...args))
  }
  if (!has('sendCommand'))
    throw new ConfigurationError(expected('client', 'an ioredis or node-redis client, or a function', given))
  listen(client)
  if (has('masters') || has('slots')) {
    const timeout = new ReplyTimeout(seconds, async () => {
      const clients = (client.masters ?? []).map(({ client: node }) => node)
      await replaceDead((await Promise.all(clients)).filter((node) => node !== undefined))
    })
    return (key, args) => timeout.watch(() => client.sendCommand(key, false, [...args]))
  }
  if (has('getSentinelNode')) return createSentinelSend(client, seconds)
  if (has('execute')) return createPoolSend(client, seconds)
  const timeout = new ReplyTimeout(seconds, () => replaceConnection(client))
  return (_key, args) => timeout.watch(() => client.sendCommand([...args]))
}

/**
 * A node-redis sentinel shows none of its connections, so all are replaced together. Until they are
 * back, commands wait for them.
 */
function createSentinelSend(client: AnyClient, seconds: number): Send {
  let opening: Promise<unknown> | undefined
  let isClosed = false

  async function open(): Promise<void> {
    await client.connect?.()
    isClosed = false
  }

  async function reopen(): Promise<void> {
    opening ??= open().finally(() => {
      opening = undefined
    })
    await opening
  }

  async function replace(): Promise<void> {
    if (client.isReady !== true || client.destroy === undefined) return
    isClosed = true
    await client.destroy()
    await reopen()
  }

  async function send(args: readonly string[]): Promise<unknown> {
    if (isClosed) await reopen()
    try {
      return await client.sendCommand(false, [...args])
    } catch (cause) {
      // node-redis looks for the connection of a command that is gone.
      throw Object(cause).name === 'TypeError' ? new Error('The connection was replaced', { cause }) : cause
    }
  }

  const timeout = new ReplyTimeout(seconds, replace)
  return (_key, args) => timeout.watch(() => send(args))
}

/** Whether all commands of a client go through one connection, in their order. */
export function sendsByOneConnection(client: RedisClient): boolean {
  const several = ['nodes', 'slots', 'masters', 'execute', 'getSentinelNode']
  return typeof client !== 'function' && !several.some((name) => name in client)
}

/** Watches each connection of a node-redis pool by itself. */
function createPoolSend(pool: AnyClient, seconds: number): Send {
  const timeouts = new WeakMap<object, ReplyTimeout>()
  return async (_key, args) =>
    pool.execute?.((client) => {
      const timeout = timeouts.get(client) ?? new ReplyTimeout(seconds, () => replaceConnection(client))
      timeouts.set(client, timeout)
      return timeout.watch(() => client.sendCommand([...args]))
    })
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
