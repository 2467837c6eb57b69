/**
 * Entry point `tokenwright/stores/memory`: sessions in this process. The default for tests, and
 * enough for an application that runs as one process and may sign everyone out when it restarts.
 *
 * Every method runs to its end without yielding, which makes it one atomic step. Rows are frozen
 * and input is copied through JSON, as on any other store.
 */
import type { Clock } from '../internal/duration.ts'
import { checkClock, systemClock } from '../internal/duration.ts'
import { readFunction, readOptionGroup } from '../internal/read-options.ts'
import {
  decideRotation,
  isWriting,
  toIdleEnd,
  toLastSeen,
  toLate,
  toLateBefore,
  toReuseReason,
} from '../session/rotation.ts'
import type { NewSession, RevokeReason, SessionOwner, SessionRow } from '../session/session-row.ts'
import {
  type EndAllCall,
  KEPT_AFTER_END,
  type LimitedStart,
  type LogPage,
  MOST_LISTED,
  type RevocationQuery,
  type RevokeCall,
  type RotateCall,
  type Rotation,
  type SessionLimit,
  type StepUp,
  type StepUpCall,
  type Store,
  type UpdateCall,
} from '../session/store.ts'
import { MemoryAttempts } from './memory/attempts.ts'
import { registerMemoryStore, warnIfInOtherStore } from './memory/copies.ts'
import { MemoryCutOffs } from './memory/cut-offs.ts'
import { MemoryLog } from './memory/log.ts'
import { copy, isLiveRow, toFirstRow, toOwnerText } from './memory/rows.ts'
import { createMemoryTransfer, type MemoryTables, writeRow } from './memory/transfer.ts'

/** The options of `memoryStore`. */
export interface MemoryStoreOptions {
  /**
   * The store's own clock, in epoch seconds, for calls without `now`. Default the system's clock.
   */
  readonly clock?: Clock
}

/**
 * Creates a store in this process's memory. It deletes expired records as it grows.
 *
 * A process needs one: if a bundler or a framework loads your module twice, keep the store on
 * `globalThis`. The process warns when one store is asked for a session of another.
 *
 * @throws {ConfigurationError} from its methods, for a clock that returns no epoch seconds
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
  const { clock } = readOptionGroup<MemoryStoreOptions>('options', options, ['clock'])
  const own = readFunction('options.clock', clock)
  const state = new MemoryStore(own === null ? systemClock : checkClock(own))
  const { attempts } = state
  // A plain object, like every store: it may be spread and wrapped.
  return {
    name: state.name,
    inspect: () => state.inspect(),
    now: () => state.now(),
    start: (session, now) => state.start(session, now),
    startLimited: (session, limit, now) => state.startLimited(session, limit, now),
    knows: (sid) => state.knows(sid),
    rotate: (call) => state.rotate(call),
    stepUp: (call) => state.stepUp(call),
    update: (call) => state.update(call),
    countAttempt: (key, limit, window, now) => attempts.countAttempt(key, limit, window, now),
    readAttempts: (key, now) => attempts.readAttempts(key, now),
    forgetAttempts: (key, count) => attempts.forgetAttempts(key, count),
    countTogether: (counts, reads, now) => attempts.countTogether(counts, reads, now),
    forgetTogether: (forgets) => attempts.forgetTogether(forgets),
    get: (sid) => state.get(sid),
    list: (owner, now) => state.list(owner, now),
    isRevoked: (query) => state.isRevoked(query),
    end: (sid, reason, call) => state.end(sid, reason, call),
    endAll: (owner, reason, call) => state.endAll(owner, reason, call),
    revokeToken: (jti, until, now) => state.revokeToken(jti, until, now),
    readLog: (cursor, limit) => state.readLog(cursor, limit),
    prune: (now) => state.prune(now),
    transfer: state.transfer,
  }
}

/** The fewest records before a sweep. */
const FEWEST_SWEPT = 10_000

