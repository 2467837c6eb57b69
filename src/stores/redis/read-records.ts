/** Reads all records of a Redis store, some keys at a time. */
import type { AttemptsRecord, CutOffRecord, RecordPage, StoreTransfer } from '../../session/transfer.ts'
import { hashOwner, hashText } from '../../session/transfer.ts'
import { type Keys, unspell, unspellOwner } from './keys.ts'
import { ROW, readRow } from './mapping.ts'
import { createScript, fromRedisTime, type Runner } from './script.ts'

/**
 * The next cursor of `SCAN`, the server process that it belongs to, and what lies at the keys that
 * were found: the letter of each, its name, and its values.
 */
const READ = createScript({
  keys: 'log due',
  args: 'cursor server #count',
  body: `${ROW}
local info = redis.pcall('INFO', 'server')
local running = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
-- Another process hashes keys in another order.
if running ~= server then cursor = '0' end
local start = string.sub(log, 1, #log - #'log')
local pattern = string.gsub(start, '[%*%?%[%]%^\\\\]', '\\\\%0') .. '?:*'
local reply = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', count)
local found = {}
local function endOf(key)
  return tonumber(redis.call('ZSCORE', due, key) or now + math.max(0, redis.call('PTTL', key)))
end
for _, key in ipairs(reply[2]) do
  local letter, name = string.sub(key, #start + 1, #start + 1), string.sub(key, #start + 3)
  if letter == 's' then
    local r = read(key)
    if r[GEN] then found[#found + 1] = { letter, name, r } end
  elseif letter == 'c' or letter == 'C' then
    local cut = redis.call('GET', key)
    if cut then found[#found + 1] = { letter, name, cut, endOf(key) } end
  elseif letter == 'a' or letter == 'A' then
    local counted = redis.call('HMGET', key, 'count', 'until')
    if tonumber(counted[2] or 0) > now then found[#found + 1] = { letter, name, counted[1], counted[2] } end
  end
end
return { reply[1], running, found }
`,
})

/** How many keys one script looks at. It blocks other clients for a few milliseconds at most. */
const MOST_AT_ONCE = 500

/** The contract's `read`. A place is the cursor of `SCAN` and the server process of that cursor. */
export function createRedisRead(run: Runner, keys: Keys): StoreTransfer['read'] {
  return async (place, limit) => {
    const [, cursor = '0', server = ''] = /^(\d+) (\w*)$/.exec(place ?? '') ?? []
    const [next, running, found] = await run(READ, {
      keys: [keys.log, keys.due],
      args: [cursor, server, Math.min(limit, MOST_AT_ONCE)],
      now: null,
    })
    return {
      records: (found as readonly unknown[][]).map(toRecord).filter((record) => record !== null),
      place: String(next) === '0' ? null : `${String(next)} ${String(running)}`,
    }
  }
}

function toRecord([letter, spelled, value, end]: readonly unknown[]): RecordPage['records'][number] | null {
  const name = String(spelled)
  if (String(letter) === 's') {
    const row = readRow(value)
    return row && { kind: 'session', row }
  }
  const until = fromRedisTime(end)
  if (String(letter).toLowerCase() === 'a') {
    const key = String(letter) === 'a' ? unspell(name) : null
    const keyHash = key === null ? name : hashText(key)
    return { kind: 'attempts', keyHash, key, count: Number(value), until } satisfies AttemptsRecord
  }
  const owner = String(letter) === 'c' ? unspellOwner(name) : null
  // What has no '.0' at its end applies to the subject in every realm.
  const isOfRealm = String(value).endsWith('.0')
  return {
    kind: 'cutOff',
    ownerHash: owner === null ? name : hashOwner(owner),
    sub: owner?.sub ?? null,
    ...(isOfRealm && { realm: owner?.realm ?? null }),
    at: fromRedisTime(value),
    until,
  } satisfies CutOffRecord
}
