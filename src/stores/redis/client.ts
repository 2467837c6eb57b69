/**
 * The user's client: ioredis (`Redis`, `Cluster`) or node-redis (client, pool, cluster, sentinel),
 * told apart by shape and never imported; or a function that sends a command. `createSender` turns
 * each into functions that send commands, as strings, to the node that owns a key. `script.ts`
 * reads the replies.
 */
import { ConfigurationError, expected, isCallable } from '../../internal/configuration-error.ts'
import {
  type IoredisConnection,
  isMute,
  type NodeRedisConnection,
  type RedisConnection,
  replaceConnection,
  replaceDead,
  untilOpen,
  watchGreetings,
} from './replace.ts'
import { isOfFormerMaster, isReply, toMessage } from './reply-errors.ts'
import { Occasionally, ReplyTimeout } from './reply-timeout.ts'
import { writeTogether } from './write-together.ts'

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

/** Sends to the node that owns a key; rejects with what the client rejects with. */
export interface Sender {
  /** Sends a command. */
  send(key: string, args: readonly string[]): Promise<unknown>
  /** Sends commands in one piece, over one connection. Rejects where one of them fails. */
  sendTogether(key: string, commands: readonly (readonly string[])[]): Promise<readonly unknown[]>
}

/** Several commands that are sent in one piece. */
interface IoredisPipeline {
  exec(): Promise<readonly (readonly [error: Error | null, reply: unknown])[] | null>
}
interface NodeRedisPipeline {
  addCommand(...args: readonly unknown[]): NodeRedisPipeline
  execAsPipeline(): Promise<readonly unknown[]>
}

/** The other members that a client may have. */
type AnyClient = IoredisClient &
  RedisConnection & {
    /** Several commands of ioredis. */
    pipeline?(commands: readonly (readonly string[])[]): IoredisPipeline
    /** Several commands of node-redis. */
    multi?(): NodeRedisPipeline
    /** The connections of an ioredis cluster. */
    nodes?(role: 'master'): readonly Node[]
    /** An ioredis cluster asks its nodes for the slots. */
    refreshSlotsCache?(): unknown
    /** The nodes of a node-redis cluster. */
    readonly masters?: readonly { readonly client?: Node | Promise<Node> }[]
    /** Lends a client of a node-redis pool. */
    execute?(work: (client: NodeRedisClient & NodeRedisConnection) => unknown): Promise<unknown>
    /** The master, as a node-redis sentinel knows it. */
    getMasterNode?(): { readonly host: string; readonly port: number } | undefined
    /** Sends by node-redis, with the arguments that its kind takes before the command. */
    sendCommand(...args: readonly unknown[]): Promise<unknown>
  }

/** A connection to one node of a cluster. */
type Node = IoredisConnection & NodeRedisConnection & { ping(): Promise<unknown> }

/**
 * After how long without a reply a cluster is asked whether another node has the keys now, in
 * seconds.
 */
const LEARN = 1

/**
 * Recognizes the client. The order matters: ioredis has a `sendCommand` of another shape.
 *
 * @param seconds how long a connection may give no reply before it is replaced
 * @throws {ConfigurationError} for any other value
 */
export function createSender(given: RedisClient, seconds: number): Sender {
  if (isCallable(given)) return ofFunction(given as RedisFunction)
  // `slots` of a node-redis cluster is a getter that may be empty before it is connected.
  const has = (name: string): boolean => typeof given === 'object' && given !== null && name in given
  const client = given as AnyClient
  if (has('call')) return has('nodes') ? ofIoredisCluster(client, seconds) : ofIoredis(client, seconds)
  if (!has('sendCommand'))
    throw new ConfigurationError(expected('client', 'an ioredis or node-redis client, or a function', given))
  listen(client)
  if (has('masters') || has('slots')) return ofNodeRedisCluster(client, seconds)
  if (has('getSentinelNode')) return ofNodeRedisSentinel(client, seconds)
  if (has('execute')) return ofNodeRedisPool(client, seconds)
  return ofNodeRedis(client, seconds)
}

/** Whether a client can send commands in one piece. */
export function sendsTogether(client: RedisClient): boolean {
  return typeof client !== 'function' && ('pipeline' in client || 'multi' in client)
}

function ofFunction(send: RedisFunction): Sender {
  return {
    send: async (_key, args) => send([...args]),
    sendTogether: () => Promise.reject(new ConfigurationError('A function sends one command at a time')),
  }
}

/**
 * Watches the calls of one connection. All in one function, as each promise more takes a twentieth
 * of a refresh.
 */
function createWatch(
  client: RedisConnection,
  seconds: number,
): <T>(work: () => T | Promise<T>) => Promise<T> {
  const replace = (): unknown => replaceConnection(client)
  const timeout = new ReplyTimeout(seconds, replace)
  const demoted = new Occasionally(seconds, replace)
  return async (work) => {
    timeout.begin()
    try {
      return await work()
    } catch (error) {
      // What leads to the master now may be another server.
      if (isOfFormerMaster(error)) demoted.act()
      throw error
    } finally {
      timeout.end()
    }
  }
}

function ofIoredis(client: AnyClient, seconds: number): Sender {
  const watch = createWatch(client, seconds)
  return {
    send: (_key, args) =>
      watch(() => {
        writeTogether(client)
        return client.call(...(args as [string, ...string[]]))
      }),
    sendTogether: (_key, commands) => watch(() => execute(client, commands)),
  }
}

