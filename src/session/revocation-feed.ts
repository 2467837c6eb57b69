/**
 * Whether a verified token is revoked, as this process can tell. In `feed` mode a process follows
 * the store's log and a check is a look-up. In `strict` mode, and in Workers, each check asks the
 * store. A process that has not caught up, was suspended, or checks a token that lives longer than
 * usual, asks the store too. One that has not reached the log for too long refuses every token. A
 * process without the store follows another one that has it, and asks that one.
 */
import { AuthError } from '../errors.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { warn } from '../internal/warn.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { CallLoad } from './call-queue.ts'
import { monotonic } from './clocks.ts'
import {
  FeedReader,
  type ReachListener,
  type ReadingListener,
  type RevocationListener,
} from './feed-reader.ts'
import { type LogClient, type LogReading, sleep } from './log-client.ts'
import { RevocationList, type TokenIdentity } from './revocation-list.ts'
import { type RevocationRestorer, toEntryId } from './revocation-restorer.ts'
import type { LogEntry } from './store.ts'

/** How revocation is checked. */
export type RevocationMode = 'feed' | 'strict' | 'off'

/** The rules of revocation; lengths in seconds. */
export interface RevocationSettings {
  /** How tokens are checked. */
  readonly mode: RevocationMode
  /** How long the log may be out of reach before tokens are refused. */
  readonly maxStale: number
  /** What happens then. */
  readonly whenStale: 'refuse' | 'allow'
  /** The usual life of an access token: the store is asked about longer ones. */
  readonly accessTtl: number
  /** Forgiven clock skew. */
  readonly leeway: number
  /** The realm of the tokens; null for none. */
  readonly realm: string | null
}

/** How long a request waits for the first reading of a remote log, in seconds. */
const CATCH_UP_DEADLINE = 2

/** How many entries are compared with the log before requests have a turn. */
const COMPARED_AT_ONCE = 10_000

/** Is told of each page of the log, and of where it was read from; null for the beginning. */
export type PageListener = (page: LogReading, from: string | null) => void

/** How much a process knows of what is revoked. */
export interface FeedState {
  /** Whether it has read the whole log; until then it asks the store each time. */
  readonly caughtUp: boolean
  /** How old its knowledge is, in seconds. */
  readonly age: number
  /** How many revocations it remembers. */
  readonly entries: number
  /** Whether there are more than it can hold: then it asks the store each time. */
  readonly overflows: boolean
  /** How many calls of the store are in flight and how many wait for a place, of all kinds. */
  readonly calls: CallLoad
}

/** What is wrong with what a process knows. */
export interface FeedTrouble {
  /** Whether requests are refused, as the log was out of reach for too long. */
  readonly isRefusing: boolean
  /** What the last reading failed with; undefined where it did not. */
  readonly failure: unknown
  /** Seconds since the log was found to be another one; null where it never was. */
  readonly restartedFor: number | null
}

/** The revocations of one application, as one process knows them. */
export class RevocationFeed {
  readonly #client: LogClient
  readonly #settings: RevocationSettings
  readonly #list: RevocationList
  readonly #knows: ((sid: string) => boolean) | null
  readonly #reader: FeedReader
  #listener: RevocationListener | null = null
  #pageListener: PageListener | null = null
  #reachListener: ReachListener | null = null
  #hasWarned = false
  /** The longest life of a token that the log covers, in seconds. */
  #covers: number
  readonly #restorer: RevocationRestorer | null
  /** When the log was last found to be another one, in seconds of the monotonic clock. */
  #restartedAt: number | null = null
  /** What came in while what is known is compared with a log that went back; null otherwise. */
  #later: Set<string> | null = null
  /** What this process has revoked and not read in the log yet. */
  readonly #confirmed = new Map<string, { readonly entry: LogEntry; readonly at: number }>()

