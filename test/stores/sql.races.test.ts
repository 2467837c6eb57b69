/** Steps that race on real servers: 20 connections, or 4 processes on one SQLite file. */
import {
  type DatabaseConnection,
  Kysely,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
} from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { Rotation, Store } from '../../src/session/store.ts'
import { sqlStore } from '../../src/stores/sql.ts'
import {
  type Db,
  HAS,
  openDatabase,
  type TestDatabase,
  tally,
  toCall,
  toDraft,
  together,
  toSqliteConfig,
} from './sql-databases.ts'
import { startWorkers, type Worker } from './sql-workers.ts'

const ALL = { logTtl: 900, except: null, cutOff: 900, now: null } as const
const ENDED = { logTtl: 900, now: null } as const
const ROUNDS = { postgres: 5, mysql: 5, sqlite: 4 } as const

/** What is in the log after a cursor. */
async function readNew(store: Store, since: string): Promise<string[]> {
  const { entries } = await store.readLog(since, 10_000)
  return entries.map(({ kind, key }) => `${kind} ${key}`)
}

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000))

describe.each(['postgres', 'mysql', 'sqlite'] as const)('races on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    let workers: Worker[] = []
    let store: Store

    beforeAll(async () => {
      test = await openDatabase(dialect)
      store = test.store
      if (dialect === 'sqlite') workers = await startWorkers(4, test.path)
    })
    afterAll(async () => {
      for (const worker of workers) worker.close()
      await test?.close()
    })

    /** 200 parallel calls: over 20 connections, or 50 in each of 4 processes. */
    async function rotateTogether(sid: string, gen: number): Promise<Rotation[]> {
      const call = toCall(sid, gen)
      if (workers.length === 0) return together(200, () => store.rotate(call))
      const tell = (worker: Worker) => worker.tell<Rotation[]>('rotate', { many: 50, call })
      return (await Promise.all(workers.map(tell))).flat()
    }

    it('rotates once, and reports one reuse with one entry in the log', { timeout: 60_000 }, async () => {
      for (let round = 0; round < ROUNDS[dialect]; round++) {
        const { sid } = (await store.start(toDraft(), null)) as SessionRow
        const first = await rotateTogether(sid, 0)
        expect(tally(first.map(({ word }) => word))).toEqual({ rotated: 1, replayed: 199 })
        expect(new Set(first.map(({ row }) => row?.gen))).toEqual(new Set([1]))
        expect((await store.get(sid))?.gen).toBe(1)
        const kept = await rotateTogether(sid, 1)
        expect(tally(kept.map(({ word }) => word))).toEqual({ kept: 200 })

        await store.rotate(toCall(sid, 1, { overlap: 0 }))
        const since = (await store.readLog(null, 100_000)).cursor
        const second = await rotateTogether(sid, 0)
        expect(tally(second.map(({ word }) => word))).toEqual({ reused: 1, revoked: 199 })
        expect(await readNew(store, since)).toEqual([`sid ${sid}`])
      }
    })

    it('with overlap 0 rotates once and treats the next call as theft', async () => {
      for (let round = 0; round < 3; round++) {
        const { sid } = (await store.start(toDraft(), null)) as SessionRow
        const answers = await together(100, () => store.rotate(toCall(sid, 0, { overlap: 0 })))
        expect(tally(answers.map(({ word }) => word))).toEqual({ rotated: 1, reused: 1, revoked: 98 })
        expect(await store.get(sid)).toMatchObject({ gen: 1, revokeReason: 'refresh_reused' })
      }
    })

    it('numbers the reuses of many sessions in sequence', async () => {
      const drafts = Array.from({ length: 60 }, () => toDraft())
      await Promise.all(drafts.map((draft) => store.start(draft, null)))
      await Promise.all(drafts.map(({ sid }) => store.rotate(toCall(sid, 3))))
      const since = (await store.readLog(null, 100_000)).cursor
      const words = await Promise.all(drafts.map(({ sid }) => store.rotate(toCall(sid, 0))))
      expect(tally(words.map(({ word }) => word))).toEqual({ reused: 60 })
      expect((await readNew(store, since)).sort()).toEqual(drafts.map(({ sid }) => `sid ${sid}`).sort())
      const [counter] = await test.sql("select n from tokenwright_counters where name = 'log'")
      const [log] = await test.sql('select max(id) as last from tokenwright_log')
      expect(Number(log?.['last'])).toBe(Number(counter?.['n']))
    })

    it('leaves no active session when a revocation races refreshes', async () => {
      for (let round = 0; round < 40; round++) {
        const { sid, sub } = (await store.start(toDraft(), null)) as SessionRow
        const since = (await store.readLog(null, 100_000)).cursor
        const call = toCall(sid, 0)
        const refreshes = together(8, (i) =>
          workers.length > 0 ? workers[i % 4]!.tell('rotate', { many: 1, call }) : store.rotate(call),
        )
        const ending =
          round % 2 === 0
            ? store.end(sid, 'ended', ENDED)
            : store.endAll({ sub, realm: null }, 'subject_revoked', ALL)
        expect(Number((await Promise.all([ending, refreshes]))[0])).toBe(1)
        const row = (await store.get(sid)) as SessionRow
        expect(row.revokedAt).not.toBeNull()
        expect((await store.rotate(toCall(sid, row.gen))).word).toBe('revoked')
        expect((await readNew(store, since)).filter((entry) => entry === `sid ${sid}`)).toHaveLength(1)
      }
    })

    it('ends every login with an old proof when all sessions are ended', { timeout: 60_000 }, async () => {
      const outcomes: string[] = []
      for (let round = 0; round < 60; round++) {
        const { sub } = toDraft()
        const provedAt = (await store.now()) - 0.001
        const starts = together(4, async (i) => {
          await pause(Math.random() * 0.003)
          const draft = toDraft({ sub, provedAt })
          return workers.length > 0
            ? workers[i]!.tell<SessionRow | null>('start', { draft })
            : store.start(draft, null)
        })
        await pause(Math.random() * 0.003)
        const [ended, rows] = await Promise.all([
          store.endAll({ sub, realm: null }, 'subject_revoked', ALL),
          starts,
        ])
        const started = rows.filter((row) => row !== null).length
        expect(await store.list({ sub, realm: null }, null)).toEqual([])
        expect(ended).toBe(started)
        outcomes.push(started === 0 ? 'none' : started === 4 ? 'all' : 'some')
      }
      // Both orders were met, or the race was none.
      expect(Object.keys(tally(outcomes)).length).toBeGreaterThan(1)
    })

    it('never allows more parallel attempts than the limit', async () => {
      for (let round = 0; round < 5; round++) {
        const key = toDraft().sid
        const answers = await together(60, () => store.countAttempt(key, 5, 60, null))
        expect(answers.filter(({ allowed }) => allowed)).toHaveLength(5)
        const refused = answers.filter(({ allowed }) => !allowed).map(({ retryAfter }) => retryAfter)
        expect(Math.min(...refused)).toBeGreaterThanOrEqual(59)
        expect(Math.max(...refused)).toBeLessThanOrEqual(60)
      }
    })
  })
})

