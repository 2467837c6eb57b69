/** Writes records of another store: one script for each. */
import type { SessionRow } from '../../session/session-row.ts'
import type { LogEntry } from '../../session/store.ts'
import type { AttemptsRecord, CutOffRecord, StoreTransfer, WriteCall } from '../../session/transfer.ts'
import { type Keys, spell, spellOwner } from './keys.ts'
import { APPEND } from './log.ts'
import { ROW, toAuthentication, toLogin, toRealmJson } from './mapping.ts'
import {
  createScript,
  EXPIRY,
  type Runner,
  type Script,
  type ScriptCall,
  toRedisTime,
  toRedisTimeOrNull,
} from './script.ts'

/** The contract's `write`. */
export function createRedisWrite(run: Runner, keys: Keys): StoreTransfer['write'] {
  return async (records, { replaces, now }) => {
    const write = async (script: Script, call: Omit<ScriptCall, 'now'>): Promise<number> =>
      Number((await run(script, { ...call, now }))[0])
    let kept = 0
    let last: Promise<unknown> = Promise.resolve()
    await Promise.all(
      records.map(async (record) => {
        if (record.kind === 'session') {
          const stayed = await write(SESSION, toSession(keys, record.row, replaces))
          kept += stayed
        } else if (record.kind === 'cutOff') await write(CUT_OFF, toCutOff(keys, record))
        else if (record.kind === 'attempts') await write(ATTEMPTS, toAttempts(keys, record))
        else {
          // Entries have an order.
          last = last.then(() => write(ENTRY, toEntry(keys, record.entry)))
          await last
        }
      }),
    )
    return kept
  }
}

const SESSION = createScript({
  keys: 'row index log due',
  args: 'sid replaces owner realm login auth #gen #rot #used #idle #abs rev why #made #late #before #span ip agent',
  body: `${EXPIRY}${ROW}
local r = read(row)
local replaced = replaces ~= 'none'
  and (r[WHY] == 'moved' or replaces == 'older' and (r[REV] == '' or rev ~= ''))
if r[GEN] and (tonumber(r[GEN]) > gen or not replaced) then return { 1 } end
local ends = math.min(idle, abs)
local till = (rev ~= '' and math.min(tonumber(rev), ends) or ends) + DAY
if till <= now then return { 0 } end
redis.call('DEL', row)
change(row, r, {
  [GEN] = gen, [ROT] = rot, [USED] = used, [IDLE] = idle, [ABS] = abs, [REV] = rev, [WHY] = why,
  [MADE] = made, [AUTH] = auth, [LOGIN] = login, [SUB] = owner, [LATE] = late, [BEFORE] = before,
  [REALM] = realm,
})
if span then change(row, r, { [SPAN] = span }) end
if ip ~= '' then change(row, r, { [IP] = ip }) end
if agent ~= '' then change(row, r, { [AGENT] = agent }) end
expire(row, till)
if rev == '' then
  redis.call('ZADD', index, abs, sid)
  prolong(index, abs + DAY)
else
  redis.call('ZREM', index, sid)
end
return { 0 }
`,
})

function toSession(keys: Keys, row: SessionRow, replaces: WriteCall['replaces']): Omit<ScriptCall, 'now'> {
  const times = [row.rotatedAt, row.lastUsedAt, row.idleExpiresAt, row.absoluteExpiresAt].map(toRedisTime)
  const [ip, agent] = [row.lastIp, row.lastUserAgent].map((text) => text && JSON.stringify(text))
  return {
    keys: [keys.row(row.sid), keys.index(row), keys.log, keys.due],
    args: [
      spell(row.sid),
      replaces,
      spellOwner(row),
      toRealmJson(row),
      toLogin(row),
      toAuthentication(row),
      row.gen,
      ...times,
      toRedisTimeOrNull(row.revokedAt),
      row.revokeReason,
      toRedisTime(row.createdAt),
      toRedisTime(row.late),
      toRedisTime(row.lateBefore),
      toRedisTimeOrNull(row.idleFor),
      ip ?? null,
      agent ?? null,
    ],
  }
}

const CUT_OFF = createScript({
  keys: 'cutoff due',
  args: '#at #till shared',
  body: `${EXPIRY}
if till <= now then return { 0 } end
local known = redis.call('GET', cutoff)
local all = shared == '1' or known and string.sub(known, -2) ~= '.0'
local cut = math.max(at, tonumber(known or 0))
redis.call('SET', cutoff, string.format(all and '%.0f' or '%.0f.0', cut), 'KEEPTTL')
prolong(cutoff, till)
return { 0 }
`,
})

function toCutOff(keys: Keys, { sub, realm, ownerHash, at, until }: CutOffRecord): Omit<ScriptCall, 'now'> {
  const key = sub === null ? keys.hashedCutOff(ownerHash) : keys.cutOff({ sub, realm: realm ?? null })
  return { keys: [key, keys.due], args: [toRedisTime(at), toRedisTime(until), realm === undefined] }
}

const ATTEMPTS = createScript({
  keys: 'attempts due',
  args: '#count #till',
  body: `${EXPIRY}
if till <= now then return { 0 } end
local known = redis.call('HMGET', attempts, 'count', 'until')
if tonumber(known[2] or 0) > now then
  count, till = math.max(count, tonumber(known[1])), math.max(till, tonumber(known[2]))
end
redis.call('HSET', attempts, 'count', count, 'until', till)
expire(attempts, till)
return { 0 }
`,
})

function toAttempts(keys: Keys, { key, keyHash, count, until }: AttemptsRecord): Omit<ScriptCall, 'now'> {
  const place = key === null ? keys.hashedAttempts(keyHash) : keys.attempts(key)
  return { keys: [place, keys.due], args: [count, toRedisTime(until)] }
}

const ENTRY = createScript({
  keys: 'log due token',
  args: 'kind name realm #at #till',
  body: `${EXPIRY}${APPEND}
if till <= now then return { 0 } end
local known = kind == 'jti' and tonumber(redis.call('GET', token) or 0)
trim(1)
append(kind, name, at, till, realm)
if known then
  redis.call('SET', token, string.format('%.0f', math.max(till, known)))
  expire(token, math.max(till, known))
end
return { 0 }
`,
})

function toEntry(keys: Keys, { kind, key, realm, at, until }: LogEntry): Omit<ScriptCall, 'now'> {
  return {
    keys: [keys.log, keys.due, keys.token(key)],
    args: [
      kind,
      spell(key),
      realm === undefined ? null : JSON.stringify(realm),
      toRedisTime(at),
      toRedisTime(until),
    ],
  }
}
