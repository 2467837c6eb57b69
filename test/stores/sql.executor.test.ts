/** The application's own functions in place of Kysely: what is refused, joined and retried; and names behind a pooler. */
import { DatabaseSync } from '@photostructure/sqlite'
import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/internal/configuration-error.ts'
import { migrateSql, type SqlExecutor, type SqlRun, sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { HAS_PGBOUNCER, openPgbouncer } from '../contract/engines.ts'
import { HAS, openDatabase, PG, toCall, toDraft, together } from './sql-databases.ts'

function openSqlite(): { database: InstanceType<typeof DatabaseSync>; run: SqlRun } {
  const database = new DatabaseSync(':memory:')
  return { database, run: (sql, parameters) => database.prepare(sql).all(...parameters) }
}

describe('functions in place of Kysely', () => {
  const run: SqlRun = async () => []

  it.each<[string, object, RegExp]>([
    ['MySQL without transactions', { dialect: 'mysql', run }, /`transaction`/],
    ['batches where each step is one statement', { dialect: 'postgres', run, batch: run }, /`batch`/],
    ['a dialect that there is not', { dialect: 'oracle', run }, /'postgres'/],
    ['none', { run }, /dialect/],
    ['what is no function', { dialect: 'sqlite', run, transaction: true }, /transaction/],
    ['a misspelt option', { dialect: 'sqlite', run, transactions: run }, /transactions/],
  ])('are refused: %s', (_, executor, message) => {
    expect(() => sqlStore(executor as SqlExecutor)).toThrow(ConfigurationError)
    expect(() => sqlStore(executor as SqlExecutor)).toThrow(message)
  })

  it('must return rows, and not what a driver wraps them in', async () => {
    const store = sqlStore({ dialect: 'postgres', run: async () => ({ rows: [], rowCount: 0 }) })
    await expect(store.now()).rejects.toThrow(/resolves to the rows/)
    await expect(store.rotate(toCall('sid', 0))).rejects.toThrow(ConfigurationError)
  })

  it('join a transaction of the caller, and retry nothing in it', async () => {
    const { database, run } = openSqlite()
    await migrateSql({ dialect: 'sqlite', run })
    database.exec('begin')
    const joined = sqlStore({ dialect: 'sqlite', run, isTransaction: true })
    const draft = toDraft()
    await joined.start(draft, null)
    expect(await joined.get(draft.sid)).not.toBeNull()
    database.exec('rollback')
    expect(await joined.get(draft.sid)).toBeNull()
    database.close()
  })

  it('tell of missing tables, also where a query builder wraps the error', async () => {
    const { database, run } = openSqlite()
    const wrapped: SqlRun = async (sql, parameters) => {
      try {
        return await run(sql, parameters)
      } catch (cause) {
        throw new Error('Failed query', { cause: new Error('once more', { cause }) })
      }
    }
    await expect(sqlStore({ dialect: 'sqlite', run: wrapped }).get('sid')).rejects.toThrow(
      /tokenwright migrate/,
    )
    database.close()
  })

  it.each([
    ['Drizzle', new Error('Failed query', { cause: Object.assign(new Error(), { code: '40P01' }) })],
    ['Prisma', Object.assign(new Error('Raw query failed'), { code: 'P2010', meta: { code: '40001' } })],
  ])('are called again after a deadlock that %s wraps', async (_, error) => {
    const { database, run } = openSqlite()
    await migrateSql({ dialect: 'sqlite', run })
    let failures = 2
    const store = sqlStore({
      dialect: 'sqlite',
      run(sql, parameters) {
        if (failures-- > 0) throw error
        return run(sql, parameters)
      },
    })
    expect(await store.get('sid')).toBeNull()
    expect(failures).toBeLessThan(0)
    database.close()
  })

  it('finish a migration of statements alone, wherever an earlier one stopped', async () => {
    const describeTables = (database: ReturnType<typeof openSqlite>['database']) =>
      database.prepare('select sql from sqlite_master order by name').all()
    const batch = async () => undefined
    const whole = openSqlite()
    let statements = 0
    await migrateSql({
      dialect: 'sqlite',
      batch,
      run(sql, parameters) {
        statements += 1
        return whole.run(sql, parameters)
      },
    })
    expect(statements).toBeGreaterThan(20)
    for (let stop = 1; stop <= statements; stop++) {
      const { database, run } = openSqlite()
      let count = 0
      const stopped = migrateSql({
        dialect: 'sqlite',
        batch,
        run(sql, parameters) {
          count += 1
          if (count === stop) throw new Error('stopped')
          return run(sql, parameters)
        },
      })
      await expect(stopped).rejects.toThrow('stopped')
      await migrateSql({ dialect: 'sqlite', batch, run })
      expect(describeTables(database), `stopped at ${stop}`).toEqual(describeTables(whole.database))
      await sqlStore({ dialect: 'sqlite', run }).inspect()
      database.close()
    }
    whole.database.close()
  })

  it('do a step again whose rows changed before its batch', async () => {
    const { database, run } = openSqlite()
    await migrateSql({ dialect: 'sqlite', run })
    let between: (() => Promise<unknown>) | undefined
    const plain = sqlStore({ dialect: 'sqlite', run })
    const store = sqlStore({
      dialect: 'sqlite',
      run,
      async batch(statements) {
        const work = between
        between = undefined
        await work?.()
        database.exec('begin')
        try {
          for (const { sql, parameters } of statements) run(sql, parameters)
          database.exec('commit')
        } catch (error) {
          database.exec('rollback')
          throw error
        }
      },
    })
    const { sid, sub } = toDraft()
    await store.start(toDraft({ sid, sub }), null)
    between = () => plain.end(sid, 'ended', { logTtl: 900, now: null })
    expect((await store.rotate(toCall(sid, 0))).word).toBe('revoked')
    // A start that a cut-off overtakes is refused; an end of all finds the session that overtook it.
    between = () =>
      plain.endAll({ sub, realm: null }, 'subject_revoked', {
        logTtl: 900,
        now: null,
        except: null,
        cutOff: 9,
      })
    expect(await store.start(toDraft({ sub, provedAt: 1 }), null)).toBeNull()
    const other = toDraft()
    between = () => plain.start(other, null)
    const call = { logTtl: 900, now: null, except: null, cutOff: null }
    expect(await store.endAll({ sub: other.sub, realm: null }, 'ended', call)).toBe(1)
    const page = await store.readLog(null, 100)
    expect(page.entries.filter(({ kind }) => kind === 'sid').map(({ key }) => key)).toEqual([sid, other.sid])
    database.close()
  })
})

describe.skipIf(!HAS.postgres)('PostgreSQL over functions', () => {
  it('is migrated by several processes at once, without transactions', async () => {
    const database = await openDatabase('postgres', false)
    const pool = new Pool({ ...PG, max: 8, options: `-c search_path=${database.path}` })
    try {
      const run: SqlRun = async (sql, parameters) => (await pool.query(sql, parameters)).rows
      const done = await together(8, () => migrateSql({ dialect: 'postgres', run }))
      expect(done.length).toBe(8)
      expect(await migrateSql({ dialect: 'postgres', run })).toEqual([])
      expect(await sqlStore({ dialect: 'postgres', run }).inspect()).toEqual([])
    } finally {
      await pool.end()
      await database.close()
    }
  })
})

describe.skipIf(!HAS_PGBOUNCER)('statements with names behind PgBouncer in transaction mode', () => {
  it.each([
    ['go on without names', undefined],
    ['have none where that is asked', { named: false }],
  ])('%s', async (_, options) => {
    const { store, pool, close } = await openPgbouncer(options)
    const named: unknown[] = []
    pool.on('connect', (client: { query(...call: unknown[]): unknown }) => {
      const query = client.query.bind(client)
      client.query = (...call) => {
        const { name } = Object(call[0]) as { name?: string }
        if (name !== undefined) named.push(name)
        return query(...call)
      }
    })
    try {
      const drafts = Array.from({ length: 100 }, () => toDraft())
      for (const draft of drafts.slice(0, 5)) await store.start(draft, null)
      await Promise.all(drafts.slice(5).map((draft) => store.start(draft, null)))
      const words = await Promise.all(
        drafts.map(async ({ sid }) => (await store.rotate(toCall(sid, 0))).word),
      )
      expect(new Set(words)).toEqual(new Set(['rotated']))
      await Promise.all(drafts.map(({ sid }) => store.end(sid, 'ended', { logTtl: 900, now: null })))
      const before = named.length
      await Promise.all(drafts.map(({ sid }) => store.get(sid)))
      expect(named.length).toBe(before)
      if (options !== undefined) expect(named).toEqual([])
    } finally {
      await close?.()
    }
  })
})

it('`named` is no option of a pool of mysql2', () => {
  const pool = { getConnection: () => undefined, end: () => undefined }
  expect(() => withDeadlines(pool, { named: false })).toThrow(ConfigurationError)
})
