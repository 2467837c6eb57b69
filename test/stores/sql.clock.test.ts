/** The store's clock and its waits: locks held by others, servers that stop for a while, and answers for which nobody waits. */
import { createPool } from 'mysql2/promise'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { Store } from '../../src/session/store.ts'
import { sqlStore } from '../../src/stores/sql.ts'
import { HAS, MYSQL, openDatabase, PG, type TestDatabase, toCall, toDraft } from './sql-databases.ts'
import { startWorkers } from './sql-workers.ts'

const ENDED = { logTtl: 900, now: null } as const
const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** In an object, because a promise of a promise would be awaited to its end. */
type Hold = (
  seconds: number,
  table: 'sessions' | 'subjects' | 'attempts',
) => Promise<{ readonly released: Promise<void> }>

/** Locks all rows of a table for a while, without changing them; answers when they are locked, with a promise of the release. */
function toHold(test: TestDatabase): Hold {
  const take = (table: string): string => `select 1 from ${test.path}.tokenwright_${table} for update`
  if (test.dialect === 'postgres') {
    return async (seconds, table) => {
      const client = new Client(PG)
      await client.connect()
      await client.query('begin')
      await client.query(take(table))
      const release = async (): Promise<void> => {
        await pause(seconds)
        await client.query('rollback')
        await client.end()
      }
      return { released: release() }
    }
  }
  if (test.dialect === 'mysql') {
    return async (seconds, table) => {
      const pool = createPool({ ...MYSQL, connectionLimit: 1 })
      const connection = await pool.getConnection()
      await connection.query('begin')
      await connection.query(take(table))
      const release = async (): Promise<void> => {
        await pause(seconds)
        await connection.query('rollback')
        connection.release()
        await pool.end()
      }
      return { released: release() }
    }
  }
  return async (seconds) => {
    const [worker] = await startWorkers(1, test.path)
    const released = worker!.tell<void>('hold', { seconds }).then(() => worker!.close())
    await pause(0.05)
    return { released }
  }
}