  /**
   * @param client the way to the log that is followed
   * @param knows whether the store has a session, where it says so at once
   * @param restorer stores again what the store has lost
   */
  constructor(
    client: LogClient,
    settings: RevocationSettings,
    knows: ((sid: string) => boolean) | null = null,
    restorer: RevocationRestorer | null = null,
  ) {
    this.#restorer = restorer
    this.#client = client
    this.#knows = knows
    this.#settings = settings
    this.#covers = settings.accessTtl
    this.#list = new RevocationList(settings.leeway)
    this.#reader = new FeedReader(client, this.#list, {
      onPage: (page, from) => {
        this.#covers = page.covers ?? settings.accessTtl
        if (page.restarted === true && from !== null) this.#restartedAt = monotonic()
        this.#pageListener?.(page, from)
      },
      onRevoked: (entry) => {
        if (this.#confirmed.size > 0) this.#confirmed.delete(toEntryId(entry))
        this.#take(entry)
      },
      onStale: () => {
        if (this.#isStale()) this.#listener?.onStale()
      },
      onRead: (reading) => this.#restore(reading),
      onDown: (cause) => this.#reachListener?.onDown(cause),
      onUp: () => this.#reachListener?.onUp(),
    })
  }

  /**
   * Refuses what this process knows to be revoked.
   *
   * @param strict whether the store must be asked in any case
   * @returns whether that is enough; otherwise the store must be asked by `checkStore`
   * @throws {AuthError} `token_revoked`; `store_unavailable` where the log was out of reach for too
   *   long
   */
  checkKnown(payload: TokenPayload<unknown>, strict: boolean): boolean {
    const { mode } = this.#settings
    if (mode === 'off') return true
    // What is known counts in any mode: a store that was restored from a backup may have forgotten
    // it.
    if (this.#list.has(payload)) throw new AuthError('token_revoked')
    if (mode === 'strict' || strict || !OUTLIVES_REQUESTS || this.isLongLived(payload)) return false
    // The store would refuse an unknown session too, but only when it is asked.
    if (payload.sid !== undefined && this.#knows?.(payload.sid) === false)
      throw new AuthError('token_revoked')
    this.#reader.start()
    if (!this.#reader.isCaughtUp() || this.#list.isIncomplete()) return false
    if (this.#isStale())
      throw new AuthError('store_unavailable', { cause: this.#reader.failure, detail: { retryAfter: 1 } })
    return true
  }

  /**
   * Asks the store. A remote log is read first, where that is enough.
   *
   * @param strict as in `checkKnown`
   * @throws {AuthError} `token_revoked`, `store_unavailable`
   */
  async checkStore(payload: TokenPayload<unknown>, strict: boolean): Promise<void> {
    const isBehind = this.#client.isRemote && !strict && !this.#reader.isCaughtUp()
    if (isBehind && this.#follows()) {
      await withDeadline('revocation.source', CATCH_UP_DEADLINE, () => this.#reader.ready())
      if (this.checkKnown(payload, false)) return
    }
    if (await this.isRevoked(payload)) throw new AuthError('token_revoked')
  }

  /** Whether this process or the store knows that a token is revoked. @throws as `checkStore` */
  async isRevoked({ sid, jti, sub, iat }: TokenIdentity): Promise<boolean> {
    if (this.#list.has({ sid, jti, sub, iat })) return true
    const query = {
      sid: sid ?? null,
      jti: jti ?? null,
      sub,
      realm: this.#settings.realm,
      iat: iat === undefined ? null : iat - this.#settings.leeway,
      now: this.#client.now(),
    }
    return this.#client.isRevoked(query)
  }

  /** Whether this process knows that a token is revoked. A no proves nothing. */
  knowsRevoked(payload: TokenPayload<unknown>): boolean {
    return this.#list.has(payload)
  }

  /**
   * Whether a token lives longer than log entries are kept, so that a revocation of it could be
   * missed.
   */
  isLongLived({ iat, exp }: TokenPayload<unknown>): boolean {
    return iat === undefined || exp - iat > this.#covers
  }

  /**
   * Notifies a listener of revocations from now on, also in strict mode. Only the latest listener
   * is notified.
   */
  listen(listener: RevocationListener): void {
    this.#listener = listener
    if (this.#settings.mode !== 'off') this.#reader.start()
  }

  /**
   * Adds at once what this process has revoked itself.
   *
   * @param isLogged whether the store has confirmed that the log has it now
   */
  note(entry: LogEntry, isLogged: boolean): void {
    this.#list.sweep(entry.at)
    this.#take(entry)
    if (isLogged && this.#reader.isRunning) this.#confirmed.set(toEntryId(entry), { entry, at: monotonic() })
  }

  /** Reads the log now, where it is followed. A store that is down is left to the next reading. */
  catchUp(): Promise<void> {
    return this.#reader.catchUp()
  }

  /** Follows the log in any mode, and reads it. @throws {AuthError} `store_unavailable` */
  async follow(): Promise<void> {
    await this.#reader.ready()
  }

  /**
   * Resolves when the feed has caught up; in other modes when the store responds. Rejects when it
   * does not.
   */
  async ready(): Promise<void> {
    if (this.#follows()) await this.#reader.ready()
    else await this.#client.readLog(null, 1)
  }

  /** Passes each page that is read from now on to one listener. */
  listenToPages(listener: PageListener): void {
    this.#pageListener = listener
  }

  /** Tells one listener from now on when the log goes out of reach and when it is back. */
  listenToReach(listener: ReachListener): void {
    this.#reachListener = listener
  }

  /** As of when this process knows the whole log, in seconds of the monotonic clock. */
  knownAt(): number {
    return monotonic() - this.#reader.age()
  }

  /** How much this process knows, for health checks. */
  state(): FeedState {
    const { size } = this.#list
    return {
      caughtUp: this.#reader.isCaughtUp(),
      age: this.#reader.age(),
      entries: size,
      overflows: this.#list.isIncomplete(),
      calls: this.#client.load(),
    }
  }

  /** What is wrong, for health checks. */
  trouble(): FeedTrouble {
    const at = this.#restartedAt
    return {
      isRefusing: this.#follows() && this.#reader.isCaughtUp() && this.#isStale(),
      failure: this.#reader.failure,
      restartedFor: at === null ? null : monotonic() - at,
    }
  }

  /** Stops following the log. */
  close(): void {
    this.#reader.close()
  }

  /** Whether checks go by the log: where nothing outlives a request, no one would read it on. */
  #follows(): boolean {
    return this.#settings.mode === 'feed' && OUTLIVES_REQUESTS
  }

  #take(entry: LogEntry): void {
    // A subject of another realm is another subject; entries without a realm apply to all.
    if (entry.kind === 'sub' && entry.realm !== undefined && entry.realm !== this.#settings.realm) return
    this.#list.add(entry)
    this.#later?.add(toEntryId(entry))
    if (this.#list.isIncomplete()) this.#warnOfOverflow()
    this.#listener?.onRevoked(entry)
  }

  /**
   * Stores again what the log should have and has not: what this process was told is stored, and
   * after a log that went back all that it knows.
   */
  #restore({ begunAt, now, all }: Parameters<ReadingListener['onRead']>[0]): void {
    const missing: LogEntry[] = []
    for (const [id, { entry, at }] of this.#confirmed) {
      if (at >= begunAt) continue
      this.#confirmed.delete(id)
      missing.push(entry)
    }
    if (this.#restorer === null) return
    if (all === null) void this.#restorer.restore(missing, now)
    else void this.#restoreOthers(missing, now, all)
  }

  /** Stores entries again, and all that the log has not; in small steps, as requests wait. */
  async #restoreOthers(entries: readonly LogEntry[], now: number, all: ReadonlySet<string>): Promise<void> {
    const missing = [...entries]
    const later = new Set<string>()
    this.#later = later
    let seen = 0
    for (const entry of this.#list.entries()) {
      const id = toEntryId(entry)
      if (!all.has(id) && !later.has(id)) missing.push(entry)
      if (++seen % COMPARED_AT_ONCE === 0) await sleep(0)
    }
    if (this.#later === later) this.#later = null
    await this.#restorer?.restore(missing, now)
  }

  #warnOfOverflow(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    warn(
      'TOKENWRIGHT_REVOCATIONS',
      `More than ${this.#list.size} revocations are in force: this process has no space for them all, and asks the store about each token`,
    )
  }

  #isStale(): boolean {
    const { whenStale, maxStale } = this.#settings
    return whenStale === 'refuse' && this.#reader.age() > maxStale
  }
}
