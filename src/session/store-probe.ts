/**
 * Whether a store does what logins and refreshes need, for health checks. One attempt is counted
 * under a key of this process, which writes; then a session is refreshed that there is not, which
 * goes through the tables and the rights of a refresh and writes nothing. No session, no user and
 * no log is touched. A count that goes back tells that the store has lost writes.
 */
import { randomId } from '../internal/bytes.ts'
import { monotonic } from './clocks.ts'
import type { StoreClient } from './store-client.ts'

/** What a probe has found. */
export interface ProbeResult {
  /** How long the write took, in seconds. */
  readonly roundTrip: number
  /**
   * The store's time less this machine's, in seconds, give or take half a round trip; null where
   * the application has a clock of its own.
   */
  readonly clockOffset: number | null
  /** Seconds since it was found to have lost what this process had written; null for never. */
  readonly lostFor: number | null
}

/** What was counted last. */
interface Counted {
  readonly count: number
  /** When the window began, at the latest. */
  readonly since: Moment
}

/** A moment of both clocks: one stands still while the machine sleeps, the other one may be set. */
interface Moment {
  readonly monotonic: number
  readonly system: number
}

/** How long counted attempts are kept after the first one, in seconds. */
const WINDOW = 3600

/** How far the end of a window is kept away from, in seconds. */
const MARGIN = 60

/** More attempts than a process makes in a window: one that is refused might not write. */
const LIMIT = 100_000

/** Probes one store. */
export class StoreProbe {
  readonly #client: StoreClient
  /** What the store is called. */
  readonly name: string
  /** Of its own for each process: many that write one row would wait for each other. */
  #key: string | null = null
  #counted: Counted | null = null
  #lostAt: number | null = null

  /** @param name what the store is called */
  constructor(client: StoreClient, name: string) {
    this.#client = client
    this.name = name
  }

  /**
   * Probes the store, beside the line of other calls: a store that is busy works.
   *
   * @throws {AuthError} `store_unavailable`
   * @throws a defect of the store or of its configuration as it is
   */
  async run(): Promise<ProbeResult> {
    const client = this.#client
    this.#key ??= `health ${randomId()}`
    const key = this.#key
    const now = client.now()
    const writtenAt = readClocks()
    const { count } = await client.call(
      'probe',
      (store) => store.countAttempt(key, LIMIT, WINDOW, now),
      'probe',
    )
    const askedAt = monotonic()
    this.#compare(count, writtenAt)
    const call = { sid: key, gen: 0, notAfter: null, now, logTtl: WINDOW, seen: null } as const
    const rules = { overlap: 0, idle: WINDOW, rotation: true } as const
    const found = await client.call('probe', (store) => store.rotate({ ...call, ...rules }), 'probe')
    const between = (monotonic() - askedAt) / 2
    return {
      roundTrip: askedAt - writtenAt.monotonic,
      clockOffset: now === null ? found.now - (Date.now() / 1000 - between) : null,
      lostFor: this.#lostAt === null ? null : monotonic() - this.#lostAt,
    }
  }

  /** Within a window the count only grows: a probe that failed may have been counted too. */
  #compare(count: number, at: Moment): void {
    const last = this.#counted
    const isSameWindow = last !== null && secondsBetween(last.since, at) < WINDOW - MARGIN
    if (isSameWindow && count <= last.count) this.#lostAt = monotonic()
    this.#counted = { count, since: last === null || count === 1 ? at : last.since }
  }
}

function readClocks(): Moment {
  return { monotonic: monotonic(), system: Date.now() / 1000 }
}

/** By the clock that has moved further. */
function secondsBetween(from: Moment, to: Moment): number {
  return Math.max(to.monotonic - from.monotonic, Math.abs(to.system - from.system))
}
