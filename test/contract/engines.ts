/**
 * Databases that the SQL store reaches by functions of the application, or through a pooler. The
 * packages are in `test/engines`, beside the project's own: `npm ci --prefix test/engines`. What is
 * not installed is named with the reason.
 */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { Kysely, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2/promise'
import { Pool } from 'pg'
import type { OpenStore } from 'tokenwright-store-suite'
import {
  type DeadlineOptions,
  migrateSql,
  type SqlExecutor,
  type SqlRun,
  type SqlStoreOptions,
  sqlStore,
  withDeadlines,
} from '../../src/stores/sql.ts'
import { freePort, reapWithUs, waitFor } from '../stores/redis-server.ts'
import { HAS, isOpen, MYSQL, openDatabase, PG } from '../stores/sql-databases.ts'
import type { Openable } from './opened.ts'

const require = createRequire(new URL('../engines/package.json', import.meta.url))

/** Whether the packages of this folder are installed. */
export const HAS_ENGINES: boolean = existsSync(new URL('../engines/node_modules', import.meta.url))
/** Whether PgBouncer can be started. */
export const HAS_PGBOUNCER: boolean = HAS.postgres && existsSync('/usr/sbin/pgbouncer')

for (const [name, here] of Object.entries({ 'test/engines': HAS_ENGINES, pgbouncer: HAS_PGBOUNCER })) {
  if (!here) console.error(`\n!!! no ${name} on this machine: its tests are SKIPPED\n`)
}

/** A store, and a way past it. */
export interface OpenEngine extends OpenStore {
  readonly sql: (text: string) => Promise<unknown>
}

async function open(
  executor: SqlExecutor,
  close: () => Promise<unknown>,
  options: SqlStoreOptions = {},
): Promise<OpenEngine> {
  await migrateSql(executor)
  return { store: sqlStore(executor, options), close, sql: async (text) => executor.run(text, []) }
}

/** `pg` without Kysely. */
async function openPg(): Promise<OpenStore> {
  const database = await openDatabase('postgres', false)
  const pool = new Pool({ ...PG, options: `-c search_path=${database.path}` })
  const executor: SqlExecutor = {
    dialect: 'postgres',
    run: async (sql, parameters) => (await pool.query(sql, parameters)).rows,
  }
  return open(executor, async () => {
    await pool.end()
    await database.close()
  })
}

/** `mysql2` without Kysely. */
async function openMysql(): Promise<OpenStore> {
  const database = await openDatabase('mysql', false)
  const pool = createPool({ ...MYSQL, database: database.path, connectionLimit: 20 })
  const executor: SqlExecutor = {
    dialect: 'mysql',
    run: async (sql, parameters) => (await pool.query(sql, parameters))[0],
    async transaction(work) {
      const connection = await pool.getConnection()
      try {
        await connection.query('set transaction isolation level read committed')
        await connection.beginTransaction()
        const result = await work(async (sql, parameters) => (await connection.query(sql, parameters))[0])
        await connection.commit()
        return result
      } catch (error) {
        await connection.rollback()
        throw error
      } finally {
        connection.release()
      }
    },
  }
  return open(executor, async () => {
    await pool.end()
    await database.close()
  })
}

function openSqlite(): InstanceType<typeof DatabaseSync> {
  return new DatabaseSync(':memory:')
}

function toSqliteRun(database: InstanceType<typeof DatabaseSync>): SqlRun {
  return (sql, parameters) => database.prepare(sql).all(...parameters)
}

/** SQLite with nothing but `run`. */
async function openPlainSqlite(): Promise<OpenStore> {
  const database = openSqlite()
  return open({ dialect: 'sqlite', run: toSqliteRun(database) }, async () => database.close())
}

/** SQLite by batches, as D1 has them, with other calls between those of a step. */
async function openBatchedSqlite(): Promise<OpenStore> {
  const database = openSqlite()
  const run = toSqliteRun(database)
  const executor: SqlExecutor = {
    dialect: 'sqlite',
    run: async (sql, parameters) => {
      await new Promise(setImmediate)
      return run(sql, parameters)
    },
    async batch(statements) {
      await new Promise(setImmediate)
      database.exec('begin')
      try {
        for (const { sql, parameters } of statements) run(sql, parameters)
        database.exec('commit')
      } catch (error) {
        database.exec('rollback')
        throw error
      }
    },
  }
  return open(executor, async () => database.close())
}

/** The used part of `@electric-sql/pglite`. */
interface PgliteModule {
  readonly PGlite: new () => {
    query(sql: string, parameters: unknown[]): Promise<{ rows: unknown[] }>
    close(): Promise<void>
  }
}

/** PostgreSQL in this process. */
export async function openPglite(): Promise<OpenEngine> {
  const { PGlite } = require('@electric-sql/pglite') as PgliteModule
  const database = new PGlite()
  const executor: SqlExecutor = {
    dialect: 'postgres',
    run: async (sql, parameters) => (await database.query(sql, parameters)).rows,
  }
  return open(executor, () => database.close())
}

interface LibsqlStatement {
  readonly sql: string
  readonly args: readonly unknown[]
}
interface LibsqlTransaction {
  execute(statement: LibsqlStatement): Promise<{ rows: object[] }>
  commit(): Promise<void>
  rollback(): Promise<void>
}
/** The used part of `@libsql/client`. */
interface LibsqlModule {
  createClient(options: { url: string }): {
    execute(statement: LibsqlStatement): Promise<{ rows: object[] }>
    batch(statements: readonly LibsqlStatement[], mode: 'write'): Promise<unknown>
    transaction(mode: 'write'): Promise<LibsqlTransaction>
    close(): void
  }
}

/** libsql, as Turso has it, by batches: a step is two round trips. */
export async function openLibsql(): Promise<OpenEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'tw-libsql-'))
  const { createClient } = require('@libsql/client') as LibsqlModule
  const client = createClient({ url: `file:${join(folder, 'test.db')}` })
  const executor: SqlExecutor = {
    dialect: 'sqlite',
    run: async (sql, args) => (await client.execute({ sql, args })).rows.map((row) => ({ ...row })),
    batch: (statements) =>
      client.batch(
        statements.map(({ sql, parameters }) => ({ sql, args: parameters })),
        'write',
      ),
  }
  return open(executor, async () => {
    client.close()
    rmSync(folder, { recursive: true, force: true })
  })
}

