/**
 * Passes the revocation log on to services without the store. All of them share the one reading of
 * this process: what it has read last is kept, so that a follower costs no call of the store as
 * long as it keeps up. A cursor is the store's own, so that a follower can go on at any process of
 * the application, and after a restart.
 */
import { toOutage } from '../internal/outage.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import { monotonic } from './clocks.ts'
import { POLL_INTERVAL, sleep } from './log-client.ts'
import type { RevocationFeed } from './revocation-feed.ts'
import type { TokenIdentity } from './revocation-list.ts'
import type { LogEntry, LogPage } from './store.ts'
import type { StoreClient } from './store-client.ts'
import { WaitingList } from './waiting-list.ts'

/** What a follower asks for. */
export interface PageRequest {
  /** Who asks; the places to wait are shared out by it. */
  readonly client: string
  /** Where it reads on; null for the beginning. */
  readonly cursor: string | null
  /** How long it waits for an entry, in seconds; 0 for not at all. */
  readonly wait: number
  /** Ends the wait. */
  readonly signal: AbortSignal
}

/** A page for a follower. */
export interface PublishedPage {
  /** The page; one object for all followers that get the same. */
  readonly page: LogPage
  /** As of when it is complete, in seconds after the request; negative for before. */
  readonly asOf: number
}

/** What passes the log on. */
export interface PublisherSettings {
  /** The realm whose subjects are told; null for none. */
  readonly realm: string | null
  /** The longest life of a token, in seconds, that the log covers. */
  readonly accessTtl: number
}

/** How many entries are read, and passed on, at once. */
const PAGE_SIZE = 1000

/** How many entries of the latest are kept, and in how many pages. */
const KEPT_ENTRIES = 10_000
const KEPT_PAGES = 1000

/** How many cursors are known. */
const KNOWN_CURSORS = 4000

/** How long a follower waits for the first reading of this process, in seconds. */
const DEADLINE = 2

/** The age of what this process knows beyond which it tells an outage, in seconds. */
const OUTDATED = 3

/** The log of one application, for followers. */
export class RevocationPublisher {
  readonly #feed: RevocationFeed
  readonly #settings: PublisherSettings
  readonly #client: StoreClient
  readonly #waiting = new WaitingList()
  /** The latest pages, oldest first, and how many there were before them. */
  readonly #pages: { readonly entries: readonly LogEntry[]; readonly cursor: string }[] = []
  #dropped = 0
  #kept = 0
  /** Which page comes next for a cursor, counted from the first one that ever was. */
  readonly #next = new Map<string, number>()
  /** Pages that were made of those, by their place, until the log is read again. */
  readonly #made = new Map<number, LogPage>()
  /** Readings of the store that are under way, by cursor. */
  readonly #reading = new Map<string, Promise<PublishedPage>>()
  #now = 0
  #isFollowing = false

  /**
   * @param feed what reads the log
   * @param client its way to the store, of its own: followers take no places from others
   */
  constructor(feed: RevocationFeed, client: StoreClient, settings: PublisherSettings) {
    this.#feed = feed
    this.#settings = settings
    this.#client = client
  }

  /** The longest life of a token, in seconds, that the log covers. */
  get covers(): number {
    return this.#settings.accessTtl
  }

  /** How many followers wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * The next page for a follower, at once or when something was revoked.
   *
   * @throws {AuthError} `store_unavailable`; `rate_limited` where too many wait
   */
  async read({ client, cursor, wait, signal }: PageRequest): Promise<PublishedPage> {
    const arrivedAt = monotonic()
    if (OUTLIVES_REQUESTS) await this.#follow()
    for (;;) {
      const found = await this.#read(cursor)
      const { entries, more, restarted } = found.page
      const left = arrivedAt + wait - monotonic()
      const hasContent = entries.length > 0 || more || restarted === true
      if (hasContent || left <= 0 || signal.aborted || this.#waiting.isClosed)
        return { page: found.page, asOf: found.asOf - arrivedAt }
      await this.#rest(client, left, signal)
    }
  }

  /** Whether a token is revoked. @throws {AuthError} `store_unavailable` */
  isRevoked(token: TokenIdentity): Promise<boolean> {
    return this.#feed.isRevoked(token)
  }

  /** Lets all followers go. */
  close(): void {
    this.#waiting.close()
  }

  async #read(cursor: string | null): Promise<PublishedPage> {
    // In Workers this process reads nothing ahead.
    if (!OUTLIVES_REQUESTS) return this.#readPage(cursor)
    return this.#find(cursor) ?? this.#readStore(cursor)
  }

