/** SQL databases, filled by statements that multiply one row. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { migrateSql, nodeSqlite, sqlStore, withDeadlines } from 'tokenwright/stores/sql'
import type { Grown } from './grown.ts'

/** What differs between engines. */
interface Engine {
  readonly dialect: Dialect
  /** The numbers from 1 to a count, as a table with the column `i`. */
  readonly numbers: (count: number) => string
  /** A random text of 64 hexadecimal digits. */
  readonly key: string
  /** The bytes of the table of sessions. */
  size(db: Db, table: string): Promise<number>
  /** How many sequential scans of the tables began so far. */
  scans(db: Db, prefix: string): Promise<number | null>
  close?(): void
}

type Db = Kysely<Record<string, never>>

const BATCH = 100_000

async function read<T>(db: Db, text: string): Promise<T> {
  const { rows } = await sql.raw<T>(text).execute(db)
  return rows[0] as T
}

function toPostgres(): Engine {
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

function toMariadb(): Engine {
  const pool = createPool({ host: '127.0.0.1', user: 'root', database: 'test', connectionLimit: 8 })
  return {
    dialect: new MysqlDialect({ pool: withDeadlines(pool, { deadline: '10m' }) }),
    numbers: (count) => `(select seq as i from seq_1_to_${count}) as s`,
    // Not of `rand()`: two connections can give the same numbers.
    key: 'sha2(concat(uuid(), s.i), 256)',
    async size(db, table) {
      await sql.raw(`analyze table ${table}`).execute(db)
      const text = `select data_length + index_length as n from information_schema.tables where table_name = '${table}'`
      return Number((await read<{ n: string }>(db, text)).n)
    },
    scans: async () => null,
  }
}

function toSqlite(): Engine {
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

/** The row that a table has becomes as many. */
async function open(engine: Engine, analyze: string): Promise<Grown> {
  const prefix = `tw_growth_${randomBytes(3).toString('hex')}_`
  const db: Db = new Kysely({ dialect: engine.dialect })
  // As the engines do by themselves, some time after so many changes.
  const count = (table: string) => sql.raw(`${analyze} ${prefix}${table}`).execute(db)
  await migrateSql(db, { prefix })
  return {
    open: () => sqlStore(db, { prefix }),
    async addSessions(_first, rows) {
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
      await count('sessions')
      return (await engine.size(db, `${prefix}sessions`)) / rows
    },
    async addEntries(entries) {
      await multiply(db, {
        table: `${prefix}log`,
        count: entries,
        engine,
        values: { id: 't.id + {i}', key_hash: engine.key, entry_key: engine.key },
      })
      await sql.raw(`update ${prefix}counters set n = n + ${entries}`).execute(db)
      await count('log')
    },
    scans: () => engine.scans(db, prefix),
    async close() {
      const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
      for (const table of tables.filter((one) => one.name.startsWith(prefix)))
        await sql.raw(`drop table ${table.name}`).execute(db)
      await db.destroy()
      engine.close?.()
    },
  }
}

/** PostgreSQL on this machine. Rejects with `ECONNREFUSED` where it does not run. */
export const openPostgres = (): Promise<Grown> => open(toPostgres(), 'analyze')

/** MySQL or MariaDB on this machine. Rejects with `ECONNREFUSED` where it does not run. */
export const openMariadb = (): Promise<Grown> => open(toMariadb(), 'analyze table')

/** A file of SQLite. */
export const openSqlite = (): Promise<Grown> => open(toSqlite(), 'analyze')
