/** The log that other processes follow: nothing is missed where writers overlap, also not where some take their time to commit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LogEntry, Store } from '../../src/session/store.ts'
import { createDatabase } from '../../src/stores/sql/create-database.ts'
import type { Run } from '../../src/stores/sql/database.ts'
import { createQueries } from '../../src/stores/sql/queries.ts'
import { PROVE } from '../invariants/size.ts'
import { type Db, HAS, openDatabase, type TestDatabase, toDraft, together, toRaw } from './sql-databases.ts'
import { startWorkers, type Worker } from './sql-workers.ts'

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const WRITERS = 20
const EACH = { postgres: 60, mysql: 30, sqlite: 30 } as const

/** Reads on until the writers are done and nothing is left. */
async function follow(store: Store, done: Promise<unknown>): Promise<LogEntry[]> {
  const seen: LogEntry[] = []
  let writing = true
  const ended = done.finally(() => {
    writing = false
  })
  let cursor: string | null = null
  for (let last = false; !last; ) {
    last = !writing
    const page = await store.readLog(cursor, 100)
    seen.push(...page.entries)
    cursor = page.cursor
    if (page.more) last = false
    else await pause(0.002)
  }
  await ended
  return seen
}

describe.each(['postgres', 'mysql', 'sqlite'] as const)('the log on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    let store: Store
    let workers: Worker[] = []

    beforeAll(async () => {
      test = await openDatabase(dialect)
      store = test.store
      if (dialect === 'sqlite') workers = await startWorkers(4, test.path)
    })
    afterAll(async () => {
      for (const worker of workers) worker.close()
      await test?.close()
    })

    /** The store's own steps, inside of a transaction that stays open for a while. */
    async function revokeSlowly(db: Db, key: string): Promise<void> {
      const until = Date.now() + 900_000
      await db.transaction().execute(async (transaction) => {
        await transaction.executeQuery(toRaw("update tokenwright_counters set n = n + 1 where name = 'log'"))
        await transaction.executeQuery(
          toRaw(
            `insert into tokenwright_log (id, kind, key_hash, entry_key, revoked_at, until_at)
             select n, 'jti', '${key}', '${key}', 1, ${until} from tokenwright_counters where name = 'log'`,
          ),
        )
        await pause(Math.random() * 0.01)
      })
    }

    it('loses no entry of many writers, of which a fifth commit slowly', { timeout: 60_000 }, async () => {
      const keysOf = (writer: number): string[] =>
        Array.from({ length: EACH[dialect] }, (_, i) => `key-${writer}-${i}`)
      const writing =
        dialect === 'sqlite'
          ? Promise.all(workers.map((worker, i) => worker.tell('revoke', { keys: keysOf(i) })))
          : together(WRITERS, async (writer) => {
              for (const key of keysOf(writer)) {
                if (Math.random() < 0.2) await revokeSlowly(test.db, key)
                else await store.revokeToken(key, Date.now() / 1000 + 900, null)
              }
            })
      const seen = (await follow(store, writing)).map(({ key }) => key)
      const wanted = Array.from({ length: dialect === 'sqlite' ? 4 : WRITERS }, (_, i) => keysOf(i)).flat()
      expect(seen).toHaveLength(wanted.length)
      expect(new Set(seen)).toEqual(new Set(wanted))
    })

    // MariaDB takes its snapshots not in one moment: under twenty busy writers one entry in ten thousand was seen before the one before it.
    it('is read again if a snapshot shows an entry but not the one before it', async () => {
      const until = Date.now() / 1000 + 900
      const { cursor } = await store.readLog(null, 100_000)
      for (const jti of ['a', 'b', 'c', 'd']) await store.revokeToken(`torn-${jti}`, until, null)
      const database = createDatabase(test.db, {})
      for (const hidden of [['torn-a'], ['torn-b'], ['torn-a', 'torn-c']]) {
        let statements = 0
        const torn: Run = async (statement, values) => {
          const { rows, ...result } = await database.run(statement, values)
          statements += 1
          if (statements > 1) return { ...result, rows }
          const isSeen = (key: unknown): boolean => !hidden.includes(String(key))
          // One row has the whole page: as JSON, or on MySQL a count and lines.
          const hide = (text: string): string => {
            if (dialect !== 'mysql')
              return JSON.stringify(JSON.parse(text).filter((e: string[]) => isSeen(e[2])))
            const lines = text.slice(text.indexOf(' ') + 1).split('\n')
            const left = lines.filter((line) => isSeen(line.split('\t')[4]))
            return `${left.length - 1} ${left.join('\n')}`
          }
          const seen = rows.map((row) => ({ ...row, entries: hide(String(row['entries'])) }))
          return { ...result, rows: seen }
        }
        const { entries } = await createQueries({ ...database, run: torn }).readLog(cursor, 100)
        expect(entries.map(({ key }) => key)).toEqual(['torn-a', 'torn-b', 'torn-c', 'torn-d'])
        expect(statements).toBe(2)
      }
    })

    it('is read from the start if it lost entries that a follower has seen', async () => {
      const until = Date.now() / 1000 + 900
      const start = (await store.readLog(null, 100_000)).cursor
      for (const jti of ['one', 'two', 'three']) await store.revokeToken(jti, until, null)
      const { cursor } = await store.readLog(start, 100)
      const keysAfter = async (): Promise<string[]> => {
        const { entries } = await store.readLog(cursor, 100_000)
        return entries.map(({ key }) => key)
      }
      expect(await keysAfter()).toEqual([])

      // A backup from before two of them is restored.
      await test.sql("delete from tokenwright_log where entry_key in ('two', 'three')")
      await test.sql("update tokenwright_counters set n = n - 2 where name = 'log'")
      expect(await keysAfter()).toContain('one')

      // And then others take their numbers.
      await pause(0.005)
      for (const jti of ['four', 'five', 'six']) await store.revokeToken(jti, until, null)
      expect(await keysAfter()).toEqual(expect.arrayContaining(['one', 'four', 'five', 'six']))
    })

    it('continues after a prune', async () => {
      const soon = Date.now() / 1000 + 0.05
      const start = (await store.readLog(null, 100_000)).cursor
      for (let i = 0; i < 5; i++) await store.revokeToken(`short-${i}`, soon, null)
      const { cursor } = await store.readLog(start, 100)
      await pause(0.1)
      expect(await store.prune(null)).toBeGreaterThanOrEqual(5)
      await store.revokeToken('next', Date.now() / 1000 + 900, null)
      const { entries } = await store.readLog(cursor, 100)
      expect(entries.map(({ key }) => key)).toEqual(['next'])
    })

    it('has keys and realms as they were given, whatever is in them', async () => {
      const { cursor } = await store.readLog(null, 100_000)
      const odd = ['a\tb', 'a\nb', ' a ', '"\\"', 'é\u2028\ud800', '1 2']
      const until = Date.now() / 1000 + 900
      for (const text of odd) await store.revokeToken(text, until, null)
      const call = { logTtl: 900, except: null, cutOff: 900, now: null }
      for (const realm of odd) await store.endAll({ sub: `in ${realm}`, realm }, 'subject_revoked', call)
      const { entries } = await store.readLog(cursor, 100)
      expect(entries.map(({ key }) => key)).toEqual([...odd, ...odd.map((realm) => `in ${realm}`)])
      expect(entries.slice(odd.length).map(({ realm }) => realm)).toEqual(odd)
    })

    it('writes all entries of one step, however many there are', async () => {
      const { sub } = toDraft()
      const rows = await together(230, () => store.start(toDraft({ sub }), null))
      const { cursor } = await store.readLog(null, 100_000)
      const call = { logTtl: 900, except: rows[0]?.sid ?? null, cutOff: 900, now: null }
      expect(await store.endAll({ sub, realm: null }, 'subject_revoked', call)).toBe(229)
      const { entries } = await store.readLog(cursor, 1000)
      expect(entries).toHaveLength(230)
      expect(entries[0]).toMatchObject({ kind: 'sub', key: sub })
      expect(new Set(entries.map(({ key }) => key)).size).toBe(230)
      expect(await store.list({ sub, realm: null }, null)).toHaveLength(1)
    })
  })
})

