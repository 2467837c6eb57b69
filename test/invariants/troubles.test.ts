/**
 * What a stranger meets with a store: it is down at the start, its tables are missing, its disk or
 * its memory is full, it has no connection left, it is a replica, its user may not write. What needs
 * it is 503, the log says in one line what it is and what to do, and when the trouble is over
 * everything goes on: the sessions are kept.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { DatabaseSync } from '@photostructure/sqlite'
import { Redis } from 'ioredis'
import { Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import { createPool } from 'mysql2'
import type { Pool as AsyncPool } from 'mysql2/promise'
import { Pool } from 'pg'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, type AuthHealth, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { migrateSql, nodeSqlite, sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { HAS_OWN, type OwnServer, startOwn, toUser } from './servers.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const TIMEOUT = 60_000

/** A store with a client as the guide shows it. */
interface Opened {
  readonly store: Store
  close(): unknown
}

/** Not an outage: no time mends it. */
const TABLES =
  /TOKENWRIGHT_MISCONFIGURED: Expected the tables tokenwright_\*.*migrate them with `npx tokenwright migrate`/

/** Something that goes wrong. */
interface Trouble {
  begin(): unknown
  end(): unknown
  /** What the log says. */
  readonly line: RegExp
  /** The status of what needs the store. Default 503; 500 for what was set up wrong. */
  readonly status?: number
  /** The health check may see nothing: the little that it writes still fits, or its connection is there. */
  readonly spares?: true
  /** Fills what is not full yet: called again and again until a login is refused. */
  more?(): unknown
}

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** What was warned of since. */
function collectWarnings(): readonly string[] {
  const lines: string[] = []
  const add = (warning: Error & { code?: string }) => lines.push(`${warning.code}: ${warning.message}`)
  process.on('warning', add)
  closers.push(() => process.off('warning', add))
  return lines
}

