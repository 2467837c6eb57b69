/**
 * Sessions: one script for each step. `ROTATE` repeats `decideRotation` of `session/rotation.ts` in
 * Lua; the tests compare the two over thousands of random cases.
 */
import { KEPT_OVERLAPS, LATE_PARTS, SHADOWED_OVERLAPS } from '../../session/rotation.ts'
import type { NewSession } from '../../session/session-row.ts'
import type {
  LimitedStart,
  RotationWord,
  SessionLimit,
  SessionStore,
  Sighting,
  StepUp,
} from '../../session/store.ts'
import { type Keys, spell, spellOwner, toShared } from './keys.ts'
import { APPEND } from './log.ts'
import {
  CUT_KEYS,
  OWNER,
  ROW,
  readRow,
  toAuthentication,
  toCutKeys,
  toLogin,
  toRealmJson,
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

const NOW = createScript({ keys: 'log', args: '', body: 'return { now }' })

const START = createScript({
  keys: `row index due log earlier ${CUT_KEYS}`,
  args: 'sid owner realm login auth #proved #idle #absolute #span #count refuses #logttl',
  body: `${EXPIRY}${ROW}${OWNER}${APPEND}
local r = read(row)
-- A client that lost its connection sends a command again: the second finds the row of the first.
if r[GEN] then return { r[REV] == '' and 'started' or 'revoked', r } end
local cut = readCut()
if cut and cut >= proved then return { 'revoked' } end
-- The live sessions of the owner where they are limited, oldest login first.
local live, ended = {}, {}
if count then
  local rows = stem(row, sid) .. 's:'
  local function collect(from)
    for _, other in ipairs(redis.call('ZRANGE', from, 0, -1)) do
      local o = read(rows .. other)
      if isLive(o) and isIn(realm, o) then live[#live + 1] = { sid = other, r = o, from = from } end
    end
  end
  collect(index)
  if earlier ~= index then collect(earlier) end
  if refuses == '1' and #live >= count then return { 'full' } end
  table.sort(live, function(a, b)
    local one, other = tonumber(a.r[MADE]), tonumber(b.r[MADE])
    if one ~= other then return one < other end
    return a.sid < b.sid
  end)
  for i = 1, #live - count + 1 do
    local session = live[i]
    change(rows .. session.sid, session.r, { [REV] = now, [WHY] = 'limit' })
    redis.call('ZREM', session.from, session.sid)
    shorten(rows .. session.sid, now + math.max(DAY, logttl))
    append('sid', session.sid, now, now + logttl)
    ended[#ended + 1] = session.r
  end
  if #ended > 0 then trim(#ended) end
end
local ends = now + absolute
idle = span or idle
change(row, r, {
  [GEN] = 0, [ROT] = now, [USED] = now, [IDLE] = math.min(now + idle, ends), [ABS] = ends,
  [REV] = '', [WHY] = '', [MADE] = now, [AUTH] = auth, [LOGIN] = login, [SUB] = owner,
  [LATE] = 0, [BEFORE] = 0, [REALM] = realm,
})
if span then change(row, r, { [SPAN] = span }) end
expire(row, math.min(now + idle, ends) + DAY)
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', now))
redis.call('ZADD', index, ends, sid)
prolong(index, ends + DAY)
return { 'started', r, ended }
`,
})

const ROTATE = createScript({
  keys: 'row log due',
  args: 'sid #sent #overlap #idle rotation #notafter #logttl ip agent #stretch',
  body: `${EXPIRY}${ROW}${APPEND}
local r = read(row)
local gen = tonumber(r[GEN] or nil)

-- As session/rotation.ts: how late the predecessor is in this generation, now included.
local function toLate()
  local late, age = tonumber(r[LATE] or 0), math.max(0, now - tonumber(r[ROT]))
  return age * ${LATE_PARTS} > overlap and math.max(late, math.min(age, overlap)) or late
end

local function decide()
  if not gen then return 'unknown' end
  if r[REV] ~= '' then return 'revoked' end
  if hasEnded(r) then return 'expired' end
  if rotation == '0' then return 'kept' end
  if sent > gen then return 'healed' end
  local age, used = math.max(0, now - tonumber(r[ROT])), tonumber(r[USED])
  local steppedUp = used > tonumber(r[ROT]) and now - used < overlap
  if sent == gen then
    return (steppedUp or gen > 0 and age < ${KEPT_OVERLAPS} * overlap) and 'kept' or 'rotated'
  end
  if sent < gen - 1 or overlap == 0 then return 'reused' end
  local total = tonumber(r[BEFORE] or 0) + toLate()
  return total < ${SHADOWED_OVERLAPS} * overlap and 'replayed' or 'reused'
end

local word = decide()
local moves = word == 'kept' and rotation == '0'
local advances = word == 'rotated' or word == 'healed'
-- The caller has given up: a client that has gone on since must not be taken for a thief.
if (moves or advances or word == 'reused') and notafter and now > notafter then return { 'late', now, r } end

if advances or moves then
  local rotated = tonumber(r[ROT])
  local ends = math.min(now + tonumber(r[SPAN] or idle), tonumber(r[ABS]))
  if advances then
    local late, before = tonumber(r[LATE] or 0), tonumber(r[BEFORE] or 0)
    before = late > 0 and before + late or math.max(0, before - overlap)
    change(row, r, {
      [GEN] = sent + 1, [ROT] = now, [USED] = now, [IDLE] = ends, [LATE] = 0, [BEFORE] = before,
    })
  else
    change(row, r, { [USED] = now, [IDLE] = ends })
  end
  if stretch and math.floor(now / stretch) > math.floor(rotated / stretch) then
    if ip ~= '' then change(row, r, { [IP] = ip }) end
    if agent ~= '' then change(row, r, { [AGENT] = agent }) end
  end
  prolong(row, ends + DAY)
elseif word == 'replayed' and not (notafter and now > notafter) then
  local late = toLate()
  if late ~= tonumber(r[LATE] or 0) then change(row, r, { [LATE] = late }) end
elseif word == 'reused' then
  local shadowed = sent == gen - 1 and overlap > 0
  change(row, r, { [REV] = now, [WHY] = shadowed and 'shadowed' or 'refresh_reused' })
  redis.call('ZREM', stem(row, sid) .. 'u:' .. r[SUB], sid)
  shorten(row, now + math.max(DAY, logttl))
  trim(1)
  append('sid', sid, now, now + logttl)
end
return { word, now, r }
`,
})

const STEP_UP = createScript({
  keys: 'row',
  args: 'auth #notafter',
  body: `${ROW}
local r = read(row)
if not r[GEN] then return { 'unknown', now, r } end
if r[REV] ~= '' then return { 'revoked', now, r } end
if hasEnded(r) then return { 'expired', now, r } end
if notafter and now > notafter then return { 'late', now, r } end
change(row, r, { [AUTH] = auth, [USED] = now })
return { 'live', now, r }
`,
})

const IS_REVOKED = createScript({
  keys: `row token ${CUT_KEYS}`,
  args: 'hassid hasjti #issued',
  body: `${ROW}${OWNER}
local till = hasjti == '1' and redis.call('GET', token)
if till and tonumber(till) > now then return { 1 } end
if hassid == '1' then return { isLive(read(row)) and 0 or 1 } end
local cut = readCut()
return { cut and (not issued or issued <= cut) and 1 or 0 }
`,
})

/** The methods of the contract that keep sessions. */
export function createSessions(
  run: Runner,
  keys: Keys,
): Omit<SessionStore, 'get' | 'list' | 'update' | 'countAttempt' | 'readAttempts' | 'forgetAttempts'> {
  const { log, due } = keys
  const startWithin = createStart(run, keys)

  return {
    async now() {
      const [now] = await run(NOW, { keys: [log], args: [], now: null })
      return fromRedisTime(now)
    },

    start: async (session, now) => (await startWithin(session, null, now)).row,

    startLimited: startWithin,

    async rotate({ sid, gen, overlap, idle, rotation, notAfter, logTtl, seen, now }) {
      const [word, moment, row] = await run(ROTATE, {
        keys: [keys.row(sid), log, due],
        args: [
          spell(sid),
          gen,
          toRedisTime(overlap),
          toRedisTime(idle),
          rotation,
          toRedisTimeOrNull(notAfter),
          toRedisTime(logTtl),
          ...toSeenArguments(seen),
        ],
        now,
      })
      return { word: String(word) as RotationWord, row: readRow(row), now: fromRedisTime(moment) }
    },

    async stepUp(call) {
      const args = [toAuthentication(call), toRedisTimeOrNull(call.notAfter)]
      const [word, moment, row] = await run(STEP_UP, { keys: [keys.row(call.sid)], args, now: call.now })
      return { word: String(word) as StepUp['word'], row: readRow(row), now: fromRedisTime(moment) }
    },

    async isRevoked({ sid, jti, iat, now, ...owner }) {
      // A session is not asked for cut-offs, whose keys cost hashes.
      const cuts = sid === null ? toCutKeys(keys, owner) : [log, log, log, log]
      const [revoked] = await run(IS_REVOKED, {
        keys: [keys.row(sid ?? ''), keys.token(jti ?? ''), ...cuts],
        args: [sid !== null, jti !== null, toRedisTimeOrNull(iat)],
        now,
      })
      return Number(revoked) === 1
    },
  }
}

function toSeenArguments(seen: Sighting | null): readonly Argument[] {
  const { ip, userAgent, stretch } = seen ?? {}
  return [toJsonOrNull(ip), toJsonOrNull(userAgent), toRedisTimeOrNull(stretch ?? null)]
}

/** Starts a session, within a limit or without. */
function createStart(run: Runner, keys: Keys) {
  return async (
    session: NewSession,
    limit: SessionLimit | null,
    now: number | null,
  ): Promise<LimitedStart> => {
    const { sid } = session
    const times = [session.provedAt, session.idle, session.absolute].map(toRedisTime)
    const [word, row, ended = []] = await run(START, {
      keys: [
        keys.row(sid),
        keys.index(session),
        keys.due,
        keys.log,
        keys.index(toShared(session)),
        ...toCutKeys(keys, session),
      ],
      args: [
        spell(sid),
        spellOwner(session),
        toRealmJson(session),
        toLogin(session),
        toAuthentication(session),
        ...times,
        toRedisTimeOrNull(session.idleFor),
        limit?.count ?? null,
        limit?.refuses ?? false,
        toRedisTimeOrNull(limit?.logTtl ?? null),
      ],
      now,
    })
    return {
      word: String(word) as LimitedStart['word'],
      row: String(word) === 'started' ? readRow(row) : null,
      ended: (ended as readonly unknown[]).map(readRow).filter((other) => other !== null),
    }
  }
}

/** A text as a field keeps it; null for none. */
function toJsonOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : JSON.stringify(text)
}
