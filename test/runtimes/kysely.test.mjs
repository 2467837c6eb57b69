// Kysely 0.29, which needs Node 22: the store suite on SQLite, and its migrator. Run by `node
// --test` on node22.
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { Kysely, SqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrateSql, sqlMigrations, sqlStore } from 'tokenwright/stores/sql'
import { storeSuite } from 'tokenwright-store-suite'

function open() {
  const connection = new DatabaseSync(':memory:')
  const database = {
    close: () => connection.close(),
    prepare(sql) {
      const statement = connection.prepare(sql)
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters),
        run: (parameters) => statement.run(...parameters),
        iterate: (parameters) => statement.iterate(...parameters),
      }
    },
  }
  return new Kysely({ dialect: new SqliteDialect({ database }) })
}

storeSuite(
  async () => {
    const db = open()
    await migrateSql(db)
    return { store: sqlStore(db), close: () => db.destroy() }
  },
  { describe, it: (name, body, timeout) => it(name, { timeout }, body) },
)

it('its Migrator makes the tables and takes them away', async () => {
  const db = open()
  const migrator = new Migrator({ db, provider: sqlMigrations() })
  const { error, results } = await migrator.migrateToLatest()
  assert.equal(error, undefined)
  assert.deepEqual(
    results.map(({ status }) => status),
    ['Success', 'Success', 'Success'],
  )
  assert.deepEqual(await migrateSql(db), [])
  for (const _ of results) assert.equal((await migrator.migrateDown()).error, undefined)
  await assert.rejects(sqlStore(db).inspect(), /found none/)
  await db.destroy()
})
