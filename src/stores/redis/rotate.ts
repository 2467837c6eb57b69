/**
 * A refresh: one script, written to be fast, as Redis runs one script at a time. It repeats
 * `decideRotation` of `session/rotation.ts` in Lua; the tests compare the two over thousands of
 * random cases. What costs: each field that is read, each text that is returned, each closure.
 */
import { KEPT_OVERLAPS, LATE_PARTS, SHADOWED_OVERLAPS } from '../../session/rotation.ts'
import type { RotateCall, RotationWord, SessionStore, Sighting } from '../../session/store.ts'
import { KEPT_AFTER_END } from '../../session/store.ts'
import type { Keys } from './keys.ts'
import { APPEND } from './log.ts'
import { PLACES, REFRESHED_FIELDS, readRow } from './mapping.ts'
import {
  type Argument,
  createScript,
  EXPIRY,
  fromRedisTime,
  type Runner,
  toRedisTime,
  toRedisTimeOrNull,
} from './script.ts'

/**
 * Lua that reads the row, and carries out the usual refresh: that of the newest generation, which
 * is neither kept nor has a late predecessor, and whose client is not to be noted. What costs most
 * is to turn texts into numbers and back: it does so only where it compares or adds.
 */
const USUAL = `
local r = redis.call('HMGET', row, ${REFRESHED_FIELDS.map((name) => `'${name}'`).join(', ')})
local gen, rot, used, idle, abs, rev, made, auth, login, late, before, span, ip, agent = unpack(r)
if gen == ARGV[2] and rev == '' and ARGV[5] == '1' and (late or '0') == '0' and (before or '0') == '0' then
  local overlap, last, most = tonumber(ARGV[3]), tonumber(rot), tonumber(abs)
  if now < tonumber(idle) and now < most
    and (gen == '0' or now - last >= ${KEPT_OVERLAPS} * overlap)
    and (used == rot or now - used >= overlap or tonumber(used) <= last)
    and ((ARGV[7] or '') == '' or now <= tonumber(ARGV[7]))
    and (not ARGV[10] or math.floor(now / ARGV[10]) <= math.floor(last / ARGV[10]))
  then
    local ends = now + (span or ARGV[4])
    if ends < most then idle = string.format('%.0f', ends) else ends, idle = most, abs end
    gen = string.format('%.0f', gen + 1)
    redis.call('HSET', row, 'gen', gen, 'rot', moment, 'used', moment, 'idle', idle)
    local till = ends + ${KEPT_AFTER_END * 1000}
    redis.call('PEXPIRE', row, till - now)
    if brought then redis.call('ZADD', string.sub(log, 1, -4) .. 'due', till, row) end
    return 'rotated\\n' .. moment .. '\\n' .. gen .. '\\n' .. moment .. '\\n' .. moment .. '\\n' .. idle
      .. '\\n' .. abs .. '\\n\\n' .. made .. '\\n' .. auth .. '\\n' .. login .. '\\n' .. (late or '')
      .. '\\n' .. (before or '') .. '\\n' .. (span or '') .. '\\n' .. (ip or '') .. '\\n' .. (agent or '')
  end
end
`

/** Lua for the other words, and for a refresh beside what else is to be written. */
const DECIDE = `
local age = gen and math.max(0, now - tonumber(r[ROT]))
local word, late
if not gen then word = 'unknown'
elseif r[REV] ~= '' then word = 'revoked'
elseif now >= tonumber(r[IDLE]) or now >= tonumber(r[ABS]) then word = 'expired'
elseif rotation == '0' then word = 'kept'
elseif sent > gen then word = 'healed'
elseif sent == gen then
  local used = tonumber(r[USED])
  local steppedUp = used > tonumber(r[ROT]) and now - used < overlap
  word = (steppedUp or gen > 0 and age < ${KEPT_OVERLAPS} * overlap) and 'kept' or 'rotated'
elseif sent < gen - 1 or overlap == 0 then word = 'reused'
else
  -- As session/rotation.ts: how late the predecessor is in this generation, now included.
  late = tonumber(r[LATE] or 0)
  if age * ${LATE_PARTS} > overlap then late = math.max(late, math.min(age, overlap)) end
  local total = tonumber(r[BEFORE] or 0) + late
  word = total < ${SHADOWED_OVERLAPS} * overlap and 'replayed' or 'reused'
end
`

