/**
 * The steps of a store whose transactions lock a row, look, decide and write: all of SQLite's, and those of MySQL that are not
 * worth statements of their own. Each takes the rows of one transaction; who opens and commits it is not their business.
 */
import type {
  EndAllCall,
  NewSession,
  RevokeCall,
  RevokeReason,
  RotateCall,
  Rotation,
  SessionRow,
  StepUp,
  StepUpCall,
} from '../../session/store.ts'
import type { LockedRows, NewLogEntry } from './locked-rows.ts'
import {
  decideRevocation,
  escapeText,
  fromColumnTime,
  isLive,
  type SessionColumns,
  toColumns,
  toColumnTime,
  toJson,
  toRow,
} from './mapping.ts'

/** The contract's `start`. */
export async function start(
  rows: LockedRows,
  draft: NewSession,
  now: number | null,
): Promise<SessionRow | null> {
  const { cutOff, moment } = await rows.lockSubject(draft.sub, now)
  if (cutOff !== null && cutOff >= toColumnTime(draft.provedAt)) return null
  return rows.insert(toColumns(draft, moment))
}

/** The contract's `rotate`. */
export async function rotate(rows: LockedRows, call: RotateCall): Promise<Rotation> {
  const { columns, moment } = await rows.lockSession(call.sid, call.now)
  const word = decideRevocation(columns, call, moment)
  const now = fromColumnTime(moment)
  if (columns === null) return { word, row: null, now }
  if (word === 'reused') {
    const revocation = { reason: 'refresh_reused', moment, logTtl: call.logTtl } as const
    return { word, row: await revoke(rows, columns, revocation), now }
  }
  const idle = Math.min(moment + toColumnTime(call.idle), columns.absolute_expires_at)
  const used = { last_used_at: moment, idle_expires_at: idle }
  if (word === 'rotated' || word === 'healed') {
    const gen = Math.max(columns.gen, call.gen) + 1
    return { word, row: await rows.save(columns, { ...used, gen, rotated_at: moment }), now }
  }
  const prolongs = word === 'kept' && !call.rotation
  return { word, row: prolongs ? await rows.save(columns, used) : toRow(columns), now }
}

/** The contract's `stepUp`. */
export async function stepUp(rows: LockedRows, call: StepUpCall): Promise<StepUp> {
  const { columns, moment } = await rows.lockSession(call.sid, call.now)
  if (columns === null) return { word: 'unknown', row: null }
  if (!isLive(columns, moment)) {
    return { word: columns.revoked_at === null ? 'expired' : 'revoked', row: toRow(columns) }
  }
  if (call.notAfter !== null && moment > toColumnTime(call.notAfter)) {
    return { word: 'late', row: toRow(columns) }
  }
  const row = await rows.save(columns, {
    auth_at: toColumnTime(call.authTime),
    acr: call.acr === null ? null : escapeText(call.acr),
    amr: call.amr === null ? null : toJson(call.amr),
    last_used_at: moment,
  })
  return { word: 'live', row }
}

/** A session that was not revoked before, with its entry in the log. */
async function revoke(
  rows: LockedRows,
  columns: SessionColumns,
  { reason, moment, logTtl }: { reason: RevokeReason; moment: number; logTtl: number },
): Promise<SessionRow> {
  const row = await rows.save(columns, { revoked_at: moment, revoke_reason: reason })
  await rows.append([{ kind: 'sid', key: row.sid, at: moment, until: moment + toColumnTime(logTtl) }])
  return row
}

/** The contract's `end`; the call also says the reason. */
export async function end(
  rows: LockedRows,
  sid: string,
  { reason, logTtl, now }: RevokeCall & { readonly reason: RevokeReason },
): Promise<boolean> {
  const { columns, moment } = await rows.lockSession(sid, now)
  if (columns === null || columns.revoked_at !== null) return false
  await revoke(rows, columns, { reason, moment, logTtl })
  return isLive(columns, moment)
}

/** The contract's `endAll`; the call also says the reason. */
export async function endAll(
  rows: LockedRows,
  sub: string,
  { reason, logTtl, now, except, cutOff }: EndAllCall & { readonly reason: RevokeReason },
): Promise<number> {
  const subject = await rows.lockSubject(sub, now)
  const { moment } = subject
  const entries: NewLogEntry[] = []
  if (cutOff !== null) {
    const at = Math.max(moment, subject.cutOff ?? 0)
    const until = Math.max(moment + toColumnTime(cutOff), subject.until)
    await rows.cutOff(sub, at, until)
    entries.push({ kind: 'sub', key: sub, at, until })
  }
  const ended = await rows.revokeAll({ sub, moment, except }, reason)
  const until = moment + toColumnTime(logTtl)
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
