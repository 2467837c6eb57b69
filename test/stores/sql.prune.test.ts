/** Pruning of tables that are larger than a stretch: everything that is due goes, and no table holds back another. */
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, it } from 'vitest'
import { migrateSql, type SqlExecutor, sqlStore } from '../../src/stores/sql.ts'

const DAY = 86_400_000
const COLUMNS =
  'sid_key, sub_key, sid, sub, gen, rotated_at, scopes, data, created_at, last_used_at, idle_expires_at, absolute_expires_at, revoked_at'

async function open() {
  const database = new DatabaseSync(':memory:')
  const executor: SqlExecutor = {
    dialect: 'sqlite',
    run: (sql, parameters) => database.prepare(sql).all(...parameters),
  }
  await migrateSql(executor)
  const count = (table: string): number =>
    Number(Object.values(database.prepare(`select count(*) from tokenwright_${table}`).get() ?? {})[0])
  /** Writes sessions with random keys; every third was revoked, every third ended as idle, two days ago. */
  function fill(many: number): void {
    const now = Date.now()
    database.exec(`with recursive n(i) as (select 0 union all select i + 1 from n where i < ${many - 1})
      insert into tokenwright_sessions (${COLUMNS})
      select lower(hex(randomblob(32))), 'sub', 'sid', 'sub', 0, 0, '[]', '{}', 0, 0,
        case i % 3 when 1 then ${now - 2 * DAY} else ${now + DAY} end, ${now + 60 * DAY},
        case i % 3 when 0 then ${now - 2 * DAY} end from n`)
  }
  return { database, store: sqlStore(executor), count, fill }
}

it('deletes what was revoked or not used, in a table of several stretches', async () => {
  const { database, store, count, fill } = await open()
  fill(9000)
  let gone = 0
  // From any place in the table on, within a few calls of a second.
  for (let calls = 0; calls < 5 && count('sessions') > 3000; calls++) gone += await store.prune(null)
  expect([count('sessions'), gone]).toEqual([3000, 6000])
  expect(await store.prune(null)).toBe(0)
  database.close()
})

it('goes on in all tables where one has a backlog', async () => {
  const { database, store, count, fill } = await open()
  fill(3000)
  database.exec(`with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000)
    insert into tokenwright_attempts (attempt_key, n, until_at) select hex(i), 1, 1 from n`)
  database.exec(`with recursive n(i) as (select 1 union all select i + 1 from n where i < 4000)
    insert into tokenwright_log (id, kind, key_hash, entry_key, revoked_at, until_at) select i, 'jti', i, i, 1, 1 from n`)
  await store.prune(null)
  expect(count('log')).toBe(0)
  expect(count('sessions')).toBeLessThan(3000)
  database.close()
})