describe.each(['postgres', 'mysql', 'sqlite'] as const)('the clock of %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    let store: Store
    let hold: Hold

    beforeAll(async () => {
      test = await openDatabase(dialect)
      store = test.store
      hold = toHold(test)
    })
    afterAll(() => test?.close())

    const begin = async (over = {}): Promise<SessionRow> =>
      (await store.start(toDraft(over), null)) as SessionRow

    it('is the time after a wait for a lock, not the one before', async () => {
      const { sid, sub } = await begin()
      const other = await begin()
      const spare = await begin()
      await store.countAttempt(sid, 5, 60, null)
      const waits = [
        async () => (await store.rotate(toCall(sid, 0))).row?.rotatedAt,
        async () => {
          await store.end(other.sid, 'ended', ENDED)
          return (await store.get(other.sid))?.revokedAt
        },
        async () => {
          const call = { sid: spare.sid, authTime: 1, acr: null, amr: null, notAfter: null, now: null }
          return (await store.stepUp(call)).row?.lastUsedAt
        },
      ]
      const { released } = await hold(0.5, 'sessions')
      const before = Date.now() / 1000
      const moments = await Promise.all(waits.map((wait) => wait()))
      await released
      for (const moment of moments) expect(Number(moment) - before).toBeGreaterThan(0.35)

      const subjects = await hold(0.4, 'subjects')
      const asked = Date.now() / 1000
      const row = await store.start(toDraft({ sub }), null)
      await subjects.released
      expect(Number(row?.createdAt) - asked).toBeGreaterThan(0.25)

      const attempts = await hold(0.4, 'attempts')
      const long = await store.countAttempt(sid, 1, 60, null)
      await attempts.released
      expect(long).toMatchObject({ allowed: false, retryAfter: expect.toSatisfy((left) => left <= 60) })
    })

    it('returns `late` and writes nothing if a lock was held beyond notAfter', async () => {
      const { sid } = await begin()
      const old = await begin()
      await store.rotate(toCall(old.sid, 5))
      const notAfter = (await store.now()) + 0.15
      const { released } = await hold(0.4, 'sessions')
      const words = await Promise.all([
        store.rotate(toCall(sid, 0, { notAfter })),
        store.rotate(toCall(sid, 3, { notAfter })),
        store.rotate(toCall(sid, 0, { notAfter, rotation: false })),
        store.rotate(toCall(old.sid, 2, { notAfter })),
        store.stepUp({ sid, authTime: 1, acr: null, amr: null, notAfter, now: null }),
      ])
      await released
      expect(words.map(({ word }) => word)).toEqual(['late', 'late', 'late', 'late', 'late'])
      expect(await store.get(sid)).toMatchObject({ gen: 0, revokedAt: null, authTime: null })
      expect(await store.get(old.sid)).toMatchObject({ gen: 6, revokedAt: null })
      expect((await store.rotate(toCall(sid, 0))).word).toBe('rotated')
    })

    it('stops waiting for a lock, and works again when it is free', { timeout: 20_000 }, async () => {
      const impatient = sqlStore(test.db, { deadline: dialect === 'mysql' ? '1s' : 0.4 })
      const { sid } = await begin()
      const { released } = await hold(dialect === 'mysql' ? 2.6 : 1.2, 'sessions')
      const asked = Date.now()
      let ticks = 0
      const ticking = setInterval(() => ticks++, 20)
      await expect(impatient.rotate(toCall(sid, 0))).rejects.toThrow(/lock/i)
      clearInterval(ticking)
      expect(Date.now() - asked).toBeLessThan(dialect === 'mysql' ? 2400 : 1000)
      // Nobody stood still meanwhile.
      expect(ticks).toBeGreaterThan(8)
      await released
      expect((await impatient.rotate(toCall(sid, 0))).word).toBe('rotated')
    })

    it('is the same for its reads, and close to this machine’s', async () => {
      const now = await store.now()
      expect(Math.abs(now - Date.now() / 1000)).toBeLessThan(0.2)
      const page = await store.readLog(null, 1)
      expect(Math.abs(page.now - now)).toBeLessThan(0.2)
      const { now: unknown } = await store.rotate(toCall('nobody', 0))
      expect(Math.abs(unknown - now)).toBeLessThan(0.2)
    })
  })
})

describe.skipIf(!HAS.postgres)('a server process of PostgreSQL that is stopped for a while', () => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await openDatabase('postgres')
  })
  afterAll(() => test?.close())

  it('returns `late` for a call after its deadline', async () => {
    const { store } = test
    const { sid } = (await store.start(toDraft(), null)) as SessionRow
    // One connection, whose server process is stopped while the others go on.
    const slow = sqlStore(test.open(1, { deadline: '10s' }))
    await slow.now()
    const [stopped] = await test.sql(
      `select pid from pg_stat_activity where state = 'idle' and query like '/* tokenwright */ select coalesce%' and pid <> pg_backend_pid() order by state_change desc limit 1`,
    )
    const pid = Number(stopped?.['pid'])
    process.kill(pid, 'SIGSTOP')
    let answer: Awaited<ReturnType<Store['rotate']>>
    try {
      const notAfter = Date.now() / 1000 + 0.2
      const hanging = slow.rotate(toCall(sid, 0, { notAfter, overlap: 0 }))
      await pause(0.1)
      expect((await store.rotate(toCall(sid, 0, { overlap: 0 }))).word).toBe('rotated')
      expect((await store.rotate(toCall(sid, 1, { overlap: 0 }))).word).toBe('rotated')
      await pause(0.3)
      process.kill(pid, 'SIGCONT')
      answer = await hanging
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    // Without notAfter this is a reuse, and ends the session of an honest user.
    expect(answer.word).toBe('late')
    expect(await store.get(sid)).toMatchObject({ gen: 2, revokedAt: null })
  })
})
