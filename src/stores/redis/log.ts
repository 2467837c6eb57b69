/**
 * The log of revocations: one stream. Its ids come from the server's clock and only grow, and
 * scripts run one after the other: a reader that continues after the last id that it saw misses
 * nothing.
 */
import type { LogEntry, LogPage, RevocationStore } from '../../session/store.ts'
import { type Keys, unspell } from './keys.ts'
import { createScript, fromRedisTime, type Runner } from './script.ts'

/** Lua that writes the log. Needs the key `log`. */
export const APPEND = `
local function hasPassed(entry) return tonumber(entry[2][8]) <= now end
-- Looks at more entries than are added, and deletes those that have passed, so that the log shrinks.
-- Continues after the last entry that it looked at: entries that live long hold back no others.
-- Not by a caller's clock: one process with a wrong clock would delete the log of all others.
local function trim(added)
  if brought then return end
  local place, count = log .. ':trimmed', math.min(added + 4, 1000)
  local seen = redis.call('GET', place) or '0-0'
  local entries = redis.call('XRANGE', log, '(' .. seen, '+', 'COUNT', count)
  local ids = {}
  for _, entry in ipairs(entries) do
    if hasPassed(entry) then ids[#ids + 1] = entry[1] end
  end
  if #ids > 0 then redis.call('XDEL', log, unpack(ids)) end
  redis.call('SET', place, #entries == count and entries[count][1] or '0-0')
end
-- Readers and hasPassed go by the order of the fields. A realm is JSON, for subjects only.
local function append(kind, key, at, till, realm)
  redis.call('XADD', log, '*', 'kind', kind, 'key', key, 'at', at, 'until', till, 'realm', realm or '')
end
`

/**
 * A cursor names the last id that was read and the server process that it came from. After a
 * restart or a failover the log may have lost its end, and a server whose clock is behind assigns
 * ids below the cursor: then the log is read again from its beginning.
 */
const READ = createScript({
  keys: 'log',
  args: 'seen server #limit',
  body: `
-- A user without the right to INFO gets no such check.
local info = redis.pcall('INFO', 'server')
local running = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local restarted = running ~= server and seen ~= '0-0' and 1 or 0
if running ~= server then seen = '0-0' end
local entries = redis.call('XRANGE', log, '(' .. seen, '+', 'COUNT', limit + 1)
local more = #entries > limit and 1 or 0
-- One text: a process that starts reads a million entries, and clients take longer to make five
-- million texts than to read them. No field has a line break.
local fields, last = {}, 0
for i = 1, math.min(#entries, limit) do
  local entry = entries[i][2]
  seen = entries[i][1]
  fields[last + 1], fields[last + 2], fields[last + 3] = entry[2], entry[4], entry[6]
  fields[last + 4], fields[last + 5] = entry[8], entry[10] or ''
  last = last + 5
end
return { now, more, seen, running, table.concat(fields, '\\n'), restarted }
`,
})

const PRUNE = createScript({
  keys: 'log due',
  args: '#count',
  body: `
-- Continues where the last pruning stopped: entries that live long are not read each time.
local place = log .. ':pruned'
local seen = redis.call('GET', place) or '0-0'
local ended = redis.call('ZRANGEBYSCORE', due, '-inf', string.format('%.0f', now), 'LIMIT', 0, count)
local entries = redis.call('XRANGE', log, '(' .. seen, '+', 'COUNT', count)
local passed = {}
for _, entry in ipairs(entries) do
  if tonumber(entry[2][8]) <= now then passed[#passed + 1] = entry[1] end
end
local gone = 0
-- The index of an owner is deleted too but not counted: the letter after the common prefix is 'u'.
local letter = #log - #'log' + 1
for _, key in ipairs(ended) do
  local deleted = redis.call('DEL', key)
  if string.sub(key, letter, letter + 1) ~= 'u:' then gone = gone + deleted end
end
if #ended > 0 then redis.call('ZREM', due, unpack(ended)) end
if #passed > 0 then gone = gone + redis.call('XDEL', log, unpack(passed)) end
if #entries == count then redis.call('SET', place, entries[count][1]) else redis.call('DEL', place) end
return { gone, (#ended == count or #entries == count) and 1 or 0 }
`,
})

/** Records that one batch of pruning reads. It blocks other clients for about a millisecond. */
const PRUNE_BATCH = 500

/** The most batches of one pruning; the rest is left to the next one. */
const MOST_BATCHES = 40

/** Reads and prunes the log. */
export function createLog(run: Runner, keys: Keys): Pick<RevocationStore, 'readLog' | 'prune'> {
  return {
    async readLog(cursor, limit) {
      const [known, seen = '0-0', server = ''] = /^(\d+-\d+) (\w*)$/.exec(cursor ?? '') ?? []
      const [now, more, last, running, text, restarted] = await run(READ, {
        keys: [keys.log],
        args: [seen, server, Math.max(1, Math.trunc(limit))],
        now: null,
      })
      return {
        entries: toEntries(String(text)),
        cursor: `${String(last)} ${String(running)}`,
        more: Number(more) === 1,
        restarted: Number(restarted) === 1 || (cursor !== null && known === undefined),
        now: fromRedisTime(now),
      } satisfies LogPage
    },

    async prune(now) {
      let total = 0
      for (let batch = 0; batch < MOST_BATCHES; batch++) {
        const [gone, more] = await run(PRUNE, {
          keys: [keys.log, keys.due],
          args: [PRUNE_BATCH],
          now,
        })
        total += Number(gone)
        if (Number(more) === 0) break
      }
      return total
    },
  }
}

function toEntries(text: string): LogEntry[] {
  const entries: LogEntry[] = []
  const fields = text.split('\n')
  for (let i = 0; i + 5 <= fields.length; i += 5) {
    const json = fields[i + 4] ?? ''
    entries.push({
      kind: fields[i] as LogEntry['kind'],
      key: unspell(fields[i + 1] ?? ''),
      ...(json === '' ? {} : { realm: JSON.parse(json) as string | null }),
      at: fromRedisTime(fields[i + 2]),
      until: fromRedisTime(fields[i + 3]),
    })
  }
  return entries
}
