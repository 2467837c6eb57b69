/** One run of a copy: all records in batches, then the log. */

import { ConfigurationError } from '../../internal/configuration-error.ts'
import type { SessionRow } from '../../session/session-row.ts'
import { KEPT_AFTER_END, type LogEntry } from '../../session/store.ts'
import { hashText, isReleased, type RecordPage, type StoreRecord } from '../../session/transfer.ts'
import { ClockDifference } from './clock-difference.ts'
import { COPY_MARK, forgetMark, markCopies, refuseCopies } from './copy-mark.ts'
import { HandOver } from './hand-over.ts'
import { type MovePair, shiftRecord } from './movable.ts'

/** How far a copy is. */
export interface CopyProgress {
  /** Sessions, also those that have ended and are still kept. */
  readonly sessions: number
  /** Cut-offs of subjects. */
  readonly cutOffs: number
  /** Keys of which attempts are counted; redeemed one-time tokens are among them. */
  readonly attempts: number
  /** Entries of the log of revocations. */
  readonly revocations: number
  /** Where to go on if it is broken off now; null for the beginning. */
  readonly place: string | null
}

/** What was copied. */
export interface CopyResult extends Omit<CopyProgress, 'place'> {
  /**
   * How many sessions were seen to change in the old store meanwhile; moved: how many came into it.
   * 0 for a complete copy. Otherwise a process writes to the old store alone: stop it, and copy
   * again.
   */
  readonly changed: number
}

/** How a run goes. */
export interface CopySettings {
  /** Whether sessions move, rather than being copied. */
  readonly move: boolean
  /** How many records are read and written at once. */
  readonly batch: number
  /** Where it goes on; null for the beginning. */
  readonly place: string | null
  /** Breaks it off. */
  readonly signal?: AbortSignal
  /** Is told after each batch. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** The application's own time; null for the stores' time. */
  readonly now: () => number | null
}

/** How often all sessions are looked through for some that came meanwhile. */
const MOST_PASSES = 5

/** The place of the log, which is copied after all other records. */
const LOG_PLACE = 'log'

/** How many entries of a log are read at once. */
const LOG_PAGE = 1000

type ReadRecord = RecordPage['records'][number]

/** One run. */
export class CopyRun {
  readonly #pair: MovePair
  readonly #settings: CopySettings
  readonly #difference: ClockDifference
  readonly #handOver: HandOver
  readonly #counts = { sessions: 0, cutOffs: 0, attempts: 0, revocations: 0 }
  #changed = 0
  /** The old store's time when the run began. */
  #begunAt = 0

  /** @param pair the two stores */
  constructor(pair: MovePair, settings: CopySettings) {
    this.#pair = pair
    this.#settings = settings
    this.#difference = new ClockDifference(pair)
    this.#handOver = new HandOver(pair, this.#difference)
  }

  /** Runs to the end, or until it is broken off. */
  async run(): Promise<CopyResult> {
    const { move, place, signal, now } = this.#settings
    const { from, to } = this.#pair
    signal?.throwIfAborted()
    if (move) await refuseCopies(to, now())
    else await markCopies(this.#pair, place !== null, now())
    const earlier = readPlace(place)
    this.#begunAt = earlier?.begunAt ?? now() ?? (await from.now())
    if (earlier?.at !== LOG_PLACE) await this.#copyAllRecords(earlier?.at ?? null)
    await this.#copyLog()
    if (move && this.#changed === 0) await forgetMark(from, now())
    return { ...this.#counts, changed: this.#changed }
  }

  /** Sessions that move are looked for again, until none has come since. */
  async #copyAllRecords(place: string | null): Promise<void> {
    let start = place
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      this.#changed = 0
      await this.#copyRecords(start, pass > 0)
      const isComplete = start === null && this.#changed === 0
      if (!this.#settings.move || isComplete) return
      start = null
    }
  }

  async #copyRecords(start: string | null, isAgain: boolean): Promise<void> {
    const { batch, signal } = this.#settings
    let place = start
    do {
      signal?.throwIfAborted()
      const page = await this.#pair.from.transfer.read(place, batch)
      for (let at = 0; at < page.records.length; at += batch) {
        signal?.throwIfAborted()
        await this.#write(page.records.slice(at, at + batch), isAgain)
        const isWhole = at + batch >= page.records.length
        this.#report(isWhole ? (page.place ?? this.#logPlace) : place)
      }
      place = page.place
    } while (place !== null)
  }

  async #write(records: readonly ReadRecord[], isAgain: boolean): Promise<void> {
    const { move, now } = this.#settings
    const moment = now()
    const ahead = await this.#difference.read(moment)
    const kept = records.filter((record) => this.#isKept(record))
    if (!move) this.#refuseReleased(kept)
    const taken = move ? await this.#take(kept, moment) : 0
    const left = move ? kept.filter((record) => record.kind !== 'session' || isOver(record.row)) : kept
    const written = left.map((record): StoreRecord => shiftRecord(record, ahead))
    const replaces = move ? 'released' : 'older'
    const stayed = await this.#pair.to.transfer.write(written, { replaces, now: moment })
    if (!move && stayed > 0)
      throw new ConfigurationError(
        `Expected no one to use \`to\` yet: ${stayed} sessions there are ahead of those in \`from\``,
      )
    this.#count(kept, taken, isAgain)
  }

  /** Leaves out what no one would miss: what would be pruned, and the mark of copies. */
  #isKept(record: ReadRecord): boolean {
    if (record.kind !== 'session') return record.kind !== 'attempts' || record.keyHash !== hashText(COPY_MARK)
    const { revokedAt, idleExpiresAt } = record.row
    return Math.min(revokedAt ?? Number.POSITIVE_INFINITY, idleExpiresAt) + KEPT_AFTER_END > this.#begunAt
  }