/** Lua that writes a refresh that advances the generation, or moves the end without one. */
const ADVANCE = `
  local rotated, ends = tonumber(r[ROT]), math.min(now + tonumber(r[SPAN] or idle), tonumber(r[ABS]))
  r[USED], r[IDLE] = moment, string.format('%.0f', ends)
  if moves then
    redis.call('HSET', row, 'used', moment, 'idle', r[IDLE])
  else
    r[GEN], r[ROT] = string.format('%.0f', sent + 1), moment
    redis.call('HSET', row, 'gen', r[GEN], 'rot', moment, 'used', moment, 'idle', r[IDLE])
    local had, before = tonumber(r[LATE] or 0), tonumber(r[BEFORE] or 0)
    if had > 0 or before > 0 then
      before = had > 0 and before + had or math.max(0, before - overlap)
      r[LATE], r[BEFORE] = '0', string.format('%.0f', before)
      redis.call('HSET', row, 'late', '0', 'before', r[BEFORE])
    end
  end
  if stretch and math.floor(now / stretch) > math.floor(rotated / stretch) then
    if ip ~= '' then r[IP] = ip redis.call('HSET', row, 'ip', ip) end
    if agent ~= '' then r[AGENT] = agent redis.call('HSET', row, 'agent', agent) end
  end
  local till = ends + ${KEPT_AFTER_END * 1000}
  redis.call('PEXPIRE', row, till - now)
  -- As expire() of script.ts.
  if brought then redis.call('ZADD', stem .. 'due', till, row) end
`

/** Lua that ends a session. */
const REVOKE = `
  local sid, due = string.sub(row, #stem + 3), stem .. 'due'
  ${EXPIRY}${APPEND}
  local index = stem .. 'u:' .. redis.call('HGET', row, 'sub')
  r[REV], r[WHY] = moment, sent == gen - 1 and overlap > 0 and 'shadowed' or 'refresh_reused'
  redis.call('HSET', row, 'rev', moment, 'why', r[WHY])
  redis.call('ZREM', index, sid)
  shorten(row, now + math.max(DAY, logttl))
  trim(1)
  append('sid', sid, now, now + logttl)
`

const ROTATE = createScript({
  keys: 'row log',
  args: '#sent #overlap #idle rotation #logttl #notafter ip agent #stretch',
  isText: true,
  first: USUAL,
  body: `${PLACES}
local gen = tonumber(r[GEN] or nil)
${DECIDE}
local moves = word == 'kept' and rotation == '0'
local advances = word == 'rotated' or word == 'healed'
local isPast = notafter and now > notafter
local stem = string.sub(log, 1, -4)
-- The caller has given up: a client that has gone on since must not be taken for a thief.
if isPast and (moves or advances or word == 'reused') then word = 'late'
elseif advances or moves then ${ADVANCE}
elseif word == 'replayed' and not isPast and late ~= tonumber(r[LATE] or 0) then
  r[LATE] = string.format('%.0f', late)
  redis.call('HSET', row, 'late', r[LATE])
elseif word == 'reused' then ${REVOKE}
elseif word == 'revoked' then r[WHY] = redis.call('HGET', row, 'why') or ''
end
if not gen then return word .. '\\n' .. moment end
-- One text: Redis and its clients take longer to make many than to join and to split one. No field
-- has a line break.
for place = LATE, AGENT do r[place] = r[place] or '' end
return word .. '\\n' .. moment .. '\\n' .. table.concat(r, '\\n')
`,
})

/** The contract's `rotate`. */
export function createRotate(run: Runner, keys: Keys): SessionStore['rotate'] {
  return async (call) => {
    const [text] = await run(ROTATE, {
      keys: [keys.row(call.sid), keys.log],
      args: toArguments(call),
      now: call.now,
    })
    const [word, moment, ...row] = String(text).split('\n')
    if (moment === undefined) throw new Error('Expected a word and a time from a script in Redis')
    return { word: word as RotationWord, row: readRow(row), now: fromRedisTime(moment) }
  }
}

/** The arguments; the last ones only where something needs them, as each takes time. */
function toArguments({
  gen,
  overlap,
  idle,
  rotation,
  logTtl,
  notAfter,
  seen,
}: RotateCall): readonly Argument[] {
  const args = [gen, toRedisTime(overlap), toRedisTime(idle), rotation, toRedisTime(logTtl)]
  if (seen === null) return notAfter === null ? args : [...args, toRedisTime(notAfter)]
  return [...args, toRedisTimeOrNull(notAfter), ...toSeenArguments(seen)]
}

function toSeenArguments({ ip, userAgent, stretch }: Sighting): readonly Argument[] {
  return [toJsonOrNull(ip), toJsonOrNull(userAgent), toRedisTime(stretch)]
}

/** A text as a field keeps it; null for none. */
function toJsonOrNull(text: string | null): string | null {
  return text === null ? null : JSON.stringify(text)
}
