/**
 * How cost grows with what is stored: `npm run bench -- growth [rows]` fills the tables of each SQL
 * engine that runs here, and a file of SQLite, with so many sessions of others (default 100,000)
 * and a million log entries. Then it measures what users and a new process wait for.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { type Auth, createAuth, type TokenPair } from 'tokenwright'
import type { Store } from 'tokenwright/stores/contract'
import { migrateSql, nodeSqlite, sqlStore, withDeadlines } from 'tokenwright/stores/sql'

/** The measurements of one engine; times are in milliseconds. */
export interface GrowthResult {
  /** The engine. */
  readonly name: string
  /** How many sessions it holds. */
  readonly rows: number
  /** What one of them takes, with its part of the indexes. */
  readonly bytes: number
  /** A refresh: half of them take less, and 99 of 100. */
  readonly refresh: readonly [median: number, p99: number]
  /** A list of the ten sessions of a subject. */
  readonly list: readonly [median: number, p99: number]
  /** The end of the ten sessions of a subject. */
  readonly endAll: readonly [median: number, p99: number]
  /** A step of the pruning. */
  readonly prune: readonly [median: number, p99: number]
  /** From the start of a process to when it knows the log, with so many entries. */
  readonly ready: number
  /** How many rows of the log there are. */
  readonly entries: number
  /** How often a whole table was read meanwhile; null where the engine does not say. */
  readonly scans: number | null
}

/** What differs between engines. */
interface Engine {
  readonly dialect: Dialect
  /** The numbers from 1 to a count, as a table with the column `i`. */
  readonly numbers: (count: number) => string
  /** A random text of 64 hexadecimal digits. */
  readonly key: string
  /** The bytes of the table of sessions. */
  size(db: Db, table: string): Promise<number>
  /** How often tables were read as a whole so far. */
  scans(db: Db, prefix: string): Promise<number | null>
  close?(): void
}

type Db = Kysely<Record<string, never>>

const SECRET = randomBytes(48).toString('base64url')
const LOG_ENTRIES = 1_000_000
const BATCH = 100_000
const SUBJECTS = 200
const SESSIONS_EACH = 10

async function read<T>(db: Db, text: string): Promise<T> {
  const { rows } = await sql.raw<T>(text).execute(db)
  return rows[0] as T
}

function openPostgres(): Engine {
  const pool = new Pool({ host: '127.0.0.1', user: 'root', database: 'test', max: 8 })
  return {
    dialect: new PostgresDialect({ pool: withDeadlines(pool, { deadline: '10m' }) }),
    numbers: (count) => `generate_series(1, ${count}) as s(i)`,
    key: 'md5(random()::text) || md5(random()::text)',
    size: async (db, table) =>
      Number((await read<{ n: string }>(db, `select pg_total_relation_size('${table}') as n`)).n),
    async scans(db, prefix) {
      await sql`select pg_stat_clear_snapshot()`.execute(db)
      const text = `select sum(seq_scan) as n from pg_stat_user_tables where relname in ('${prefix}sessions', '${prefix}log')`
      return Number((await read<{ n: string }>(db, text)).n)
    },
  }
}

function openMariadb(): Engine {
  const pool = createPool({ host: '127.0.0.1', user: 'root', database: 'test', connectionLimit: 8 })
  return {
    dialect: new MysqlDialect({ pool: withDeadlines(pool, { deadline: '10m' }) }),
    numbers: (count) => `(select seq as i from seq_1_to_${count}) as s`,
    key: 'sha2(concat(rand(), s.i), 256)',
    async size(db, table) {
      await sql.raw(`analyze table ${table}`).execute(db)
      const text = `select data_length + index_length as n from information_schema.tables where table_name = '${table}'`
      return Number((await read<{ n: string }>(db, text)).n)
    },
    scans: async () => null,
  }
}

