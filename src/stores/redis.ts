/**
 * Entry point `tokenwright/stores/redis`: sessions in Redis 6.2 or later, a single server, Sentinel
 * or Cluster. The application owns the client, ioredis or node-redis, and closes it. Every step is
 * one Lua script and one round trip. All keys are in one slot, so that a step is atomic on a
 * cluster too. Failures are plain rejections.
 */
import { ConfigurationError, checkKnownKeys, expected, isOptions } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import type { Store } from '../session/store.ts'
import { createAttemptScripts } from './redis/attempts.ts'
import { createSender, type RedisClient, sendsTogether } from './redis/client.ts'
import { diagnose, inspect } from './redis/inspect.ts'
import { createKeys } from './redis/keys.ts'
import { createLists } from './redis/lists.ts'
import { createLog } from './redis/log.ts'
import { createRevocations } from './redis/revocations.ts'
import { createConfirmedRunner, createRunner } from './redis/script.ts'
import { createSessions } from './redis/sessions.ts'
import { createRedisTransfer } from './redis/transfer.ts'
import { createUpdates } from './redis/updates.ts'

export type {
  IoredisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisClient,
  RedisFunction,
} from './redis/client.ts'

/** How a Redis store names its keys, and watches its connection. */
export interface RedisStoreOptions {
  /**
   * The prefix of every key, in braces: `{tw}:...`. 1 to 64 letters, digits or `: . _ -`; default
   * `'tw'`. Applications that share a Redis need one each. On a cluster it decides which node has
   * the sessions.
   */
  readonly prefix?: string
  /**
   * How long a connection may give no reply while some are due; then it is closed, and the client
   * makes a new one. Default `'5s'`; between 0.1 seconds and an hour. Without it a connection that
   * a firewall has forgotten hangs for a quarter of an hour. Those of a sentinel client of
   * node-redis are replaced together.
   */
  readonly deadline?: Duration
  /**
   * How many replicas must have a revocation before it counts as stored, from 0 to 10; Redis then
   * waits for up to a second (`WAIT`), which holds up other commands of that connection. Without
   * them the call fails, though it may have been stored. Not for a function. Default 0.
   */
  readonly replicas?: number
}

const DEADLINE_BOUNDS = { min: 0.1, max: 3600 } as const

/**
 * Creates a store in Redis.
 *
 * A node-redis client, pool or cluster without an `error` listener gets an empty one: without any,
 * node-redis ends the process when a connection breaks. The failed calls reject. Attach your own
 * listener first to be told.
 *
 * Give the store a client without blocking commands, such as a blocking pop of a queue: they hold
 * up all others, and a connection that gives no reply is replaced.
 *
 * @param client an ioredis `Redis` or `Cluster`; a connected node-redis client, pool, cluster or
 * sentinel; or a function that sends a command. Never closed here
 * @throws {ConfigurationError} for another kind of client, an invalid prefix or deadline, or an
 * unknown option
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis'
 * import { redisStore } from 'tokenwright/stores/redis'
 *
 * const store = redisStore(new Redis('redis://127.0.0.1:6379'), { prefix: 'shop' })
 * for (const warning of await store.inspect()) console.warn(warning)
 * ```
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): Store {
  const given: unknown = options
  if (!isOptions(given)) throw new ConfigurationError(expected('options', 'an object of options', given))
  checkKnownKeys('', given, ['prefix', 'deadline', 'replicas'])
  const { prefix = 'tw', deadline: life = '5s', replicas: confirmations = 0 } = options
  const keys = createKeys(prefix)
  const deadline = toSeconds('deadline', life, DEADLINE_BOUNDS)
  const sender = createSender(client, deadline)
  const run = createRunner(sender)
  const replicas = readReplicas(confirmations, client)
  const runConfirmed = replicas === 0 ? run : createConfirmedRunner(sender, replicas)
  return Object.freeze({
    name: 'redis',
    inspect: () => inspect(run, keys, { replicas, client }),
    diagnose: () => diagnose(run, keys, { replicas, client }),
    ...createSessions(run, keys),
    ...createLists(run, keys),
    ...createUpdates(run, keys),
    ...createAttemptScripts(run, keys),
    ...createRevocations(runConfirmed, keys),
    ...createLog(run, keys),
    transfer: createRedisTransfer(run, keys),
  })
}

function readReplicas(value: unknown, client: RedisClient): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 10)
    throw new ConfigurationError(expected('replicas', 'a whole number from 0 to 10', value))
  if (value > 0 && !sendsTogether(client))
    throw new ConfigurationError(
      'Expected a client that sends several commands over one connection beside `replicas`: ioredis or node-redis, and no function',
    )
  return value
}