class MemoryStore implements Omit<Store, keyof MemoryAttempts> {
  readonly name = 'memory'
  readonly attempts = new MemoryAttempts((given) => this.#toMoment(given))
  readonly #clock: Clock
  readonly #rows: MemoryTables['rows'] = new Map()
  readonly #sids: MemoryTables['sids'] = new Map()
  readonly #tokens: MemoryTables['tokens'] = new Map()
  readonly #cutOffs = new MemoryCutOffs()
  readonly #log = new MemoryLog()
  readonly #tables: MemoryTables = {
    rows: this.#rows,
    sids: this.#sids,
    tokens: this.#tokens,
    cutOffs: this.#cutOffs,
    attempts: this.attempts,
    log: this.#log,
  }
  readonly transfer = createMemoryTransfer(this.#tables, (given) => this.#toMoment(given))
  /** A start sweeps first if there are so many records. */
  #sweepAt = FEWEST_SWEPT

  constructor(clock: Clock) {
    this.#clock = clock
    registerMemoryStore(this.#rows)
  }

  async inspect(): Promise<readonly string[]> {
    return []
  }

  async now(): Promise<number> {
    return this.#toMoment(null)
  }

  async start(session: NewSession, given: number | null): Promise<SessionRow | null> {
    const now = this.#toMoment(given)
    this.#sweepIfLarge(now)
    const cutOff = this.#cutOffs.find(session)
    if (cutOff !== undefined && cutOff.at >= session.provedAt) return null
    if (this.#rows.has(session.sid)) throw new Error('A session with this identifier exists')
    return writeRow(this.#tables, toFirstRow(session, now))
  }

  async startLimited(
    session: NewSession,
    { count, refuses, logTtl }: SessionLimit,
    given: number | null,
  ): Promise<LimitedStart> {
    const now = this.#toMoment(given)
    const cutOff = this.#cutOffs.find(session)
    if (cutOff !== undefined && cutOff.at >= session.provedAt)
      return { word: 'revoked', row: null, ended: [] }
    const live = this.#listLive(session, now)
    if (refuses && live.length >= count) return { word: 'full', row: null, ended: [] }
    const ended = live.slice(count - 1).map((row) => this.#revoke(row, 'limit', logTtl, now))
    return { word: 'started', row: await this.start(session, given), ended }
  }

  knows(sid: string): boolean {
    return this.#find(sid) !== null
  }

  async rotate(call: RotateCall): Promise<Rotation> {
    const now = this.#toMoment(call.now)
    const row = this.#find(call.sid)
    const word = decideRotation(row, call.gen, now, call)
    if (row === null) return { word, row, now }
    const isLate = call.notAfter !== null && now > call.notAfter
    if (isLate && isWriting(word, call)) return { word: 'late', row, now }
    if (isLate) return { word, row, now }
    const used = {
      lastUsedAt: now,
      idleExpiresAt: toIdleEnd(row, now, call),
      ...toLastSeen(row, now, call.seen),
    }
    if (word === 'reused')
      return { word, row: this.#revoke(row, toReuseReason(row, call), call.logTtl, now), now }
    if (word === 'replayed') return { word, row: this.#noteLate(row, toLate(row, now, call)), now }
    if (word === 'kept' && !call.rotation) return { word, row: this.#write({ ...row, ...used }), now }
    if (word !== 'rotated' && word !== 'healed') return { word, row, now }
    const gen = Math.max(row.gen, call.gen) + 1
    const lateness = { late: 0, lateBefore: toLateBefore(row, call) }
    return { word, row: this.#write({ ...row, ...used, ...lateness, gen, rotatedAt: now }), now }
  }

  async stepUp(call: StepUpCall): Promise<StepUp> {
    const now = this.#toMoment(call.now)
    const row = this.#find(call.sid)
    if (row === null) return { word: 'unknown', row, now }
    if (row.revokedAt !== null) return { word: 'revoked', row, now }
    if (!isLiveRow(row, now)) return { word: 'expired', row, now }
    if (call.notAfter !== null && now > call.notAfter) return { word: 'late', row, now }
    const { authTime, acr, amr } = call
    const next = { ...row, authTime, acr, amr: amr && Object.freeze([...amr]), lastUsedAt: now }
    return { word: 'live', row: this.#write(next), now }
  }

  async update(call: UpdateCall): Promise<SessionRow | null> {
    const row = this.#find(call.sid)
    if (row === null || !isLiveRow(row, this.#toMoment(call.now))) return null
    const { scopes, data, metadata, label } = call
    return this.#write({
      ...row,
      ...(scopes && { scopes: Object.freeze([...scopes]) }),
      ...(data && { data: copy(data) }),
      ...(metadata && { metadata: copy(metadata) }),
      ...(label !== undefined && { label }),
    })
  }

  async get(sid: string): Promise<SessionRow | null> {
    return this.#find(sid)
  }

  async list(owner: SessionOwner, given: number | null): Promise<readonly SessionRow[]> {
    return this.#listLive(owner, this.#toMoment(given), MOST_LISTED)
  }

  async isRevoked({ sid, jti, iat, now: given, ...owner }: RevocationQuery): Promise<boolean> {
    const now = this.#toMoment(given)
    if (jti !== null && this.#tokens.has(jti)) return true
    // The session decides about a token that names one; the cut-off is for tokens without a
    // session.
    if (sid !== null) {
      const row = this.#find(sid)
      return row === null || !isLiveRow(row, now)
    }
    const cutOff = this.#cutOffs.find(owner)
    return cutOff !== undefined && (iat === null || iat <= cutOff.at)
  }

  async end(sid: string, reason: RevokeReason, { logTtl, now: given }: RevokeCall): Promise<boolean> {
    const now = this.#toMoment(given)
    const row = this.#find(sid)
    if (row === null) this.#log.append({ kind: 'sid', key: sid, at: now, until: now + logTtl })
    if (row === null || row.revokedAt !== null) return false
    this.#revoke(row, reason, logTtl, now)
    return isLiveRow(row, now)
  }

  async endAll(owner: SessionOwner, reason: RevokeReason, call: EndAllCall): Promise<number> {
    const now = this.#toMoment(call.now)
    if (call.cutOff !== null) {
      const known = this.#cutOffs.find(owner) ?? { at: now, until: now }
      const at = Math.max(now, known.at)
      this.#cutOffs.set(owner, { at, until: Math.max(now + call.cutOff, known.until) })
      this.#log.append({ kind: 'sub', key: owner.sub, realm: owner.realm, at, until: now + call.logTtl })
    }
    let live = 0
    for (const sid of this.#sids.get(toOwnerText(owner)) ?? []) {
      const row = this.#rows.get(sid)
      if (row === undefined || sid === call.except || !isLiveRow(row, now)) continue
      this.#revoke(row, reason, call.logTtl, now)
      live += 1
    }
    return live
  }

  async revokeToken(jti: string, until: number, given: number | null): Promise<void> {
    this.#tokens.set(jti, { until: Math.max(until, this.#tokens.get(jti)?.until ?? 0) })
    this.#log.append({ kind: 'jti', key: jti, at: this.#toMoment(given), until })
  }

  async readLog(cursor: string | null, limit: number): Promise<LogPage> {
    return { ...this.#log.read(cursor, limit), now: this.#toMoment(null) }
  }

  async prune(given: number | null): Promise<number> {
    return this.#sweep(this.#toMoment(given))
  }

  #sweep(now: number): number {
    const before = this.#countRecords()
    for (const row of this.#rows.values()) {
      if (now < Math.min(row.revokedAt ?? now, row.idleExpiresAt) + KEPT_AFTER_END) continue
      this.#rows.delete(row.sid)
      const owner = toOwnerText(row)
      const siblings = this.#sids.get(owner)
      siblings?.delete(row.sid)
      if (siblings?.size === 0) this.#sids.delete(owner)
    }
    for (const [key, { until }] of this.#tokens) if (now >= until) this.#tokens.delete(key)
    this.#cutOffs.sweep(now)
    this.attempts.sweep(now)
    this.#log.sweep(now)
    return before - this.#countRecords()
  }

  /** The live rows of an owner, newest login first. */
  #listLive(owner: SessionOwner, now: number, most = Number.POSITIVE_INFINITY): readonly SessionRow[] {
    const sids = [...(this.#sids.get(toOwnerText(owner)) ?? [])].reverse()
    const live: SessionRow[] = []
    for (const sid of sids) {
      const row = this.#rows.get(sid)
      if (row !== undefined && isLiveRow(row, now)) live.push(row)
      if (live.length === most) break
    }
    return live.sort((a, b) => b.createdAt - a.createdAt)
  }

  /** The time of a step, to the millisecond. */
  #toMoment(now: number | null): number {
    return Math.round((now ?? this.#clock()) * 1000) / 1000
  }

  #find(sid: string): SessionRow | null {
    const row = this.#rows.get(sid)
    if (row === undefined) warnIfInOtherStore(this.#rows, sid)
    return row ?? null
  }

  #write(row: SessionRow): SessionRow {
    this.#rows.set(row.sid, Object.freeze(row))
    return row
  }

  #noteLate(row: SessionRow, late: number): SessionRow {
    const rounded = Math.round(late * 1000) / 1000
    return rounded === row.late ? row : this.#write({ ...row, late: rounded })
  }

  #revoke(row: SessionRow, revokeReason: RevokeReason, logTtl: number, now: number): SessionRow {
    this.#log.append({ kind: 'sid', key: row.sid, at: now, until: now + logTtl })
    return this.#write({ ...row, revokedAt: now, revokeReason })
  }

  #countRecords(): number {
    const { size } = this.#rows
    return size + this.#log.size + this.#tokens.size + this.#cutOffs.size + this.attempts.size
  }

  #sweepIfLarge(now: number): void {
    if (this.#countRecords() < this.#sweepAt) return
    this.#sweep(now)
    this.#sweepAt = Math.max(FEWEST_SWEPT, 2 * this.#countRecords())
  }
}
