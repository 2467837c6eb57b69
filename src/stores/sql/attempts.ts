/** Reads and takes back counted attempts: one statement each, the same in all dialects. */
import type { SessionStore } from '../../session/store.ts'
import type { Database } from './database.ts'
import { toKey, toOptionalTime } from './values.ts'

/** More attempts than any key can have. */
const ALL_ATTEMPTS = 2_000_000_000

/** Compiles the statements. */
export function createAttemptStatements({
  compile,
  run,
}: Database): Pick<SessionStore, 'readAttempts' | 'forgetAttempts'> {
  const read = compile(
    '{causal} select n, until_at, {now} as moment from {attempts} where attempt_key = :attempt_key',
  )
  // A window that ends at 0 has ended by every clock. MySQL assigns from left to right: `n` is
  // last.
  const forget = compile(
    `{causal} update {attempts} set until_at = case when n <= :many then 0 else until_at end,
     n = case when n <= :many then 0 else n - :many end
     where attempt_key = :attempt_key`,
  )
  return {
    async readAttempts(key, now) {
      const values = { attempt_key: toKey(key), now: toOptionalTime(now) }
      const [row] = (await run(read, values)).rows
      const left = Number(row?.['until_at'] ?? 0) - Number(row?.['moment'] ?? 0)
      if (left <= 0) return { count: 0, endsIn: 0 }
      return { count: Number(row?.['n']), endsIn: Math.ceil(left / 1000) }
    },

    async forgetAttempts(key, count) {
      await run(forget, { attempt_key: toKey(key), many: count ?? ALL_ATTEMPTS })
    },
  }
}
