/** Drivers that are set to return rows in another shape: the setting is named, by every call that reads rows. */
import { Kysely, MysqlDialect } from 'kysely'
import { createPool, type PoolOptions } from 'mysql2'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ConfigurationError } from '../../src/internal/configuration-error.ts'
import type { Store } from '../../src/session/store.ts'
import { type SqlExecutor, sqlStore } from '../../src/stores/sql.ts'
import { HAS, MYSQL, openDatabase, PG, type TestDatabase, toDraft } from './sql-databases.ts'

const CALLS: Readonly<Record<string, (store: Store, sid: string) => unknown>> = {
  now: (store) => store.now(),
  get: (store, sid) => store.get(sid),
  list: (store) => store.list({ sub: 'ada', realm: null }, null),
  inspect: (store) => store.inspect(),
}

describe.skipIf(!HAS.mysql)('mysql2', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await openDatabase('mysql')
  })
  afterAll(() => database.close())

  it.each<readonly [string, PoolOptions]>([
    ['rowsAsArray', { rowsAsArray: true }],
    ['nestTables', { nestTables: true }],
  ])('with `%s` is a mistake of the configuration', async (_, options) => {
    const { sid } = (await database.store.start(toDraft({ sub: 'ada' }), null)) ?? { sid: '' }
    const pool = createPool({ ...MYSQL, database: database.path, ...options })
    const db = new Kysely<object>({ dialect: new MysqlDialect({ pool }) })
    onTestFinished(() => db.destroy())
    const store = sqlStore(db)
    for (const [name, call] of Object.entries(CALLS)) {
      const error = await Promise.resolve(call(store, sid)).then(
        () => `${name} was accepted`,
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(String(error)).toMatch(/rows as flat objects: leave out `rowsAsArray` and `nestTables`/)
    }
  })
})

it.skipIf(!HAS.mysql)(
  'mysql2 with a separator as `nestTables` is told by the first call, which asks for the time',
  async () => {
    const pool = createPool({ ...MYSQL, nestTables: '_' })
    const db = new Kysely<object>({ dialect: new MysqlDialect({ pool }) })
    onTestFinished(() => db.destroy())
    await expect(sqlStore(db).now()).rejects.toThrow(/leave out `rowsAsArray` and `nestTables`/)
  },
)

it.skipIf(!HAS.postgres)('pg with `rowMode` is one, too', async () => {
  const pool = new Pool(PG)
  onTestFinished(() => pool.end())
  const client: SqlExecutor = {
    dialect: 'postgres',
    run: async (text, values) => (await pool.query({ text, values: [...values], rowMode: 'array' })).rows,
  }
  await expect(sqlStore(client).now()).rejects.toThrow(/leave out .*`rowMode` \(pg\)/)
})
