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
    readonly isOpen: boolean
  }
}

/** How long a connection may take, in milliseconds, until the server responds to commands. */
const CONNECT_TIMEOUT = 5000

/** How often a broken connection is made again before a command fails, and the longest pause. */
const MOST_RETRIES = 5
const LONGEST_PAUSE = 1000

/**
 * Connects to a Redis.
 *
 * @param url such as `redis://user:password@host:6379/0`, or `rediss://...` for TLS
 * @param timeout how long that may take, in milliseconds
 * @throws {UsageError} where neither package is installed
 * @throws what the client says of a server that is not there
 */
export async function openRedis(url: string, timeout: number = CONNECT_TIMEOUT): Promise<OpenedRedis> {
  if (findPackage('ioredis') !== null) return openIoredis(url, timeout)
  if (findPackage('redis') !== null) return openNodeRedis(url, timeout)
  throw new UsageError('Expected the package ioredis or redis in this project: npm install ioredis')
}

const toPause = (retries: number): number => Math.min(100 * retries, LONGEST_PAUSE)

/**
 * Waits for a connection. The clients bound how long a socket takes to open, and not how long a
 * server may keep silent then.
 */
async function waitForConnection(connecting: Promise<unknown>, timeout: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error('No response to the first command'), { code: 'ETIMEDOUT' })
    timer = setTimeout(() => reject(error), timeout)
  })
  await Promise.race([connecting, late]).finally(() => clearTimeout(timer))
}

async function openIoredis(url: string, timeout: number): Promise<OpenedRedis> {
  const { Redis } = await loadPackage<typeof import('ioredis')>('ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeout,
    maxRetriesPerRequest: MOST_RETRIES,
    retryStrategy: toPause,
  })
  let last: Error | undefined
  client.on('error', (error: Error) => {
    last = error
  })
  try {
    await waitForConnection(client.connect(), timeout)
  } catch (error) {
    client.disconnect()
    // The call says that the connection is closed, and the event why.
    throw last ?? error
  }
  return { client, close: () => client.disconnect() }
}

async function openNodeRedis(url: string, timeout: number): Promise<OpenedRedis> {
  const { createClient } = await loadPackage<NodeRedisModule>('redis')
  let isOpen = false
  const client = createClient({
    url,
    socket: {
      connectTimeout: timeout,
      // With false the call rejects with what broke the connection; an error would be wrapped.
      reconnectStrategy: (retries) => isOpen && retries < MOST_RETRIES && toPause(retries + 1),
    },
  })
  client.on('error', () => undefined)
  try {
    await waitForConnection(client.connect(), timeout)
  } catch (error) {
    // One that never opened cannot be closed.
    if (client.isOpen) client.destroy()
    throw error
  }
  isOpen = true
  return { client, close: () => client.destroy() }
}
