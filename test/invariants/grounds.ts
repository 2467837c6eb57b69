/**
 * The five stores, each opened for one test file with a schema, a file or a server of its own, and described so that other processes
 * can open it too. A store whose server is missing is skipped, and says so.
 */

import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { connect, type StoreSpec, type Tap } from '../processes/node/connect.ts'
import { HAS_REDIS, startRedis } from '../stores/redis-server.ts'
import { HAS, openDatabase } from '../stores/sql-databases.ts'

/** An opened store. */
export interface Ground {
  readonly spec: StoreSpec
  readonly store: Store
  /** Sets a session back, as a restored backup does. Its time of rotation too. */
  setBack(sid: string, generations: number): Promise<void>
  /** Makes a session's last rotation and step-up older by so many seconds, where the store's clock rules. */
  age(sid: string, seconds: number): Promise<void>
  /** Loses the log of revocations, as a backup does that was made before; Redis loses all. */
  loseLog(): Promise<void>
  /** Deletes the entries of the log, as pruning does when they have ended. */
  pruneLog(): Promise<void>
  close(): Promise<void>
}

/** A store that can be opened. */
export interface Openable {
  readonly name: StoreSpec['kind']
  readonly reason: string | null
  open(tap?: Tap): Promise<Ground>
}

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
  return {
    spec,
    store,
    async setBack(sid, generations) {
      await admin.hincrby(`{tw}:s:${sid}`, 'gen', -generations)
      await admin.hincrby(`{tw}:s:${sid}`, 'rot', -generations * 1000)
    },
    async age(sid, seconds) {
      for (const field of ['rot', 'used']) await admin.hincrby(`{tw}:s:${sid}`, field, -seconds * 1000)
    },
    async loseLog() {
      await server.kill()
      await server.restart()
    },
    pruneLog: async () => void (await admin.del('{tw}:log')),
    async close() {
      await close()
      admin.disconnect()
      await server.close()
    },
  }
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
  return {
    spec,
    store,
    async setBack(sid, generations) {
      await database.sql(
        `update tokenwright_sessions set gen = gen - ${generations},
         rotated_at = rotated_at - ${generations * 1000} where sid = '${sid}'`,
      )
    },
    async age(sid, seconds) {
      await database.sql(
        `update tokenwright_sessions set rotated_at = rotated_at - ${seconds * 1000},
         last_used_at = last_used_at - ${seconds * 1000} where sid = '${sid}'`,
      )
    },
    async loseLog() {
      await database.sql('delete from tokenwright_log')
      await database.sql("update tokenwright_counters set n = 0 where name = 'log'")
    },
    pruneLog: async () => void (await database.sql('delete from tokenwright_log')),
    async close() {
      await close()
      await database.close()
    },
  }
}

const NO_SERVER = 'NO SERVER, NOT TESTED'

/** All stores. */
export const GROUNDS: readonly Openable[] = [
  { name: 'memory', reason: null, open: openMemory },
  ...(['sqlite', 'postgres', 'mysql'] as const).map((name) => ({
    name,
    reason: HAS[name] ? null : NO_SERVER,
    open: (tap?: Tap) => openSql(name, tap),
  })),
  { name: 'redis', reason: HAS_REDIS ? null : NO_SERVER, open: openRedis },
]

/** The stores that several processes can share. */
export const SHARED: readonly Openable[] = GROUNDS.filter(({ name }) => name !== 'memory')

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
