/**
 * The store of the sessions: Redis if `REDIS_URL` is set, else the database of the users. Opens the
 * store, inspects it, prunes it regularly and reports every call that fails.
 */
import type { Kysely } from 'kysely'
import type { Store } from 'tokenwright'
import { ConfigurationError } from 'tokenwright'
import { redisStore } from 'tokenwright/stores/redis'
import { migrateSql, sqlStore } from 'tokenwright/stores/sql'
import { type DatabaseLocation, type RedisLocation, showLocation } from './address.ts'
import { reasonOf } from './reason.ts'

/** An open store. */
export interface OpenStore {
  readonly store: Store
  /** The warnings to print at the start. */
  readonly warnings: readonly string[]
  /** Closes the connection, if the store has one of its own. */
  close(): void
}

/** How long Redis may take to connect or to respond, in milliseconds. */
const DEADLINE = 2000
/** The longest pause between two attempts to connect, in milliseconds. */
const LONGEST_PAUSE = 500

/** The time between two prunes, in milliseconds. */
const PRUNE_INTERVAL = 300_000

/**
 * Opens the store.
 *
 * @throws {ConfigurationError} when the store cannot be reached or written
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
    throw new ConfigurationError(`sessions cannot be kept in ${place}: ${reasonOf(error)}`, { cause: error })
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
    // A connection that hangs is replaced.
    socketTimeout: DEADLINE,
    retryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_PAUSE),
    // While Redis is unreachable, requests get 503 at once. A queued command would run after its
    // request has failed.
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
    // The error of `connect` itself only says "Connection is closed".
    throw reason ?? error
  }
  return {
    store: redisStore(client),
    close: () => client.disconnect(),
  }
}

/** Wraps a store to report each call that fails. The caller still gets the error. */
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

/** Prunes the store every five minutes, until the timer is cleared. */
export function pruneRegularly(store: Store): NodeJS.Timeout {
  // `watchStore` has reported the failure, and the next prune will come.
  return setInterval(() => void store.prune(null).catch(() => undefined), PRUNE_INTERVAL).unref()
}
