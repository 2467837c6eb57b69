/**
 * Reads, writes and releases the records of a Redis store, for another store. Keys are found by
 * `SCAN` inside a script, so that it runs on the node of a cluster that has them.
 */
import { isReleased, type StoreTransfer, toUnreleased } from '../../session/transfer.ts'
import type { Keys } from './keys.ts'
import { listOwned } from './lists.ts'
import { ROW, readRow } from './mapping.ts'
import { createRedisRead } from './read-records.ts'
import { createScript, EXPIRY, type Runner } from './script.ts'
import { createRedisWrite } from './write-records.ts'

/** The contract's `transfer`. */
export function createRedisTransfer(run: Runner, keys: Keys): StoreTransfer {
  return {
    read: createRedisRead(run, keys),
    write: createRedisWrite(run, keys),
    async release(sids, now) {
      const rows = await Promise.all(
        sids.map(async (sid) =>
          readRow(await run(RELEASE, { keys: [keys.row(sid), keys.due], args: [], now })),
        ),
      )
      return rows.filter((row) => row !== null)
    },
    async findReleased(owner, now) {
      const rows = await listOwned(run, keys, { owner, now, moved: true })
      return rows.filter(isReleased).map(toUnreleased)
    },
  }
}

/** The row stays in the index of its owner, where it is found for a day. */
const RELEASE = createScript({
  keys: 'row due',
  args: '',
  body: `${EXPIRY}${ROW}
local r = read(row)
if not r[GEN] then return {} end
if r[REV] == '' then
  change(row, r, { [REV] = now, [WHY] = 'moved' })
  shorten(row, now + DAY)
elseif r[WHY] ~= 'moved' or tonumber(r[REV]) + DAY <= now then
  return {}
end
r[REV], r[WHY] = '', ''
return r
`,
})
