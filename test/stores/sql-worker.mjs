/**
 * One of several processes on one SQLite file: does what it is told over IPC, on the built store.
 * Commands are `{ id, name, values }`; answers are `{ id, result }` or `{ id, error }`.
 */
import { DatabaseSync } from '@photostructure/sqlite'
import { Kysely, SqliteDialect } from 'kysely'
import { migrateSql, sqlStore } from '../../dist/esm/stores/sql.js'

const database = new DatabaseSync(process.argv[2], { timeout: 0 })
const db = new Kysely({
  dialect: new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql)
        return {
          reader: statement.columns().length > 0,
          all: (values) => statement.all(...values),
          run: (values) => statement.run(...values),
        }
      },
    },
  }),
})
const store = sqlStore(db, { deadline: '20s' })

const commands = {
  migrate: () => migrateSql(db),
  rotate: ({ many, call }) => Promise.all(Array.from({ length: many }, () => store.rotate(call))),
  start: ({ draft }) => store.start(draft, null),
  endAll: ({ sub, call }) => store.endAll(sub, 'subject_revoked', call),
  revoke: async ({ keys }) => {
    for (const key of keys) await store.revokeToken(key, Date.now() / 1000 + 900, null)
  },
  /** Holds the write lock for a while. */
  hold: async ({ seconds }) => {
    database.exec('begin immediate')
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    database.exec('rollback')
  },
}

process.on('message', async ({ id, name, values }) => {
  try {
    process.send({ id, result: await commands[name](values) })
  } catch (error) {
    process.send({ id, error: String(error) })
  }
})
process.on('disconnect', () => process.exit(0))
process.send({ id: 'ready' })
