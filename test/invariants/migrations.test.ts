/**
 * The migration of tables that are in use: it waits for no transaction long, and what it waits for
 * makes no refresh wait long behind it; and of tables with many rows, none of which it rewrites.
 * `TOKENWRIGHT_ROWS=5000000` for as many.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrateSql, retryTransient, sqlMigrations, sqlStore } from '../../src/stores/sql.ts'
import { createEarlierSql } from '../stores/earlier.ts'
import {
  type Db,
  HAS,
  openDatabase,
  type TestDatabase,
  toCall,
  toDraft,
  toRaw,
} from '../stores/sql-databases.ts'
import { report, size } from './size.ts'

const ROWS = Number(process.env['TOKENWRIGHT_ROWS'] ?? size(50_000, 1_000_000))
const LIMIT = 30_000 + ROWS / 5
/** How long a refresh may take on a machine that does other things, in seconds. */
const PATIENCE = 5

const ask = async (db: Db, text: string) => (await db.executeQuery<Record<string, unknown>>(toRaw(text))).rows

/** Inserts that many sessions, by SQL that all dialects have: numbers are made of their digits. */
async function insertRows(db: Db): Promise<void> {
  const digits = Array.from({ length: 9 }, (_, n) => `union all select ${n + 1}`).join(' ')
  const places = Array.from({ length: Math.ceil(Math.log10(ROWS)) }, (_, place) => `d${place}`)
  const sum = places.map((name, place) => `${10 ** place} * ${name}.n`).join(' + ')
  await ask(
    db,
    `insert into tokenwright_sessions (sid_key, sub_key, sid, sub, gen, rotated_at, scopes, data, created_at,
    last_used_at, idle_expires_at, absolute_expires_at) with d as (select 0 as n ${digits})
    select k, k, k, k, 0, 1, '[]', '{"roles":["user"]}', 1, 1, 1, 1
    from (select ${sum} as k from ${places.map((name) => `d as ${name}`).join(', ')}) as x where k < ${ROWS}`,
  )
}

/** What a connection says of its waits for locks. */
const BOUNDS = {
  postgres: "select current_setting('lock_timeout') as bound",
  mysql: 'select @@session.lock_wait_timeout as bound',
  sqlite: 'select timeout as bound from pragma_busy_timeout',
} as const

/** Refreshes the sessions of an earlier version, one after the other, until it is told to stop. */
function keepRefreshing(db: Db) {
  const earlier = createEarlierSql(db)
  const words = new Set<string>()
  let [count, longest, isOver] = [0, 0, false]
  const running = (async () => {
    const now = 1_800_000_000
    const drafts = Array.from({ length: 3 }, () => toDraft({ absolute: 1e9 }))
    for (const draft of drafts) await earlier.start(draft, now)
    for (let gen = 0; !isOver; gen++) {
      for (const { sid } of drafts) {
        const begun = performance.now()
        const call = { ...toCall(sid, gen), idle: 1e9, now: now + (gen + 1) * 60 }
        words.add((await retryTransient(() => earlier.rotate(call), 20)).word)
        longest = Math.max(longest, (performance.now() - begun) / 1000)
        count += 1
      }
      await pause(1)
    }
  })()
  return {
    /** How many are done. */
    count: () => count,
    async stop() {
      isOver = true
      await running
      return { count, longest, words: [...words] }
    },
  }
}