function openSqlite(): Engine {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-growth-'))
  const path = join(folder, 'db')
  return {
    dialect: new SqliteDialect({ database: nodeSqlite(new DatabaseSync(path)) }),
    numbers: (count) =>
      `(with recursive s(i) as (select 1 union all select i + 1 from s where i < ${count}) select i from s) as s`,
    key: 'lower(hex(randomblob(32)))',
    async size(db) {
      await sql`pragma wal_checkpoint(truncate)`.execute(db)
      return statSync(path).size
    },
    scans: async () => null,
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const ENGINES: Readonly<Record<string, () => Engine>> = {
  postgres: openPostgres,
  mariadb: openMariadb,
  sqlite: openSqlite,
}

/** Copies the one row of a table so often, with other values in some columns. */
async function multiply(
  db: Db,
  {
    table,
    count,
    engine,
    values,
  }: { table: string; count: number; engine: Engine; values: Record<string, string> },
): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  const columns = tables.find(({ name }) => name === table)?.columns.map(({ name }) => name) ?? []
  const selected = columns.map((column) => values[column] ?? `t.${column}`)
  await sql.raw(`create table ${table}_one as select * from ${table}`).execute(db)
  for (let done = 0; done < count; done += BATCH) {
    const from = `${engine.numbers(Math.min(BATCH, count - done))}, ${table}_one as t`
    const shifted = selected.map((value) => value.replaceAll('{i}', `(s.i + ${done})`))
    await sql
      .raw(`insert into ${table} (${columns.join(', ')}) select ${shifted.join(', ')} from ${from}`)
      .execute(db)
  }
  await sql.raw(`drop table ${table}_one`).execute(db)
}

async function time(count: number, work: (index: number) => Promise<unknown>): Promise<[number, number]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const begun = performance.now()
    await work(i)
    times.push(performance.now() - begun)
  }
  times.sort((a, b) => a - b)
  return [times[count >> 1] ?? 0, times[Math.floor(count * 0.99)] ?? 0]
}

const open = (store: Store): Auth => createAuth({ secret: SECRET, sessions: { store, prune: false } })

async function measureEngine(name: string, engine: Engine, rows: number): Promise<GrowthResult> {
  const prefix = `tw_growth_${randomBytes(3).toString('hex')}_`
  const db: Db = new Kysely({ dialect: engine.dialect })
  try {
    await migrateSql(db, { prefix })
    const store = sqlStore(db, { prefix })
    const auth = open(store)
    const first = await auth.verifyToken((await auth.sessions.start('first')).access_token)
    await multiply(db, {
      table: `${prefix}sessions`,
      count: rows,
      engine,
      values: {
        sid_key: engine.key,
        sub_key: engine.key,
        // One of ten has ended long ago, for the pruning.
        absolute_expires_at: 'case when {i} % 10 = 0 then 1000 else t.absolute_expires_at end',
        idle_expires_at: 'case when {i} % 10 = 0 then 1000 else t.idle_expires_at end',
      },
    })
    const bytes = (await engine.size(db, `${prefix}sessions`)) / rows
    await auth.sessions.end(first.sid ?? '')
    await multiply(db, {
      table: `${prefix}log`,
      count: LOG_ENTRIES,
      engine,
      values: { id: 't.id + {i}', key_hash: engine.key, entry_key: engine.key },
    })
    await sql.raw(`update ${prefix}counters set n = n + ${LOG_ENTRIES}`).execute(db)
    // As the engines do by themselves, some time after so many changes.
    for (const table of ['sessions', 'log'])
      await sql.raw(`analyze ${name === 'mariadb' ? 'table ' : ''}${prefix}${table}`).execute(db)
    const sessions: TokenPair[] = []
    for (let user = 0; user < SUBJECTS; user++) {
      const starts = Array.from({ length: SESSIONS_EACH }, () => auth.sessions.start(`user-${user}`))
      sessions.push(...(await Promise.all(starts)))
    }
    const scansBefore = await engine.scans(db, prefix)
    const refreshes = await Promise.all(
      sessions.slice(0, 1000).map(({ refresh_token: token }) => auth.verifyToken(token, { type: 'refresh' })),
    )
    const refresh = await time(1000, async (i) =>
      auth.sessions.refresh(refreshes[i] as (typeof refreshes)[0]),
    )
    const list = await time(SUBJECTS, (i) => auth.sessions.list(`user-${i}`))
    const endAll = await time(SUBJECTS, (i) => auth.sessions.endAll(`user-${i}`))
    const prune = await time(20, () => store.prune(null))
    const scansAfter = await engine.scans(db, prefix)
    const begun = performance.now()
    const other = open(sqlStore(db, { prefix }))
    await other.ready()
    const ready = performance.now() - begun
    const entries = other.state()?.entries ?? 0
    await Promise.all([auth.close(), other.close()])
    const scans = scansBefore === null || scansAfter === null ? null : scansAfter - scansBefore
    return { name, rows, bytes, refresh, list, endAll, prune, ready, entries, scans }
  } finally {
    const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
    for (const table of tables.filter((one) => one.name.startsWith(prefix)))
      await sql.raw(`drop table ${table.name}`).execute(db)
    await db.destroy()
    engine.close?.()
  }
}

/** Measures each engine that runs here. */
export async function measureGrowth(rows: number): Promise<readonly GrowthResult[]> {
  const results: GrowthResult[] = []
  for (const [name, openEngine] of Object.entries(ENGINES)) {
    try {
      results.push(await measureEngine(name, openEngine(), rows))
    } catch (error) {
      if (!/ECONNREFUSED/.test(String((error as { code?: unknown }).code))) throw error
      console.error(`!!! no ${name} server on this machine: NOT MEASURED`)
    }
  }
  return results
}
