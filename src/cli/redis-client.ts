/** Redis by its URL, through ioredis or node-redis, whichever the project has. */
import type { RedisClient, redisStore } from '../stores/redis.ts'
import { UsageError } from './command.ts'
import { findPackage, loadPackage } from './load-package.ts'

/** A connected client. */
export interface OpenedRedis {
  /** The client, as `redisStore` takes it. */
  readonly client: Parameters<typeof redisStore>[0] & RedisClient
  /** Closes it. */
  close(): void
}

/** The used part of node-redis, by its shape: the reference server does not have it. */
interface NodeRedisModule {
  createClient(options: {
    readonly url: string
    readonly socket: {
      readonly connectTimeout: number
      readonly reconnectStrategy: (retries: number) => number | false
    }
  }): {
    sendCommand(args: string[]): Promise<unknown>
    on(event: 'error', listener: (error: Error) => void): unknown
    connect(): Promise<unknown>
    destroy(): void
  }
}

/** How long a connection may take, in milliseconds. */
const CONNECT_TIMEOUT = 5000

/** How often a broken connection is made again before a command fails, and the longest pause. */
const MOST_RETRIES = 5
const LONGEST_PAUSE = 1000

/**
 * Connects to a Redis.
 *
 * @param url such as `redis://user:password@host:6379/0`, or `rediss://...` for TLS
 * @throws {UsageError} where neither package is installed
 * @throws what the client says of a server that is not there
 */
export async function openRedis(url: string): Promise<OpenedRedis> {
  if (findPackage('ioredis') !== null) return openIoredis(url)
  if (findPackage('redis') !== null) return openNodeRedis(url)
  throw new UsageError('Expected the package ioredis or redis in this project: npm install ioredis')
}

const toPause = (retries: number): number => Math.min(100 * retries, LONGEST_PAUSE)

async function openIoredis(url: string): Promise<OpenedRedis> {
  const { Redis } = await loadPackage<typeof import('ioredis')>('ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    maxRetriesPerRequest: MOST_RETRIES,
    retryStrategy: toPause,
  })
  let last: Error | undefined
  client.on('error', (error: Error) => {
    last = error
  })
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    // The call says that the connection is closed, and the event why.
    throw last ?? error
  }
  return { client, close: () => client.disconnect() }
}

async function openNodeRedis(url: string): Promise<OpenedRedis> {
  const { createClient } = await loadPackage<NodeRedisModule>('redis')
  let isOpen = false
  const client = createClient({
    url,
    socket: {
      connectTimeout: CONNECT_TIMEOUT,
      // With false the call rejects with what broke the connection; an error would be wrapped.
      reconnectStrategy: (retries) => isOpen && retries < MOST_RETRIES && toPause(retries + 1),
    },
  })
  client.on('error', () => undefined)
  await client.connect()
  isOpen = true
  return { client, close: () => client.destroy() }
}
