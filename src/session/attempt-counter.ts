/**
 * Counts attempts in the session store, for limits that hold over all processes.
 */
import type { Attempt, CountedAttempts } from './store.ts'
import type { StoreClient } from './store-client.ts'

/**
 * Counts attempts. Every method rejects with `store_unavailable` when the store cannot be asked.
 */
export class AttemptCounter {
  readonly #client: StoreClient

  /** @param client the way to the store */
  constructor(client: StoreClient) {
    this.#client = client
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
