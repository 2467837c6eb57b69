/**
 * Stores of several servers, behind a pooler or of other engines, for the same invariants: `npm run
 * invariants` runs them. They take too long for each run of the tests.
 */
import { Cluster, type Redis } from 'ioredis'
import { migrateSql } from '../../src/stores/sql.ts'
import {
  HAS_ENGINES,
  HAS_PGBOUNCER,
  type OpenEngine,
  openD1,
  openLibsql,
  openPglite,
  startPgbouncer,
} from '../contract/engines.ts'
import { connect, connectSql, type StoreSpec, type Tap } from '../processes/node/connect.ts'
import { type GaleraNode, HAS_GALERA, startGalera } from '../stores/galera.ts'
import { HAS_REDIS, waitFor } from '../stores/redis-server.ts'
import { openDatabase } from '../stores/sql-databases.ts'
import { startGrouped } from './clusters.ts'
import type { Group } from './gate.ts'
import { type Ground, NO_SERVER, type Openable, toRedisGround, toSqlGround } from './ground.ts'
import { startWatched } from './sentinels.ts'

type RedisSpec = Extract<StoreSpec, { kind: 'redis' }>

/** Loses all: each master forgets it, and tells its replicas. */
async function flush(admin: Cluster | Redis): Promise<void> {
  const masters = admin instanceof Cluster ? admin.nodes('master') : [admin]
  await Promise.all(masters.map((master) => master.flushall()))
}

async function openGroup(group: Group, spec: RedisSpec, tap?: Tap): Promise<Ground> {
  const { store, close } = connect(spec, tap)
  const { client, close: leave } = await group.connect('ioredis', 'others')
  const admin = client as unknown as Cluster | Redis
  return toRedisGround({
    ...{ spec, store, admin },
    loseLog: () => flush(admin),
    async close() {
      await close()
      await leave()
      await group.close()
    },
  })
}

async function openSentinels(tap?: Tap): Promise<Ground> {
  const group = await startWatched()
  return openGroup(group, { kind: 'redis', port: group.root, through: 'sentinels' }, tap)
}

async function openCluster(tap?: Tap): Promise<Ground> {
  const group = await startGrouped()
  return openGroup(group, { kind: 'redis', port: group.root, through: 'cluster' }, tap)
}

/** Each process writes to a node of its own, as far as three go round. */
async function openGalera(tap?: Tap): Promise<Ground> {
  const galera = await startGalera()
  const [first] = galera.nodes
  await first.ask('create database sessions')
  const ports = galera.nodes.map(({ port }) => port)
  const spec = { kind: 'mysql', name: 'sessions', port: first.port, ports } as const
  const db = connectSql({ kind: 'mysql', name: 'sessions', port: first.port })
  await migrateSql(db)
  // The other nodes have the tables when they have come to them.
  const findVersion = (node: GaleraNode) =>
    node.ask("select n from sessions.tokenwright_counters where name = 'schema'").catch(() => [])
  const [wanted] = await findVersion(first)
  const isReady = async (node: GaleraNode) => (await findVersion(node))[0]?.['n'] === wanted?.['n']
  await waitFor(async () => (await Promise.all(galera.nodes.map(isReady))).every(Boolean))
  const { store, close } = connect(spec, tap)
  return toSqlGround({
    ...{ spec, store },
    sql: (text) => first.ask(text.replaceAll('tokenwright_', 'sessions.tokenwright_')),
    async close() {
      await db.destroy()
      await close()
      await galera.close()
    },
  })
}

async function openPgbouncer(tap?: Tap): Promise<Ground> {
  const database = await openDatabase('postgres')
  const pooler = await startPgbouncer()
  const where = { name: database.path, user: 'root', database: 'test' }
  const spec = { kind: 'postgres', ...where, port: pooler.port, isPooled: true } as const
  const { store, close } = connect(spec, tap)
  return toSqlGround({
    ...{ spec, store },
    sql: (text) => database.sql(text),
    async close() {
      await close()
      await pooler.close()
      await database.close()
    },
  })
}

/** One that only this process reaches. */
async function openEngine(opening: Promise<OpenEngine>): Promise<Ground> {
  const { store, sql, close } = await opening
  return toSqlGround({ spec: { kind: 'memory' }, store, sql, close: async () => void (await close?.()) })
}

const noPackage = HAS_ENGINES ? null : 'NOT INSTALLED, NOT TESTED: npm ci --prefix test/engines'
const toLocal = (name: Openable['name'], start: () => Promise<OpenEngine>): Openable => ({
  ...{ name, isLocal: true, reason: noPackage },
  open: () => openEngine(start()),
})

/** They, by the names that the variable `TOKENWRIGHT_TEST_STORES` has, with commas between. */
export const GROUP_GROUNDS: Readonly<Record<string, Openable>> = {
  sentinel: { name: 'redis', reason: HAS_REDIS ? null : NO_SERVER, isGroup: true, open: openSentinels },
  cluster: { name: 'redis', reason: HAS_REDIS ? null : NO_SERVER, isGroup: true, open: openCluster },
  galera: { name: 'mysql', reason: HAS_GALERA ? null : NO_SERVER, open: openGalera },
  pgbouncer: { name: 'postgres', reason: HAS_PGBOUNCER ? null : NO_SERVER, open: openPgbouncer },
  pglite: toLocal('postgres', openPglite),
  libsql: toLocal('sqlite', openLibsql),
  d1: toLocal('sqlite', openD1),
}
