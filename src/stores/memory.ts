/**
 * Door `tokenwright/stores/memory`: sessions in this process. The default for tests, and enough for an application that runs as
 * one process and may sign everyone out when it restarts; nothing is shared and nothing is kept.
 *
 * Every method runs to its end without giving way, which makes it one atomic step. What it hands out is frozen and what it takes
 * is copied, through JSON as on any other store, so that nothing works here and fails there.
 */
import type { Clock } from '../internal/duration.ts'
import { systemClock } from '../internal/duration.ts'
import { deepFreeze } from '../internal/json.ts'
import { decideRotation, isWriting } from '../session/rotation.ts'
import type {
  Attempt,
  CountedAttempts,
  EndAllCall,
  LogEntry,
  LogPage,
  NewSession,
  RevocationQuery,
  RevokeCall,
  RevokeReason,
  RotateCall,
  Rotation,
  SessionRow,
  StepUp,
  StepUpCall,
  Store,
} from '../session/store.ts'

/** What `memoryStore` takes. */
export interface MemoryStoreOptions {
  /** The store's own clock, in epoch seconds; it rules where a call brings no `now`. Default the system's. */
  readonly clock?: Clock
}

/** All that the store holds. */
interface MemoryState {
  readonly clock: Clock
  readonly rows: Map<string, SessionRow>
  /** Session identifiers by subject, in the order of their logins. */
  readonly subjects: Map<string, Set<string>>
  readonly tokens: Map<string, { readonly until: number }>
  readonly cutOffs: Map<string, { readonly at: number; readonly until: number }>
  readonly attempts: Map<string, { readonly count: number; readonly until: number }>
  /** The log, oldest first; `number` only grows. */
  log: { readonly number: number; readonly entry: LogEntry }[]
  lastNumber: number
  /** How many records make the next start sweep first. */
  sweepAt: number
}

/** Rows stay for a day after their absolute end, so that a late client hears `expired` and not `unknown`. */
const KEPT_AFTER_END = 86_400
const MOST_LISTED = 1000
/** The fewest records worth a sweep. */
const SWEEP_FLOOR = 10_000

/** The moment that rules a step, to the millisecond. */
function toMoment({ clock }: MemoryState, now: number | null): number {
  return Math.round((now ?? clock()) * 1000) / 1000
}

function isLive(row: SessionRow, now: number): boolean {
  return row.revokedAt === null && now < row.idleExpiresAt && now < row.absoluteExpiresAt
}

/** Puts a row in the place of the one before. */
function write({ rows }: MemoryState, row: SessionRow): SessionRow {
  rows.set(row.sid, Object.freeze(row))
  return row
}

function log(state: MemoryState, entry: LogEntry): void {
  state.lastNumber += 1
  state.log.push({ number: state.lastNumber, entry: Object.freeze(entry) })
}

function start(state: MemoryState, draft: NewSession, given: number | null): SessionRow | null {
  const now = toMoment(state, given)
  if (countRecords(state) >= state.sweepAt) {
    prune(state, now)
    state.sweepAt = Math.max(SWEEP_FLOOR, 2 * countRecords(state))
  }
  const { provedAt, idle, absolute, ...rest } = draft
  const cutOff = state.cutOffs.get(draft.sub)
  if (cutOff !== undefined && cutOff.at >= provedAt) return null
  if (state.rows.has(draft.sid)) throw new Error('A session with this identifier exists')
  const { sid, sub } = draft
  const siblings = state.subjects.get(sub)
  if (siblings === undefined) state.subjects.set(sub, new Set([sid]))
  else siblings.add(sid)
  return write(state, {
    ...rest,
    amr: rest.amr && Object.freeze([...rest.amr]),
    scopes: Object.freeze([...rest.scopes]),
    data: deepFreeze(JSON.parse(JSON.stringify(rest.data)) as Record<string, unknown>),
    gen: 0,
    rotatedAt: now,
    createdAt: now,
    lastUsedAt: now,
    idleExpiresAt: Math.min(now + idle, now + absolute),
    absoluteExpiresAt: now + absolute,
    revokedAt: null,
    revokeReason: null,
  })
}