/** Sends a pipeline of ioredis, which is sent again as a whole or not at all. */
async function execute(
  client: AnyClient,
  commands: readonly (readonly string[])[],
): Promise<readonly unknown[]> {
  const named = commands.map(([command = '', ...args]) => [command.toLowerCase(), ...args])
  const results = (await client.pipeline?.(named).exec()) ?? []
  return results.map(([error, reply]) => {
    if (error !== null) throw error
    return reply
  })
}

/**
 * Commands of a cluster wait in vain for a node that hangs, also when another one has its slots.
 */
function ofIoredisCluster(client: AnyClient, seconds: number): Sender {
  const learn = new ReplyTimeout(LEARN, () => client.refreshSlotsCache?.())
  const timeout = new ReplyTimeout(seconds, () => replaceDead(client.nodes?.('master') ?? []))
  const watch = <T>(work: () => T | Promise<T>): Promise<T> => learn.watch(() => timeout.watch(work))
  const send: Sender['send'] = (_key, [command = '', ...args]) => watch(() => client.call(command, ...args))
  return { send, sendTogether: followMoves(send, (_key, commands) => watch(() => execute(client, commands))) }
}

function ofNodeRedisCluster(client: AnyClient, seconds: number): Sender {
  /**
   * A node that does not own a key says who does, and the client then reads the slots. It asks
   * nodes in turn where no key is named for it.
   */
  const learn = (key: string): unknown => client.sendCommand(undefined, false, ['PTTL', key])
  let lastKey = ''
  const learning = new ReplyTimeout(LEARN, () => learn(lastKey))
  const failed = new Occasionally(LEARN, () => learn(lastKey))
  const timeout = new ReplyTimeout(seconds, async () => {
    const clients = (client.masters ?? []).map(({ client: node }) => node)
    const known = clients.filter((node) => node !== undefined && !('then' in node)) as Node[]
    await replaceDead(known)
  })
  async function watch<T>(key: string, work: () => Promise<T>): Promise<T> {
    lastKey = key
    try {
      return await learning.watch(() => timeout.watch(work))
    } catch (error) {
      if (!isReply(error) || /^CLUSTERDOWN/.test(toMessage(error))) failed.act()
      throw error
    }
  }
  const send: Sender['send'] = (key, args) => watch(key, () => client.sendCommand(key, false, [...args]))
  const together: Sender['sendTogether'] = (key, commands) =>
    watch(key, () => pipe(client, commands, [key, false]))
  return { send, sendTogether: followMoves(send, together) }
}

/** A pipeline does not follow its keys to another node by itself. A command by itself does. */
function followMoves(send: Sender['send'], together: Sender['sendTogether']): Sender['sendTogether'] {
  return async (key, commands) => {
    try {
      return await together(key, commands)
    } catch (error) {
      if (!/^(?:MOVED|ASK) /.test(toMessage(error))) throw error
      await send(key, ['PTTL', key])
      return together(key, commands)
    }
  }
}

/**
 * A node-redis sentinel shows none of its connections, so all are replaced together. Until they are
 * back, commands wait for them. Where the master takes connections and says nothing, the sentinels
 * find a new one, and a new connection to the old one would never end.
 */
function ofNodeRedisSentinel(client: AnyClient, seconds: number): Sender {
  let opening: Promise<unknown> | undefined
  let isClosed = false

  async function close(): Promise<void> {
    isClosed = true
    await client.destroy?.()
  }

  async function open(): Promise<void> {
    if (!isClosed) await close()
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
    if (client.isReady !== true || opening !== undefined) return
    if (!(await isMute(client.getMasterNode?.() ?? {}))) await reopen()
  }

  async function watch<T>(work: () => Promise<T>): Promise<T> {
    if (isClosed) await reopen()
    try {
      return await work()
    } catch (cause) {
      // node-redis looks for the connection of a command that is gone.
      throw Object(cause).name === 'TypeError' ? new Error('The connection was replaced', { cause }) : cause
    }
  }

  const timeout = new ReplyTimeout(seconds, replace)
  return {
    send: (_key, args) => timeout.watch(() => watch(() => client.sendCommand(false, [...args]))),
    sendTogether: (_key, commands) => timeout.watch(() => watch(() => pipe(client, commands, [false]))),
  }
}

/** Watches each connection of a node-redis pool by itself. */
function ofNodeRedisPool(pool: AnyClient, seconds: number): Sender {
  const senders = new WeakMap<object, Sender>()
  const toSender = (client: NodeRedisClient & NodeRedisConnection): Sender => {
    const sender = senders.get(client) ?? ofNodeRedis(client as AnyClient, seconds)
    senders.set(client, sender)
    return sender
  }
  return {
    send: async (key, args) => pool.execute?.((client) => toSender(client).send(key, args)),
    sendTogether: async (key, commands) =>
      (await pool.execute?.((client) => toSender(client).sendTogether(key, commands))) as readonly unknown[],
  }
}

function ofNodeRedis(client: AnyClient, seconds: number): Sender {
  watchGreetings(client)
  const watch = createWatch(client, seconds)
  async function watchOpen<T>(work: () => Promise<T>): Promise<T> {
    const opening = untilOpen(client)
    if (opening !== undefined) await opening
    return watch(work)
  }
  return {
    send: (_key, args) => watchOpen(() => client.sendCommand([...args])),
    sendTogether: (_key, commands) => watchOpen(() => pipe(client, commands, [])),
  }
}

/** Sends a pipeline of node-redis, which is sent as a whole or not at all. */
async function pipe(
  client: AnyClient,
  commands: readonly (readonly string[])[],
  before: readonly unknown[],
): Promise<readonly unknown[]> {
  const pipeline = client.multi?.()
  for (const command of commands) pipeline?.addCommand(...before, [...command])
  return (await pipeline?.execAsPipeline()) ?? []
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
