/**
 * The steps of a store as transactions that lock a row, read, decide and write: all steps on
 * SQLite, and on MySQL those without a statement of their own. Each takes the rows of one
 * transaction, which its caller opens and commits.
 */
import { toLastSeen, toLate, toLateBefore, toReuseReason } from '../../session/rotation.ts'
import type { NewSession, RevokeReason, SessionOwner, SessionRow } from '../../session/session-row.ts'
import type {
  EndAllCall,
  LimitedStart,
  RevokeCall,
  RotateCall,
  Rotation,
  RotationWord,
  SessionLimit,
  StepUp,
  StepUpCall,
} from '../../session/store.ts'
import type { LockedRows, NewLogEntry } from './locked-rows.ts'
import {
  decideOnColumns,
  isLive,
  type SessionColumns,
  toColumnPolicy,
  toColumns,
  toRecord,
  toRow,
  toSeenColumns,
} from './mapping.ts'
import { escapeText, fromColumnTime, toColumnTime, toJson } from './values.ts'

/** The contract's `start`. */
export async function start(
  rows: LockedRows,
  session: NewSession,
  now: number | null,
): Promise<SessionRow | null> {
  const { cutOff, moment } = await rows.lockOwner(session, now)
  if (cutOff !== null && cutOff >= toColumnTime(session.provedAt)) return null
  return rows.insert(toColumns(session, moment))
}

/** The contract's `startLimited`. */
export async function startLimited(
  rows: LockedRows,
  session: NewSession,
  { count, refuses, logTtl, now }: SessionLimit & { readonly now: number | null },
): Promise<LimitedStart> {
  const locked = await rows.lockOwner(session, now)
  const { cutOff, moment } = locked
  if (cutOff !== null && cutOff >= toColumnTime(session.provedAt))
    return { word: 'revoked', row: null, ended: [] }
  const live = await rows.findLive(session, locked)
  if (refuses && live.length >= count) return { word: 'full', row: null, ended: [] }
  const ended: SessionRow[] = []
  for (const columns of live.slice(count - 1)) ended.push(await rows.revokeLocked(columns, 'limit', moment))
  const row = await rows.insert(toColumns(session, moment))
  const until = moment + toColumnTime(logTtl)
  await rows.append(ended.map(({ sid }) => ({ kind: 'sid', key: sid, at: moment, until })))
  return { word: 'started', row, ended }
}

/** The contract's `rotate`. */
export async function rotate(rows: LockedRows, call: RotateCall): Promise<Rotation> {
  const { columns, moment } = await rows.lockSession(call.sid, call.now)
  const word = decideOnColumns(columns, call, moment)
  const now = fromColumnTime(moment)
  if (columns === null) return { word, row: null, now }
  return { word, row: await writeRotation(rows, columns, { word, call, moment }), now }
}

/** A refresh that was decided at a moment, in milliseconds. */
interface Decided {
  readonly word: RotationWord
  readonly call: RotateCall
  readonly moment: number
}

async function writeRotation(
  rows: LockedRows,
  columns: SessionColumns,
  { word, call, moment }: Decided,
): Promise<SessionRow> {
  const policy = toColumnPolicy(call)
  const record = toRecord(columns)
  if (word === 'reused') {
    const reason = toReuseReason(record, call)
    return revoke(rows, columns, { reason, moment, logTtl: call.logTtl })
  }
  if (word === 'replayed') {
    const isPast = call.notAfter !== null && moment > toColumnTime(call.notAfter)
    const late = isPast ? columns.late : toLate(record, moment, policy)
    return late === columns.late ? toRow(columns) : rows.save(columns, { late })
  }
  const change = toMove(columns, { word, call, moment })
  return change === null ? toRow(columns) : rows.save(columns, change)
}

/** What a refresh changes that advances the generation, or moves the end without one. */
export type Move = Pick<
  SessionColumns,
  | 'gen'
  | 'rotated_at'
  | 'late'
  | 'late_before'
  | 'last_used_at'
  | 'idle_expires_at'
  | 'last_ip'
  | 'last_user_agent'
>

