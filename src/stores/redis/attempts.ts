/** Counted attempts: a hash for each key, with its own expiry. */
import type { SessionStore } from '../../session/store.ts'
import type { Keys } from './keys.ts'
import { createScript, EXPIRY, type Runner, toRedisTime } from './script.ts'

/** The methods of the contract that count attempts. */
export function createAttemptScripts(
  run: Runner,
  keys: Keys,
): Pick<SessionStore, 'countAttempt' | 'readAttempts' | 'forgetAttempts'> {
  const { due } = keys
  return {
    async countAttempt(key, limit, window, now) {
      const args = [limit, toRedisTime(window)]
      const [allowed, retryAfter, count] = await run(COUNT, { keys: [keys.attempts(key), due], args, now })
      return { allowed: Number(allowed) === 1, retryAfter: Number(retryAfter), count: Number(count) }
    },

    async readAttempts(key, now) {
      const [count, endsIn] = await run(READ, { keys: [keys.attempts(key)], args: [], now })
      return { count: Number(count), endsIn: Number(endsIn) }
    },

    async forgetAttempts(key, count, now) {
      await run(FORGET, { keys: [keys.attempts(key), due], args: [count], now })
    },
  }
}

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

const READ = createScript({
  keys: 'attempts',
  args: '',
  body: `
local known = redis.call('HMGET', attempts, 'count', 'until')
local left = tonumber(known[2] or 0) - now
if left <= 0 then return { 0, 0 } end
return { tonumber(known[1]), math.ceil(left / 1000) }
`,
})

const FORGET = createScript({
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
