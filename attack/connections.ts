/**
 * Connections to the stores under attack, made as an application makes them: drivers with their
 * defaults, and pools in the library's wrappers. One table has a function for each kind of server.
 * It needs only the address, so other processes can call it too.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Dialect } from 'kysely'
import type { Store } from 'tokenwright'
import type { Address, ServerKind } from './servers.ts'
import { Absent } from './values.ts'

/** One connection to a store. */
export interface Connection {
  readonly store: Store
  /** Everything in the store, as text. */
  dump(): Promise<string>
  /** Runs one command or statement for the attack. */
  command(...words: readonly string[]): Promise<unknown>
  close(): Promise<void>
}

/** The options of a connection. */
export interface ConnectOptions {
  /** The prefix of all names in the store: lower-case letters and digits. */
  readonly namespace: string
  /** The port of a proxy to connect through. */
  readonly via?: number
  /** Called before and after each statement of SQLite, which runs in this process. */
  readonly onStatement?: (sql: string, when: 'before' | 'after') => void
}

type Connect = (address: Address, options: ConnectOptions) => Promise<Connection>

const HOST = '127.0.0.1'

const connectRedis: Connect = async ({ port }, { namespace, via = port }) => {
  const [{ Redis }, { redisStore }] = await Promise.all([
    import('ioredis'),
    import('tokenwright/stores/redis'),
  ])
  const client = new Redis({ port: via, host: HOST })
  // Without a listener, ioredis logs each lost connection to the console.
  client.on('error', () => undefined)
  const readers: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => client.get(key),
    hash: (key) => client.hgetall(key),
    set: (key) => client.smembers(key),
    zset: (key) => client.call('ZRANGE', key, '0', '-1') as Promise<unknown>,
    list: (key) => client.lrange(key, 0, -1),
    stream: (key) => client.xrange(key, '-', '+'),
  }
  return {
    store: redisStore(client, { prefix: namespace }),
    async dump() {
      const texts: string[] = []
      for (const key of await client.keys(`*${namespace}*`)) {
        const read = readers[await client.type(key)]
        texts.push(`${key} ${JSON.stringify(await read?.(key))}`)
      }
      return texts.join('\n')
    },
    command: (name = '', ...words) => client.call(name, ...words),
    async close() {
      client.disconnect()
    },
  }
}

/** A store in a SQL database, by a Kysely dialect. */
async function connectSql(dialect: Dialect, namespace: string): Promise<Connection> {
  const [{ Kysely, sql }, { migrateSql, sqlStore }] = await Promise.all([
    import('kysely'),
    import('tokenwright/stores/sql'),
  ])
  const db = new Kysely<Record<string, Record<string, unknown>>>({ dialect })
  const prefix = `${namespace}_`
  await migrateSql(db, { prefix })
  return {
    store: sqlStore(db, { prefix }),
    async dump() {
      const tables = (await db.introspection.getTables()).filter(({ name }) => name.startsWith(prefix))
      const texts: string[] = []
      for (const { name } of tables) {
        const rows = await db.selectFrom(name).selectAll().execute()
        const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
        texts.push(`${name} ${JSON.stringify(rows, plain)}`)
      }
      return texts.join('\n')
    },
    command: async (statement = '') => (await sql.raw(statement).execute(db)).rows,
    close: () => db.destroy(),
  }
}

const connectPostgres: Connect = async ({ port }, { namespace, via = port }) => {
  const [{ PostgresDialect }, { default: pg }, { withDeadlines }] = await Promise.all([
    import('kysely'),
    import('pg'),
    import('tokenwright/stores/sql'),
  ])
  const pool = new pg.Pool({ host: HOST, port: via, user: 'postgres', database: 'postgres' })
  pool.on('error', () => undefined)
  return connectSql(new PostgresDialect({ pool: withDeadlines(pool) }), namespace)
}

const connectMysql: Connect = async ({ port }, { namespace, via = port }) => {
  const [{ MysqlDialect }, { createConnection, createPool }, { withDeadlines }] = await Promise.all([
    import('kysely'),
    import('mysql2'),
    import('tokenwright/stores/sql'),
  ])
  const first = createConnection({ host: HOST, port, user: 'root' })
  await new Promise<void>((resolve, reject) =>
    first.query('create database if not exists attack', (error) => (error ? reject(error) : resolve())),
  )
  first.end()
  const pool = createPool({ host: HOST, port: via, user: 'root', database: 'attack' })
  return connectSql(new MysqlDialect({ pool: withDeadlines(pool) }), namespace)
}

/** The part of `node:sqlite` that is used; `@photostructure/sqlite` has the same interface. */
interface SqliteModule {
  readonly DatabaseSync: new (path: string, options: { timeout: number }) => SqliteFile
}

interface SqliteFile {
  exec(sql: string): void
  close(): void
  prepare(sql: string): {
    columns(): readonly unknown[]
    all(...parameters: unknown[]): unknown[]
    run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
    iterate(...parameters: unknown[]): IterableIterator<unknown>
  }
}

/** Node's own SQLite if this Node has one, else the package with the same interface. */
async function loadSqlite(): Promise<SqliteModule> {
  const own = process.getBuiltinModule?.('node:sqlite') as unknown as SqliteModule | undefined
  if (own !== undefined) return own
  return import('@photostructure/sqlite').catch(() => {
    throw new Absent('no SQLite: neither node:sqlite nor @photostructure/sqlite is installed')
  })
}

/** Turns on the write-ahead log. That fails at once while another process does the same. */
async function openFile(file: string): Promise<SqliteFile> {
  const { DatabaseSync } = await loadSqlite()
  const database = new DatabaseSync(file, { timeout: 0 })
  for (let attempt = 0; ; attempt++) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return database
    } catch (error) {
      if (attempt >= 200) throw error
      await pause(10)
    }
  }
}

const connectSqlite: Connect = async ({ file }, { namespace, onStatement }) => {
  const { SqliteDialect } = await import('kysely')
  const database = await openFile(file)
  const watched = <T>(sql: string, work: () => T): T => {
    onStatement?.(sql, 'before')
    const result = work()
    onStatement?.(sql, 'after')
    return result
  }
  const dialect = new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql)
        return {
          reader: statement.columns().length > 0,
          all: (parameters) => watched(sql, () => statement.all(...parameters)),
          run: (parameters) => watched(sql, () => statement.run(...parameters)),
          iterate: (parameters) => statement.iterate(...parameters),
        }
      },
    },
  })
  return connectSql(dialect, namespace)
}

const CONNECT: Readonly<Record<ServerKind, Connect>> = {
  redis: connectRedis,
  'redis-snapshots': connectRedis,
  postgres: connectPostgres,
  mysql: connectMysql,
  sqlite: connectSqlite,
}

/** Connects to a store and creates its tables, if it has any. */
export function connectStore(address: Address, options: ConnectOptions): Promise<Connection> {
  return CONNECT[address.kind](address, options)
}

let namespaces = 0

/** A namespace that is new in this run. */
export function newNamespace(): string {
  namespaces += 1
  return `attack${process.pid}n${namespaces}`
}
