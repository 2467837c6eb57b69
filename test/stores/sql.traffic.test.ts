/** What goes over the wire: how many round trips a call costs, and which dialect is meant. */
import { CamelCasePlugin, Kysely, MssqlAdapter, MysqlDialect, PostgresAdapter, PostgresDialect } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import type { Store } from '../../src/session/store.ts'
import { type SqlDialect, sqlStore } from '../../src/stores/sql.ts'
import {
  type Db,
  HAS,
  openDatabase,
  type TestDatabase,
  toCall,
  toDraft,
  toMysqlPool,
  toPgPool,
} from './sql-databases.ts'

/** Statements that reached the driver; each is a round trip. */
interface Traffic {
  readonly sent: string[]
  readonly names: string[]
}

interface Sender {
  query(...call: unknown[]): unknown
  /** mysql2: a prepared statement. */
  execute?(...call: unknown[]): unknown
}

/** Counts what a driver's client is told, once per client. */
function count(client: Sender, traffic: Traffic): void {
  if (Object.hasOwn(client, 'counted')) return
  Object.assign(client, { counted: true })
  for (const method of ['query', 'execute'] as const) {
    const send = client[method]?.bind(client)
    if (send === undefined) continue
    client[method] = (...call) => {
      const [asked] = call
      const { text, name } =
        typeof asked === 'string' ? { text: asked, name: '' } : (asked as { text: string; name: string })
      traffic.sent.push(text)
      traffic.names.push(name)
      return send(...call)
    }
  }
}

