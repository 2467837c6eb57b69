/**
 * Every store of the package, opened for a test file: memory, the three databases, Redis. Each gets a schema, a file or
 * a server of its own. One whose server is not there is named with the reason, so that its tests are seen to be skipped.
 */
import { Redis } from 'ioredis'
import type { OpenStore } from 'tokenwright-store-suite'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, startRedis } from '../stores/redis-server.ts'
import { HAS, openDatabase } from '../stores/sql-databases.ts'

/** A store that can be opened, unless there is a reason why not. */
export interface Openable {
  readonly name: string
  readonly open: () => Promise<OpenStore>
  readonly reason: string | null
}

async function openRedis(): Promise<OpenStore> {
  const server = await startRedis()
  const client = new Redis(server.port)
  const close = async (): Promise<void> => {
    client.disconnect()
    await server.close()
  }
  return { store: redisStore(client), close }
}

/** All stores. */
export const STORES: readonly Openable[] = [
  { name: 'memory', open: async () => ({ store: memoryStore() }), reason: null },
  ...(['sqlite', 'postgres', 'mysql'] as const).map((name) => ({
    name,
    open: () => openDatabase(name),
    reason: HAS[name] ? null : 'NO SERVER, NOT TESTED',
  })),
  { name: 'redis', open: openRedis, reason: HAS_REDIS ? null : 'NO SERVER, NOT TESTED' },
]
