/**
 * The store suite on MariaDB Galera, with writers on all three nodes: each connection leads to the
 * next of them.
 */
import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import { type OpenStore, storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe } from 'vitest'
import { migrateSql, sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { startBalancer } from '../invariants/balancer.ts'
import { BRIEF } from '../stores/brief.ts'
import { HAS_GALERA, startGalera } from '../stores/galera.ts'

async function open(): Promise<OpenStore> {
  const galera = await startGalera()
  await galera.nodes[0].ask('create database sessions')
  const balancer = await startBalancer(...galera.nodes.map(({ port }) => port))
  const address = { host: '127.0.0.1', port: balancer.port, user: 'root', database: 'sessions' }
  const pool = withDeadlines(createPool({ ...address, connectionLimit: 21 }), { deadline: '15s' })
  const db = new Kysely<Record<string, never>>({ dialect: new MysqlDialect({ pool }) })
  await migrateSql(db)
  return {
    store: sqlStore(db, { deadline: '10s' }),
    async close() {
      await db.destroy()
      await balancer.close()
      await galera.close()
    },
  }
}

describe.skipIf(!HAS_GALERA)(`Galera${HAS_GALERA ? '' : ': NO GALERA, NOT TESTED'}`, () => {
  let opened: OpenStore
  beforeAll(async () => {
    opened = await open()
  }, 90_000)
  afterAll(() => opened?.close?.())
  storeSuite(async () => ({ store: opened.store }), BRIEF)
})
