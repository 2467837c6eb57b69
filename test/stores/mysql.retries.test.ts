/**
 * MySQL and MariaDB change a row in one statement and read it in the next. Where the read fails, the
 * change is committed: it is not carried out again, since the second time would find its own result
 * and take the client for a thief, or count an attempt twice.
 */
import { Kysely, MysqlDialect } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { sqlStore } from '../../src/stores/sql.ts'
import {
  type Db,
  HAS,
  openDatabase,
  type TestDatabase,
  toCall,
  toDraft,
  toMysqlPool,
} from './sql-databases.ts'

/** Failures that a retry may mend, and one that it may not. */
const DEADLOCK = { code: 'ER_LOCK_DEADLOCK', errno: 1213 }
const TIMEOUT = { code: 'ER_LOCK_WAIT_TIMEOUT', errno: 1205 }
const LOST = { code: 'PROTOCOL_CONNECTION_LOST' }

/** Whether a text is the read after a change. */
const isRead = (text: string): boolean => /as moment, \(select|select n, until_at/.test(text)

describe.skipIf(!HAS.mysql)('a change that is committed', () => {
  let database: TestDatabase
  let db: Db
  let store: Store
  /** How the next reads fail, and what was sent. */
  let failures: object[] = []
  let sent: string[] = []
  beforeAll(async () => {
    database = await openDatabase('mysql')
    const pool = toMysqlPool(database.path, {}, {}, (connection) => {
      const client = connection as { query(...args: unknown[]): unknown }
      const query = client.query.bind(client)
      client.query = (...args) => {
        const [first] = args
        const text = typeof first === 'string' ? first : (first as { sql: string }).sql
        const kind = /(update|insert|select)/.exec(text)?.[1]
        if (text.includes('tokenwright */') && kind !== undefined) sent.push(kind)
        const failure = isRead(text) ? failures.shift() : undefined
        if (failure === undefined) return query(...args)
        const callback = args.at(-1) as (error: unknown) => void
        return queueMicrotask(() => callback(Object.assign(new Error('the read failed'), failure)))
      }
    })
    db = new Kysely({ dialect: new MysqlDialect({ pool }) })
    store = sqlStore(db, { deadline: '2s' })
  })
  afterAll(async () => {
    await db.destroy()
    await database.close()
  })
  beforeEach(() => {
    failures = []
    sent = []
  })

  it.each([
    ['a deadlock', DEADLOCK],
    ['a lock that it waited for too long', TIMEOUT],
  ])('is not carried out again after %s of the read: a refresh', async (_, failure) => {
    const { sid } = toDraft()
    await store.start(toDraft({ sid }), null)
    sent = []
    failures = [failure, failure]
    const { word, row } = await store.rotate(toCall(sid, 0))
    expect([word, row?.gen]).toEqual(['rotated', 1])
    expect(sent).toEqual(['update', 'select', 'select', 'select'])
    expect((await store.get(sid))?.gen).toBe(1)
  })

  it('is not carried out again where the read fails for good: a refresh', async () => {
    const { sid } = toDraft()
    await store.start(toDraft({ sid }), null)
    for (const [failing, gen] of [
      [[LOST], 1],
      [Array.from({ length: 1000 }, () => DEADLOCK), 2],
    ] as const) {
      sent = []
      failures = [...failing]
      const now = Math.floor(Date.now() / 1000) + 100 * gen
      await expect(store.rotate(toCall(sid, gen - 1, { now }))).rejects.toThrow(
        /after a change that was committed/,
      )
      expect(sent.filter((kind) => kind === 'update')).toHaveLength(1)
      failures = []
      // The client sends its token again and gets the successor: it is no thief.
      expect(await store.rotate(toCall(sid, gen - 1, { now }))).toMatchObject({
        word: 'replayed',
        row: { gen, revokedAt: null },
      })
    }
  })

  it('is not carried out again after a failed read: an attempt', async () => {
    for (let count = 1; count <= 2; count++)
      expect((await store.countAttempt('key', 2, 60, null)).count).toBe(count)
    failures = [DEADLOCK, TIMEOUT]
    sent = []
    const refused = await store.countAttempt('key', 2, 60, null)
    expect([refused.allowed, refused.count]).toEqual([false, 2])
    expect(sent).toEqual(['insert', 'select', 'select', 'select'])
    failures = [LOST]
    await expect(store.countAttempt('key', 2, 60, null)).rejects.toThrow(/after a change that was committed/)
  })
})
