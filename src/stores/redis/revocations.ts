/**
 * Revocation: of a session, of all sessions of a subject, of a token. Each is one script that also writes the log,
 * so that whoever follows the log and whoever asks the store are told the same.
 */
import type { RevocationStore } from '../../session/store.ts'
import { type Keys, spell } from './keys.ts'
import { APPEND } from './log.ts'
import { ROW } from './mapping.ts'
import { createScript, EXPIRY, type Runner, toRedisTime, toRedisTimeOrNull } from './script.ts'

const END = createScript({
  keys: 'row log',
  args: 'sid why #logttl',
  body: `${ROW}${APPEND}
local r = read(row)
if r[GEN] and r[REV] ~= '' then return { 0 } end
local live = isLive(r) and 1 or 0
if r[GEN] then
  change(row, r, { [REV] = now, [WHY] = why })
  redis.call('ZREM', stem(row, sid) .. 'u:' .. r[SUB], sid)
end
-- Also where the row is gone: access tokens of a session that Redis has lost may still live, and followers must hear of it.
trim(1)
append('sid', sid, now, now + logttl)
return { live }
`,
})

const END_ALL = createScript({
  keys: 'index cutoff log due',
  args: 'sub why #logttl except #tokenttl',
  body: `${EXPIRY}${ROW}${APPEND}
local rows = stem(index, sub) .. 's:'
local live, last = {}, now + logttl
for _, sid in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local r = read(rows .. sid)
  if r[GEN] then last = math.max(last, tonumber(r[ABS])) end
  if sid ~= except and isLive(r) then live[#live + 1] = { sid = sid, r = r } end
end
local cut = math.max(now, tonumber(redis.call('GET', cutoff) or 0))

for _, session in ipairs(live) do
  change(rows .. session.sid, session.r, { [REV] = now, [WHY] = why })
  redis.call('ZREM', index, session.sid)
  append('sid', session.sid, now, now + logttl)
end
if tokenttl then
  redis.call('SET', cutoff, string.format('%.0f', cut), 'KEEPTTL')
  -- It outlives every session and every token that it judges, and logins in flight.
  prolong(cutoff, math.max(last, now + tokenttl) + DAY)
  append('sub', sub, cut, now + math.max(logttl, tokenttl))
end
trim(#live)
return { #live }
`,
})

const REVOKE_TOKEN = createScript({
  keys: 'token log due',
  args: 'jti #till',
  body: `${EXPIRY}${APPEND}
-- It has expired: nothing is left to refuse.
if till <= now then return { 0 } end
till = math.max(till, tonumber(redis.call('GET', token) or 0))
redis.call('SET', token, string.format('%.0f', till))
expire(token, till)
trim(1)
append('jti', jti, now, till)
return { 1 }
`,
})

/** Revokes in Redis. */
export function createRevocations(
  run: Runner,
  keys: Keys,
): Pick<RevocationStore, 'end' | 'endAll' | 'revokeToken'> {
  const { log, due } = keys
  return {
    async end(sid, reason, { logTtl, now }) {
      const args = [spell(sid), reason, toRedisTime(logTtl)]
      const [live] = await run(END, { keys: [keys.row(sid), log], args, now })
      return Number(live) === 1
    },

    async endAll(sub, reason, { logTtl, except, cutOff, now }) {
      const [count] = await run(END_ALL, {
        keys: [keys.subject(sub), keys.cutOff(sub), log, due],
        args: [
          spell(sub),
          reason,
          toRedisTime(logTtl),
          except === null ? null : spell(except),
          toRedisTimeOrNull(cutOff),
        ],
        now,
      })
      return Number(count)
    },

    async revokeToken(jti, until, now) {
      const args = [spell(jti), toRedisTime(until)]
      await run(REVOKE_TOKEN, { keys: [keys.token(jti), log, due], args, now })
    },
  }
}