  /** Waits for the next entry, or until it is time to look for one. */
  async #rest(client: string, seconds: number, signal: AbortSignal): Promise<void> {
    if (!OUTLIVES_REQUESTS) return sleep(Math.min(seconds, POLL_INTERVAL))
    await this.#waiting.wait(client, seconds, signal)
    this.#throwIfOutdated()
  }

  /** Makes sure that the log is read, and was not long ago. */
  async #follow(): Promise<void> {
    if (!this.#isFollowing) {
      this.#isFollowing = true
      this.#feed.listenToPages((page, from) => this.#add(page, from))
    }
    if (!this.#isOutdated()) return
    await withDeadline('the log', DEADLINE, () => this.#feed.follow())
    this.#throwIfOutdated()
  }

  #isOutdated(): boolean {
    return monotonic() - this.#feed.knownAt() > OUTDATED
  }

  #throwIfOutdated(): void {
    if (this.#isOutdated()) throw toOutage(new Error('The log is out of reach'))
  }

  /** Adds what was read. */
  #add(page: LogPage, from: string | null): void {
    this.#now = page.now
    this.#made.clear()
    const entries = this.#select(page.entries)
    // Cursors of a log that has restarted are the store's to decide on.
    if (page.restarted === true) this.#forget()
    else if (from !== null && !this.#next.has(from)) this.#learn(from, this.#end())
    if (entries.length > 0) {
      this.#pages.push({ entries, cursor: page.cursor })
      this.#kept += entries.length
    }
    this.#learn(page.cursor, this.#end())
    while (this.#kept > KEPT_ENTRIES || this.#pages.length > KEPT_PAGES) this.#drop()
    if (entries.length > 0 || page.restarted === true) this.#waiting.wake()
  }

  /** A page for a cursor out of what is kept; null for one that is not known. */
  #find(cursor: string | null): PublishedPage | null {
    const from = cursor === null ? undefined : this.#next.get(cursor)
    if (cursor === null || from === undefined || from < this.#dropped) return null
    const page = this.#made.get(from) ?? this.#make(from, cursor)
    this.#made.set(from, page)
    return { page, asOf: this.#feed.knownAt() }
  }

  #make(from: number, cursor: string): LogPage {
    const entries: LogEntry[] = []
    let at = from
    let last = cursor
    for (; at < this.#end() && entries.length < PAGE_SIZE; at++) {
      const kept = this.#pages[at - this.#dropped]
      entries.push(...(kept?.entries ?? []))
      last = kept?.cursor ?? last
    }
    return { entries, cursor: last, more: at < this.#end(), now: this.#now }
  }

  /** Reads for followers whose cursor is not known; once for all that have the same one. */
  #readStore(cursor: string | null): Promise<PublishedPage> {
    const key = cursor ?? ''
    const known = this.#reading.get(key)
    if (known !== undefined) return known
    const reading = this.#readPage(cursor).finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    return reading
  }

  async #readPage(cursor: string | null): Promise<PublishedPage> {
    const end = this.#end()
    const asOf = monotonic()
    const page = await this.#client.call('readLog', (store) => store.readLog(cursor, PAGE_SIZE))
    // Whoever has read to the end of the log knows all that this process knew before.
    if (!page.more) this.#learn(page.cursor, end)
    this.#now = page.now
    return { page: { ...page, entries: this.#select(page.entries) }, asOf }
  }

  /** Subjects of other realms are none of a follower's business. */
  #select(entries: readonly LogEntry[]): readonly LogEntry[] {
    const { realm } = this.#settings
    return entries.filter(
      (entry) => entry.kind !== 'sub' || entry.realm === undefined || entry.realm === realm,
    )
  }

  #end(): number {
    return this.#dropped + this.#pages.length
  }

  #learn(cursor: string, next: number): void {
    this.#next.delete(cursor)
    this.#next.set(cursor, next)
    if (this.#next.size <= KNOWN_CURSORS) return
    for (const oldest of this.#next.keys()) {
      this.#next.delete(oldest)
      return
    }
  }

  #drop(): void {
    this.#kept -= this.#pages.shift()?.entries.length ?? 0
    this.#dropped++
  }

  #forget(): void {
    this.#next.clear()
    while (this.#pages.length > 0) this.#drop()
  }
}