// As MariaDB does by `group_concat_max_len`, in the middle of a row or after one.
it.skipIf(!HAS.mysql)('the log on mysql is read row by row where the server cuts texts off', async () => {
  const test = await openDatabase('mysql')
  const { store } = test
  const until = Date.now() / 1000 + 900
  const { cursor } = await store.readLog(null, 100_000)
  const keys = Array.from({ length: 40 }, (_, i) => `cut-${i}`)
  for (const key of keys) await store.revokeToken(key, until, null)
  await test.db.connection().execute(async (connection) => {
    await connection.executeQuery(toRaw('set session group_concat_max_len = 1024'))
    const queries = createQueries(createDatabase(connection, {}))
    for (let reading = 0; reading < 2; reading++) {
      const { entries } = await queries.readLog(cursor, 100)
      expect(entries.map(({ key }) => key)).toEqual(keys)
    }
  })
  await test.close()
})

describe.each(['postgres', 'mysql', 'sqlite'] as const)('a long log on %s (S26)', (dialect) => {
  it.skipIf(!HAS[dialect])(
    'is pruned behind entries that live long, and read anew',
    async () => {
      const test = await openDatabase(dialect)
      const [live, all] = PROVE ? [300_000, 1_000_000] : [3000, 9000]
      const now = Date.now()
      try {
        for (let from = 0; from < all; from += 1000) {
          const rows = Array.from({ length: 1000 }, (_, i) => {
            const id = from + i + 1
            const [kind, until] = id <= live ? ['sub', now + 3e10] : ['sid', now - 1000]
            return `(${id}, '${kind}', 'h${id}', 'k${id}', ${now - 1e6}, ${until})`
          })
          const columns = 'id, kind, key_hash, entry_key, revoked_at, until_at'
          await test.sql(`insert into tokenwright_log (${columns}) values ${rows.join(', ')}`)
        }
        await test.sql(`update tokenwright_counters set n = ${all} where name = 'log'`)
        let gone = 0
        while (gone < all - live) {
          const deleted = await test.store.prune(null)
          expect(deleted).toBeGreaterThan(0)
          gone += deleted
        }
        expect(gone).toBe(all - live)
        expect(await follow(test.store, Promise.resolve())).toHaveLength(live)
        await test.store.revokeToken('one more', now / 1000 + 600, null)
        expect(await follow(test.store, Promise.resolve())).toHaveLength(live + 1)
      } finally {
        await test.close()
      }
    },
    600_000,
  )
})
