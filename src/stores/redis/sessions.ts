/**
 * The life of a session, one script per step. `ROTATE` says in Lua what `decide` says in session/rotation.ts,
 * and the tests hold the two together over thousands of random cases.
 */
import type { RotationWord, SessionRow, SessionStore, StepUp } from '../../session/store.ts'
import { type Keys, spell } from './keys.ts'
import { APPEND } from './log.ts'
import { ROW, toAuthentication, toLogin, toRow } from './mapping.ts'
import { createScript, EXPIRY, fromRedisTime, type Runner, toRedisTime, toRedisTimeOrNull } from './script.ts'

const NOW = createScript({ keys: 'log', args: '', body: 'return { now }' })

const START = createScript({
  keys: 'row index cutoff due',
  args: 'sid sub login auth #proved #idle #absolute',
  body: `${EXPIRY}${ROW}
local r = read(row)
-- A client that lost its connection sends a command again: the second finds what the first has made, and revives nothing.
if r[GEN] then return r[REV] == '' and r or {} end
local cut = redis.call('GET', cutoff)
if cut and tonumber(cut) >= proved then return {} end
local ends = now + absolute
change(row, r, {
  [GEN] = 0, [ROT] = now, [USED] = now, [IDLE] = math.min(now + idle, ends), [ABS] = ends,
  [REV] = '', [WHY] = '', [MADE] = now, [AUTH] = auth, [LOGIN] = login, [SUB] = sub,
})
expire(row, ends + DAY)
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', now))
redis.call('ZADD', index, ends, sid)
prolong(index, ends + DAY)
return r
`,
})

const ROTATE = createScript({
  keys: 'row log',
  args: 'sid #presented #overlap #idle rotation #notafter #logttl',
  body: `${ROW}${APPEND}
local r = read(row)
local gen = tonumber(r[GEN] or nil)

-- As session/rotation.ts.
local function decide()
  if not gen then return 'unknown' end
  if r[REV] ~= '' then return 'revoked' end
  if hasEnded(r) then return 'expired' end
  if rotation == '0' then return 'kept' end
  local age = math.max(0, now - tonumber(r[ROT]))
  if presented > gen then return 'healed' end
  local used = tonumber(r[USED])
  local steppedUp = used > tonumber(r[ROT]) and now - used < overlap
  if presented == gen then return (steppedUp or gen > 0 and age < 2 * overlap) and 'kept' or 'rotated' end
  local forgiven = presented == gen - 1 and overlap > 0 and age <= overlap
  return forgiven and 'replayed' or 'reused'
end

local word = decide()
local moves = word == 'kept' and rotation == '0'
local advances = word == 'rotated' or word == 'healed'
-- Nobody waits for this answer: a client that has gone on since must not be taken for a thief.
if (moves or advances or word == 'reused') and notafter and now > notafter then return { 'late', now, r } end

if advances or moves then
  local ends = math.min(now + idle, tonumber(r[ABS]))
  if advances then
    change(row, r, { [GEN] = presented + 1, [ROT] = now, [USED] = now, [IDLE] = ends })
  else
    change(row, r, { [USED] = now, [IDLE] = ends })
  end
elseif word == 'reused' then
  change(row, r, { [REV] = now, [WHY] = 'refresh_reused' })
  redis.call('ZREM', stem(row, sid) .. 'u:' .. r[SUB], sid)
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
if not r[GEN] then return { 'unknown', r } end
if r[REV] ~= '' then return { 'revoked', r } end
if hasEnded(r) then return { 'expired', r } end
if notafter and now > notafter then return { 'late', r } end
change(row, r, { [AUTH] = auth, [USED] = now })
return { 'live', r }
`,
})

const COUNT = createScript({
  keys: 'attempts due',
  args: '#limit #window',
  body: `${EXPIRY}
local known = redis.call('HMGET', attempts, 'count', 'until')
local count, till = tonumber(known[1] or 0), tonumber(known[2] or 0)
if till <= now then count, till = 0, now + window end
if count >= limit then return { 0, math.max(1, math.ceil((till - now) / 1000)), count } end
redis.call('HSET', attempts, 'count', count + 1, 'until', till)
expire(attempts, till)
return { 1, 0, count + 1 }
`,
})

const READ_ATTEMPTS = createScript({
  keys: 'attempts',
  args: '',
  body: `
local known = redis.call('HMGET', attempts, 'count', 'until')
local left = tonumber(known[2] or 0) - now
if left <= 0 then return { 0, 0 } end
return { tonumber(known[1]), math.ceil(left / 1000) }
`,
})

