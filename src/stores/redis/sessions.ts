/** Sessions: one script for each step. That of a refresh is in `rotate.ts`. */

import type { NewSession } from '../../session/session-row.ts'
import type { LimitedStart, SessionLimit, SessionStore, StepUp } from '../../session/store.ts'
import type { AttemptMethods } from './attempts.ts'
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
import { createRotate } from './rotate.ts'
import { createScript, EXPIRY, fromRedisTime, type Runner, toRedisTime, toRedisTimeOrNull } from './script.ts'

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
): Omit<SessionStore, 'get' | 'list' | 'update' | keyof AttemptMethods> {
  const { log } = keys
  const startWithin = createStart(run, keys)

  return {
    async now() {
      const [now] = await run(NOW, { keys: [log], args: [], now: null })
      return fromRedisTime(now)
    },

    start: async (session, now) => (await startWithin(session, null, now)).row,

    startLimited: startWithin,

    rotate: createRotate(run, keys),

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
