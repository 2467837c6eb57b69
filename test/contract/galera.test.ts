/**
 * The store suite on MariaDB Galera, with writers on all three nodes: each connection leads to the next of them. The statements are
 * those of one MariaDB, so that one of the two moments is enough, but for `npm run prove`.
 */
import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import { type OpenStore, type Runner, storeSuite } from 'tokenwright-store-suite'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { migrateSql, sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { startBalancer } from '../invariants/balancer.ts'
import { PROVE } from '../invariants/size.ts'
import { HAS_GALERA, startGalera } from '../stores/galera.ts'

/** Cases with a thousand calls and more. */
const LONG = /random walk|thousand|than a list can have/

const RUNNER: Runner = {
  it: (name, body, limit) => (!PROVE && LONG.test(name) ? undefined : it(name, body, limit)),
  describe: (name, body) => (!PROVE && name.endsWith('in the year 2100') ? undefined : describe(name, body)),
}

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
  }, 60_000)
  afterAll(() => opened?.close?.())
  storeSuite(async () => ({ store: opened.store }), RUNNER)
})
