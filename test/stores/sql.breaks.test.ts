/**
 * Connections that break at every moment of their life, the one between greeting and loan included:
 * no driver's error ends the process, and the next call goes on.
 */
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { BREAKS, type FakeDatabase, MOMENTS, startFakeDatabase } from './fake-databases.ts'
import type { Db } from './sql-databases.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const crashes: unknown[] = []
const onCrash = (error: unknown): void => {
  crashes.push(error)
}

describe.each(['postgres', 'mysql'] as const)('a connection of %s', (dialect) => {
  let server: FakeDatabase
  let db: Db
  let store: Store

  beforeEach(async () => {
    process.on('uncaughtException', onCrash).on('unhandledRejection', onCrash)
    server = await startFakeDatabase(dialect)
    const address = { host: '127.0.0.1', port: server.port, user: 'root', database: 'test' }
    db = new Kysely({
      dialect:
        dialect === 'postgres'
          ? new PostgresDialect({ pool: withDeadlines(new Pool({ ...address, max: 4 }), { deadline: '1s' }) })
          : new MysqlDialect({
              pool: withDeadlines(createPool({ ...address, connectionLimit: 4 }), { deadline: '1s' }),
            }),
    })
    store = sqlStore(db)
  })
  afterEach(async () => {
    await pause(20)
    process.off('uncaughtException', onCrash).off('unhandledRejection', onCrash)
    await Promise.race([db.destroy().catch(() => undefined), pause(100)])
    server.close()
    expect(crashes.splice(0)).toEqual([])
  })

  const cases = MOMENTS.flatMap((moment) => BREAKS.map((how) => [how, moment] as const))
  it.each(cases)('that breaks by %s, %s, ends no process', async (how, moment) => {
    if (moment === 'idle') {
      await Promise.all(Array.from({ length: 4 }, () => store.now()))
      server.breakAt('idle', how)
      await pause(20)
    } else {
      server.breakAt(moment, how)
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => store.now()))
      const rejected = results.filter(({ status }) => status === 'rejected').length
      if (moment !== 'result') expect(rejected).toBe(8)
      await pause(20)
    }
    expect(crashes).toEqual([])
    server.breakAt(null)
    const after = await Promise.allSettled(Array.from({ length: 8 }, () => store.now()))
    expect(after.map(({ status }) => status)).toEqual(Array(8).fill('fulfilled'))
  })
})
