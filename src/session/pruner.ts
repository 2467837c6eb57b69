/**
 * Prunes a store by itself: about once per interval, in one process of all that share the store.
 * The timer begins with the first use, keeps no process alive, and does not keep the pruner alive.
 */
import { randomInt } from 'node:crypto'
import { describeFailure } from '../internal/failure.ts'
import { warn } from '../internal/warn.ts'
import { toWeakReference } from '../internal/weak-reference.ts'
import { monotonic } from './clocks.ts'
import type { StoreClient } from './store-client.ts'

/** The shortest and the longest pause, as a share of the interval: processes do not act at once. */
const JITTER = { least: 0.5, most: 1.5 } as const

/** What counts who prunes: one attempt per interval, in whichever process. */
const TURN_KEY = 'prune'

/** The share of the interval after which a pruning stops, even if there is more; and the least. */
const LONGEST_SHARE = 0.1
const LONGEST_AT_LEAST = 5

/** A pruning that deletes fewer records has come to its end. */
const FEW = 100

/** Prunes one store. */
export class Pruner {
  readonly #client: StoreClient
  readonly #interval: number
  #timer: ReturnType<typeof setTimeout> | undefined
  #isRunning = false
  #hasWarned = false

  /** @param interval in seconds; 0 for never */
  constructor(client: StoreClient, interval: number) {
    this.#client = client
    this.#interval = interval
  }

  /** Begins, once. */
  start(): void {
    if (this.#isRunning || this.#interval === 0) return
    this.#isRunning = true
    this.#wait()
  }

  /** Stops; a pruning that runs ends with its present step. */
  close(): void {
    this.#isRunning = false
    clearTimeout(this.#timer)
  }

  #wait(): void {
    const share = JITTER.least + (JITTER.most - JITTER.least) * (randomInt(1000) / 1000)
    const self = toWeakReference(this)
    this.#timer = setTimeout(
      () => {
        const pruner = self.deref()
        if (pruner !== undefined) pruner.#tick().finally(() => pruner.#isRunning && pruner.#wait())
      },
      this.#interval * share * 1000,
    )
    this.#timer.unref?.()
  }

  async #tick(): Promise<void> {
    try {
      if (await this.#isMyTurn()) await this.#prune()
    } catch (error) {
      // The next one tries again. A store that is down is told of by the calls of users.
      if (this.#hasWarned) return
      this.#hasWarned = true
      const { cause = error } = error as { cause?: unknown }
      const reason = describeFailure(cause)
      warn('TOKENWRIGHT_PRUNE', `The store could not be pruned, and grows until it is: ${reason}`)
    }
  }

  async #isMyTurn(): Promise<boolean> {
    const client = this.#client
    const turn = await client.call('countAttempt', (store) =>
      store.countAttempt(TURN_KEY, 1, this.#interval, client.now()),
    )
    return turn.allowed
  }

  /** Prunes until little is left, with pauses as long as the steps. */
  async #prune(): Promise<void> {
    const end = monotonic() + Math.max(LONGEST_AT_LEAST, this.#interval * LONGEST_SHARE)
    for (let count = FEW; count >= FEW && this.#isRunning && monotonic() < end; ) {
      const begun = monotonic()
      count = await this.#client.call('prune', (store) => store.prune(this.#client.now()), 'prune')
      await new Promise((resolve) => setTimeout(resolve, (monotonic() - begun) * 1000).unref?.())
    }
  }
}
