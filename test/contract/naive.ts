/**
 * A store that reads, waits, decides and writes: what most projects write by hand. Called one after the other it does everything
 * right; the suite and the model must find it out by letting calls meet. Not for use.
 */
import {
  decideRotation,
  isWriting,
  toIdleEnd,
  toLastSeen,
  toLate,
  toLateBefore,
  toReuseReason,
} from '../../src/session/rotation.ts'
import type { SessionOwner, SessionRow } from '../../src/session/session-row.ts'
import type { LogEntry, Store } from '../../src/session/store.ts'

/** A table in a database: every look and every write takes a trip. */
class Table<V> {
  readonly map = new Map<string, V>()
  async read(key: string): Promise<V | undefined> {
    await trip()
    return this.map.get(key)
  }
  async write(key: string, value: V): Promise<void> {
    await trip()
    this.map.set(key, value)
  }
}

const toKey = ({ realm, sub }: SessionOwner): string => JSON.stringify([realm, sub])
const trip = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const round = (at: number): number => Math.round(at * 1000) / 1000

const isLive = (row: SessionRow, now: number): boolean =>
  row.revokedAt === null && now < row.idleExpiresAt && now < row.absoluteExpiresAt

/** Makes the naive store. */
export function naiveStore(): Store {
  const rows = new Table<SessionRow>()
  const tokens = new Table<number>()
  const cutOffs = new Table<{ at: number; until: number }>()
  const attempts = new Table<{ count: number; until: number }>()
  const log: LogEntry[] = []
  const at = (now: number | null): number => round(now ?? Date.now() / 1000)

  const revoke = async (
    row: SessionRow,
    revokeReason: SessionRow['revokeReason'],
    until: number,
    now: number,
  ) => {
    const revoked = { ...row, revokedAt: now, revokeReason }
    await rows.write(row.sid, revoked)
    log.push({ kind: 'sid', key: row.sid, at: now, until })
    return revoked
  }
  const rowsOf = (owner: SessionOwner) => [...rows.map.values()].filter((row) => toKey(row) === toKey(owner))

  return {
    name: 'naive',
    inspect: async () => [],
    now: async () => at(null),
    get: async (sid) => structuredClone(await rows.read(sid)) ?? null,
    async start({ provedAt, idle, absolute, ...draft }, given) {
      const cutOff = await cutOffs.read(toKey(draft))
      const now = at(given)
      if (cutOff !== undefined && cutOff.at >= provedAt) return null
      if (rows.map.has(draft.sid)) throw new Error('taken')
      const moments = { rotatedAt: now, createdAt: now, lastUsedAt: now, absoluteExpiresAt: now + absolute }
      const row = {
        ...structuredClone(draft),
        ...moments,
        gen: 0,
        late: 0,
        lateBefore: 0,
        lastIp: null,
        lastUserAgent: null,
        idleExpiresAt: now + Math.min(draft.idleFor ?? idle, absolute),
      }
      await rows.write(draft.sid, { ...row, revokedAt: null, revokeReason: null })
      return (await rows.read(draft.sid)) ?? null
    },
    async startLimited(session, { count, refuses, logTtl }, given) {
      const now = at(given)
      const cutOff = await cutOffs.read(toKey(session))
      if (cutOff !== undefined && cutOff.at >= session.provedAt)
        return { word: 'revoked', row: null, ended: [] }
      const live = rowsOf(session).filter((row) => isLive(row, now))
      const old = live.toSorted((a, b) => b.createdAt - a.createdAt).slice(count - 1)
      if (refuses && live.length >= count) return { word: 'full', row: null, ended: [] }
      const ended = []
      for (const row of old) ended.push(await revoke(row, 'limit', now + logTtl, now))
      return { word: 'started', row: await this.start(session, given), ended }
    },
    async rotate(call) {
      const row = (await rows.read(call.sid)) ?? null
      const now = at(call.now)
      const word = decideRotation(row, call.gen, now, call)
      if (row !== null && word === 'replayed') {
        const isPast = call.notAfter !== null && now > call.notAfter
        const next = { ...row, late: isPast ? row.late : toLate(row, now, call) }
        await rows.write(call.sid, next)
        return { word, row: next, now }
      }
      if (row === null || !isWriting(word, call)) return { word, row, now }
      if (call.notAfter !== null && now > call.notAfter) return { word: 'late', row, now }
      if (word === 'reused')
        return { word, row: await revoke(row, toReuseReason(row, call), now + call.logTtl, now), now }
      const gen = Math.max(row.gen, call.gen) + 1
      const moved =
        word === 'kept' ? {} : { gen, rotatedAt: now, late: 0, lateBefore: toLateBefore(row, call) }
      const next = {
        ...row,
        ...moved,
        lastUsedAt: now,
        idleExpiresAt: toIdleEnd(row, now, call),
        ...toLastSeen(row, now, call.seen),
      }
      await rows.write(call.sid, next)
      return { word, row: next, now }
    },
    async stepUp({ sid, authTime, acr, amr, notAfter, now: given }) {
      const row = await rows.read(sid)
      const now = at(given)
      if (row === undefined) return { word: 'unknown', row: null, now }
      if (row.revokedAt !== null) return { word: 'revoked', row, now }
      if (!isLive(row, now)) return { word: 'expired', row, now }
      if (notAfter !== null && now > notAfter) return { word: 'late', row, now }
      const next = { ...row, authTime, acr, amr, lastUsedAt: now }
      await rows.write(sid, next)
      return { word: 'live', row: next, now }
    },
    async update({ sid, now, ...changes }) {
      const row = await rows.read(sid)
      if (row === undefined || !isLive(row, at(now))) return null
      const given = Object.entries(changes).filter(([, value]) => value !== undefined)
      const next = structuredClone({ ...row, ...Object.fromEntries(given) })
      await rows.write(sid, next)
      return structuredClone(next)
    },
    async countAttempt(key, limit, window, given) {
      const now = at(given)
      const known = await attempts.read(key)
      const { count, until } =
        known !== undefined && now < known.until ? known : { count: 0, until: now + window }
      if (count >= limit) return { allowed: false, retryAfter: Math.max(1, Math.ceil(until - now)), count }
      await attempts.write(key, { count: count + 1, until })
      return { allowed: true, retryAfter: 0, count: count + 1 }
    },
    async readAttempts(key, now) {
      const { count, until } = (await attempts.read(key)) ?? { count: 0, until: 0 }
      return at(now) < until ? { count, endsIn: Math.ceil(until - at(now)) } : { count: 0, endsIn: 0 }
    },
    async forgetAttempts(key, many) {
      const known = await attempts.read(key)
      if (known === undefined) return
      const left = known.count - (many ?? known.count)
      await attempts.write(key, left > 0 ? { ...known, count: left } : { count: 0, until: 0 })
    },
    async list(owner, now) {
      const live = rowsOf(owner).filter((row) => isLive(row, at(now)))
      return live.toSorted((a, b) => b.createdAt - a.createdAt).slice(0, 1000)
    },
    async isRevoked({ sid, jti, iat, now, ...owner }) {
      if (jti !== null && (await tokens.read(jti)) !== undefined) return true
      const row = await rows.read(sid ?? '')
      if (sid !== null) return row === undefined || !isLive(row, at(now))
      const cutOff = await cutOffs.read(toKey(owner))
      return cutOff !== undefined && (iat === null || iat <= cutOff.at)
    },
    async end(sid, reason, { logTtl, now }) {
      const row = await rows.read(sid)
      if (row === undefined) log.push({ kind: 'sid', key: sid, at: at(now), until: at(now) + logTtl })
      if (row === undefined || row.revokedAt !== null) return false
      await revoke(row, reason, at(now) + logTtl, at(now))
      return isLive(row, at(now))
    },
    async endAll(owner, reason, { logTtl, now: given, except, cutOff }) {
      const now = at(given)
      const known = await cutOffs.read(toKey(owner))
      const until = now + (cutOff ?? 0)
      if (cutOff !== null) await cutOffs.write(toKey(owner), { at: Math.max(now, known?.at ?? 0), until })
      if (cutOff !== null) log.push({ kind: 'sub', key: owner.sub, realm: owner.realm, at: now, until })
      const live = rowsOf(owner).filter((row) => isLive(row, now) && row.sid !== except)
      for (const row of live) await revoke(row, reason, now + logTtl, now)
      return live.length
    },
    async revokeToken(jti, until, now) {
      await tokens.write(jti, until)
      log.push({ kind: 'jti', key: jti, at: at(now), until })
    },
    async readLog(cursor, limit) {
      // The cursor of another log begins again.
      const [, place] = /^n(\d+)$/.exec(cursor ?? 'n0') ?? []
      const start = Number(place ?? 0)
      const entries = log.slice(start, start + limit)
      const end = start + entries.length
      const restarted = place === undefined
      return { entries, cursor: `n${end}`, more: end < log.length, now: at(null), restarted }
    },
    async prune(now) {
      const toEnd = ({ revokedAt, idleExpiresAt }: SessionRow) =>
        Math.min(revokedAt ?? idleExpiresAt, idleExpiresAt)
      const old = [...rows.map.values()].filter((row) => toEnd(row) + 86_400 <= at(now))
      for (const { sid } of old) rows.map.delete(sid)
      return old.length
    },
  }
}
