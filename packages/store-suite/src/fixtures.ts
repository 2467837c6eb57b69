/**
 * What the cases of the store suite share: sessions with random names, so that suites can run in
 * parallel on one server, and comparisons of times to the millisecond. Assertions are Node's own,
 * so no test runner is imported.
 */
import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { LogEntry, NewSession, RotateCall, SessionRow, Store } from 'tokenwright/stores/contract'

/** A random ID of 128 bits: 22 characters of base64url. */
export function randomId(): string {
  return randomBytes(16).toString('base64url')
}

/** Cases by name. `t` is a moment in epoch seconds, for cases that pass `now` to the store. */
export type Cases = Readonly<Record<string, (store: Store, t: number) => Promise<void>>>

/** The defaults of `toCall` and `toNewSession`, in seconds. */
export const LENGTHS = { overlap: 30, idle: 1000, absolute: 5000, logTtl: 864_000 } as const

const TIMES = [
  'rotatedAt',
  'late',
  'lateBefore',
  'authTime',
  'createdAt',
  'lastUsedAt',
  'idleExpiresAt',
  'absoluteExpiresAt',
  'revokedAt',
] as const

/** A new session, by default of a new subject. */
export function toNewSession(over: Partial<NewSession> = {}): NewSession {
  return {
    sid: randomId(),
    sub: randomId(),
    realm: null,
    provedAt: Number.MAX_SAFE_INTEGER / 1e6,
    authTime: null,
    acr: null,
    amr: null,
    scopes: [],
    data: {},
    brief: false,
    idleFor: null,
    metadata: {},
    label: null,
    ip: null,
    userAgent: null,
    idle: LENGTHS.idle,
    absolute: LENGTHS.absolute,
    ...over,
  }
}

/** A call of `rotate` with the generation `gen`. */
export function toCall(sid: string, gen: number, over: Partial<RotateCall> = {}): RotateCall {
  const { overlap, idle, logTtl } = LENGTHS
  return { sid, gen, overlap, idle, logTtl, rotation: true, notAfter: null, seen: null, now: null, ...over }
}

/** Starts a session, and asserts that it starts. */
export async function begin(
  store: Store,
  now: number | null,
  over: Partial<NewSession> = {},
): Promise<SessionRow> {
  const row = await store.start(toNewSession(over), now)
  ok(row !== null, 'a session of a new subject starts')
  return row
}

/** Ends one session. */
export function end(store: Store, sid: string, now: number | null): Promise<boolean> {
  return store.end(sid, 'ended', { logTtl: LENGTHS.logTtl, now })
}

/** Rounds a time to the precision of a store. */
function toMillisecond(at: number): number {
  return Math.round(at * 1000) / 1000
}

/** Asserts that two moments are the same millisecond. */
export function assertTime(actual: number | null, expected: number, what: string): void {
  ok(actual !== null, what)
  strictEqual(toMillisecond(actual), toMillisecond(expected), what)
}

/** Asserts that two rows are the same, with times to the millisecond. */
export function assertRow(actual: SessionRow | null, expected: SessionRow, what = 'the row'): void {
  ok(actual !== null, `${what} exists`)
  const [left, right] = [actual, expected].map((row) => {
    const rounded = TIMES.map((name) => {
      const at = row[name]
      return [name, at === null ? null : toMillisecond(at)] as const
    })
    return { ...row, ...Object.fromEntries(rounded) }
  })
  deepStrictEqual(left, right, what === 'the row' ? undefined : what)
}

/** Calls `rotate`, and asserts the word, the row after it, and the moment of the step. */
export async function assertRotation(
  store: Store,
  call: RotateCall,
  word: string,
  after: SessionRow,
): Promise<SessionRow> {
  const rotation = await store.rotate(call)
  strictEqual(rotation.word, word)
  if (call.now !== null) assertTime(rotation.now, call.now, 'the moment of the step is the `now` of the call')
  assertRow(rotation.row, after)
  assertRow(await store.get(call.sid), after)
  return after
}

/** The row after a rotation at `now` to the generation `gen`. */
export function toRotated(row: SessionRow, gen: number, now: number): SessionRow {
  const idleExpiresAt = Math.min(now + LENGTHS.idle, row.absoluteExpiresAt)
  const lateBefore = row.late > 0 ? row.lateBefore + row.late : Math.max(0, row.lateBefore - LENGTHS.overlap)
  return { ...row, gen, rotatedAt: now, late: 0, lateBefore, lastUsedAt: now, idleExpiresAt }
}

/** The row after its predecessor was used so late, in seconds. */
export function toReplayed(row: SessionRow, late: number): SessionRow {
  return { ...row, late }
}

/** The row after a revocation. */
export function toRevoked(
  row: SessionRow,
  revokeReason: SessionRow['revokeReason'],
  now: number,
): SessionRow {
  return { ...row, revokedAt: now, revokeReason }
}

/** Reads the log from a cursor to its end. */
export async function readOn(
  store: Store,
  cursor: string | null,
  limit = 1000,
): Promise<{ readonly entries: readonly LogEntry[]; readonly cursor: string }> {
  const entries: LogEntry[] = []
  for (let at = cursor; ; ) {
    const page = await store.readLog(at, limit)
    ok(page.entries.length <= limit, 'a page has at most as many entries as requested')
    ok(page.cursor.length <= 1024, 'a cursor has at most 1024 characters')
    if (page.more) notStrictEqual(page.cursor, at, 'a page that is not the last moves the cursor')
    entries.push(...page.entries)
    at = page.cursor
    if (!page.more) return { entries, cursor: at }
  }
}

/** The cursor at the end of the log. */
export async function toTail(store: Store): Promise<string> {
  return (await readOn(store, null)).cursor
}

/** The entries of these keys after a cursor. */
export async function entriesOf(
  store: Store,
  cursor: string,
  keys: readonly string[],
): Promise<readonly LogEntry[]> {
  const { entries } = await readOn(store, cursor)
  return entries.filter(({ key }) => keys.includes(key))
}

/** Runs something `count` times in parallel. */
export function together<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}

/** Counts each word. */
export function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words.toSorted()) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

/** Waits, in seconds. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
