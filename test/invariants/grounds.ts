/**
 * The five stores, or others by name, each opened for one test file with a schema, a file or a server
 * of its own, and described so that other processes can open it too. A store whose server is missing
 * is skipped, and says so.
 */

import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { connect, type Tap } from '../processes/node/connect.ts'
import { HAS_REDIS, startRedis } from '../stores/redis-server.ts'
import { HAS, openDatabase } from '../stores/sql-databases.ts'
import { type Ground, NO_SERVER, type Openable, toRedisGround, toSqlGround } from './ground.ts'
import { GROUP_GROUNDS } from './group-grounds.ts'

/** A memory store cannot lose what it has: it is replaced by one that never had it. */
async function openMemory(): Promise<Ground> {
  let current = memoryStore()
  const store = new Proxy(current, { get: (_, name) => Reflect.get(current, name) })
  return {
    spec: { kind: 'memory' },
    store,
    async setBack(sid, generations) {
      const row = await current.get(sid)
      if (row === null) throw new Error('no such session')
      const before = memoryStore()
      const now = row.createdAt
      const lives = { idle: row.idleExpiresAt - now, absolute: row.absoluteExpiresAt - now }
      await before.start({ ...row, provedAt: now, ...lives }, now)
      for (let gen = 0; gen < row.gen - generations; gen++) {
        await before.rotate({
          ...{ sid, gen, overlap: 0, rotation: true, notAfter: null, seen: null, logTtl: 900 },
          ...{ idle: lives.idle, now },
        })
      }
      current = before
    },
    age: () => Promise.reject(new Error('Expected a clock to be brought along')),
    async loseLog() {
      current = memoryStore()
    },
    pruneLog: () => Promise.reject(new Error('Expected entries that have ended')),
    close: async () => undefined,
  }
}

async function openRedis(tap?: Tap): Promise<Ground> {
  const server = await startRedis()
  const spec = { kind: 'redis', port: server.port } as const
  const { store, close } = connect(spec, tap)
  const admin = new Redis(server.port)
  return toRedisGround({
    ...{ spec, store, admin },
    async loseLog() {
      await server.kill()
      await server.restart()
    },
    async close() {
      await close()
      admin.disconnect()
      await server.close()
    },
  })
}

async function openSql(kind: 'sqlite' | 'postgres' | 'mysql', tap?: Tap): Promise<Ground> {
  const database = await openDatabase(kind)
  const name = database.path
  const specs = {
    sqlite: { kind: 'sqlite', name },
    postgres: { kind: 'postgres', name, port: 5432, user: 'root', database: 'test' },
    mysql: { kind: 'mysql', name, port: 3306 },
  } as const
  const spec = specs[kind]
  const { store, close } = connect(spec, tap)
  return toSqlGround({
    ...{ spec, store },
    sql: (text) => database.sql(text),
    async close() {
      await close()
      await database.close()
    },
  })
}

const SINGLE: readonly Openable[] = [
  { name: 'memory', isLocal: true, reason: null, open: openMemory },
  ...(['sqlite', 'postgres', 'mysql'] as const).map((name) => ({
    name,
    reason: HAS[name] ? null : NO_SERVER,
    open: (tap?: Tap) => openSql(name, tap),
  })),
  { name: 'redis', reason: HAS_REDIS ? null : NO_SERVER, open: openRedis },
]

/** Stores of several servers that are asked for by name. */
const named = process.env['TOKENWRIGHT_TEST_STORES']?.split(',')

/** All stores; or those that `npm run invariants` names. */
export const GROUNDS: readonly Openable[] = named?.map(toGround) ?? SINGLE

function toGround(name: string): Openable {
  const ground = GROUP_GROUNDS[name]
  if (ground !== undefined) return ground
  throw new Error(`Expected stores of ${Object.keys(GROUP_GROUNDS).join(', ')}, got ${name}`)
}

/** The stores that several processes can share. */
export const SHARED: readonly Openable[] = GROUNDS.filter(({ isLocal }) => !isLocal)

/** The entries of the log for one key. */
export async function findEntries({ store }: Ground, key: string): Promise<string[]> {
  const kinds: string[] = []
  for (let cursor: string | null = null, more = true; more; ) {
    const page = await store.readLog(cursor, 1000)
    for (const entry of page.entries) if (entry.key === key) kinds.push(entry.kind)
    cursor = page.cursor
    more = page.more
  }
  return kinds
}

/** Describes the same for each store; it is open while the tests run. */
export function describeGrounds(
  grounds: readonly Openable[],
  define: (ground: () => Ground, name: string) => void,
): void {
  for (const { name, open, reason } of grounds) {
    describe.skipIf(reason !== null)(reason === null ? name : `${name}: ${reason}`, () => {
      let ground: Ground | undefined
      beforeAll(async () => {
        ground = await open()
      })
      afterAll(() => ground?.close())
      define(() => ground as Ground, name)
    })
  }
}
