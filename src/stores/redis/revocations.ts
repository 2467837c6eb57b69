/**
 * Revocation of a session, of all sessions of an owner, of a token. Each is one script that also
 * writes the log, so that followers of the log and strict checks agree.
 */
import type { RevocationStore } from '../../session/store.ts'
import { type Keys, spell } from './keys.ts'
import { APPEND } from './log.ts'
import { CUT_KEYS, OWNER, ROW, toCutKeys } from './mapping.ts'
import { createScript, EXPIRY, type Runner, toRedisTime, toRedisTimeOrNull } from './script.ts'

const END = createScript({
  keys: 'row log due',
  args: 'sid why #logttl',
  body: `${EXPIRY}${ROW}${APPEND}
local r = read(row)
if r[GEN] and r[REV] ~= '' then return { 0 } end
local live = isLive(r) and 1 or 0
if r[GEN] then
  change(row, r, { [REV] = now, [WHY] = why })
  redis.call('ZREM', stem(row, sid) .. 'u:' .. r[SUB], sid)
  shorten(row, now + math.max(DAY, logttl))
end
-- Also where the row is gone: access tokens of a session that Redis has lost may still live.
trim(1)
append('sid', sid, now, now + logttl)
return { live }
`,
})

const END_ALL = createScript({
  keys: `index log due earlier ${CUT_KEYS}`,
  args: 'sub realm why #logttl except #tokenttl',
  body: `${EXPIRY}${ROW}${OWNER}${APPEND}
local rows = string.sub(log, 1, #log - #'log') .. 's:'
local live, last = {}, now + logttl
local function collect(from)
  for _, sid in ipairs(redis.call('ZRANGE', from, 0, -1)) do
    local r = read(rows .. sid)
    if r[GEN] and (from ~= earlier or isIn(realm, r)) then
      last = math.max(last, tonumber(r[ABS]))
      if sid ~= except and isLive(r) then live[#live + 1] = { sid = sid, r = r, from = from } end
    end
  end
end
collect(index)
if earlier ~= index then collect(earlier) end
local cut = math.max(now, readCut() or 0)

for _, session in ipairs(live) do
  change(rows .. session.sid, session.r, { [REV] = now, [WHY] = why })
  redis.call('ZREM', session.from, session.sid)
  shorten(rows .. session.sid, now + math.max(DAY, logttl))
  append('sid', session.sid, now, now + logttl)
end
if tokenttl then
  redis.call('SET', cutoff, string.format('%.0f.0', cut), 'KEEPTTL')
  -- It outlives every session and every token that it applies to, and logins in flight.
  prolong(cutoff, math.max(last, now + tokenttl) + DAY)
  append('sub', sub, cut, now + logttl, string.sub(realm, 2, -2))
end
trim(#live)
return { #live }
`,
})

const REVOKE_TOKEN = createScript({
  keys: 'token log due',
  args: 'jti #till',
  body: `${EXPIRY}${APPEND}
-- It has expired.
if till <= now then return { 0 } end
till = math.max(till, tonumber(redis.call('GET', token) or 0))
redis.call('SET', token, string.format('%.0f', till))
expire(token, till)
trim(1)
append('jti', jti, now, till)
return { 1 }
`,
})

/** The methods of the contract that revoke. */
export function createRevocations(
  run: Runner,
  keys: Keys,
): Pick<RevocationStore, 'end' | 'endAll' | 'revokeToken'> {
  const { log, due } = keys
  return {
    async end(sid, reason, { logTtl, now }) {
      const args = [spell(sid), reason, toRedisTime(logTtl)]
      const [live] = await run(END, { keys: [keys.row(sid), log, due], args, now })
      return Number(live) === 1
    },

    async endAll({ sub, realm }, reason, { logTtl, except, cutOff, now }) {
      const owner = { sub, realm }
      const shared = { sub, realm: null }
      const [count] = await run(END_ALL, {
        keys: [keys.index(owner), log, due, keys.index(shared), ...toCutKeys(keys, owner)],
        args: [
          spell(sub),
          JSON.stringify([realm]),
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