function rotate(state: MemoryState, call: RotateCall): Rotation {
  const now = toMoment(state, call.now)
  const row = state.rows.get(call.sid) ?? null
  const word = decideRotation(row, call.gen, now, call)
  if (row === null || !isWriting(word, call)) return { word, row, now }
  if (call.notAfter !== null && now > call.notAfter) return { word: 'late', row, now }
  if (word === 'reused') {
    return { word, row: revoke(state, row, 'refresh_reused', { logTtl: call.logTtl, now }), now }
  }
  const used = { lastUsedAt: now, idleExpiresAt: Math.min(now + call.idle, row.absoluteExpiresAt) }
  const next =
    word === 'kept'
      ? { ...row, ...used }
      : { ...row, ...used, gen: Math.max(row.gen, call.gen) + 1, rotatedAt: now }
  return { word, row: write(state, next), now }
}

function stepUp(state: MemoryState, call: StepUpCall): StepUp {
  const now = toMoment(state, call.now)
  const row = state.rows.get(call.sid) ?? null
  if (row === null) return { word: 'unknown', row }
  if (row.revokedAt !== null) return { word: 'revoked', row }
  if (!isLive(row, now)) return { word: 'expired', row }
  if (call.notAfter !== null && now > call.notAfter) return { word: 'late', row }
  const { authTime, acr, amr } = call
  const next = { ...row, authTime, acr, amr: amr && Object.freeze([...amr]), lastUsedAt: now }
  return { word: 'live', row: write(state, next) }
}

function countAttempt(
  state: MemoryState,
  key: string,
  limit: number,
  window: { length: number; now: number },
): Attempt {
  const { length, now } = window
  const known = state.attempts.get(key)
  const { count, until } =
    known !== undefined && now < known.until ? known : { count: 0, until: now + length }
  if (count >= limit) return { allowed: false, retryAfter: Math.max(1, Math.ceil(until - now)), count }
  state.attempts.set(key, { count: count + 1, until })
  return { allowed: true, retryAfter: 0, count: count + 1 }
}

function readAttempts({ attempts }: MemoryState, key: string, now: number): CountedAttempts {
  const known = attempts.get(key)
  if (known === undefined || now >= known.until) return { count: 0, endsIn: 0 }
  return { count: known.count, endsIn: Math.ceil(known.until - now) }
}

function forgetAttempts({ attempts }: MemoryState, key: string, count: number | null): void {
  const known = attempts.get(key)
  if (known === undefined) return
  if (count === null || known.count <= count) attempts.delete(key)
  else attempts.set(key, { ...known, count: known.count - count })
}

function list({ rows, subjects }: MemoryState, sub: string, now: number): readonly SessionRow[] {
  const mine = [...(subjects.get(sub) ?? [])].reverse().flatMap((sid) => rows.get(sid) ?? [])
  const live = mine.filter((row) => isLive(row, now))
  return live.sort((a, b) => b.createdAt - a.createdAt).slice(0, MOST_LISTED)
}

/** A token that names a session is judged by it; the subject's cut-off is for those that name none. */
function isRevoked(state: MemoryState, { sid, jti, sub, iat }: RevocationQuery, now: number): boolean {
  if (jti !== null && state.tokens.has(jti)) return true
  if (sid !== null) {
    const row = state.rows.get(sid)
    return row === undefined || !isLive(row, now)
  }
  const cutOff = state.cutOffs.get(sub)
  return cutOff !== undefined && (iat === null || iat <= cutOff.at)
}

/** Revokes a row that is not yet, with its log entry. */
function revoke(
  state: MemoryState,
  row: SessionRow,
  reason: RevokeReason,
  { logTtl, now }: { logTtl: number; now: number },
): SessionRow {
  log(state, { kind: 'sid', key: row.sid, at: now, until: now + logTtl })
  return write(state, { ...row, revokedAt: now, revokeReason: reason })
}

function end(state: MemoryState, sid: string, reason: RevokeReason, call: RevokeCall): boolean {
  const now = toMoment(state, call.now)
  const row = state.rows.get(sid)
  if (row === undefined || row.revokedAt !== null) return false
  revoke(state, row, reason, { logTtl: call.logTtl, now })
  return isLive(row, now)
}

