/** The log of revocations of a memory store, oldest first. */
import { randomId } from '../../internal/bytes.ts'
import type { LogEntry, LogPage } from '../../session/store.ts'

/** The log of one store. */
export class MemoryLog {
  /** The entries; their numbers only grow. */
  #entries: { readonly number: number; readonly entry: LogEntry }[] = []
  #lastNumber = 0
  /** Tells its cursors from those of another store, such as the one before a restart. */
  #id = ''

  /** How many entries there are. */
  get size(): number {
    return this.#entries.length
  }

  /** Adds an entry. */
  append(entry: LogEntry): void {
    this.#lastNumber += 1
    this.#entries.push({ number: this.#lastNumber, entry: Object.freeze(entry) })
  }

  /** Reads on after a cursor. Nothing random is drawn before. */
  read(cursor: string | null, limit: number): Omit<LogPage, 'now'> {
    if (this.#id === '') this.#id = randomId()
    const known = cursor === null ? 0 : this.#readCursor(cursor)
    // An unknown cursor reads everything: too much is safe, too little is not.
    const after = known !== null && known <= this.#lastNumber ? known : 0
    const rest = this.#entries.slice(this.#entries.findLastIndex(({ number }) => number <= after) + 1)
    const page = rest.slice(0, limit)
    const more = rest.length > page.length
    const end = more ? (page.at(-1)?.number ?? after) : this.#lastNumber
    const entries = page.map(({ entry }) => entry)
    return { entries, cursor: `${end}.${this.#id}`, more, restarted: after !== known }
  }

  /** Deletes the entries that have ended. */
  sweep(now: number): void {
    this.#entries = this.#entries.filter(({ entry }) => now < entry.until)
  }

  /** The number in a cursor of this log; null for any other text. */
  #readCursor(cursor: string): number | null {
    const [, number, id] = /^(\d{1,15})\.(.+)$/.exec(cursor) ?? []
    return id === this.#id ? Number(number) : null
  }
}
