/** The schema: made by one or by many at once, with the Migrator of Kysely or without, and missed when it is not there. */
import { type Migration, type MigrationProvider, Migrator } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrateSql, sqlMigrations, sqlStore } from '../../src/stores/sql.ts'
import { HAS, openDatabase, type TestDatabase, toCall, toDraft, together } from './sql-databases.ts'
import { startWorkers } from './sql-workers.ts'

/** The migrations, in their order. */
const STEPS = ['tokenwright_0001_sessions', 'tokenwright_0002_realms', 'tokenwright_0003_session_details']

describe.each(['postgres', 'mysql', 'sqlite'] as const)('the schema on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    beforeAll(async () => {
      test = await openDatabase(dialect, false)
    })
    afterAll(() => test?.close())

    it('is required by every call', async () => {
      const missing = /Expected the tables tokenwright_\* in version 3, found none.*migrateSql/
      await expect(test.store.inspect()).rejects.toThrow(missing)
      await expect(test.store.start(toDraft(), null)).rejects.toThrow(missing)
      await expect(test.store.rotate({ ...CALL })).rejects.toMatchObject({ name: 'ConfigurationError' })
      await expect(test.store.readLog(null, 1)).rejects.toThrow(missing)
    })

    it('is created once by many processes that start at the same time', async () => {
      if (dialect === 'sqlite') {
        const workers = await startWorkers(4, test.path)
        const made = await Promise.all(workers.map((worker) => worker.tell<string[]>('migrate')))
        for (const worker of workers) worker.close()
        expect(made.flat()).toEqual(STEPS)
      } else {
        const made = await together(12, () => migrateSql(test.open(2)))
        expect(made.flat()).toEqual(STEPS)
      }
      expect(await test.store.inspect()).toEqual([])
      expect(await migrateSql(test.db)).toEqual([])
    })

    it('can exist more than once, with different prefixes', async () => {
      await migrateSql(test.db, { prefix: 'other_' })
      const other = sqlStore(test.db, { prefix: 'other_' })
      const draft = toDraft()
      await other.start(draft, null)
      expect(await other.get(draft.sid)).toMatchObject({ sid: draft.sid })
      expect(await test.store.get(draft.sid)).toBeNull()
    })

    // The Migrator of Kysely 0.29 needs Node 22: see test/runtimes/kysely.test.mjs.
    it('is created and removed by the Migrator of Kysely', async () => {
      const prefix = 'm28_'
      const provider: MigrationProvider = sqlMigrations({ prefix })
      const first: Record<string, Migration> = await provider.getMigrations()
      expect(Object.keys(first)).toEqual(STEPS)
      const migrator = new Migrator({
        db: test.db,
        provider,
        migrationTableName: `${prefix}migration`,
        migrationLockTableName: `${prefix}lock`,
      })
      const { error, results } = await migrator.migrateToLatest()
      expect(error).toBeUndefined()
      expect(results?.map(({ status }) => status)).toEqual(STEPS.map(() => 'Success'))
      const store = sqlStore(test.db, { prefix })
      expect(await store.inspect()).toEqual([])
      expect(await migrateSql(test.db, { prefix })).toEqual([])
      for (const version of [2, 1]) {
        expect((await migrator.migrateDown()).error).toBeUndefined()
        await expect(store.inspect()).rejects.toThrow(`found version ${version}`)
      }
      expect((await migrator.migrateDown()).error).toBeUndefined()
      await expect(store.inspect()).rejects.toThrow(/found none/)
    })

    it('of a later version serves this one, which starts again after a roll-back', async () => {
      await migrateSql(test.db)
      // Later versions add: columns with defaults, and tables.
      for (const table of ['sessions', 'subjects', 'log', 'attempts', 'counters'])
        await test.sql(`alter table tokenwright_${table} add column later bigint not null default 7`)
      await test.sql('create table tokenwright_later (id bigint not null primary key)')
      await test.sql("update tokenwright_counters set n = 4 where name = 'schema'")
      expect(await migrateSql(test.open(1))).toEqual([])
      const store = sqlStore(test.open(1))
      expect(await store.inspect()).not.toContainEqual(expect.stringMatching(/version/))
      const draft = toDraft()
      await store.start(draft, null)
      expect((await store.rotate(toCall(draft.sid, 0))).word).toBe('rotated')
      expect(await store.update({ sid: draft.sid, label: 'Phone', now: null })).toMatchObject({
        label: 'Phone',
      })
      const call = { logTtl: 900, now: null, except: null, cutOff: 900 }
      expect(await store.endAll(draft, 'subject_revoked', call)).toBe(1)
      expect((await store.readLog(null, 100)).entries).toHaveLength(2)
      await store.countAttempt('a', 5, 60, null)
      await store.prune(null)
    })

    it('is reported as older if it is older', async () => {
      await test.sql("update other_counters set n = 0 where name = 'schema'")
      const other = sqlStore(test.db, { prefix: 'other_' })
      await expect(other.inspect()).rejects.toThrow(/in version 3, found version 0/)
      expect(await migrateSql(test.db, { prefix: 'other_' })).toEqual(STEPS)
      expect(await other.inspect()).toEqual([])
    })
  })
})

describe('warnings at the start', () => {
  let tests: TestDatabase[] = []
  beforeAll(async () => {
    const here = (['postgres', 'mysql', 'sqlite'] as const).filter((dialect) => HAS[dialect])
    tests = await Promise.all(here.map((dialect) => openDatabase(dialect)))
  })
  afterAll(async () => {
    await Promise.all(tests.map((test) => test.close()))
  })

  /** What `inspect` says on one connection with these settings. */
  async function warnings(dialect: string, settings: readonly string[]): Promise<readonly string[] | null> {
    const test = tests.find((each) => each.dialect === dialect)
    if (test === undefined) return null
    // SQLite leaves its write-ahead log only where nobody else has the file open.
    return (dialect === 'sqlite' ? test.db : test.open(1)).connection().execute(async (connection) => {
      for (const sql of settings) {
        const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] } as const
        await connection.executeQuery({ sql, parameters: [], query, queryId: { queryId: '' } })
      }
      return sqlStore(connection).inspect()
    })
  }

  it.skipIf(!HAS.postgres)('warn of a PostgreSQL that may lose data', async () => {
    expect(await warnings('postgres', ['set synchronous_commit = off'])).toEqual([
      expect.stringContaining('synchronous_commit off'),
    ])
  })

  it.skipIf(!HAS.mysql)('warn of a MySQL that cuts strings or ignores backslashes', async () => {
    expect(await warnings('mysql', ["set sql_mode = 'NO_BACKSLASH_ESCAPES'"])).toEqual([
      expect.stringContaining('not strict'),
      expect.stringContaining('NO_BACKSLASH_ESCAPES'),
    ])
  })

  it('warn of an SQLite that may lose data or block', async () => {
    const settings = [
      'pragma synchronous = off',
      'pragma journal_mode = memory',
      'pragma busy_timeout = 5000',
    ]
    expect(await warnings('sqlite', settings)).toEqual([
      expect.stringContaining('synchronous off'),
      expect.stringContaining('journal in memory'),
      expect.stringContaining('blocks the whole process'),
    ])
  })
})

const CALL = {
  sid: 'a',
  gen: 0,
  overlap: 10,
  idle: 1000,
  rotation: true,
  notAfter: null,
  now: null,
  logTtl: 900,
  seen: null,
} as const
