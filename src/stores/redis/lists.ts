/** Lists of an owner's sessions, read from its index in short scripts. */
import type { SessionOwner, SessionRow } from '../../session/session-row.ts'
import { MOST_LISTED, type SessionStore } from '../../session/store.ts'
import { type Keys, toShared } from './keys.ts'
import { OWNER, ROW, readRow, toRealmJson } from './mapping.ts'
import { createScript, type Runner } from './script.ts'

/** The contract's `list`. */
export function createLists(run: Runner, keys: Keys): Pick<SessionStore, 'list'> {
  return {
    list: async (owner, now) =>
      (await listOwned(run, keys, { owner, now })).sort(byLogin).slice(0, MOST_LISTED),
  }
}

/** Which rows of an owner are listed. */
interface ListQuery {
  readonly owner: SessionOwner
  readonly now: number | null
  /** Whether those that went to another store are, and not the live ones. */
  readonly moved?: boolean
}

/** Rows of an owner, at most `MOST_LISTED` of each index: its own, and that of version 0.1. */
export async function listOwned(run: Runner, keys: Keys, query: ListQuery): Promise<SessionRow[]> {
  const { owner } = query
  const rows = await listIndex(run, keys, { ...query, index: owner })
  if (owner.realm === null) return rows
  return [...rows, ...(await listIndex(run, keys, { ...query, index: toShared(owner) }))]
}

async function listIndex(
  run: Runner,
  keys: Keys,
  { index, owner, now, moved = false }: ListQuery & { readonly index: SessionOwner },
): Promise<SessionRow[]> {
  const rows = new Map<string, SessionRow>()
  for (let from = 0; from >= 0 && rows.size < MOST_LISTED; ) {
    const args = [toRealmJson(owner), from, LISTED_AT_ONCE, moved]
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

/**
 * The rank to continue from, then some live rows of an index from a rank on, latest end first; or
 * some that went to another store.
 */
const LIST = createScript({
  keys: 'index log',
  args: 'realm #from #count moved',
  body: `${ROW}${OWNER}
local rows = string.sub(log, 1, #log - #'log') .. 's:'
local sids = redis.call('ZREVRANGE', index, from, from + count - 1)
local found, ended = {}, {}
for _, sid in ipairs(sids) do
  local r = read(rows .. sid)
  local gone = r[WHY] == 'moved'
  if not gone and not isLive(r) then
    ended[#ended + 1] = sid
  elseif gone == (moved == '1') and isIn(realm, r) then
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
