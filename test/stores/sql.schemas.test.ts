/** Schemas and transactions of the caller: the store keeps to both. */
import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toLockLimit } from '../../src/stores/sql/migration-locks.ts'
import { migrateSql, sqlMigrations, sqlStore } from '../../src/stores/sql.ts'
import {
  type Db,
  HAS,
  MYSQL,
  openDatabase,
  type TestDatabase,
  toCall,
  toDraft,
  toRaw,
} from './sql-databases.ts'

describe.skipIf(!HAS.postgres)('a schema that the instance names', () => {
  let database: TestDatabase
  const names = ['a', 'b'].map((name) => `tw_tenant_${name}_${process.pid}`)
  beforeAll(async () => {
    database = await openDatabase('postgres', false)
    for (const name of names) await database.sql(`create schema ${name}`)
  })
  afterAll(async () => {
    for (const name of names) await database.sql(`drop schema ${name} cascade`)
    await database.close()
  })

  it('has the tables, so that one tenant sees no session of another', async () => {
    const tenants = names.map((name) => database.db.withSchema(name))
    for (const tenant of tenants) await migrateSql(tenant)
    const [a, b] = tenants.map((tenant) => sqlStore(tenant))
    const { sid, sub } = toDraft()
    await a?.start(toDraft({ sid, sub }), null)
    expect(await b?.get(sid)).toBeNull()
    expect((await a?.get(sid))?.sub).toBe(sub)
  })
})

describe.each(['postgres', 'mysql'] as const)('a schema of an application on %s', (dialect) => {
  it.skipIf(!HAS[dialect])('is migrated under a prefix, and nothing beside it is touched', async () => {
    const [here, other] = [await openDatabase(dialect, false), await openDatabase(dialect, false)]
    // A connection of MySQL need not have a database of its own.
    const db: Db =
      dialect === 'mysql'
        ? new Kysely({ dialect: new MysqlDialect({ pool: createPool({ ...MYSQL, connectionLimit: 4 }) }) })
        : here.open(4)
    try {
      // The application has a table of ours by name, and another schema has an earlier version.
      await here.sql("create table sessions (n int not null, sid_key varchar(3) default 'own')")
      await here.sql('insert into sessions (n) values (1)')
      const settings = { schema: here.path, prefix: 'auth_' }
      const earlier = await sqlMigrations({ schema: other.path, prefix: 'auth_' }).getMigrations()
      await earlier['tokenwright_0001_sessions']?.up(db)
      const done = await Promise.all([migrateSql(db, settings), migrateSql(db, settings)])
      expect(done.flat()).toHaveLength(3)
      expect(await migrateSql(db, settings)).toEqual([])
      expect(await here.sql('select * from sessions')).toEqual([{ n: 1, sid_key: 'own' }])
      const store = sqlStore(db, settings)
      const draft = toDraft()
      await store.start(draft, null)
      expect((await store.rotate(toCall(draft.sid, 0))).word).toBe('rotated')
      expect(await here.sql('select gen from auth_sessions').then(([row]) => Number(row?.['gen']))).toBe(1)
      await expect(sqlStore(db, { schema: other.path, prefix: 'auth_' }).inspect()).rejects.toThrow(
        'version 1',
      )
      expect(await migrateSql(db, { schema: other.path, prefix: 'auth_' })).toHaveLength(2)
      expect(await other.sql('select * from auth_sessions')).toEqual([])
    } finally {
      await db.destroy()
      await Promise.all([here.close(), other.close()])
    }
  })
})

describe.each(['postgres', 'mysql', 'sqlite'] as const)('a transaction of the caller on %s', (dialect) => {
  it.skipIf(!HAS[dialect])('is joined: what it rolls back was never written', async () => {
    const database = await openDatabase(dialect)
    try {
      const draft = toDraft()
      const rolledBack = database.db.transaction().execute(async (transaction) => {
        const store = sqlStore(transaction)
        await store.start(draft, null)
        expect(await store.get(draft.sid)).not.toBeNull()
        throw new Error('rolled back')
      })
      await expect(rolledBack).rejects.toThrow('rolled back')
      expect(await database.store.get(draft.sid)).toBeNull()
    } finally {
      await database.close()
    }
  })
})

describe.skipIf(!HAS.postgres)('the tables in a transaction of the caller', () => {
  it('are made with it, and its own bound on waits for locks holds again', async () => {
    const database = await openDatabase('postgres', false)
    try {
      const bounds = await database.db.transaction().execute(async (transaction) => {
        await transaction.executeQuery(toRaw("set local lock_timeout = '7s'"))
        expect(await migrateSql(transaction)).toHaveLength(3)
        return (await transaction.executeQuery(toRaw('show lock_timeout'))).rows
      })
      expect(bounds).toEqual([{ lock_timeout: '7s' }])
      expect(await migrateSql(database.db)).toEqual([])
    } finally {
      await database.close()
    }
  })

  // PostgreSQL stops an autovacuum when another session has waited for so long.
  it.each([
    ['800ms', '1s'],
    ['1s', '1200ms'],
    ['10s', '300ms'],
  ])('wait past a deadlock_timeout of %s for %s, where calls can wait so long', async (given, wanted) => {
    const database = await openDatabase('postgres', false)
    const bounds = await database.db.transaction().execute(async (transaction) => {
      await transaction.executeQuery(toRaw(`set local deadlock_timeout = '${given}'`))
      await transaction.executeQuery(toRaw(`select ${toLockLimit(true)}`))
      return (await transaction.executeQuery(toRaw('show lock_timeout'))).rows
    })
    await database.close()
    expect(bounds).toEqual([{ lock_timeout: wanted }])
  })
})
