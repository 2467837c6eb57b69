/**
 * How cost grows with what is stored: `npm run bench -- growth [rows] [store]` fills each store
 * that runs here with so many sessions of others (default 100,000) and a million log entries. Then
 * it measures what users and a new process wait for.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Auth, createAuth, type TokenPair } from 'tokenwright'
import type { Store } from 'tokenwright/stores/contract'
import type { Grown } from './grown.ts'
import { openRedis } from './redis.ts'
import { openMariadb, openPostgres, openSqlite } from './sql.ts'

/** The measurements of one store; times are in milliseconds. */
export interface GrowthResult {
  /** The engine. */
  readonly name: string
  /** How many sessions it holds. */
  readonly rows: number
  /** What one of them takes, with its part of the indexes. */
  readonly bytes: number
  /** A refresh: half of them take less, and 99 of 100. */
  readonly refresh: readonly [median: number, p99: number]
  /** A list of the ten sessions of a subject. */
  readonly list: readonly [median: number, p99: number]
  /** The end of the ten sessions of a subject. */
  readonly endAll: readonly [median: number, p99: number]
  /** One pruning, which takes about a second at most. */
  readonly prune: readonly [median: number, p99: number]
  /** From the start of a process to when it knows the log, with so many entries. */
  readonly ready: number
  /** How many entries of the log there are. */
  readonly entries: number
  /**
   * How many sequential scans the refreshes, lists and ends began; null where the engine does not
   * say. The pruning may begin some, each for a batch of rows.
   */
  readonly scans: number | null
}

const SECRET = randomBytes(48).toString('base64url')
const LOG_ENTRIES = 1_000_000
const SUBJECTS = 200
const SESSIONS_EACH = 10

/** Rejects with an error whose code is `ECONNREFUSED` or `ENOENT` where there is no server. */
const ENGINES: Readonly<Record<string, () => Promise<Grown>>> = {
  postgres: openPostgres,
  mariadb: openMariadb,
  sqlite: openSqlite,
  redis: openRedis,
}

async function time(count: number, work: (index: number) => Promise<unknown>): Promise<[number, number]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const begun = performance.now()
    await work(i)
    times.push(performance.now() - begun)
  }
  times.sort((a, b) => a - b)
  return [times[count >> 1] ?? 0, times[Math.floor(count * 0.99)] ?? 0]
}

const start = (store: Store): Auth => createAuth({ secret: SECRET, sessions: { store, prune: false } })

async function measure(name: string, grown: Grown, rows: number): Promise<GrowthResult> {
  const store = grown.open()
  const auth = start(store)
  const { sid = '', sub } = await auth.verifyToken((await auth.sessions.start('first')).access_token)
  const bytes = await grown.addSessions({ sid, sub }, rows)
  await auth.sessions.end(sid)
  await grown.addEntries(LOG_ENTRIES)
  // What a refresh costs beside the reading of a million entries is not asked here.
  while ((auth.state()?.entries ?? 0) < LOG_ENTRIES) await pause(100)
  const sessions: TokenPair[] = []
  for (let user = 0; user < SUBJECTS; user++) {
    const starts = Array.from({ length: SESSIONS_EACH }, () => auth.sessions.start(`user-${user}`))
    sessions.push(...(await Promise.all(starts)))
  }
  const scansBefore = await grown.scans()
  const refreshes = await Promise.all(
    sessions.slice(0, 1000).map(({ refresh_token: token }) => auth.verifyToken(token, { type: 'refresh' })),
  )
  const refresh = await time(1000, async (i) => auth.sessions.refresh(refreshes[i] as (typeof refreshes)[0]))
  const list = await time(SUBJECTS, (i) => auth.sessions.list(`user-${i}`))
  const endAll = await time(SUBJECTS, (i) => auth.sessions.endAll(`user-${i}`))
  const scansAfter = await grown.scans()
  const prune = await time(20, () => store.prune(null))
  await auth.close()
  const begun = performance.now()
  const other = start(grown.open())
  await other.ready()
  const ready = performance.now() - begun
  const entries = other.state()?.entries ?? 0
  await other.close()
  const scans = scansBefore === null || scansAfter === null ? null : scansAfter - scansBefore
  return { name, rows, bytes, refresh, list, endAll, prune, ready, entries, scans }
}

/** Measures each store that runs here, or one of them. */
export async function measureGrowth(rows: number, only?: string): Promise<readonly GrowthResult[]> {
  const results: GrowthResult[] = []
  for (const [name, open] of Object.entries(ENGINES)) {
    if (only !== undefined && only !== name) continue
    let grown: Grown | undefined
    try {
      grown = await open()
      results.push(await measure(name, grown, rows))
    } catch (error) {
      if (!/ECONNREFUSED|ENOENT/.test(String((error as { code?: unknown }).code))) throw error
      console.error(`!!! no ${name} server on this machine: NOT MEASURED`)
    } finally {
      await grown?.close()
    }
  }
  return results
}