describe.each(['postgres', 'mysql'] as const)('round trips on %s', (dialect) => {
  describe.skipIf(!HAS[dialect])('with Kysely', () => {
    let test: TestDatabase
    let store: Store
    let db: Db
    const traffic: Traffic = { sent: [], names: [] }

    beforeAll(async () => {
      test = await openDatabase(dialect)
      db = open(dialect, test.path, traffic)
      store = sqlStore(db)
      await store.now()
    })
    afterAll(async () => {
      await db?.destroy()
      await test?.close()
    })

    async function trips(step: () => Promise<unknown>): Promise<number> {
      traffic.sent.length = 0
      await step()
      return traffic.sent.length
    }

    it('are one for a refresh, or two if the database cannot do it in one', async () => {
      const { sid } = toDraft()
      await store.start(toDraft({ sid }), null)
      // MySQL reads, and writes where there is something to write.
      const each = dialect === 'postgres' ? 1 : 2
      const words: string[] = []
      const refresh =
        (gen: number, over = {}) =>
        async () => {
          words.push((await store.rotate(toCall(sid, gen, over))).word)
        }
      expect(await trips(refresh(0))).toBe(each)
      expect(await trips(refresh(1))).toBe(1)
      expect(await trips(refresh(0))).toBe(1)
      expect(await trips(refresh(1, { rotation: false }))).toBe(each)
      expect(await trips(refresh(1, { overlap: 0 }))).toBe(each)
      expect(await trips(refresh(2, { overlap: 0, notAfter: 1 }))).toBe(1)
      // Rare: PostgreSQL goes on with the statement that knows every word, MySQL with a transaction.
      expect(await trips(refresh(5))).toBe(2)
      expect(await trips(refresh(1))).toBe(dialect === 'postgres' ? 2 : 8)
      expect(await trips(refresh(6))).toBe(1)
      const unknown = async () => words.push((await store.rotate(toCall('nobody', 0))).word)
      expect(await trips(unknown)).toBe(each)
      expect(words).toEqual([
        'rotated',
        'kept',
        'replayed',
        'kept',
        'rotated',
        'late',
        'healed',
        'reused',
        'revoked',
        'unknown',
      ])
    })

    it('are one for the check of a request', async () => {
      const row = await store.start(toDraft(), null)
      const query = { sid: row?.sid ?? '', jti: 'a', sub: row?.sub ?? '', realm: null, iat: 1, now: null }
      expect(await trips(() => store.isRevoked(query))).toBe(1)
      expect(await trips(() => store.isRevoked({ ...query, sid: null }))).toBe(1)
      expect(await trips(() => store.readLog(null, 100))).toBe(1)
      expect(await trips(() => store.now())).toBe(1)
      expect(await trips(() => store.get(query.sid))).toBe(1)
      expect(await trips(() => store.list({ sub: query.sub, realm: null }, null))).toBe(1)
      expect(await trips(() => store.countAttempt('k', 1, 60, null))).toBe(1)
    })

    it('are few for a login: its attempt is counted, taken back, and the session starts', async () => {
      const auth = createAuth({ secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu', sessions: { store } })
      const login = authRoutes(auth, { verifyCredentials: ({ username }) => ({ subject: username }) })
      const body = JSON.stringify({ username: 'ada', password: 'right' })
      const headers = { 'content-type': 'application/json' }
      const send = async () => {
        const request = new Request('https://app.example/auth/login', { method: 'POST', headers, body })
        expect((await login(request, { address: '203.0.113.9' })).status).toBe(200)
      }
      // The first one learns the time, and makes the address known for the account.
      await send()
      const [count, start] = dialect === 'postgres' ? [1, 1] : [3, 6]
      expect(await trips(send)).toBe(count + 1 + start)
      expect(await trips(send)).toBe(count + 1 + start)
      await auth.close()
    })

    if (dialect === 'postgres')
      it('are one for each step of PostgreSQL, with a named statement', async () => {
        const { sid, sub } = toDraft()
        const call = { logTtl: 900, now: null }
        const proof = { sid, authTime: 1, acr: null, amr: null, notAfter: null, now: null }
        expect(await trips(() => store.start(toDraft({ sid, sub }), null))).toBe(1)
        expect(await trips(() => store.stepUp(proof))).toBe(1)
        expect(await trips(() => store.end(sid, 'ended', call))).toBe(1)
        expect(
          await trips(() =>
            store.endAll({ sub, realm: null }, 'ended', { ...call, except: null, cutOff: 9 }),
          ),
        ).toBe(1)
        expect(await trips(() => store.revokeToken('a', 2e9, null))).toBe(1)
        expect(traffic.names.filter((name) => !/^tokenwright_[0-9a-f]{32}$/.test(name))).toEqual([])
      })

    it('is independent of plugins that rename columns', async () => {
      const camel = sqlStore(db.withPlugin(new CamelCasePlugin()))
      const draft = toDraft({ data: { snake_case: 1 } })
      const started = await camel.start(draft, null)
      expect(started).toMatchObject({ gen: 0, createdAt: expect.toSatisfy(Number.isFinite) })
      expect(await camel.get(draft.sid)).toEqual(started)
      expect(await store.get(draft.sid)).toEqual(started)
    })
  })
})

function open(dialect: SqlDialect, name: string, traffic: Traffic): Db {
  return new Kysely({
    dialect:
      dialect === 'postgres'
        ? new PostgresDialect({ pool: countPg(name, traffic) })
        : new MysqlDialect({ pool: countMysql(name, traffic) }),
  })
}

function countPg(schema: string, traffic: Traffic) {
  return toPgPool(schema, { max: 2 }, {}, (client) => count(client as Sender, traffic))
}

function countMysql(database: string, traffic: Traffic) {
  return toMysqlPool(database, { connectionLimit: 2 }, {}, (connection) =>
    count(connection as Sender, traffic),
  )
}

describe('the dialect', () => {
  const toKysely = (adapter: object): Db =>
    ({
      withoutPlugins() {
        return this
      },
      getExecutor: () => ({ adapter }),
    }) as unknown as Db

  it('is detected from the instance, even from an extended one', () => {
    class NeonAdapter extends PostgresAdapter {}
    expect(sqlStore(toKysely(new NeonAdapter())).name).toBe('postgres')
  })

  it('is refused if it is another one, unless the caller names it', () => {
    const db = toKysely(new MssqlAdapter())
    expect(() => sqlStore(db)).toThrow(/got one with MssqlAdapter.*option `dialect`/)
    expect(sqlStore(db, { dialect: 'mysql' }).name).toBe('mysql')
    expect(() => sqlStore(db, { dialect: 'oracle' as 'mysql' })).toThrow(
      /`dialect` to be 'postgres', 'mysql' or 'sqlite'/,
    )
  })

  it('comes with options that are checked', () => {
    const db = toKysely(new PostgresAdapter())
    for (const prefix of ['', 'Upper_', '1st_', 'a-b', 'a"b', 'x'.repeat(32)])
      expect(() => sqlStore(db, { prefix })).toThrow(/`prefix`/)
    expect(() => sqlStore(db, { deadline: '2' as '2s' })).toThrow(/`deadline`/)
    expect(() => sqlStore(db, { prefx: 'a' } as object)).toThrow(/did you mean `prefix`/)
  })
})
