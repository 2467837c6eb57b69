/** Where sessions are kept: `src/store.ts` of a project. */
import type { Choices } from '../choices.ts'
import type { Part } from './part.ts'

const OPENING = `/** Where sessions are kept. */
import type { Store } from 'tokenwright'
`

export const STORES: Readonly<Record<Choices['store'], Part>> = {
  memory: {
    files: {
      'src/store.ts': `${OPENING}import { memoryStore } from 'tokenwright/stores/memory'

/** In memory: for one process, and gone when it ends. */
export async function openStore(): Promise<Store> {
  return memoryStore()
}
`,
    },
  },
  sqlite: {
    dependencies: ['@photostructure/sqlite', 'kysely'],
    env: ['SQLITE_FILE=sessions.db'],
    files: {
      'src/store.ts': `${OPENING}import { DatabaseSync } from '@photostructure/sqlite'
import { Kysely, SqliteDialect } from 'kysely'
import { migrateSql, nodeSqlite, sqlStore } from 'tokenwright/stores/sql'

/** Opens the file, and makes the tables where they are missing. */
export async function openStore(): Promise<Store> {
  const database = nodeSqlite(new DatabaseSync(process.env['SQLITE_FILE'] ?? 'sessions.db'))
  const db = new Kysely({ dialect: new SqliteDialect({ database }) })
  await migrateSql(db)
  return sqlStore(db)
}
`,
    },
  },
  postgres: {
    dependencies: ['kysely', 'pg'],
    devDependencies: ['@types/pg'],
    env: ['DATABASE_URL=postgres://postgres@localhost:5432/postgres'],
    files: {
      'src/store.ts': `${OPENING}import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { migrateSql, sqlStore, withDeadlines } from 'tokenwright/stores/sql'

/** Connects to DATABASE_URL, and makes the tables where they are missing. */
export async function openStore(): Promise<Store> {
  const pool = withDeadlines(new Pool({ connectionString: process.env['DATABASE_URL'] }))
  const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
  await migrateSql(db)
  return sqlStore(db)
}
`,
    },
  },
  redis: {
    dependencies: ['redis'],
    env: ['REDIS_URL=redis://localhost:6379'],
    files: {
      'src/store.ts': `${OPENING}import { createClient } from 'redis'
import { redisStore } from 'tokenwright/stores/redis'

/** Connects to REDIS_URL. */
export async function openStore(): Promise<Store> {
  const client = createClient({ url: process.env['REDIS_URL'] })
  client.on('error', (error) => console.error('Redis:', error))
  await client.connect()
  return redisStore(client)
}
`,
    },
  },
}
