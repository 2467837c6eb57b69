/** Counted attempts: a hash for each key, with its own expiry. */
import type { SessionStore } from '../../session/store.ts'
import { hashText } from '../../session/transfer.ts'
import type { Keys } from './keys.ts'
import { createScript, EXPIRY, type Runner, toRedisTime } from './script.ts'

/** The methods of the contract that count attempts. */
export function createAttemptScripts(
  run: Runner,
  keys: Keys,
): Pick<SessionStore, 'countAttempt' | 'readAttempts' | 'forgetAttempts'> {
  const { due } = keys
  const toKeys = (key: string): [string, ...string[]] => [
    keys.attempts(key),
    keys.hashedAttempts(hashText(key)),
    due,
  ]
  return {
    async countAttempt(key, limit, window, now) {
      const args = [limit, toRedisTime(window)]
      const [allowed, retryAfter, count] = await run(COUNT, { keys: toKeys(key), args, now })
      return { allowed: Number(allowed) === 1, retryAfter: Number(retryAfter), count: Number(count) }
    },

    async readAttempts(key, now) {
      const [count, endsIn] = await run(READ, { keys: toKeys(key), args: [], now })
      return { count: Number(count), endsIn: Number(endsIn) }
    },

    async forgetAttempts(key, count, now) {
      await run(FORGET, { keys: toKeys(key), args: [count], now })
    },
  }
}

/**
 * Lua that finds what is counted. Attempts from a store that keeps hashes of keys lie under the
 * hash until their key is counted again.
 */
const FIND = `
local function get(key)
  local known = redis.call('HMGET', key, 'count', 'until')
  return tonumber(known[1] or 0), tonumber(known[2] or 0)
end
-- The count, and the end of the window: both 0 once it has ended.
local function find()
  local count, till = get(attempts)
  local others, ends = get(hashed)
  if till <= now then count, till = 0, 0 end
  if ends > now then return math.max(count, others), math.max(till, ends) end
  return count, till
end
local function forgetHashed()
  if redis.call('DEL', hashed) > 0 then redis.call('ZREM', due, hashed) end
end
`

const COUNT = createScript({
  keys: 'attempts hashed due',
  args: '#limit #window',
  body: `${EXPIRY}${FIND}
local count, till = find()
if till == 0 then till = now + window end
if count >= limit then return { 0, math.max(1, math.ceil((till - now) / 1000)), count } end
redis.call('HSET', attempts, 'count', count + 1, 'until', till)
expire(attempts, till)
forgetHashed()
return { 1, 0, count + 1 }
`,
})

const READ = createScript({
  keys: 'attempts hashed due',
  args: '',
  body: `${FIND}
local count, till = find()
return { count, till == 0 and 0 or math.ceil((till - now) / 1000) }
`,
})

const FORGET = createScript({
  keys: 'attempts hashed due',
  args: '#many',
  body: `${EXPIRY}${FIND}
local count, till = find()
local left = count - (many or math.huge)
if left > 0 then
  redis.call('HSET', attempts, 'count', left, 'until', till)
  expire(attempts, till)
else
  redis.call('DEL', attempts)
  redis.call('ZREM', due, attempts)
end
forgetHashed()
return { 1 }
`,
})
