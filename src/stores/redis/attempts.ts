/** Counted attempts: a hash for each key, with its own expiry. */
import type { SessionStore } from '../../session/store.ts'
import { hashText } from '../../session/transfer.ts'
import type { Keys } from './keys.ts'
import { createScript, EXPIRY, type Runner, toRedisTime } from './script.ts'

/** The methods of the contract that count attempts. */
export type AttemptMethods = Required<
  Pick<SessionStore, 'countAttempt' | 'readAttempts' | 'forgetAttempts' | 'countTogether' | 'forgetTogether'>
>

/** Creates those methods. */
export function createAttemptScripts(run: Runner, keys: Keys): AttemptMethods {
  const { due } = keys
  const toPlaces = (key: string) => [keys.attempts(key), keys.hashedAttempts(hashText(key))] as const
  const toKeys = (key: string): [string, ...string[]] => [...toPlaces(key), due]
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

    async countTogether(counts, reads, now) {
      const names = [...counts.map(({ key }) => key), ...reads]
      const rules = counts.flatMap(({ limit, window }) => [limit, toRedisTime(window)])
      const [counted, ...rest] = await run(COUNT_TOGETHER, {
        keys: [due, ...names.flatMap(toPlaces)],
        args: [counts.length, ...rules],
        now,
      })
      return {
        counted: Number(counted) === 1,
        reads: reads.map((_, place) => {
          return { count: Number(rest[2 * place]), endsIn: Number(rest[2 * place + 1]) }
        }),
      }
    },

    async forgetTogether(forgets, now) {
      await run(FORGET_TOGETHER, {
        keys: [due, ...forgets.flatMap(({ key }) => toPlaces(key))],
        args: forgets.map(({ count }) => count),
        now,
      })
    },
  }
}

/**
 * Lua that finds, counts and takes back what is counted. Attempts from a store that keeps hashes of
 * keys lie under the hash until their key is counted again.
 */
const FIND = `
local function get(key)
  local known = redis.call('HMGET', key, 'count', 'until')
  return tonumber(known[1] or 0), tonumber(known[2] or 0)
end
-- The count, and the end of the window: both 0 once it has ended.
local function find(attempts, hashed)
  local count, till = get(attempts)
  local others, ends = get(hashed)
  if till <= now then count, till = 0, 0 end
  if ends > now then return math.max(count, others), math.max(till, ends) end
  return count, till
end
local function toSeconds(till) return till == 0 and 0 or math.ceil((till - now) / 1000) end
`

const CHANGE = `${EXPIRY}${FIND}
local function change(attempts, hashed, count, till)
  if count > 0 then
    redis.call('HSET', attempts, 'count', count, 'until', till)
    expire(attempts, till)
  else
    redis.call('DEL', attempts)
    redis.call('ZREM', due, attempts)
  end
  if redis.call('DEL', hashed) > 0 then redis.call('ZREM', due, hashed) end
end
`

const COUNT = createScript({
  keys: 'attempts hashed due',
  args: '#limit #window',
  body: `${CHANGE}
local count, till = find(attempts, hashed)
if till == 0 then till = now + window end
if count >= limit then return { 0, math.max(1, toSeconds(till)), count } end
change(attempts, hashed, count + 1, till)
return { 1, 0, count + 1 }
`,
})

const READ = createScript({
  keys: 'attempts hashed due',
  args: '',
  body: `${FIND}
local count, till = find(attempts, hashed)
return { count, toSeconds(till) }
`,
})

const FORGET = createScript({
  keys: 'attempts hashed due',
  args: '#many',
  body: `${CHANGE}
local count, till = find(attempts, hashed)
change(attempts, hashed, count - (many or math.huge), till)
return { 1 }
`,
})

/** The keys come in pairs after \`due\`: those that are counted, then those that are read. */
const COUNT_TOGETHER = createScript({
  keys: 'due',
  args: '#many',
  body: `${CHANGE}
local found, counted = {}, 1
for place = 1, (#KEYS - 1) / 2 do
  local count, till = find(KEYS[2 * place], KEYS[2 * place + 1])
  found[place] = { count, till }
  if place <= many and count >= tonumber(ARGV[2 * place + 1]) then counted = 0 end
end
local reply = { counted }
for place, one in ipairs(found) do
  local count, till = one[1], one[2]
  if place > many then
    reply[#reply + 1] = count
    reply[#reply + 1] = toSeconds(till)
  elseif counted == 1 then
    if till == 0 then till = now + tonumber(ARGV[2 * place + 2]) end
    change(KEYS[2 * place], KEYS[2 * place + 1], count + 1, till)
  end
end
return reply
`,
})

/** The keys come in pairs after \`due\`, each with an argument: how many, or none for all. */
const FORGET_TOGETHER = createScript({
  keys: 'due',
  args: '',
  body: `${CHANGE}
local found = {}
for place = 1, (#KEYS - 1) / 2 do found[place] = { find(KEYS[2 * place], KEYS[2 * place + 1]) } end
for place, one in ipairs(found) do
  local many = tonumber(ARGV[place + 1]) or math.huge
  if one[1] > 0 then change(KEYS[2 * place], KEYS[2 * place + 1], one[1] - many, one[2]) end
end
return { 1 }
`,
})
