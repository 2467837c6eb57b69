/**
 * The migration of the tables: processes that migrate at once, one that is killed at any of its
 * statements, and an earlier version that serves before, meanwhile and afterwards.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Kysely } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { retryTransient, sqlMigrations, sqlStore } from '../../src/stores/sql.ts'
import { report } from '../invariants/size.ts'
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
import { type SqlSpec, toDialect } from './node/connect.ts'
import type { MigrationResult, MigrationTask } from './node/migrate.ts'

const STEPS = ['tokenwright_0001_sessions', 'tokenwright_0002_realms', 'tokenwright_0003_session_details']
const PROGRAM = new URL('../../dist/test/processes/node/migrate.js', import.meta.url).pathname

/** A process that migrates. */
interface Migrator {
  run(tasks: readonly MigrationTask[]): Promise<MigrationResult[]>
  kill(): Promise<void>
}

const running = new Set<Migrator>()

async function startMigrator(): Promise<Migrator> {
  const child = fork(PROGRAM, [], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  await once(child, 'message')
  const migrator: Migrator = {
    async run(tasks) {
      child.send(tasks)
      return ((await once(child, 'message')) as [MigrationResult[]])[0]
    },
    async kill() {
      running.delete(migrator)
      child.kill('SIGKILL')
      await ended
    },
  }
  running.add(migrator)
  return migrator
}

async function withDb<T>({ spec }: MigrationTask, work: (db: Db) => Promise<T>): Promise<T> {
  const db: Db = new Kysely({ dialect: toDialect(spec) })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

const COLUMNS = `select concat_ws(' ', table_name, column_name, data_type, is_nullable) as it
  from information_schema.columns where table_name like 'PREFIX%'`

/** The columns and indexes of all tables with a prefix. */
const CATALOGS = {
  sqlite: `select m.name || ' ' || p.name || ' ' || p.type as it from sqlite_master as m, pragma_table_info(m.name) as p
    union all select sql from sqlite_master where type = 'index' and sql is not null`,
  postgres: `${COLUMNS} and table_schema = current_schema() union all select replace(indexdef, current_schema(), '')
    from pg_indexes where schemaname = current_schema() and tablename like 'PREFIX%'`,
  mysql: `${COLUMNS} and table_schema = database() union all select concat_ws(' ', table_name, index_name, column_name)
    from information_schema.statistics where table_schema = database() and table_name like 'PREFIX%'`,
} as const

function describeTables(task: MigrationTask): Promise<string[]> {
  const { spec, prefix } = task
  const asked = CATALOGS[spec.kind].replaceAll('PREFIX', prefix)
  return withDb(task, async (db) => {
    const { rows } = await db.executeQuery<{ it: string }>(toRaw(asked))
    return rows.map(({ it }) => it.replaceAll(prefix, '')).sort()
  })
}

describe.each(['postgres', 'mysql', 'sqlite'] as const)('the migration on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with the server', () => {
    let test: TestDatabase
    beforeEach(async () => {
      test = await openDatabase(dialect, false)
    })
    afterEach(async () => {
      for (const migrator of running) await migrator.kill()
      await test.close()
    })

    /** On SQLite each set of tables has a file of its own: a halted process locks the file. */
    const toTask = (prefix: string, more: Partial<MigrationTask> = {}): MigrationTask => {
      const at = { port: dialect === 'postgres' ? 5432 : 3306, user: 'root', database: 'test' }
      const name = dialect === 'sqlite' && prefix !== 'tokenwright_' ? `${test.path}.${prefix}` : test.path
      return { spec: { kind: dialect, name, ...at } as SqlSpec, prefix, haltAt: 0, wait: '30s', ...more }
    }

    it('is finished by the next run wherever a process was killed', async () => {
      const survivor = await startMigrator()
      const [whole] = await survivor.run([toTask('whole_')])
      expect(whole).toMatchObject({ names: STEPS, error: null })
      const wanted = await describeTables(toTask('whole_'))
      expect(wanted.length).toBeGreaterThan(40)
      const last = whole?.statements ?? 0
      // PostgreSQL rolls all of it back: there a few places will do, among them that of the commit.
      const places = Array.from({ length: last }, (_, index) => index + 1).filter(
        (place) => dialect !== 'postgres' || place % 4 === last % 4,
      )
      const tasks = places.map((haltAt) => toTask(`k${String(haltAt).padStart(2, '0')}_`, { haltAt }))
      const victim = await startMigrator()
      expect((await victim.run(tasks)).every(({ halted }) => halted)).toBe(true)
      await victim.kill()
      const again = await survivor.run(tasks.map((task) => ({ ...task, haltAt: 0 })))
      expect(again.map(({ error }) => error)).toEqual(tasks.map(() => null))
      for (const task of tasks) expect(await describeTables(task), task.prefix).toEqual(wanted)
      const { prefix } = tasks.at(-1) as MigrationTask
      await withDb(tasks.at(-1) as MigrationTask, async (db) => {
        const store = sqlStore(db, { prefix })
        const draft = toDraft()
        await store.start(draft, null)
        expect((await store.rotate(toCall(draft.sid, 0))).word).toBe('rotated')
      })
      report('migration', dialect, `killed before ${tasks.length} of ${last} statements`)
    })

    it('is done once by processes that begin at the same time, or waits for the one that does it', async () => {
      const processes = await Promise.all([startMigrator(), startMigrator()])
      const done = await Promise.all(processes.map((each) => each.run([toTask('tokenwright_')])))
      expect(done.flat().map(({ error }) => error)).toEqual([null, null])
      expect(done.flat().flatMap(({ names }) => names ?? [])).toEqual(STEPS)
      const [one, other] = processes
      // Halted in the middle of it, with the lock.
      await one?.run([toTask('slow_', { haltAt: 12 })])
      const [waited] = (await other?.run([toTask('slow_', { wait: '0.5s' })])) ?? []
      expect(waited?.error).toMatch(
        dialect === 'sqlite'
          ? /^The tables slow_\* could not be locked within 0\.5 seconds: another connection writes/
          : /^Another process has been migrating for 0\.5 seconds: wait for it, or end it$/,
      )
      await one?.kill()
      const [finished] = (await other?.run([toTask('slow_')])) ?? []
      expect(finished?.error).toBeNull()
      expect(await describeTables(toTask('slow_'))).toEqual(await describeTables(toTask('tokenwright_')))
    })

    it('signs out no session of an earlier version, which serves before, meanwhile and again', async () => {
      const first = (await sqlMigrations().getMigrations())['tokenwright_0001_sessions']
      await first?.up(test.db)
      const sids = Array.from({ length: 6 }, () => toDraft())
      const words: string[] = []
      let now = 1_800_000_000
      const gens = new Map<string, number>()
      /** Refreshes every session once, by a version. */
      const refresh = async (rotate: ReturnType<typeof toEarlier>): Promise<void> => {
        now += 60
        for (const { sid } of sids) {
          const gen = gens.get(sid) ?? 0
          const { word } = await rotate({ ...toCall(sid, gen), idle: 1e6, now })
          words.push(word)
          gens.set(sid, gen + 1)
        }
      }
      const toEarlier = (db: Db) => {
        const earlier = createEarlierSql(db)
        return (call: Parameters<typeof earlier.rotate>[0]) => retryTransient(() => earlier.rotate(call), 20)
      }
      const before = toEarlier(test.db)
      const earlier = createEarlierSql(test.db)
      for (const draft of sids) await earlier.start({ ...draft, absolute: 1e8 }, now)
      const processes = await Promise.all([startMigrator(), startMigrator()])
      await refresh(before)
      // Two processes migrate, while the earlier version goes on.
      let isOver = false
      const migrating = Promise.all(processes.map((each) => each.run([toTask('tokenwright_')]))).finally(
        () => {
          isOver = true
        },
      )
      do {
        await refresh(before)
        // SQLite runs in this process: nothing else would come to its turn.
        await new Promise(setImmediate)
      } while (!isOver)
      const meanwhile = words.length
      const done = (await migrating).flat()
      expect(done.map(({ error }) => error)).toEqual([null, null])
      expect(done.flatMap(({ names }) => names ?? [])).toEqual(STEPS.slice(1))
      // Both versions by turns; back to the earlier one, in a process that starts; and forward again.
      const store = sqlStore(test.db)
      const later = (call: Parameters<typeof store.rotate>[0]) => store.rotate(call)
      const restarted = toEarlier(dialect === 'sqlite' ? test.db : test.open(2))
      for (const version of [later, before, later, before, restarted, restarted, later])
        await refresh(version as typeof before)
      expect(words.filter((word) => word !== 'rotated')).toEqual([])
      for (const { sid } of sids)
        expect(await store.get(sid)).toMatchObject({ revokedAt: null, gen: gens.get(sid), late: 0 })
      report('migration', dialect, `${meanwhile} of ${words.length} refreshes until it had ended`)
    })
  })
})