  #refuseReleased(records: readonly ReadRecord[]): void {
    if (!records.some((record) => record.kind === 'session' && isReleased(record.row))) return
    throw new ConfigurationError(
      'Expected `from` to have all of its sessions, some of which moved to another store: copy with `move`, or copy that one',
    )
  }

  /** Takes sessions over. Resolves to how many had been in the old store until now. */
  async #take(records: readonly ReadRecord[], moment: number | null): Promise<number> {
    const rows = records.flatMap((record) => (record.kind === 'session' ? [record.row] : []))
    const sids = rows.filter((row) => !isOver(row)).map(({ sid }) => sid)
    if (sids.length > 0) await this.#handOver.take(sids, moment)
    return rows.filter(({ revokedAt }) => revokedAt === null).length
  }

  #count(records: readonly ReadRecord[], taken: number, isAgain: boolean): void {
    const { move } = this.#settings
    const counts = this.#counts
    for (const record of records) {
      if (record.kind === 'session') {
        if (!move && this.#hasChanged(record.row)) this.#changed++
        if (!isAgain && (!move || isOver(record.row))) counts.sessions++
      } else if (isAgain) continue
      else if (record.kind === 'cutOff') counts.cutOffs++
      else counts.attempts++
    }
    counts.sessions += taken
    if (move) this.#changed += taken
  }

  #hasChanged({ lastUsedAt, revokedAt }: SessionRow): boolean {
    return Math.max(lastUsedAt, revokedAt ?? 0) > this.#begunAt
  }

  /** Copies what the other log does not have. */
  async #copyLog(): Promise<void> {
    const { from, to } = this.#pair
    const { batch, now, signal } = this.#settings
    const known = new Map<string, LogEntry>()
    for await (const entries of readLog(to, signal))
      for (const entry of entries) known.set(toId(entry), entry)
    for await (const entries of readLog(from, signal)) {
      const ahead = await this.#difference.read(now())
      const missing = entries
        .map((entry) => shiftRecord({ kind: 'entry', entry }, ahead))
        .filter((record) => record.kind === 'entry' && !covers(known.get(toId(record.entry)), record.entry))
      for (let at = 0; at < missing.length; at += batch) {
        signal?.throwIfAborted()
        const some = missing.slice(at, at + batch)
        await to.transfer.write(some, { replaces: 'released', now: now() })
        this.#counts.revocations += some.length
        this.#report(this.#logPlace)
      }
    }
  }

  /** Sessions that move are looked for from the beginning again. */
  get #logPlace(): string | null {
    return this.#settings.move ? null : LOG_PLACE
  }

  #report(place: string | null): void {
    const told = place === null ? null : `${this.#begunAt} ${place}`
    this.#settings.onProgress?.({ ...this.#counts, place: told })
  }
}

/**
 * When the first run began, and where it was in the old store. So a run that goes on counts as
 * changed what has changed since the first one began.
 */
function readPlace(place: string | null): { readonly begunAt: number; readonly at: string } | null {
  const [, begunAt, at = ''] = /^(\d+(?:\.\d+)?) (.+)$/s.exec(place ?? '') ?? []
  return begunAt === undefined ? null : { begunAt: Number(begunAt), at }
}

/** Whether a session was revoked, and not moved. */
function isOver(row: SessionRow): boolean {
  return row.revokedAt !== null && !isReleased(row)
}

/** The entries of a log, page by page. */
async function* readLog(
  store: MovePair['from'],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly LogEntry[]> {
  for (let cursor: string | null = null, more = true; more; ) {
    signal?.throwIfAborted()
    const page = await store.readLog(cursor, LOG_PAGE)
    yield page.entries.filter(({ until }) => until > page.now)
    cursor = page.cursor
    more = page.more
  }
}

/** What an entry is about. */
function toId({ kind, key, realm }: LogEntry): string {
  return JSON.stringify([kind, key, kind === 'sub' ? (realm ?? 'null') : '', realm === undefined])
}

/** Whether an entry says all that another one says. */
function covers(known: LogEntry | undefined, { at, until, kind }: LogEntry): boolean {
  return known !== undefined && known.until >= until && (kind !== 'sub' || known.at >= at)
}
