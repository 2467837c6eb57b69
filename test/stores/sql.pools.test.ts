/**
 * Connections that hang, break or are not to be had: behind a proxy that stops forwarding, with server processes that are
 * ended, and with pools that are lent out.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DeadlineOptions, sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { type Db, HAS, openDatabase, type TestDatabase, toCall, toDraft, together } from './sql-databases.ts'

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** A TCP proxy whose present connections can be made to swallow everything, while new ones work. */
interface Proxy {
  readonly port: number
  freeze(): number
  /** How many connections there were. */
  connections(): number
  refuse(yes: boolean): void
  close(): void
}

async function startProxy(target: number): Promise<Proxy> {
  const pairs: { near: Socket; far: Socket }[] = []
  let refusing = false
  let count = 0
  const server: Server = createServer((near) => {
    count += 1
    near.on('error', () => undefined)
    // Accepted and never answered: what a firewall that drops packets looks like.
    if (refusing) return
    const far = connect({ host: '127.0.0.1', port: target })
    far.on('error', () => near.destroy())
    near.pipe(far)
    far.pipe(near)
    pairs.push({ near, far })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as { port: number }).port,
    freeze() {
      const frozen = pairs.splice(0)
      for (const { near, far } of frozen) {
        near.unpipe(far)
        far.unpipe(near)
        near.resume()
        far.pause()
      }
      return frozen.length
    },
    connections: () => count,
    refuse(yes) {
      refusing = yes
    },
    close() {
      server.close()
      for (const { near, far } of pairs) {
        near.destroy()
        far.destroy()
      }
    },
  }
}

