/**
 * Where the sessions are kept: in Redis if one is given, else beside the users. Opens it, looks at
 * it, takes away what is over from time to time, and tells of every call that fails. What a store
 * does is the library's affair.
 */
import type { Kysely } from 'kysely'
import type { Store } from 'tokenwright'
import { ConfigurationError } from 'tokenwright'
import { redisStore } from 'tokenwright/stores/redis'
import { migrateSql, sqlStore } from 'tokenwright/stores/sql'
import { type DatabaseLocation, type RedisLocation, showLocation } from './address.ts'
import { reasonOf } from './reason.ts'

/** Sessions that are open. */
export interface OpenStore {
  readonly store: Store
  /** What is worth a warning at start. */
  readonly warnings: readonly string[]
  /** Closes the connection, where the sessions have one of their own. */
  close(): void
}

/** Milliseconds that Redis may take for an answer, and between two tries to reach it. */
const DEADLINE = 2000
const LONGEST_PAUSE = 500

/** Milliseconds between two prunes. */
const PRUNE_INTERVAL = 300_000

/**
 * Opens the sessions.
 *
 * @throws {ConfigurationError} when their place cannot be reached or written
 */
export async function openStore<DB>(
  { redis, database }: { readonly redis: RedisLocation | undefined; readonly database: DatabaseLocation },
  users: Kysely<DB>,
): Promise<OpenStore> {
  try {
    const open = redis ? await openRedis(redis) : await openSql(users)
    return { ...open, warnings: await open.store.inspect() }
  } catch (error) {
    const place = showLocation(redis ?? database)
    throw new ConfigurationError(`sessions cannot be kept in ${place}: ${reasonOf(error)}`)
  }
}

async function openSql<DB>(database: Kysely<DB>): Promise<Omit<OpenStore, 'warnings'>> {
  await migrateSql(database)
  return { store: sqlStore(database), close: () => undefined }
}

async function openRedis({ url }: RedisLocation): Promise<Omit<OpenStore, 'warnings'>> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: DEADLINE,
    // A server that hangs is left for a new connection.
    socketTimeout: DEADLINE,
    retryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_PAUSE),
    // While it is away requests get 503 at once; no command waits to be carried out when nobody
    // asks any more.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  })
  let reason: unknown
  client.on('error', (error) => {
    reason = error
  })
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    // What `connect` itself says is "Connection is closed".
    throw reason ?? error
  }
  return {
    store: redisStore(client),
    close: () => client.disconnect(),
  }
}

/** The same store, which tells of each call that fails; the caller still hears of it. */
export function watchStore(store: Store, failed: (cause: unknown) => void): Store {
  const members = Object.entries(store).map(([name, member]) => {
    if (typeof member !== 'function') return [name, member]
    const watched = async (...parameters: unknown[]): Promise<unknown> => {
      try {
        return await member.apply(store, parameters)
      } catch (error) {
        failed(error)
        throw error
      }
    }
    return [name, watched]
  })
  return Object.fromEntries(members)
}

/** Takes away what nobody asks for any more, every five minutes, until the timer is cleared. */
export function pruneRegularly(store: Store): NodeJS.Timeout {
  // A failure was told of, and the next round comes.
  return setInterval(() => void store.prune(null).catch(() => undefined), PRUNE_INTERVAL).unref()
}
