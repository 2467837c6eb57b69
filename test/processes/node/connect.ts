/**
 * A store out of a description that fits into a message: what the tests and the processes that they start both connect with.
 * Every statement passes a tap, where it can be counted, or be the last thing that a process does.
 */
import { DatabaseSync } from '@photostructure/sqlite'
import { Cluster, Redis } from 'ioredis'
import { type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import type { Store } from '../../../src/session/store.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { moveStore } from '../../../src/stores/move.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import { sqlStore, withDeadlines } from '../../../src/stores/sql.ts'

/** Where a store is. `name`: a schema, a database, a file. */
export type StoreSpec =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly name: string }
  | {
      readonly kind: 'redis'
      readonly port: number
      /** What listens at the port, if it is no single Redis: a node of a cluster, or a sentinel. */
      readonly through?: 'cluster' | 'sentinels'
    }
  | {
      readonly kind: 'postgres'
      readonly name: string
      readonly port: number
      readonly user: string
      readonly database: string
      /** Whether a pooler stands before it: each transaction may have another connection. */
      readonly isPooled?: boolean
    }
  | {
      readonly kind: 'mysql'
      readonly name: string
      readonly port: number
      /** Of a Galera: all of its nodes, of which each process uses one. */
      readonly ports?: readonly number[]
    }
  | {
      readonly kind: 'moving'
      readonly from: StoreSpec
      readonly to: StoreSpec
      readonly phase: 'prepare' | 'move'
    }

/** Sees every statement before it is sent and after it was answered. */
export interface Tap {
  before(text: string): void
  after(text: string): void
}

/** A store with the connections behind it. */
export interface Connected {
  readonly store: Store
  close(): Promise<void>
}

type Spec<K extends StoreSpec['kind']> = Extract<StoreSpec, { kind: K }>
type Query = (...args: unknown[]) => unknown

/** Kysely with any tables. */
export type Db = Kysely<Record<string, Record<string, unknown>>>

/** Where a database with SQL is. */
export type SqlSpec = Spec<'sqlite' | 'postgres' | 'mysql'>

/** Puts the tap around a method that answers a promise, or takes a callback for its last argument. */
function tapMethod(target: object, name: 'query' | 'execute' | 'call', tap: Tap): void {
  const methods = target as Record<typeof name, Query>
  const send = methods[name].bind(target)
  methods[name] = (...args) => {
    const text = typeof args[0] === 'string' ? args[0] : String((args[0] as { text?: string }).text)
    tap.before(text)
    const last = args.at(-1)
    if (typeof last === 'function') {
      const answer = (...results: unknown[]): void => {
        tap.after(text)
        last(...results)
      }
      return send(...args.slice(0, -1), answer)
    }
    const answered = send(...args)
    if (!(answered instanceof Promise)) return answered
    // An error is an answer too: behind a pooler, a statement by name is first refused.
    return answered.finally(() => tap.after(text))
  }
}

function toPostgres(spec: Spec<'postgres'>, size: number, tap: Tap): Dialect {
  const { name, port, user, database, isPooled } = spec
  const address = { host: '127.0.0.1', port, user, database, max: size }
  const pool = new Pool({ ...address, ...(!isPooled && { options: `-c search_path=${name}` }) })
  pool.on('connect', (client) => tapMethod(client, 'query', tap))
  return new PostgresDialect({ pool: withDeadlines(pool) })
}

function toMysql({ name, port, ports }: Spec<'mysql'>, size: number, tap: Tap): Dialect {
  const own = ports?.[process.pid % ports.length] ?? port
  const address = { host: '127.0.0.1', port: own, user: 'root', database: name, connectionLimit: size }
  const pool = createPool(address)
  pool.on('connection', (connection) => {
    tapMethod(connection, 'query', tap)
    tapMethod(connection, 'execute', tap)
  })
  return new MysqlDialect({ pool: withDeadlines(pool) })
}

function toSqlite({ name }: Spec<'sqlite'>, tap: Tap): Dialect {
  const database = new DatabaseSync(name, { timeout: 0 })
  const tapped = <T>(text: string, run: () => T): T => {
    tap.before(text)
    const result = run()
    tap.after(text)
    return result
  }
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql)
        return {
          reader: statement.columns().length > 0,
          all: (values) => tapped(sql, () => statement.all(...(values as string[]))),
          run: (values) => tapped(sql, () => statement.run(...(values as string[]))),
          iterate: (values) => statement.iterate(...(values as string[])),
        }
      },
    },
  })
}

/** The dialect with its pool. */
export function toDialect(spec: SqlSpec, tap: Tap = NO_TAP, size = 5): Dialect {
  if (spec.kind === 'postgres') return toPostgres(spec, size, tap)
  return spec.kind === 'mysql' ? toMysql(spec, size, tap) : toSqlite(spec, tap)
}

function openRedis({ port, through }: Spec<'redis'>): Redis | Cluster {
  const address = { host: '127.0.0.1', port }
  if (through === 'cluster') return new Cluster([address])
  if (through === 'sentinels') return new Redis({ sentinels: [address], name: 'main' })
  return new Redis({ ...address, retryStrategy: () => 50 })
}

function toRedis(spec: Spec<'redis'>, tap: Tap): Connected {
  const client = openRedis(spec)
  // ioredis says through this event what the calls say anyway.
  client.on('error', () => undefined)
  tapMethod(client, 'call', tap)
  return { store: redisStore(client), close: async () => client.disconnect() }
}

function toMoving({ from, to, phase }: Spec<'moving'>, tap: Tap, size: number): Connected {
  const [one, other] = [connect(from, tap, size), connect(to, tap, size)]
  return {
    store: moveStore({ from: one.store, to: other.store, phase }),
    close: async () => void (await Promise.all([one.close(), other.close()])),
  }
}

const NO_TAP: Tap = { before: () => undefined, after: () => undefined }

/** Connects to a store. */
export function connect(spec: StoreSpec, tap: Tap = NO_TAP, size = 5): Connected {
  if (spec.kind === 'memory') return { store: memoryStore(), close: async () => undefined }
  if (spec.kind === 'redis') return toRedis(spec, tap)
  if (spec.kind === 'moving') return toMoving(spec, tap, size)
  const db = connectSql(spec, tap, size)
  const settings = spec.kind === 'postgres' && spec.isPooled ? { schema: spec.name } : {}
  return { store: sqlStore(db, settings), close: () => db.destroy() }
}

/** Connects to a database. */
export function connectSql(spec: SqlSpec, tap: Tap = NO_TAP, size = 5): Db {
  return new Kysely({ dialect: toDialect(spec, tap, size) })
}