describe('SQLite through a dialect that does not serialize', () => {
  /** As some dialects for other drivers do: everybody gets the one connection at once. */
  class BareDriver extends SqliteDriver {
    readonly #connection: Promise<DatabaseConnection>
    constructor(config: SqliteDialectConfig) {
      super(config)
      this.#connection = this.init().then(() => super.acquireConnection())
    }
    override acquireConnection(): Promise<DatabaseConnection> {
      return this.#connection
    }
    override async releaseConnection(): Promise<void> {}
  }

  it('still runs one step after the other', async () => {
    const test = await openDatabase('sqlite')
    const config = toSqliteConfig(test.path)
    const dialect = new SqliteDialect(config)
    const db: Db = new Kysely({
      dialect: {
        createAdapter: () => dialect.createAdapter(),
        createQueryCompiler: () => dialect.createQueryCompiler(),
        createIntrospector: (each) => dialect.createIntrospector(each),
        createDriver: () => new BareDriver(config),
      },
    })
    const store = sqlStore(db)
    const drafts = Array.from({ length: 20 }, () => toDraft())
    const steps = drafts.flatMap((draft) => [
      store.start(draft, null).then(() => store.rotate(toCall(draft.sid, 0))),
      store.countAttempt(draft.sid, 1, 60, null),
      store.revokeToken(draft.sid, 9e9, null),
      // Is rolled back, and takes nobody else's work along.
      store.start({ ...draft, sid: 'taken' }, null).catch(() => undefined),
    ])
    await Promise.all(steps)
    for (const { sid } of drafts) {
      expect(await store.get(sid)).toMatchObject({ gen: 1 })
      expect((await store.countAttempt(sid, 1, 60, null)).allowed).toBe(false)
    }
    expect((await store.readLog(null, 100)).entries).toHaveLength(20)
    await db.destroy()
    await test.close()
  })
})
