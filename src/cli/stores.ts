/** Stores by their URLs: those of databases, and of Redis. */
import { existsSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Duration } from '../internal/duration.ts'
import { describeFailure } from '../internal/failure.ts'
import type { Store } from '../session/store.ts'
import { redisStore } from '../stores/redis.ts'
import { sqlStore } from '../stores/sql.ts'
import { type Flags, InterruptedError, UsageError } from './command.ts'
import { openDatabase, toPath } from './databases.ts'
import { redact } from './redact.ts'
import { openRedis } from './redis-client.ts'

/** Which store an option names. */
export interface StoreAddress {
  /** The option, such as `--from`. */
  readonly option: string
  /** Its URL, with the password. */
  readonly url: string
  /** What its tables or keys begin with; undefined for the default. */
  readonly prefix: string | undefined
  /** The tables' schema; undefined for the connection's own. */
  readonly schema: string | undefined
  /** The URL without user, password and parameters, to be printed. */
  readonly shown: string
  /** The same text for two addresses of one store, as far as they show it; without a secret. */
  readonly identity: string
}

/** An opened store. */
export interface OpenedStore {
  /** The store. */
  readonly store: Store
  /** What its engine warns of. */
  readonly warnings: readonly string[]
  /** Ends its connections. */
  close(): Promise<void>
}

/** A kind of store, by its scheme. */
interface Kind {
  readonly name: string
  readonly port: string
  readonly prefix: string
}

const POSTGRES: Kind = { name: 'postgres', port: '5432', prefix: 'tokenwright_' }
const MYSQL: Kind = { name: 'mysql', port: '3306', prefix: 'tokenwright_' }
const REDIS: Kind = { name: 'redis', port: '6379', prefix: 'tw' }
const SQLITE: Kind = { name: 'sqlite', port: '', prefix: 'tokenwright_' }

const KINDS: Readonly<Record<string, Kind>> = {
  postgres: POSTGRES,
  postgresql: POSTGRES,
  mysql: MYSQL,
  mariadb: MYSQL,
  sqlite: SQLITE,
  redis: REDIS,
  rediss: REDIS,
}

/** How long a call of a store may take: a copy writes much at once. */
const DEADLINE = '30s'

/**
 * Reads an option that names a store: a URL, or `env:` and the name of a variable that has one.
 *
 * @param option its name, such as `--from`
 * @throws {UsageError} without a part of the value, which may be a password
 */
export function readStoreAddress(
  option: string,
  value: string | undefined,
  prefix: string | undefined,
  schema?: string,
): StoreAddress {
  const url = value?.startsWith('env:') ? process.env[value.slice('env:'.length)] : value
  const [scheme = ''] = url?.split(':', 1) ?? []
  const kind = Object.hasOwn(KINDS, scheme) ? KINDS[scheme] : undefined
  const wanted = `Expected ${option} with postgres://..., mysql://..., sqlite:path, redis://... or rediss://...`
  if (url === undefined || kind === undefined)
    throw new UsageError(value?.startsWith('env:') ? `${wanted} in the variable that it names` : wanted)
  const begin = prefix ?? kind.prefix
  if (schema !== undefined && (kind === REDIS || kind === SQLITE))
    throw new UsageError(`Expected no schema for ${option}: ${kind.name} has none`)
  if (kind === SQLITE) {
    const path = resolve(toPath(url))
    if (!existsSync(path))
      throw new UsageError(
        `Expected ${option} to name a file that is there: \`tokenwright migrate sqlite:...\` makes one with the tables`,
      )
    const identity = JSON.stringify([kind.name, realpathSync(path), begin])
    return { option, url, prefix, schema, shown: `sqlite:${toPath(url)}`, identity }
  }
  const { host, path, place } = readUrl(option, url, kind)
  const shown = `${kind.name}://${host}${path}`
  return { option, url, prefix, schema, shown, identity: JSON.stringify([shown, schema ?? place, begin]) }
}

function readUrl(option: string, text: string, kind: Kind): Record<'host' | 'path' | 'place', string> {
  const url = URL.canParse(text) ? new URL(text) : null
  // What follows a bare slash of a password would pass for the path.
  if (url === null || url.pathname.includes('@'))
    throw new UsageError(
      `Expected ${option} to be a URL: encode special characters of the password, such as %2F for /`,
    )
  const { hostname, port, pathname, searchParams } = url
  const name = /^(?:localhost|\[::1\]|)$/.test(hostname) ? '127.0.0.1' : hostname
  const isFirst = kind === REDIS && /^\/?$/.test(pathname)
  return {
    host: `${name}:${port || kind.port}`,
    path: isFirst ? '/0' : pathname,
    // PostgreSQL: in which schema the tables are.
    place: `${searchParams.get('options') ?? ''} ${searchParams.get('host') ?? ''}`,
  }
}

/** The options of a command that works on one store. */
export type StoreFlags = Pick<Flags, 'store' | 'prefix' | 'schema'>

/**
 * Reads `--store`. Without it the variables say which store, as in the reference server.
 *
 * @throws {UsageError} as `readStoreAddress`
 */
export function readStoreFlags({ store, prefix, schema }: StoreFlags): StoreAddress {
  const variable = process.env['REDIS_URL'] ? 'REDIS_URL' : 'DATABASE_URL'
  if (store !== undefined || process.env[variable])
    return readStoreAddress('--store', store ?? `env:${variable}`, prefix, schema)
  throw new UsageError('Expected --store with the URL of a store, or one in REDIS_URL or DATABASE_URL')
}

/**
 * Opens the store of `--store` for some work, and closes it.
 *
 * @throws {UsageError} for a failure of the store, in one line without the password
 */
export async function withStore<T>(flags: StoreFlags, work: (store: Store) => Promise<T>): Promise<T> {
  const address = readStoreFlags(flags)
  const { store, close } = await openStore(address)
  try {
    return await work(store)
  } catch (error) {
    if (error instanceof UsageError || error instanceof InterruptedError) throw error
    throw new UsageError(`${address.shown}: ${redact(describeFailure(error), [address.url])}`)
  } finally {
    await close()
  }
}

/**
 * Opens a store and asks it whether it can be used.
 *
 * @throws {UsageError} with the option, what is wrong and what to do, without the password
 */
export async function openStore(address: StoreAddress): Promise<OpenedStore> {
  const { option, url } = address
  let opened: Omit<OpenedStore, 'warnings'> | undefined
  try {
    opened = await openUnasked(address)
    return { ...opened, warnings: await opened.store.inspect() }
  } catch (error) {
    await opened?.close().catch(() => undefined)
    const line = error instanceof UsageError ? error.message : describeFailure(error)
    throw new UsageError(`${option}: ${redact(line, [url])}`)
  }
}

/** Opens a store and asks it nothing. @throws what the driver throws, with what the URL has */
export async function openUnasked(
  { url, prefix, schema }: StoreAddress,
  deadline: Duration = DEADLINE,
): Promise<Omit<OpenedStore, 'warnings'>> {
  const settings = prefix === undefined ? {} : { prefix }
  const db = await openDatabase(url, deadline)
  if (db !== null) {
    try {
      const place = schema === undefined ? {} : { schema }
      return { store: sqlStore(db, { ...settings, ...place, deadline }), close: () => db.destroy() }
    } catch (error) {
      await db.destroy()
      throw error
    }
  }
  const { client, close } = await openRedis(url)
  try {
    return { store: redisStore(client, settings), close: async () => close() }
  } catch (error) {
    close()
    throw error
  }
}
