/**
 * One row, read, and updates of what it grants and is called: a compare-and-set, as Lua writes no
 * JSON. An update that finds another one before it is done again with what that one wrote.
 */
import type { SessionStore } from '../../session/store.ts'
import type { Keys } from './keys.ts'
import { LOGIN_PLACE, ROW, readRow, toLogin } from './mapping.ts'
import { createScript, type Runner } from './script.ts'

const GET = createScript({ keys: 'row', args: '', body: `${ROW} return read(row)` })

/**
 * Writes what the caller made of the login that it has read, unless another caller has changed it
 * since.
 */
const UPDATE = createScript({
  keys: 'row',
  args: 'before after',
  body: `${ROW}
local r = read(row)
if not isLive(r) then return { 'ended' } end
if r[LOGIN] ~= before then return { 'changed' } end
change(row, r, { [LOGIN] = after })
return { 'live', r }
`,
})

/** The methods of the contract for one row by itself. */
export function createUpdates(run: Runner, keys: Keys): Pick<SessionStore, 'get' | 'update'> {
  return {
    get: async (sid) => readRow(await run(GET, { keys: [keys.row(sid)], args: [], now: null })),

    async update({ sid, now, ...changes }) {
      for (;;) {
        const fields = await run(GET, { keys: [keys.row(sid)], args: [], now: null })
        const row = readRow(fields)
        if (row === null) return null
        const given = Object.entries(changes).filter(([, value]) => value !== undefined)
        const login = toLogin({ ...row, ...Object.fromEntries(given) })
        const args = [String(fields[LOGIN_PLACE]), login]
        const [word, changed] = await run(UPDATE, { keys: [keys.row(sid)], args, now })
        if (String(word) !== 'changed') return String(word) === 'live' ? readRow(changed) : null
      }
    },
  }
}