/** That change; null for a word that does neither. */
export function toMove(columns: SessionColumns, { word, call, moment }: Decided): Move | null {
  const { gen, rotated_at, late, late_before } = columns
  const policy = toColumnPolicy(call)
  const idle = Math.min(moment + (columns.idle_for ?? policy.idle), columns.absolute_expires_at)
  const used = { last_used_at: moment, idle_expires_at: idle, ...toLastColumns(columns, call, moment) }
  if (word === 'kept' && !call.rotation) return { gen, rotated_at, late, late_before, ...used }
  if (word !== 'rotated' && word !== 'healed') return null
  const lateness = { late: 0, late_before: toLateBefore(toRecord(columns), policy) }
  return { ...used, ...lateness, gen: Math.max(gen, call.gen) + 1, rotated_at: moment }
}

function toLastColumns(columns: SessionColumns, { seen }: RotateCall, moment: number) {
  const { ip, user_agent, stretch } = toSeenColumns(seen)
  const { rotated_at: rotatedAt, last_ip: lastIp, last_user_agent: lastUserAgent } = columns
  const last = toLastSeen({ rotatedAt, lastIp, lastUserAgent }, moment, {
    ip,
    userAgent: user_agent,
    stretch,
  })
  return { last_ip: last.lastIp, last_user_agent: last.lastUserAgent }
}

/** The contract's `stepUp`. */
export async function stepUp(rows: LockedRows, call: StepUpCall): Promise<StepUp> {
  const { columns, moment } = await rows.lockSession(call.sid, call.now)
  const now = fromColumnTime(moment)
  if (columns === null) return { word: 'unknown', row: null, now }
  if (!isLive(columns, moment)) {
    return { word: columns.revoked_at === null ? 'expired' : 'revoked', row: toRow(columns), now }
  }
  if (call.notAfter !== null && moment > toColumnTime(call.notAfter)) {
    return { word: 'late', row: toRow(columns), now }
  }
  const row = await rows.save(columns, {
    auth_at: toColumnTime(call.authTime),
    acr: call.acr === null ? null : escapeText(call.acr),
    amr: call.amr === null ? null : toJson(call.amr),
    last_used_at: moment,
  })
  return { word: 'live', row, now }
}

/** Revokes a live or expired session, with its entry in the log. */
async function revoke(
  rows: LockedRows,
  columns: SessionColumns,
  { reason, moment, logTtl }: { reason: RevokeReason; moment: number; logTtl: number },
): Promise<SessionRow> {
  const row = await rows.save(columns, { revoked_at: moment, revoke_reason: reason })
  await rows.append([{ kind: 'sid', key: row.sid, at: moment, until: moment + toColumnTime(logTtl) }])
  return row
}

/** The contract's `end`. */
export async function end(
  rows: LockedRows,
  sid: string,
  { reason, logTtl, now }: RevokeCall & { readonly reason: RevokeReason },
): Promise<boolean> {
  const { columns, moment } = await rows.lockSession(sid, now)
  if (columns === null) {
    await rows.append([{ kind: 'sid', key: sid, at: moment, until: moment + toColumnTime(logTtl) }])
    return false
  }
  if (columns.revoked_at !== null) return false
  await revoke(rows, columns, { reason, moment, logTtl })
  return isLive(columns, moment)
}

/** The contract's `endAll`. */
export async function endAll(
  rows: LockedRows,
  owner: SessionOwner,
  { reason, logTtl, now, except, cutOff }: EndAllCall & { readonly reason: RevokeReason },
): Promise<number> {
  const locked = await rows.lockOwner(owner, now)
  const { moment } = locked
  const entries: NewLogEntry[] = []
  const until = moment + toColumnTime(logTtl)
  if (cutOff !== null) {
    const at = Math.max(moment, locked.cutOff ?? 0)
    await rows.cutOff(owner, at, Math.max(moment + toColumnTime(cutOff), locked.until))
    entries.push({ kind: 'sub', key: owner.sub, realm: owner.realm, at, until })
  }
  const ended = await rows.revokeAll({ owner, moment, except, version: locked.version }, reason)
  for (const sid of ended) entries.push({ kind: 'sid', key: sid, at: moment, until })
  await rows.append(entries)
  return ended.length
}

/** The contract's `revokeToken`. */
export async function revokeToken(
  rows: LockedRows,
  jti: string,
  until: number,
  now: number | null,
): Promise<void> {
  const at = await rows.readMoment(now)
  await rows.append([{ kind: 'jti', key: jti, at, until: toColumnTime(until) }])
}