/** An application on a store. */
function open({ store, close }: Opened) {
  const auth = createAuth({ secret: SECRET, sessions: { store } })
  closers.push(close, () => auth.close())
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username }) => ({ subject: String(username) }),
    address: () => '192.0.2.1',
  })
  const send = (path: string, body: object): Promise<Response> =>
    handle(
      new Request(`http://localhost/auth${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  return {
    auth,
    login: () => send('/login', { username: 'alice', password: 'x' }),
    refresh: (token: string) => send('/refresh', { refresh_token: token }),
  }
}

/** The members of a response's body that are looked at. */
async function read(response: Response): Promise<{ refresh_token: string; code?: string }> {
  return (await response.json()) as { refresh_token: string; code?: string }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await isSo()); await pause(100))
    if (Date.now() > end) throw new Error(`not so in time: ${what}`)
}

/** Goes through a trouble with a session that was begun before. */
async function goThrough(connect: () => Opened, trouble: Trouble): Promise<void> {
  const lines = collectWarnings()
  const app = open(connect())
  let token = (await read(await app.login())).refresh_token
  const expected = trouble.status ?? 503
  expect(token).toBeTypeOf('string')
  await trouble.begin()
  try {
    await until('refused', async () => {
      await trouble.more?.()
      const { status } = await app.login()
      expect([200, expected]).toContain(status)
      return status === expected
    })
    // A change in place may need no space, and an idle connection may still be there.
    const response = await app.refresh(token)
    expect([200, expected]).toContain(response.status)
    const body = await read(response)
    if (response.status === 200) token = body.refresh_token
    else expect(body.code).toBe(expected === 503 ? 'store_unavailable' : 'configuration_invalid')
    if (response.status === 503) expect(response.headers.get('retry-after')).toBe('1')
    await until('told', async () => {
      if (lines.some((line) => trouble.line.test(line))) return true
      await app.login()
      return false
    }).catch((error) => {
      throw new Error(`${error.message}; the log: ${lines.join('\n')}`)
    })
    if (!trouble.spares) await expectUnwell(app.auth, trouble)
    // One line, and no value of a statement in it.
    expect(lines.filter((line) => /\n|alice/.test(line))).toEqual([])
  } finally {
    await trouble.end()
  }
  await until('well again', async () => (await app.login()).status === 200)
  expect((await app.refresh(token)).status).toBe(200)
}

/** The health check says what the log says: a probe writes, so it meets what a login meets. */
async function expectUnwell(auth: Auth, { line }: Trouble): Promise<void> {
  let health: AuthHealth | undefined
  await until('unhealthy', async () => {
    health = await auth.health()
    return !health.ok
  })
  const [problem] = health?.problems ?? []
  expect(problem).toMatchObject({ part: 'store', severity: 'error' })
  const { code, reason, advice } = problem ?? {}
  const missing = /^(?:its tables are missing .*:|Expected the tables .*:) migrate them/
  expect(`${reason} (${code}): ${advice}`).toMatch(line === TABLES ? missing : line)
  expect(health?.store).toMatchObject({ ok: false, roundTrip: null, clockOffset: null })
}

/** Starts an application while its server is down. */
async function startWithout(server: OwnServer, connect: () => Opened, line: RegExp): Promise<void> {
  await server.kill()
  const lines = collectWarnings()
  const app = open(connect())
  await expect(app.auth.ready()).rejects.toMatchObject({ code: 'store_unavailable' })
  await until('told', async () => lines.some((text) => line.test(text))).catch((error) => {
    throw new Error(`${error.message}; the log: ${lines.join('\n')}`)
  })
  expect((await app.login()).status).toBe(503)
  await server.restart()
  await until('up', async () => (await app.login()).status === 200)
}

/** A store, its application's user and an operator. */
describe.skipIf(!HAS_OWN.postgres)(`postgres${HAS_OWN.postgres ? '' : ': NO SERVER, NOT TESTED'}`, () => {
  let server: OwnServer
  let operator: Pool
  const tell = (sql: string) => operator.query(sql)
  const dropConnections = () =>
    tell("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")

  const connect = (options = {}): Opened => {
    const address = { host: '127.0.0.1', port: server.port, user: 'app', database: 'postgres' }
    const pool = withDeadlines(new Pool({ ...address, connectionTimeoutMillis: 1000, ...options }))
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    return { store: sqlStore(db), close: () => db.destroy() }
  }
  beforeAll(async () => {
    server = await startOwn('postgres')
    operator = new Pool({ host: '127.0.0.1', port: server.port, user: 'root', database: 'postgres' })
    operator.on('error', () => undefined)
    await tell('create role app login')
    await tell('grant select, insert, update, delete on all tables in schema public to app')
    await tell('grant usage on all sequences in schema public to app')
  }, TIMEOUT)
  afterAll(async () => {
    await operator?.end()
    await server?.close()
  })

  const connectionsOf = (limit: number) => async () => {
    await tell(`alter role app connection limit ${limit}`)
    await dropConnections()
  }
  const readOnly = (value: string) => async () => {
    await tell(`alter role app set default_transaction_read_only = ${value}`)
    await dropConnections()
  }
  it.each<[string, Trouble]>([
    [
      'its tables are missing',
      {
        begin: () => tell('alter table tokenwright_sessions rename to elsewhere'),
        end: () => tell('alter table elsewhere rename to tokenwright_sessions'),
        status: 500,
        line: TABLES,
      },
    ],
    [
      'it has no connection left',
      {
        begin: connectionsOf(0),
        end: connectionsOf(-1),
        line: /it has no connection left \(53300\): make the pools of all processes together smaller/,
      },
    ],
    [
      'it is a replica',
      {
        begin: readOnly('on'),
        end: readOnly('off'),
        line: /it is a read-only replica \(25006\): give the store a client of the primary/,
      },
    ],
    [
      'its user may not write',
      {
        begin: () => tell('revoke insert, update on tokenwright_sessions from app'),
        end: () => tell('grant insert, update on tokenwright_sessions to app'),
        line: /permission denied \(42501\): grant its user what the guide/,
      },
    ],
  ])('%s', (_, trouble) => goThrough(connect, trouble), TIMEOUT)

  it.skipIf(process.getuid?.() !== 0)(
    'its disk is full',
    async () => {
      const disk = mkdtempSync(join(tmpdir(), 'tokenwright-disk-'))
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk])
      try {
        const { uid, gid } = toUser('postgres')
        const folder = join(disk, 'space')
        mkdirSync(folder)
        execFileSync('chown', [`${uid}:${gid}`, folder])
        await tell(`create tablespace small location '${folder}'`)
        await tell('alter table tokenwright_sessions set tablespace small')
        await goThrough(connect, {
          begin: () => tell('create table ballast (text text) tablespace small'),
          more: () =>
            tell('insert into ballast select repeat(md5(i::text), 30) from generate_series(1, 2000) i').catch(
              () => undefined,
            ),
          end: () => tell('drop table ballast'),
          spares: true,
          line: /no space left \(53100\): make space where it keeps its files/,
        })
        await tell('alter table tokenwright_sessions set tablespace pg_default')
        await tell('drop tablespace small')
      } finally {
        execFileSync('umount', ['-l', disk])
        rmSync(disk, { recursive: true, force: true })
      }
    },
    TIMEOUT,
  )

  it('a pool of one serves all', async () => {
    const app = open(connect({ max: 1 }))
    const logins = await Promise.all(Array.from({ length: 20 }, () => app.login()))
    expect(logins.map(({ status }) => status)).toEqual(Array(20).fill(200))
    const pairs = await Promise.all(logins.map(read))
    const refreshed = await Promise.all(pairs.map(({ refresh_token: token }) => app.refresh(token)))
    expect(refreshed.map(({ status }) => status)).toEqual(Array(20).fill(200))
  })

  it('a pool of one whose connection the application keeps', async () => {
    const address = { host: '127.0.0.1', port: server.port, user: 'app', database: 'postgres' }
    const pool = new Pool({ ...address, max: 1, connectionTimeoutMillis: 500 })
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    let kept: { release(): void } | undefined
    await goThrough(() => ({ store: sqlStore(db), close: () => db.destroy() }), {
      begin: async () => {
        kept = await pool.connect()
      },
      end: () => kept?.release(),
      line: /no connection of the pool became free in time .*make the pool larger/,
    })
  })

  it(
    'it is down at the start',
    () => startWithout(server, connect, /no server listens there \(ECONNREFUSED\): start it/),
    TIMEOUT,
  )
})

describe.skipIf(!HAS_OWN.mysql)(`mysql${HAS_OWN.mysql ? '' : ': NO SERVER, NOT TESTED'}`, () => {
  let server: OwnServer
  const tell = async (...sql: readonly string[]): Promise<void> => {
    const pool = createPool({
      host: '127.0.0.1',
      port: server.port,
      user: 'root',
      connectionLimit: 1,
    }).promise()
    for (const text of sql) await pool.query(text)
    await pool.end()
  }
  const connect = (): Opened => {
    const pool = createPool({ host: '127.0.0.1', port: server.port, user: 'app', database: 'sessions' })
    const db = new Kysely({ dialect: new MysqlDialect({ pool: withDeadlines(pool) }) })
    return { store: sqlStore(db), close: () => db.destroy() }
  }
  beforeAll(async () => {
    server = await startOwn('mysql')
    await tell(
      'create user app@127.0.0.1',
      'create user other@127.0.0.1',
      'grant select, insert, update, delete on sessions.* to app@127.0.0.1',
    )
  }, TIMEOUT)
  afterAll(() => server?.close())

  let others: AsyncPool | undefined
  const dropConnections = () => tell('kill user app@127.0.0.1')
  it.each<[string, Trouble]>([
    [
      'its tables are missing',
      {
        begin: () => tell('rename table sessions.tokenwright_sessions to sessions.elsewhere'),
        end: () => tell('rename table sessions.elsewhere to sessions.tokenwright_sessions'),
        status: 500,
        line: TABLES,
      },
    ],
    [
      'it has no connection left',
      {
        async begin() {
          const pool = createPool({
            host: '127.0.0.1',
            port: server.port,
            user: 'other',
            connectionLimit: 10,
          }).promise()
          others = pool
          // They are there before the application's are dropped: it connects again at any time.
          await Promise.all(Array.from({ length: 10 }, () => pool.getConnection()))
          // The least that the engine takes is ten; the operator's is one more.
          await tell('set global max_connections = 10', 'kill user app@127.0.0.1')
        },
        async end() {
          await tell('set global max_connections = 151')
          await others?.end()
        },
        spares: true,
        line: /it has no connection left \(ER_CON_COUNT_ERROR\): make the pools/,
      },
    ],
    [
      'it is a replica',
      {
        begin: () => tell('set global read_only = 1'),
        end: () => tell('set global read_only = 0'),
        line: /it is a read-only replica \(ER_OPTION_PREVENTS_STATEMENT\): give the store a client of the primary/,
      },
    ],
    [
      'its user may not write',
      {
        async begin() {
          await tell('revoke insert, update on sessions.* from app@127.0.0.1')
          await dropConnections()
        },
        async end() {
          await tell('grant insert, update on sessions.* to app@127.0.0.1')
          await dropConnections()
        },
        line: /permission denied \(ER_TABLEACCESS_DENIED_ERROR\)/,
      },
    ],
  ])('%s', (_, trouble) => goThrough(connect, trouble), TIMEOUT)

  it(
    'it is down at the start',
    () => startWithout(server, connect, /no server listens there \(ECONNREFUSED\): start it/),
    TIMEOUT,
  )
})

describe.skipIf(!HAS_OWN.redis)(`redis${HAS_OWN.redis ? '' : ': NO SERVER, NOT TESTED'}`, () => {
  let server: OwnServer
  let operator: Redis
  const connect = (): Opened => {
    const client = new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: 1 })
    client.on('error', () => undefined)
    return { store: redisStore(client), close: () => client.disconnect() }
  }
  const connectNode = (): Opened => {
    const client = createClient({ socket: { port: server.port, host: '127.0.0.1' } })
    client.on('error', () => undefined)
    client.connect().catch(() => undefined)
    return { store: redisStore(client), close: () => client.destroy() }
  }
  beforeAll(async () => {
    server = await startOwn('redis')
    operator = new Redis(server.port, '127.0.0.1')
    operator.on('error', () => undefined)
  }, TIMEOUT)
  afterAll(async () => {
    operator?.disconnect()
    await server?.close()
  })

  const troubles: readonly [string, Trouble][] = [
    [
      'its memory is full',
      {
        begin: () => operator.config('SET', 'maxmemory', '1mb'),
        end: () => operator.config('SET', 'maxmemory', '0'),
        line: /its memory is full \(OOM\): raise `maxmemory`, and keep `maxmemory-policy noeviction`/,
      },
    ],
    [
      'it is a replica',
      {
        begin: () => operator.replicaof('127.0.0.1', 1),
        end: () => operator.replicaof('NO', 'ONE'),
        line: /it is a read-only replica \(READONLY\): give the store a client of the primary/,
      },
    ],
    [
      'it has too few replicas',
      {
        begin: () => operator.config('SET', 'min-replicas-to-write', '1'),
        end: () => operator.config('SET', 'min-replicas-to-write', '0'),
        line: /it has too few replicas to take writes \(NOREPLICAS\): bring them back/,
      },
    ],
    [
      'its user may not write',
      {
        begin: () => operator.acl('SETUSER', 'default', '-@write'),
        end: () => operator.acl('SETUSER', 'default', '+@write'),
        line: /permission denied \(NOPERM\): grant its user what the guide/,
      },
    ],
  ]
  it.each(troubles)('ioredis: %s', (_, trouble) => goThrough(connect, trouble), TIMEOUT)
  it.each(troubles)('node-redis: %s', (_, trouble) => goThrough(connectNode, trouble), TIMEOUT)

  it.each([
    ['ioredis', connect],
    ['node-redis', connectNode],
  ] as const)(
    '%s: it is down at the start',
    (_, open) =>
      startWithout(server, open, /no server listens there|no connection to it lasts|no response in time/),
    TIMEOUT,
  )
})

describe('sqlite', () => {
  let folder: string
  const path = () => join(folder, 'db')
  let database: InstanceType<typeof DatabaseSync>
  const connect = (): Opened => {
    database = new DatabaseSync(path(), { timeout: 200 })
    const db = new Kysely({ dialect: new SqliteDialect({ database: nodeSqlite(database) }) })
    return { store: sqlStore(db), close: () => db.destroy() }
  }
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tokenwright-trouble-'))
    const db = new Kysely<unknown>({
      dialect: new SqliteDialect({ database: nodeSqlite(new DatabaseSync(path())) }),
    })
    await migrateSql(db)
    await db.destroy()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  let other: InstanceType<typeof DatabaseSync>
  it.each<[string, Trouble]>([
    [
      'its disk is full',
      {
        begin: () => database.exec('pragma max_page_count = 1'),
        end: () => database.exec('pragma max_page_count = 1000000'),
        spares: true,
        line: /no space left \(SQLITE_FULL\): make space/,
      },
    ],
    [
      'it is read-only',
      {
        begin: () => database.exec('pragma query_only = on'),
        end: () => database.exec('pragma query_only = off'),
        line: /it is read-only \(SQLITE_READONLY\): give the process permission/,
      },
    ],
    [
      'another process keeps it locked',
      {
        begin: () => {
          other = new DatabaseSync(path())
          other.exec('begin exclusive')
        },
        end: () => other.close(),
        line: /another process keeps it locked \(SQLITE_BUSY\): end what holds a transaction open/,
      },
    ],
    [
      'its tables are missing',
      {
        begin: () => database.exec('alter table tokenwright_sessions rename to elsewhere'),
        end: () => database.exec('alter table elsewhere rename to tokenwright_sessions'),
        status: 500,
        line: TABLES,
      },
    ],
  ])('%s', (_, trouble) => goThrough(connect, trouble), TIMEOUT)
})
