/** Lists of an owner's sessions, read from its index in short scripts. */
import type { SessionOwner, SessionRow } from '../../session/session-row.ts'
import { MOST_LISTED, type SessionStore } from '../../session/store.ts'
import { type Keys, toShared } from './keys.ts'
import { OWNER, ROW, readRow, toRealmJson } from './mapping.ts'
import { createScript, type Runner } from './script.ts'

/** The contract's `list`. */
export function createLists(run: Runner, keys: Keys): Pick<SessionStore, 'list'> {
  return {
    async list(owner, now) {
      const rows = await listIndex(run, keys, { index: owner, owner, now })
      if (owner.realm !== null)
        rows.push(...(await listIndex(run, keys, { index: toShared(owner), owner, now })))
      return rows.sort(byLogin).slice(0, MOST_LISTED)
    },
  }
}

/** The live rows of an owner in an index, at most `MOST_LISTED`. */
async function listIndex(
  run: Runner,
  keys: Keys,
  { index, owner, now }: { index: SessionOwner; owner: SessionOwner; now: number | null },
): Promise<SessionRow[]> {
  const rows = new Map<string, SessionRow>()
  for (let from = 0; from >= 0 && rows.size < MOST_LISTED; ) {
    const args = [toRealmJson(owner), from, LISTED_AT_ONCE]
    const [next, ...found] = await run(LIST, { keys: [keys.index(index), keys.log], args, now })
    for (const row of found.map(readRow)) if (row !== null) rows.set(row.sid, row)
    from = Number(next)
  }
  return [...rows.values()]
}

/** Newest login first. */
function byLogin(a: SessionRow, b: SessionRow): number {
  return b.createdAt - a.createdAt || (a.sid < b.sid ? -1 : 1)
}

/** Rows that one script reads for a list. It blocks other clients for two milliseconds at most. */
const LISTED_AT_ONCE = 250

/** The rank to continue from, then some live rows of an index from a rank on, latest end first. */
const LIST = createScript({
  keys: 'index log',
  args: 'realm #from #count',
  body: `${ROW}${OWNER}
local rows = string.sub(log, 1, #log - #'log') .. 's:'
local sids = redis.call('ZREVRANGE', index, from, from + count - 1)
local found, ended = {}, {}
for _, sid in ipairs(sids) do
  local r = read(rows .. sid)
  if not isLive(r) then
    ended[#ended + 1] = sid
  elseif isIn(realm, r) then
    found[#found + 1] = r
  end
end
-- No later list reads them again. A caller's clock may be wrong.
if brought then ended = {} end
if #ended > 0 then redis.call('ZREM', index, unpack(ended)) end
table.insert(found, 1, #sids == count and from + count - #ended or -1)
return found
`,
})
