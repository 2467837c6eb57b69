/**
 * A refresh: one script, written to be fast, as Redis runs one script at a time. It repeats
 * `decideRotation` of `session/rotation.ts` in Lua; the tests compare the two over thousands of
 * random cases. What costs: each field that is read, each text that is returned, each closure.
 */
import { KEPT_OVERLAPS, LATE_PARTS, SHADOWED_OVERLAPS } from '../../session/rotation.ts'
import type { RotateCall, Rotation, RotationWord, SessionStore, Sighting } from '../../session/store.ts'
import { KEPT_AFTER_END } from '../../session/store.ts'
import type { Keys } from './keys.ts'
import { APPEND } from './log.ts'
import {
  type Authentication,
  joinRow,
  PLACES,
  REFRESHED_FIELDS,
  readRow,
  type StoredLogin,
} from './mapping.ts'
import {
  type Argument,
  createScript,
  EXPIRY,
  fromRedisTime,
  type Runner,
  toRedisTime,
  toRedisTimeOrNull,
} from './script.ts'

/** How long a row is kept after its end, in milliseconds. */
const AFTER_END = KEPT_AFTER_END * 1000

/** Lua that gives the values of a row their names; `unpack` would be a call. */
const NAMED = `local ${REFRESHED_FIELDS.join(', ')} = ${REFRESHED_FIELDS.map((_, index) => `r[${index + 1}]`).join(', ')}`

/**
 * Lua that reads the row, and carries out the usual refresh: that of the newest generation, which
 * is neither kept nor has a late predecessor, and whose client is not to be noted. What costs most
 * is to turn texts into numbers and back: it does so only where it compares or adds, and writes
 * what the caller has sent as text. It returns what the caller does not know, as JSON.
 */
const USUAL = `
local r = redis.call('HMGET', row, ${REFRESHED_FIELDS.map((name) => `'${name}'`).join(', ')})
${NAMED}
if gen and gen + 1 == ARGV[2] + 0 and ARGV[3] ~= '' and rev == '' and (late or '0') == '0' and (before or '0') == '0' then
  local overlap, last, most = ARGV[3] + 0, rot + 0, abs + 0
  if now < idle + 0 and now < most
    and (gen == '0' or now - last >= ${KEPT_OVERLAPS} * overlap)
    and (used == rot or now - used >= overlap or used + 0 <= last)
    and ((ARGV[6] or '') == '' or now <= ARGV[6] + 0)
    and (not ARGV[9] or math.floor(now / ARGV[9]) <= math.floor(last / ARGV[9]))
  then
    local life = span and span + ${AFTER_END} or ARGV[4]
    local ends = now + life - ${AFTER_END}
    idle = ends
    if ends >= most then ends, idle, life = most, abs, most + ${AFTER_END} - now end
    redis.call('HSET', row, 'gen', ARGV[2], 'rot', moment, 'used', moment, 'idle', idle)
    redis.call('PEXPIRE', row, life)
    if brought then redis.call('ZADD', string.sub(log, 1, -4) .. 'due', ends + ${AFTER_END}, row) end
    local rest = ''
    if span or ip or agent then
      rest = ',' .. (span or 'null') .. ',' .. (ip or 'null') .. ',' .. (agent or 'null')
    end
    return '[' .. moment .. ',' .. abs .. ',' .. made .. ',' .. auth .. ',' .. login .. rest .. ']'
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
elseif not overlap then word = 'kept'
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
  local till = ends + ${AFTER_END}
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

/**
 * The caller's `following` is the generation after that of the token; it is what is written. So is
 * `life`: how long the row is kept from now on, its day after the end included. Without `overlap`
 * there is no rotation.
 */
const ROTATE = createScript({
  keys: 'row log',
  args: '#following #overlap #life #logttl #notafter ip agent #stretch',
  isText: true,
  first: USUAL,
  body: `${PLACES}
local sent, idle = following - 1, life - ${AFTER_END}
local gen = tonumber(r[GEN] or nil)
${DECIDE}
local moves = word == 'kept' and not overlap
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
    const [reply] = await run(ROTATE, {
      keys: [keys.row(call.sid), keys.log],
      args: toArguments(call),
      now: call.now,
    })
    const text = String(reply)
    if (text.startsWith('[')) return readUsual(text, call)
    const [word, moment, ...row] = text.split('\n')
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
  const life = toRedisTime(idle) + AFTER_END
  const args = [gen + 1, rotation ? toRedisTime(overlap) : null, life, toRedisTime(logTtl)]
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

/** What a usual refresh returns: times in milliseconds, and what the row has as JSON. */
type UsualReply = [
  moment: number,
  abs: number,
  made: number,
  authentication: Authentication,
  login: StoredLogin,
  span?: number | null,
  ip?: string | null,
  agent?: string | null,
]

/** The rotation of a usual refresh: the caller knows the rest. */
function readUsual(text: string, { gen, idle }: RotateCall): Rotation {
  const [moment, abs, made, authentication, login, span = null, ip = null, agent = null] = JSON.parse(
    text,
  ) as UsualReply
  const now = moment / 1000
  const row = joinRow(login, authentication, {
    gen: gen + 1,
    rotatedAt: now,
    late: 0,
    lateBefore: 0,
    createdAt: made / 1000,
    lastUsedAt: now,
    idleExpiresAt: Math.min(moment + (span ?? toRedisTime(idle)), abs) / 1000,
    absoluteExpiresAt: abs / 1000,
    idleFor: span === null ? null : span / 1000,
    revokedAt: null,
    revokeReason: null,
    lastIp: ip,
    lastUserAgent: agent,
  })
  return { word: 'rotated', row, now }
}