const FORGET_ATTEMPTS = createScript({
  keys: 'attempts due',
  args: '#many',
  body: `
local left = tonumber(redis.call('HGET', attempts, 'count') or 0) - (many or math.huge)
if left > 0 then
  redis.call('HSET', attempts, 'count', left)
else
  redis.call('DEL', attempts)
  redis.call('ZREM', due, attempts)
end
return { 1 }
`,
})

const GET = createScript({ keys: 'row', args: '', body: `${ROW} return read(row)` })

const LIST = createScript({
  keys: 'index',
  args: 'sub #limit',
  body: `${ROW}
local rows = stem(index, sub) .. 's:'
local live = {}
for _, sid in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local r = read(rows .. sid)
  if isLive(r) then live[#live + 1] = { made = tonumber(r[MADE]), sid = sid, r = r } end
end
table.sort(live, function(a, b)
  if a.made ~= b.made then return a.made > b.made end
  return a.sid < b.sid
end)
local answer = {}
for i = 1, math.min(#live, limit) do answer[i] = live[i].r end
return answer
`,
})

const IS_REVOKED = createScript({
  keys: 'row token cutoff',
  args: 'hassid hasjti #issued',
  body: `${ROW}
local till = hasjti == '1' and redis.call('GET', token)
if till and tonumber(till) > now then return { 1 } end
if hassid == '1' then return { isLive(read(row)) and 0 or 1 } end
local cut = redis.call('GET', cutoff)
return { cut and (not issued or issued <= tonumber(cut)) and 1 or 0 }
`,
})

/** The most rows that a list holds, as the contract says. */
const LIST_LIMIT = 1000

/** Keeps sessions in Redis. */
export function createSessions(run: Runner, keys: Keys): SessionStore {
  const { log, due } = keys
  return {
    async now() {
      const [now] = await run(NOW, { keys: [log], args: [], now: null })
      return fromRedisTime(now)
    },

    async start(draft, now) {
      const { sid, sub } = draft
      const times = [draft.provedAt, draft.idle, draft.absolute].map(toRedisTime)
      return toRow(
        await run(START, {
          keys: [keys.row(sid), keys.subject(sub), keys.cutOff(sub), due],
          args: [spell(sid), spell(sub), toLogin(draft), toAuthentication(draft), ...times],
          now,
        }),
      )
    },

    async rotate({ sid, gen, overlap, idle, rotation, notAfter, logTtl, now }) {
      const [word, moment, row] = await run(ROTATE, {
        keys: [keys.row(sid), log],
        args: [
          spell(sid),
          gen,
          toRedisTime(overlap),
          toRedisTime(idle),
          rotation,
          toRedisTimeOrNull(notAfter),
          toRedisTime(logTtl),
        ],
        now,
      })
      return { word: String(word) as RotationWord, row: toRow(row), now: fromRedisTime(moment) }
    },

    async stepUp(call) {
      const args = [toAuthentication(call), toRedisTimeOrNull(call.notAfter)]
      const [word, row] = await run(STEP_UP, { keys: [keys.row(call.sid)], args, now: call.now })
      return { word: String(word) as StepUp['word'], row: toRow(row) }
    },

    async countAttempt(key, limit, window, now) {
      const args = [limit, toRedisTime(window)]
      const [allowed, retryAfter, count] = await run(COUNT, { keys: [keys.attempts(key), due], args, now })
      return { allowed: Number(allowed) === 1, retryAfter: Number(retryAfter), count: Number(count) }
    },

    async readAttempts(key, now) {
      const [count, endsIn] = await run(READ_ATTEMPTS, { keys: [keys.attempts(key)], args: [], now })
      return { count: Number(count), endsIn: Number(endsIn) }
    },

    async forgetAttempts(key, count, now) {
      await run(FORGET_ATTEMPTS, { keys: [keys.attempts(key), due], args: [count], now })
    },

    async get(sid) {
      return toRow(await run(GET, { keys: [keys.row(sid)], args: [], now: null }))
    },

    async list(sub, now) {
      const found = await run(LIST, { keys: [keys.subject(sub)], args: [spell(sub), LIST_LIMIT], now })
      return found.map(toRow).filter((row): row is SessionRow => row !== null)
    },

    async isRevoked({ sid, jti, sub, iat, now }) {
      const [revoked] = await run(IS_REVOKED, {
        keys: [keys.row(sid ?? ''), keys.token(jti ?? ''), keys.cutOff(sub)],
        args: [sid !== null, jti !== null, toRedisTimeOrNull(iat)],
        now,
      })
      return Number(revoked) === 1
    },
  }
}
