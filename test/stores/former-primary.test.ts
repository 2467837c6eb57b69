/**
 * Connections to a former primary, which live on after a failover: it can be read and takes no
 * writes. They are left, where new ones lead to another server.
 */
import { Redis } from 'ioredis'
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { createClient, createClientPool } from 'redis'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { type RedisClient, redisStore } from '../../src/stores/redis.ts'
import { sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { atOnce, onFinished } from '../at-once.ts'
import { type Balancer, startBalancer } from '../invariants/balancer.ts'
import {
  MYSQL_USER,
  type Replicated,
  replicateMariadb,
  replicatePostgres,
  replicateRedis,
} from '../invariants/replicas.ts'
import { HAS_OWN } from '../invariants/servers.ts'
import { HAS_REDIS, toDraft, waitFor } from './redis-server.ts'

const toPort = (spec: Replicated['primary']): number => Number(Object(spec).port)

async function begin(
  replicate: () => Promise<Replicated>,
): Promise<{ servers: Replicated; balancer: Balancer }> {
  const servers = await replicate()
  onFinished(() => servers.close())
  const balancer = await startBalancer(toPort(servers.primary))
  onFinished(() => balancer.close())
  return { servers, balancer }
}

/** Uses several connections, if there are several. */
async function useAll(store: Store): Promise<void> {
  await Promise.all(Array.from({ length: 4 }, () => store.now()))
}

const CLIENTS: Readonly<Record<string, (port: number) => Promise<RedisClient>>> = {
  async ioredis(port) {
    const client = new Redis(port)
    client.on('error', () => undefined)
    onFinished(() => client.disconnect())
    return client
  },
  async 'node-redis client'(port) {
    const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect()
    onFinished(() => client.destroy())
    return client
  },
  async 'node-redis pool'(port) {
    const client = createClientPool({ url: `redis://127.0.0.1:${port}` }, { minimum: 2, maximum: 2 })
    await client.connect()
    onFinished(() => client.destroy())
    return client
  },
}

describe.skipIf(!HAS_REDIS).each(Object.entries(CLIENTS))('%s', (_, connect) => {
  it.concurrent(
    'leaves a Redis that has become a replica',
    atOnce(async () => {
      const { servers, balancer } = await begin(replicateRedis)
      const store = redisStore(await connect(balancer.port))
      await useAll(store)
      await servers.promote()
      const admin = new Redis(toPort(servers.primary))
      onFinished(() => admin.disconnect())
      await admin.replicaof('127.0.0.1', toPort(servers.replica))
      balancer.lead(toPort(servers.replica))
      await expect(store.start(toDraft(), null)).rejects.toThrow(/READONLY/)
      await waitFor(async () => (await store.start(toDraft(), null).catch(() => null)) !== null)
      await Promise.all(Array.from({ length: 8 }, () => store.start(toDraft(), null).catch(() => null)))
      for (let i = 0; i < 8; i++) expect(await store.start(toDraft(), null)).not.toBeNull()
    }),
  )

  it.concurrent(
    'leaves nothing as long as all is well',
    atOnce(async () => {
      const { servers, balancer } = await begin(replicateRedis)
      const store = redisStore(await connect(balancer.port))
      await useAll(store)
      await servers.promote()
      balancer.lead(toPort(servers.replica))
      const row = await store.start(toDraft(), null)
      const other = new Redis(toPort(servers.primary))
      onFinished(() => other.disconnect())
      expect(await other.exists(`{tw}:s:${row?.sid}`)).toBe(1)
    }),
  )
})

const DATABASES = {
  postgres: {
    replicate: () => replicatePostgres(false),
    connect: (port: number) =>
      new PostgresDialect({
        pool: withDeadlines(
          new Pool({ host: '127.0.0.1', port, user: 'root', database: 'postgres', max: 4 }),
        ),
      }),
  },
  mysql: {
    replicate: () => replicateMariadb(false),
    connect: (port: number) =>
      new MysqlDialect({
        pool: withDeadlines(
          createPool({ host: '127.0.0.1', port, user: MYSQL_USER, database: 'sessions', connectionLimit: 4 }),
        ),
      }),
  },
} as const

describe.concurrent.each(['postgres', 'mysql'] as const)('%s', (dialect) => {
  it.skipIf(!HAS_OWN[dialect])(
    'leaves a server that is a replica, at the first write',
    { timeout: 60_000 },
    atOnce(async () => {
      const { replicate, connect } = DATABASES[dialect]
      const { servers, balancer } = await begin(replicate)
      balancer.lead(toPort(servers.replica))
      const db = new Kysely<Record<string, never>>({ dialect: connect(balancer.port) })
      onFinished(() => db.destroy())
      const store = sqlStore(db)
      await useAll(store)
      await expect(store.start(toDraft(), null)).rejects.toThrow(/read-only/)
      await useAll(store)
      balancer.lead(toPort(servers.primary))
      const rows = await Promise.all(Array.from({ length: 8 }, () => store.start(toDraft(), null)))
      expect(rows).not.toContain(null)
    }),
  )
})
