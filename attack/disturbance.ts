/**
 * A store in memory whose log can be disturbed for one process: it is unreachable, loses pages, or
 * delivers entries twice or in another order. Everything else works, and other processes see no
 * disturbance.
 */
import type { Store } from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'
import { Unsupported } from './values.ts'

/** One read of the log. */
export interface LogRead {
  /** Where it starts. */
  readonly cursor: string | null
  /** Where the next one must start; null if the page was lost. */
  readonly next: string | null
}

/** Disturbs the feed of one process. */
export interface Disturbance {
  /** The store as that process sees it. */
  readonly store: Store
  /** The store as other processes see it. */
  readonly undisturbed: Store
  /** The reads of that process, in order. */
  readonly reads: readonly LogRead[]
  /** Starts a disturbance. Throws `Unsupported` for an unknown name. */
  begin(name: string): void
  /** Ends the disturbance. */
  end(): void
}

type Page = Awaited<ReturnType<Store['readLog']>>

/** Changes a page; the number counts the reads. Null means that the page is lost. */
type Change = (page: Page, reading: number) => Page | null

const CHANGES: Readonly<Record<string, Change>> = {
  // Whether the request or its page is lost makes no difference to this process.
  feed_down: () => null,
  // Each entry comes twice. On every other read the cursor goes back to the start.
  feed_dup: (page, reading) =>
    reading % 2 === 0
      ? { ...page, entries: [...page.entries, ...page.entries] }
      : { ...page, cursor: '0', entries: [...page.entries, ...page.entries] },
  // Entries come in reverse order, and every other page is lost.
  feed_reorder: (page, reading) =>
    reading % 2 === 0 ? null : { ...page, entries: [...page.entries].reverse() },
}

/** The names of all disturbances. */
export const DISTURBANCES: readonly string[] = Object.keys(CHANGES)

/** Creates a store whose feed can be disturbed. */
export function disturb(): Disturbance {
  const undisturbed = memoryStore()
  const reads: LogRead[] = []
  let change: Change | undefined
  return {
    undisturbed,
    reads,
    store: {
      ...undisturbed,
      async readLog(cursor, limit) {
        const page = await undisturbed.readLog(cursor, limit)
        const passed = change === undefined ? page : change(page, reads.length)
        reads.push({ cursor, next: passed?.cursor ?? null })
        if (passed === null) throw new Error('The log is unreachable')
        return passed
      },
    },
    begin(name) {
      if (!Object.hasOwn(CHANGES, name)) throw new Unsupported(`unknown disturbance '${name}'`)
      change = CHANGES[name]
    },
    end() {
      change = undefined
    },
  }
}
