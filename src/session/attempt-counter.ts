/**
 * Counts attempts in the session store, for limits that hold over all processes.
 */
import type {
  Attempt,
  AttemptCount,
  AttemptForget,
  CountedAttempts,
  CountedTogether,
  Store,
} from './store.ts'
import type { StoreClient } from './store-client.ts'

/** Counts attempts of several keys in one call. Rejects as `AttemptCounter` does. */
export interface TogetherCounter {
  /** As the store's `countTogether`. */
  count(counts: readonly AttemptCount[], reads: readonly string[]): Promise<CountedTogether>
  /** As the store's `forgetTogether`. */
  forget(forgets: readonly AttemptForget[]): Promise<void>
}

/**
 * Counts attempts. Every method rejects with `store_unavailable` when the store cannot be asked.
 */
export class AttemptCounter {
  /** Counts several keys in one call; null for a store that counts key by key. */
  readonly together: TogetherCounter | null
  readonly #client: StoreClient

  /**
   * @param client the way to the store
   * @param store the store
   */
  constructor(client: StoreClient, store: Pick<Store, 'countTogether' | 'forgetTogether'>) {
    this.#client = client
    this.together = createTogether(client, store)
  }

  /** Counts one more attempt of a key, in a window of so many seconds from its first attempt. */
  count(key: string, limit: number, window: number): Promise<Attempt> {
    const client = this.#client
    return client.call('countAttempt', (store) => store.countAttempt(key, limit, window, client.now()))
  }

  /** What is counted of a key. */
  read(key: string): Promise<CountedAttempts> {
    const client = this.#client
    return client.call('readAttempts', (store) => store.readAttempts(key, client.now()))
  }

  /** Takes back attempts of a key, all of them for null. */
  forget(key: string, count: number | null): Promise<void> {
    const client = this.#client
    return client.call('forgetAttempts', (store) => store.forgetAttempts(key, count, client.now()))
  }
}

function createTogether(
  client: StoreClient,
  store: Pick<Store, 'countTogether' | 'forgetTogether'>,
): TogetherCounter | null {
  const count = store.countTogether?.bind(store)
  const forget = store.forgetTogether?.bind(store)
  if (count === undefined || forget === undefined) return null
  return {
    count: (counts, reads) => client.call('countTogether', () => count(counts, reads, client.now())),
    forget: (forgets) => client.call('forgetTogether', () => forget(forgets, client.now())),
  }
}