describe.each(['postgres', 'mysql'] as const)('pools of %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    let proxy: Proxy
    const dbs: Db[] = []
    const crashes: unknown[] = []
    const onCrash = (error: unknown): void => {
      crashes.push(error)
    }

    beforeAll(async () => {
      process.on('uncaughtException', onCrash)
      process.on('unhandledRejection', onCrash)
      test = await openDatabase(dialect)
      proxy = await startProxy(dialect === 'postgres' ? 5432 : 3306)
    })
    afterAll(async () => {
      await pause(0.05)
      process.off('uncaughtException', onCrash)
      process.off('unhandledRejection', onCrash)
      await Promise.all(dbs.map((db) => Promise.race([db.destroy(), pause(0.3)])))
      proxy?.close()
      await test?.close()
      expect(crashes).toEqual([])
    })

    /** A pool of its own, of drivers with their default settings. */
    function open(port: number, connections: number, options: DeadlineOptions, patience = 0): Db {
      const db: Db = new Kysely({ dialect: toDialect({ port, connections, patience }, options) })
      dbs.push(db)
      return db
    }

    function toDialect(
      { port, connections, patience }: { port: number; connections: number; patience: number },
      options: DeadlineOptions,
    ) {
      if (dialect === 'postgres') {
        const search = `-c search_path=${test.path}`
        const settings = { host: '127.0.0.1', port, user: 'root', database: 'test', options: search }
        return new PostgresDialect({
          pool: withDeadlines(
            new Pool({ ...settings, max: connections, connectionTimeoutMillis: patience }),
            options,
          ),
        })
      }
      const settings = { host: '127.0.0.1', port, user: 'root', database: test.path }
      return new MysqlDialect({
        pool: withDeadlines(createPool({ ...settings, connectionLimit: connections }), options),
      })
    }

    it('close connections that hang, and continue with new ones', { timeout: 20_000 }, async () => {
      const store = sqlStore(open(proxy.port, 3, { deadline: 0.3 }))
      const { sid } = toDraft()
      await store.start(toDraft({ sid }), null)
      await together(6, () => store.now())
      expect(proxy.freeze()).toBe(3)
      const asked = Date.now()
      const answers = await Promise.allSettled(Array.from({ length: 3 }, () => store.now()))
      expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
      expect(answers[0]).toMatchObject({ reason: { name: 'DeadlineError', code: 'ETIMEDOUT' } })
      expect(Date.now() - asked).toBeLessThan(700)
      // Not one of the three is lent again.
      for (let i = 0; i < 6; i++)
        expect((await store.rotate(toCall(sid, i, { overlap: 0 }))).word).toBe('rotated')
      expect(crashes).toEqual([])
    })

    it('close every connection that is older than a failure', { timeout: 20_000 }, async () => {
      const store = sqlStore(open(proxy.port, 3, { deadline: 0.3 }))
      await together(6, () => store.now())
      const before = proxy.connections()
      expect(proxy.freeze()).toBeGreaterThanOrEqual(3)
      await expect(store.now()).rejects.toMatchObject({ name: 'DeadlineError' })
      // The other two would have hung as well: no call waits for them.
      for (let i = 0; i < 3; i++) expect(await store.now()).toBeGreaterThan(1e9)
      await together(6, () => store.now())
      const made = proxy.connections() - before
      expect(made).toBeLessThanOrEqual(3)
      // What was made after it stays.
      await together(6, () => store.now())
      expect(proxy.connections() - before).toBe(made)
    })

    it('close a connection that hangs within a transaction', { timeout: 20_000 }, async () => {
      const db = open(proxy.port, 1, { deadline: 0.3 })
      const store = sqlStore(db)
      await store.now()
      const hanging = db.transaction().execute(async () => {
        expect(proxy.freeze()).toBe(1)
        await store.now().catch(() => undefined)
      })
      await expect(hanging).rejects.toThrow(/longer than|hung/)
      expect(await store.now()).toBeGreaterThan(1e9)
    })

    it('limit the wait for a connection, and release it when it comes too late', {
      timeout: 20_000,
    }, async () => {
      const db = open(proxy.port, 1, { deadline: 0.3 })
      const store = sqlStore(db)
      let asked = 0
      await db.connection().execute(async () => {
        asked = Date.now()
        await expect(store.now()).rejects.toThrow(/connection|connect/)
        expect(Date.now() - asked).toBeLessThan(600)
      })
      for (let i = 0; i < 3; i++) expect(await store.now()).toBeGreaterThan(1e9)
    })

    it('release the connection that came too late, from a pool with a longer timeout', async () => {
      const db = open(proxy.port, 1, { deadline: 0.3 }, 5000)
      const store = sqlStore(db)
      await db.connection().execute(async () => {
        await expect(store.now()).rejects.toThrow(/wait for a connection took longer/)
      })
      for (let i = 0; i < 3; i++) expect(await store.now()).toBeGreaterThan(1e9)
    })

    it('limit the time to connect, and recover', { timeout: 20_000 }, async () => {
      const store = sqlStore(open(proxy.port, 2, { deadline: 0.3 }))
      proxy.refuse(true)
      const asked = Date.now()
      await expect(store.now()).rejects.toThrow()
      expect(Date.now() - asked).toBeLessThan(600)
      proxy.refuse(false)
      if (dialect === 'postgres') {
        await pause(0.1)
        expect(await store.now()).toBeGreaterThan(1e9)
      } else {
        // mysql2 gives up a connection that is never made after its own connectTimeout; there is room for one more.
        expect(await store.now()).toBeGreaterThan(1e9)
      }
    })

    it('survive the end of their server processes, idle and busy', { timeout: 20_000 }, async () => {
      const db = open(dialect === 'postgres' ? 5432 : 3306, 2, { deadline: 2 })
      const store = sqlStore(db)
      await together(4, () => store.now())
      const end = async (which: string): Promise<number> => {
        const found =
          dialect === 'postgres'
            ? await test.sql(
                `select pg_terminate_backend(pid) from pg_stat_activity where ${which} and pid <> pg_backend_pid()`,
              )
            : await test.sql(
                `select id from information_schema.processlist where ${which} and id <> connection_id()`,
              )
        if (dialect === 'mysql') for (const { id } of found) await test.sql(`kill ${id}`)
        return found.length
      }
      const mine =
        dialect === 'postgres'
          ? "query like '/* tokenwright */ select coalesce(%'"
          : `db = '${test.path}' and command = 'Sleep'`
      expect(await end(`${mine} ${dialect === 'postgres' ? "and state = 'idle'" : ''}`)).toBeGreaterThan(0)
      await pause(0.1)
      expect(await store.now()).toBeGreaterThan(1e9)

      const sleeping = db.connection().execute((connection) =>
        connection.executeQuery({
          sql: dialect === 'postgres' ? 'select pg_sleep(5), 4711' : 'select sleep(5), 4711',
          parameters: [],
          query: { kind: 'RawNode', sqlFragments: [''], parameters: [] },
          queryId: { queryId: '' },
        }),
      )
      sleeping.catch(() => undefined)
      await pause(0.1)
      expect(
        await end(dialect === 'postgres' ? "query like '%pg_sleep(5), 4711'" : "info like '%sleep(5), 4711'"),
      ).toBe(1)
      await expect(sleeping).rejects.toThrow()
      // And one that is lent but does nothing.
      await db.connection().execute(async () => {
        await pause(0.05)
        if (dialect === 'postgres') await end(`${mine} and state = 'idle'`)
        else await end(mine)
        await pause(0.1)
      })
      expect(await store.now()).toBeGreaterThan(1e9)
      expect(crashes).toEqual([])
    })

    it('do not interrupt what takes less than the deadline', async () => {
      const db = open(dialect === 'postgres' ? 5432 : 3306, 1, { deadline: '2s' })
      const answers = await together(20, () => sqlStore(db).now())
      expect(answers).toHaveLength(20)
    })
  })
})

describe('the deadline of a pool', () => {
  it('is checked', () => {
    const pool = {
      options: {},
      on: () => undefined,
      connect: async () => Promise.reject(),
      end: async () => undefined,
    }
    expect(() => withDeadlines(pool, { deadline: '0s' })).toThrow(/`deadline`/)
    expect(() => withDeadlines(pool, { dedline: '1s' } as object)).toThrow(/did you mean `deadline`/)
    expect(withDeadlines(pool, { deadline: '1s' }).options).toEqual({ connectionTimeoutMillis: 1000 })
  })
})
