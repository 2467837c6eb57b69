/**
 * Databases for the tests of the SQL store: each test file gets a schema, a database or a file of its own, and drops it.
 * Where a server is not there, its tests skip and say so on the standard error output.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import {
  type Dialect,
  Kysely,
  MysqlDialect,
  PostgresDialect,
  type SqliteDatabase,
  SqliteDialect,
} from 'kysely'
import { createPool, type PoolOptions } from 'mysql2'
import { Pool, type PoolConfig } from 'pg'
import type { NewSession } from '../../src/session/session-row.ts'
import type { RotateCall, Store } from '../../src/session/store.ts'
import {
  type DeadlineOptions,
  type MysqlPoolWithDeadlines,
  migrateSql,
  type PgPoolWithDeadlines,
  type SqlDialect,
  sqlStore,
  withDeadlines,
} from '../../src/stores/sql.ts'

// biome-ignore lint/suspicious/noExplicitAny: the tests run raw SQL on tables of no declared type
export type Db = Kysely<any>

const TAG = randomBytes(5).toString('hex')

export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

export const HAS: Readonly<Record<SqlDialect, boolean>> = {
  postgres: await isOpen(5432),
  mysql: await isOpen(3306),
  sqlite: true,
}
for (const [name, here] of Object.entries(HAS)) {
  if (!here) console.error(`\n!!! no ${name} server on this machine: its tests are SKIPPED\n`)
}

export const PG: PoolConfig = { host: '127.0.0.1', port: 5432, user: 'root', database: 'test' }
export const MYSQL: PoolOptions = { host: '127.0.0.1', port: 3306, user: 'root' }

/** A database of one test file. */
export interface TestDatabase {
  readonly dialect: SqlDialect
  /** Through the wrapped pool, with 20 connections; SQLite: one. */
  readonly db: Db
  readonly store: Store
  /** Another instance, with its own connections. */
  open(connections: number, options?: DeadlineOptions): Db
  /** Sends SQL as it is. */
  sql(text: string): Promise<Record<string, unknown>[]>
  /** Where SQLite keeps it. */
  readonly path: string
  close(): Promise<void>
}

export function toRaw(sql: string, parameters: readonly unknown[] = []) {
  return {
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'test' },
  } as const
}

export function toSqliteConfig(path: string, timeout = 0): { readonly database: SqliteDatabase } {
  const database = new DatabaseSync(path, { timeout })
  return {
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql)
        return {
          reader: statement.columns().length > 0,
          all: (values) => statement.all(...(values as string[])),
          run: (values) => statement.run(...(values as string[])),
          iterate: (values) => statement.iterate(...(values as string[])),
        }
      },
    },
  }
}

/** A wrapped pool; `onConnect` sees each new client of the driver. */
export function toPgPool(
  schema: string,
  config: PoolConfig = {},
  options?: DeadlineOptions,
  onConnect?: (client: object) => void,
): PgPoolWithDeadlines {
  const pool = new Pool({ ...PG, options: `-c search_path=${schema}`, ...config })
  if (onConnect) pool.on('connect', onConnect)
  return withDeadlines(pool, options)
}

export function toMysqlPool(
  database: string,
  config: PoolOptions = {},
  options?: DeadlineOptions,
  onConnect?: (connection: object) => void,
): MysqlPoolWithDeadlines {
  const pool = createPool({ ...MYSQL, database, ...config })
  if (onConnect) pool.on('connection', onConnect)
  return withDeadlines(pool, options)
}

async function prepare(dialect: SqlDialect, name: string, path: string): Promise<() => Promise<void>> {
  if (dialect === 'postgres') {
    const admin = new Pool({ ...PG, max: 1 })
    await admin.query(`create schema ${name}`)
    return async () => {
      await admin.query(`drop schema ${name} cascade`)
      await admin.end()
    }
  }
  if (dialect === 'mysql') {
    const admin = createPool({ ...MYSQL, connectionLimit: 1 }).promise()
    // The server's default character set, which may be one that folds and pads: the store must not mind.
    await admin.query(`create database ${name} character set utf8mb4 collate utf8mb4_general_ci`)
    return async () => {
      await admin.query(`drop database ${name}`)
      await admin.end()
    }
  }
  return async () => rmSync(path, { recursive: true, force: true })
}

let opened = 0

/** Makes a database with the schema in it. */
export async function openDatabase(dialect: SqlDialect, migrated = true): Promise<TestDatabase> {
  const name = `tw_${TAG}_${process.pid}_${opened++}`
  const folder = dialect === 'sqlite' ? mkdtempSync(join(tmpdir(), 'tw-sql-')) : ''
  const path = join(folder, 'test.db')
  const drop = await prepare(dialect, name, folder)
  const dbs: Db[] = []
  const open = (connections: number, options?: DeadlineOptions): Db => {
    const db: Db = new Kysely({ dialect: toDialect(dialect, { name, path, connections }, options) })
    dbs.push(db)
    return db
  }
  const db = open(20)
  if (dialect === 'sqlite') await db.executeQuery(toRaw('pragma journal_mode = wal'))
  if (migrated) await migrateSql(db)
  return {
    dialect,
    db,
    store: sqlStore(db),
    path: dialect === 'sqlite' ? path : name,
    open,
    sql: async (text) => (await db.executeQuery<Record<string, unknown>>(toRaw(text))).rows,
    async close() {
      await Promise.all(dbs.map((each) => each.destroy().catch(() => undefined)))
      await drop()
    },
  }
}

function toDialect(
  dialect: SqlDialect,
  { name, path, connections }: { name: string; path: string; connections: number },
  options?: DeadlineOptions,
): Dialect {
  if (dialect === 'postgres') {
    return new PostgresDialect({ pool: toPgPool(name, { max: connections }, options) })
  }
  if (dialect === 'mysql') {
    return new MysqlDialect({ pool: toMysqlPool(name, { connectionLimit: connections }, options) })
  }
  return new SqliteDialect(toSqliteConfig(path))
}

let drafted = 0

export function toDraft(over: Partial<NewSession> = {}): NewSession {
  const number = drafted++
  return {
    sid: `sid-${TAG}-${number}`,
    sub: `sub-${TAG}-${number}`,
    realm: null,
    provedAt: 9e9,
    authTime: null,
    acr: null,
    amr: null,
    scopes: ['a'],
    data: {},
    brief: false,
    idleFor: null,
    metadata: {},
    label: null,
    ip: null,
    userAgent: null,
    idle: 1000,
    absolute: 5000,
    ...over,
  }
}

export function toCall(sid: string, gen: number, over: Partial<RotateCall> = {}): RotateCall {
  return {
    sid,
    gen,
    overlap: 10,
    idle: 1000,
    rotation: true,
    notAfter: null,
    now: null,
    logTtl: 900,
    seen: null,
    ...over,
  }
}

/** How often each word came. */
export function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

export function together<T>(many: number, step: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: many }, (_, i) => step(i)))
}
