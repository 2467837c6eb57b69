/** The limits of passwords, with each way to count: key by key, and several keys in one call. */
import { createMemoryLimiter } from '../../src/routes/throttle/memory-limiter.ts'
import { resolveThrottle } from '../../src/routes/throttle/resolve-throttle.ts'
import { createThrottle, type Throttle } from '../../src/routes/throttle/throttle.ts'
import { AttemptCounter } from '../../src/session/attempt-counter.ts'
import type { Store } from '../../src/session/store.ts'
import { StoreClient } from '../../src/session/store-client.ts'
import { memoryStore } from '../../src/stores/memory.ts'

/** Limits that count in a store, which the system's clock rules. */
export function createStoreThrottle(store: Store): Throttle {
  const client = new StoreClient(store, { deadline: 2, inFlight: 64 }, () => Date.now() / 1000)
  return resolveThrottle(undefined, {
    attempts: new AttemptCounter(client, store),
    hasStore: true,
    realm: undefined,
    now: () => Date.now() / 1000,
  })
}

/** A store without the methods that it may lack. */
function keyByKey({ countTogether: _count, forgetTogether: _forget, ...store }: Store): Store {
  return store
}

/** Each way to count. */
export const THROTTLES: readonly (readonly [name: string, create: () => Throttle])[] = [
  ['the memory of the process', () => createThrottle(createMemoryLimiter)],
  ['a store, key by key', () => createStoreThrottle(keyByKey(memoryStore()))],
  ['a store, all keys together', () => createStoreThrottle(memoryStore())],
]
