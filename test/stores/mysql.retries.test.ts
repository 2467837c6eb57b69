/**
 * MySQL and MariaDB can neither return a changed row nor make two changes in one statement. A refresh
 * reads, decides, and changes the row where it is as it was read; an attempt is counted, and read
 * where it is too many. What fails before the change is done again. What fails after it is not: the
 * second time would find its own result.
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

/** The reads of a refresh and of an attempt, and the change of a refresh. */
const READ = /as moment, cast|select n, until_at/
const CHANGE = /update \S+ set gen/

describe.skipIf(!HAS.mysql)('a step of two statements', () => {
  let database: TestDatabase
  let db: Db
  let store: Store
  /** Which statements fail next, and how; whether they are carried out all the same. */
  let failing: { readonly text: RegExp; readonly failures: object[]; readonly isCarriedOut?: boolean }
  /** What was sent, and what runs once before a change is sent. */
  let sent: string[] = []
  let before: (() => Promise<unknown>) | null = null

  beforeAll(async () => {
    database = await openDatabase('mysql')
    const pool = toMysqlPool(database.path, {}, {}, (connection) => {
      const client = connection as Record<'query' | 'execute', (...args: unknown[]) => unknown>
      for (const method of ['query', 'execute'] as const) {
        const send = client[method].bind(client)
        client[method] = (...args) => meddle(send, args)
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
    failing = { text: /^$/, failures: [] }
    sent = []
  })

  function meddle(send: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const [first] = args
    const text = typeof first === 'string' ? first : (first as { sql: string }).sql
    const kind = /(update|insert|select)/.exec(text)?.[1]
    if (text.includes('tokenwright */') && kind !== undefined) sent.push(kind)
    if (before !== null && CHANGE.test(text)) {
      const first = before
      before = null
      return void first().then(() => send(...args))
    }
    const failure = failing.text.test(text) ? failing.failures.shift() : undefined
    if (failure === undefined) return send(...args)
    const callback = args.at(-1) as (error: unknown) => void
    const fail = () => callback(Object.assign(new Error('it failed'), failure))
    if (failing.isCarriedOut !== true) return queueMicrotask(fail)
    return send(...args.slice(0, -1), fail)
  }

  it.each([
    ['a deadlock', DEADLOCK],
    ['a lock that it waited for too long', TIMEOUT],
  ])('is done again after %s: a refresh', async (_, failure) => {
    const { sid } = toDraft()
    await store.start(toDraft({ sid }), null)
    sent = []
    failing = { text: READ, failures: [failure, failure] }
    const { word, row } = await store.rotate(toCall(sid, 0))
    expect([word, row?.gen]).toEqual(['rotated', 1])
    expect(sent).toEqual(['select', 'select', 'select', 'update'])
    sent = []
    failing = { text: CHANGE, failures: [failure] }
    expect((await store.rotate(toCall(sid, 1, { overlap: 0 }))).word).toBe('rotated')
    expect(sent).toEqual(['select', 'update', 'select', 'update'])
    expect((await store.get(sid))?.gen).toBe(2)
  })

  it('leaves its client a way on where the response to the change is lost: a refresh', async () => {
    const { sid } = toDraft()
    await store.start(toDraft({ sid }), null)
    sent = []
    failing = { text: CHANGE, failures: [LOST], isCarriedOut: true }
    await expect(store.rotate(toCall(sid, 0))).rejects.toThrow('it failed')
    expect(sent).toEqual(['select', 'update'])
    // The client sends its token again and gets the successor: it is no thief.
    expect(await store.rotate(toCall(sid, 0))).toMatchObject({
      word: 'replayed',
      row: { gen: 1, revokedAt: null },
    })
  })

  it('takes the row as it is where another call was faster: a refresh', async () => {
    const call = { logTtl: 900, now: null }
    const faster = {
      replayed: (sid: string) => store.rotate(toCall(sid, 0)),
      revoked: (sid: string) => store.end(sid, 'ended', call),
      kept: (sid: string) => {
        const proof = { authTime: 7, acr: null, amr: null, notAfter: null, now: null }
        return store.stepUp({ sid, ...proof })
      },
    }
    for (const [word, act] of Object.entries(faster)) {
      const { sid } = toDraft()
      await store.start(toDraft({ sid }), null)
      before = () => act(sid)
      expect((await store.rotate(toCall(sid, 0))).word).toBe(word)
      expect((await store.get(sid))?.gen).toBe(word === 'replayed' ? 1 : 0)
    }
  })

  it.each([
    ['has too many', { code: 'ER_MAX_PREPARED_STMT_COUNT_REACHED', errno: 1461 }],
    ['prepares no such statement', { code: 'ER_UNSUPPORTED_PS', errno: 1295 }],
    ['does not know it, behind a pooler', { code: 'ER_UNKNOWN_STMT_HANDLER', errno: 1243 }],
    ['is not to prepare it', null],
  ])('is sent as texts where the server %s', async (_, failure) => {
    const ways: string[] = []
    const prepared = [failure]
    const options = { prepared: failure !== null }
    const pool = toMysqlPool(database.path, { connectionLimit: 1 }, options, (connection) => {
      const client = connection as Record<'query' | 'execute', (...args: unknown[]) => unknown>
      for (const method of ['query', 'execute'] as const) {
        const send = client[method].bind(client)
        client[method] = (...args) => {
          ways.push(method)
          const failed = method === 'execute' ? prepared.shift() : undefined
          if (failed === undefined || failed === null) return send(...args)
          const callback = args.at(-1) as (error: unknown) => void
          return queueMicrotask(() => callback(Object.assign(new Error('not prepared'), failed)))
        }
      }
    })
    const other = new Kysely<Record<string, Record<string, unknown>>>({ dialect: new MysqlDialect({ pool }) })
    const texts = sqlStore(other, { deadline: '2s' })
    const { sid } = toDraft()
    await texts.start(toDraft({ sid }), null)
    ways.length = 0
    for (const gen of [0, 1])
      expect((await texts.rotate(toCall(sid, gen, { overlap: 0 }))).word).toBe('rotated')
    const query = ['query', 'query', 'query', 'query']
    expect(ways).toEqual(failure === null ? query : ['execute', ...query])
    await other.destroy()
  })

  it('changes nothing twice after a failed read: an attempt', async () => {
    for (let count = 1; count <= 2; count++)
      expect((await store.countAttempt('key', 2, 60, null)).count).toBe(count)
    failing = { text: READ, failures: [DEADLOCK, TIMEOUT] }
    sent = []
    const refused = await store.countAttempt('key', 2, 60, null)
    expect([refused.allowed, refused.count]).toEqual([false, 2])
    expect(sent).toEqual(['insert', 'select', 'select', 'select'])
    failing = { text: READ, failures: [LOST] }
    await expect(store.countAttempt('key', 2, 60, null)).rejects.toThrow(/after a change that was committed/)
  })
})
