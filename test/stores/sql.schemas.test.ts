/** Schemas and transactions of the caller: the store keeps to both. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrateSql, sqlStore } from '../../src/stores/sql.ts'
import { HAS, openDatabase, type TestDatabase, toDraft } from './sql-databases.ts'

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