describe.each(['postgres', 'mysql', 'sqlite'] as const)('tables in use on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    beforeEach(async () => {
      test = await openDatabase(dialect, false)
      await (await sqlMigrations().getMigrations())['tokenwright_0001_sessions']?.up(test.db)
    })
    afterEach(() => test.close())

    /** A machine that stands still for a moment is not what is tested here. */
    const open = (connections: number): Db => test.open(connections, { deadline: '20s' })

    const readVersion = async () =>
      (await test.sql("select n from tokenwright_counters where name = 'schema'"))[0]?.['n']

    /** A transaction that reads the sessions, on SQLite one that writes, until it is told to stop. */
    const occupy = async (): Promise<() => Promise<void>> => {
      const other = test.open(1)
      let end = () => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      let begin = () => {}
      const begun = new Promise<void>((resolve) => {
        begin = resolve
      })
      const done = other.connection().execute(async (connection) => {
        await ask(connection, dialect === 'sqlite' ? 'begin immediate' : 'begin')
        await ask(connection, 'select count(*) from tokenwright_sessions')
        begin()
        await ended
        await ask(connection, 'commit')
      })
      await begun
      return async () => {
        end()
        await done
      }
    }

    it('a transaction in the way is named after a bounded time, and nothing has waited long', async () => {
      const release = await occupy()
      // A writer of SQLite is in the way of refreshes, too.
      const refreshes = dialect === 'sqlite' ? null : keepRefreshing(open(4))
      const migrating = open(1)
      const [before] = await ask(migrating, BOUNDS[dialect])
      const wait = dialect === 'sqlite' ? 0.5 : 2
      const begun = performance.now()
      const failed = migrateSql(migrating, { wait: `${wait}s` })
      await expect(failed).rejects.toThrow(
        {
          postgres:
            /^The tables tokenwright_\* could not be locked within 2 seconds: a transaction uses them \(client backend \d+, open for \d+ seconds\)\. Nothing was changed: end it or wait for it, then migrate again$/,
          mysql:
            /^The tables .* a transaction uses them \(connection \d+, open for \d+ seconds\)\. What the tables have is in use as before, and the next run adds the rest: end it/,
          sqlite: /^The tables .* another connection writes to the file\. Nothing was changed: end it/,
        }[dialect],
      )
      const seconds = (performance.now() - begun) / 1000
      // As Kysely's Migrator does it on PostgreSQL and SQLite: there a step has one try.
      const step = (await sqlMigrations().getMigrations())['tokenwright_0003_session_details']
      const stepping = migrating.transaction().execute(async (transaction) => step?.up(transaction as never))
      await expect(stepping).rejects.toThrow(
        /^The tables tokenwright_\* could not be locked within 2 seconds/,
      )
      expect(seconds).toBeLessThan(wait + PATIENCE)
      expect(await ask(migrating, BOUNDS[dialect])).toEqual([before])
      expect(Number(await readVersion())).toBe(1)
      await expect(test.sql('select late from tokenwright_sessions')).rejects.toThrow(/late/)
      const { count, longest, words } = (await refreshes?.stop()) ?? {
        count: 1,
        longest: 0,
        words: ['rotated'],
      }
      expect(words).toEqual(['rotated'])
      expect(count).toBeGreaterThan(0)
      expect(longest).toBeLessThan(PATIENCE)
      report(
        'migration',
        dialect,
        `gave up after ${seconds.toFixed(1)} s; ${count} refreshes, longest ${longest.toFixed(2)} s`,
      )
      // Another run, which the transaction lets through after its first attempts.
      const waiting = migrateSql(migrating)
      await pause(700)
      expect(Number(await readVersion())).toBe(1)
      await release()
      expect(await waiting).toHaveLength(2)
      expect(await ask(migrating, BOUNDS[dialect])).toEqual([before])
      expect(await test.store.inspect()).not.toContainEqual(expect.stringMatching(/version/))
    })

    it(
      'many rows are not rewritten, and refreshes go on',
      async () => {
        // A database that is filled takes longer than a call may.
        await insertRows(dialect === 'sqlite' ? test.db : test.open(1, { deadline: '1h' }))
        const files = () =>
          ({
            postgres: () =>
              test.sql(
                `select relname, relfilenode from pg_class where relnamespace = current_schema()::regnamespace order by 1`,
              ),
            // Set below: the server refuses what would copy a table or build it anew.
            mysql: async () => [],
            // Columns are added in the schema's own page; a rewrite would double the file.
            sqlite: async () => [
              { large: Number((await test.sql('pragma page_count'))[0]?.['page_count']) > 1.1 * pages },
            ],
          })[dialect]()
        const pages =
          dialect === 'sqlite' ? Number((await test.sql('pragma page_count'))[0]?.['page_count']) : 0
        const before = await files()
        const migrating = dialect === 'sqlite' ? test.db : open(1)
        if (dialect === 'mysql') await ask(migrating, "set session alter_algorithm = 'INSTANT'")
        const refreshes = keepRefreshing(dialect === 'sqlite' ? test.db : open(4))
        await pause(50)
        const begun = performance.now()
        expect(await migrateSql(migrating)).toHaveLength(2)
        const seconds = (performance.now() - begun) / 1000
        const { count, longest, words } = await refreshes.stop()
        expect(await files()).toEqual(before)
        expect(words).toEqual(['rotated'])
        expect(longest).toBeLessThan(PATIENCE)
        report(
          'migration',
          dialect,
          `${ROWS} rows in ${seconds.toFixed(2)} s; ${count} refreshes around it, longest ${longest.toFixed(2)} s`,
        )
        const store = sqlStore(test.db)
        const draft = toDraft()
        await store.start(draft, null)
        expect((await store.rotate(toCall(draft.sid, 0))).word).toBe('rotated')
      },
      LIMIT,
    )
  })
})