function endAll(state: MemoryState, sub: string, reason: RevokeReason, call: EndAllCall): number {
  const now = toMoment(state, call.now)
  if (call.cutOff !== null) {
    const known = state.cutOffs.get(sub) ?? { at: now, until: now }
    const at = Math.max(now, known.at)
    const until = Math.max(now + call.cutOff, known.until)
    state.cutOffs.set(sub, { at, until })
    log(state, { kind: 'sub', key: sub, at, until })
  }
  let live = 0
  for (const sid of state.subjects.get(sub) ?? []) {
    const row = state.rows.get(sid)
    if (row === undefined || sid === call.except || !isLive(row, now)) continue
    revoke(state, row, reason, { logTtl: call.logTtl, now })
    live += 1
  }
  return live
}

function revokeToken(state: MemoryState, jti: string, until: number, now: number): void {
  state.tokens.set(jti, { until: Math.max(until, state.tokens.get(jti)?.until ?? 0) })
  log(state, { kind: 'jti', key: jti, at: now, until })
}

function readLog(state: MemoryState, cursor: string | null, limit: number): LogPage {
  const now = toMoment(state, null)
  const known = Number(cursor ?? 0)
  // What is no cursor of ours reads everything: too much is safe, too little is not.
  const after = Number.isSafeInteger(known) && known <= state.lastNumber ? known : 0
  const rest = state.log.slice(state.log.findLastIndex(({ number }) => number <= after) + 1)
  const page = rest.slice(0, limit)
  const more = rest.length > page.length
  const end = more ? (page.at(-1)?.number ?? after) : state.lastNumber
  return { entries: page.map(({ entry }) => entry), cursor: String(end), more, now }
}

function countRecords({ rows, log, tokens, cutOffs, attempts }: MemoryState): number {
  return rows.size + log.length + tokens.size + cutOffs.size + attempts.size
}

function prune(state: MemoryState, now: number): number {
  const before = countRecords(state)
  for (const { sid, sub, absoluteExpiresAt } of state.rows.values()) {
    if (now < absoluteExpiresAt + KEPT_AFTER_END) continue
    state.rows.delete(sid)
    const siblings = state.subjects.get(sub)
    siblings?.delete(sid)
    if (siblings?.size === 0) state.subjects.delete(sub)
  }
  for (const shelf of [state.tokens, state.cutOffs, state.attempts]) {
    for (const [key, { until }] of shelf) if (now >= until) shelf.delete(key)
  }
  state.log = state.log.filter(({ entry }) => now < entry.until)
  return before - countRecords(state)
}

/**
 * Makes a store in this process's memory. It sweeps away what is over as it grows, and holds what is not.
 *
 * @example
 * ```ts
 * import { memoryStore } from 'tokenwright/stores/memory'
 *
 * const store = memoryStore()
 * const page = await store.readLog(null, 100)
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const state: MemoryState = {
    clock: options.clock ?? systemClock,
    rows: new Map(),
    subjects: new Map(),
    tokens: new Map(),
    cutOffs: new Map(),
    attempts: new Map(),
    log: [],
    lastNumber: 0,
    sweepAt: SWEEP_FLOOR,
  }
  const at = (now: number | null): number => toMoment(state, now)
  return {
    name: 'memory',
    inspect: async () => [],
    now: async () => at(null),
    start: async (draft, now) => start(state, draft, now),
    rotate: async (call) => rotate(state, call),
    stepUp: async (call) => stepUp(state, call),
    countAttempt: async (key, limit, window, now) =>
      countAttempt(state, key, limit, { length: window, now: at(now) }),
    readAttempts: async (key, now) => readAttempts(state, key, at(now)),
    forgetAttempts: async (key, count) => forgetAttempts(state, key, count),
    get: async (sid) => state.rows.get(sid) ?? null,
    list: async (sub, now) => list(state, sub, at(now)),
    isRevoked: async (query) => isRevoked(state, query, at(query.now)),
    end: async (sid, reason, call) => end(state, sid, reason, call),
    endAll: async (sub, reason, call) => endAll(state, sub, reason, call),
    revokeToken: async (jti, until, now) => revokeToken(state, jti, until, at(now)),
    readLog: async (cursor, limit) => readLog(state, cursor, limit),
    prune: async (now) => prune(state, at(now)),
  }
}