interface D1Statement {
  bind(...values: unknown[]): D1Statement
  all(): Promise<{ results: object[] }>
}
interface D1 {
  prepare(sql: string): D1Statement
  batch(statements: readonly D1Statement[]): Promise<unknown>
}
/** The used part of `miniflare`. */
interface MiniflareModule {
  readonly Miniflare: new (
    options: object,
  ) => { getD1Database(name: string): Promise<D1>; dispose(): Promise<void> }
}

/** Cloudflare D1, as its own runtime has it. */
export async function openD1(): Promise<OpenEngine> {
  const { Miniflare } = require('miniflare') as MiniflareModule
  const runtime = new Miniflare({
    modules: true,
    script: 'export default { fetch: () => new Response() }',
    d1Databases: ['DB'],
  })
  const database = await runtime.getD1Database('DB')
  const executor: SqlExecutor = {
    dialect: 'sqlite',
    run: async (sql, parameters) =>
      (
        await database
          .prepare(sql)
          .bind(...parameters)
          .all()
      ).results,
    batch: (statements) =>
      database.batch(statements.map(({ sql, parameters }) => database.prepare(sql).bind(...parameters))),
  }
  // Calls that race for one row do their steps again; from Node each call takes some milliseconds.
  return open(executor, () => runtime.dispose(), { deadline: '60s' })
}

/** The used part of `knex`. */
type KnexModule = (options: object) => {
  raw(sql: string, bindings: readonly unknown[]): Promise<{ rows: object[] }>
  destroy(): Promise<void>
}

/** Knex, whose placeholders are question marks. */
async function openKnex(): Promise<OpenStore> {
  const database = await openDatabase('postgres', false)
  const { default: createKnex } = (await import(require.resolve('knex'))) as { default: KnexModule }
  const knex = createKnex({ client: 'pg', searchPath: [database.path], connection: PG })
  const executor: SqlExecutor = {
    dialect: 'postgres',
    async run(sql, parameters) {
      const bindings: unknown[] = []
      const text = sql.replace(/\$(\d+)/g, (_, number) => {
        bindings.push(parameters[number - 1])
        return '?'
      })
      return (await knex.raw(text, bindings)).rows
    },
  }
  return open(executor, async () => {
    await knex.destroy()
    await database.close()
  })
}

/** PgBouncer in transaction mode: each transaction may get another connection of the server. */
export async function startPgbouncer(): Promise<{ port: number; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tw-pgbouncer-'))
  const port = await freePort()
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    default_pool_size: 3,
    ignore_startup_parameters: 'extra_float_digits',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const target = `host=${PG.host} port=${PG.port} user=${PG.user}`
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, `[databases]\n* = ${target}\n[pgbouncer]\n${lines.join('\n')}\n`, { mode: 0o644 })
  const args = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  chmodSync(folder, 0o755)
  const child = spawn('/usr/sbin/pgbouncer', [...args, file], { stdio: 'ignore' })
  reapWithUs(child, folder)
  await waitFor(() => isOpen(port))
  return {
    port,
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Kysely and a wrapped pool, behind PgBouncer. */
export async function openPgbouncer(options?: DeadlineOptions): Promise<OpenStore & { pool: Pool }> {
  const database = await openDatabase('postgres')
  const bouncer = await startPgbouncer()
  const pool = new Pool({ ...PG, port: bouncer.port, max: 20 })
  const db = new Kysely({ dialect: new PostgresDialect({ pool: withDeadlines(pool, options) }) })
  return {
    // No search_path: it would belong to a connection that the next transaction does not get.
    store: sqlStore(db, { schema: database.path, deadline: '10s' }),
    pool,
    async close() {
      await db.destroy()
      await bouncer.close()
      await database.close()
    },
  }
}

const noPackage = HAS_ENGINES ? null : 'NOT INSTALLED, NOT TESTED: npm ci --prefix test/engines'
const noPostgres = HAS.postgres ? null : 'NO SERVER, NOT TESTED'

/** All of them. A slow one leaves out the cases with a thousand calls and more, but for a proof. */
export const ENGINES: readonly (Openable & { readonly isSlow?: boolean })[] = [
  { name: 'pg', open: openPg, reason: noPostgres },
  { name: 'mysql2', open: openMysql, reason: HAS.mysql ? null : 'NO SERVER, NOT TESTED' },
  { name: 'SQLite by `run` alone', open: openPlainSqlite, reason: null },
  { name: 'SQLite by batches', open: openBatchedSqlite, reason: null },
  { name: 'PGlite', open: openPglite, reason: noPackage },
  { name: 'libsql', open: openLibsql, reason: noPackage },
  { name: 'D1', open: openD1, reason: noPackage, isSlow: true },
  { name: 'Knex on PostgreSQL', open: openKnex, reason: noPackage ?? noPostgres },
  {
    name: 'PgBouncer in transaction mode',
    // Few connections behind many calls: on a busy machine the last in line wait for long.
    open: () => openPgbouncer({ deadline: '15s' }),
    reason: HAS_PGBOUNCER ? null : 'NO PGBOUNCER, NOT TESTED',
  },
]
