/**
 * A store in memory whose log can be disturbed on the way to one process: out of reach, with
 * answers lost, with entries that come twice or in another order. Everything else works, and other
 * processes reach it undisturbed.
 */
import type { Store } from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'
import { Unsupported } from './values.ts'

/** One reading of the log. */
export interface Reading {
  /** Where it began. */
  readonly cursor: string | null
  /** Where the next one is to begin; null when the answer was lost. */
  readonly next: string | null
}

/** A disturber of one process's feed. */
export interface Disturbance {
  /** The store as that process sees it. */
  readonly store: Store
  /** The store as the others do. */
  readonly undisturbed: Store
  /** The readings of that process, in order. */
  readonly readings: readonly Reading[]
  /** Begins. Throws `Unsupported` for a disturbance that it does not know. */
  begin(name: string): void
  /** Ends. */
  end(): void
}

type Page = Awaited<ReturnType<Store['readLog']>>

/** What becomes of a page on its way; the number counts the readings. Null when it is lost. */
type Way = (page: Page, reading: number) => Page | null

const WAYS: Readonly<Record<string, Way>> = {
  // The request is lost or the answer is: both look the same from here, and the store has done its
  // part.
  feed_down: () => null,
  // Every entry twice, and every page again: the cursor stays behind.
  feed_dup: (page, reading) =>
    reading % 2 === 0
      ? { ...page, entries: [...page.entries, ...page.entries] }
      : { ...page, cursor: '0', entries: [...page.entries, ...page.entries] },
  // Entries in another order, and every other answer lost in between.
  feed_reorder: (page, reading) =>
    reading % 2 === 0 ? null : { ...page, entries: [...page.entries].reverse() },
}

/** Makes a store whose feed can be disturbed. */
export function disturb(): Disturbance {
  const undisturbed = memoryStore()
  const readings: Reading[] = []
  let way: Way | undefined
  return {
    undisturbed,
    readings,
    store: {
      ...undisturbed,
      async readLog(cursor, limit) {
        const page = await undisturbed.readLog(cursor, limit)
        const passed = way === undefined ? page : way(page, readings.length)
        readings.push({ cursor, next: passed?.cursor ?? null })
        if (passed === null) throw new Error('The log is out of reach')
        return passed
      },
    },
    begin(name) {
      if (!Object.hasOwn(WAYS, name)) throw new Unsupported(`disturbance ${name}`)
      way = WAYS[name]
    },
    end() {
      way = undefined
    },
  }
}
