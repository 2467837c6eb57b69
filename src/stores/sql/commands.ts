/**
 * The methods of the contract that write, for SQLite and, where MySQL has nothing shorter, for
 * MySQL: each is one transaction. `mysql-commands.ts` and `postgres-commands.ts` have the rest.
 */
import type { Attempt, Store } from '../../session/store.ts'
import type { Database, Result } from './database.ts'
import { createTransact } from './locked-rows.ts'
import { end, endAll, revokeToken, rotate, start, startLimited, stepUp } from './transactions.ts'
import { toColumnTime, toKey, toOptionalTime } from './values.ts'

/** The contract's methods that write. */
export type Commands = Pick<
  Store,
  'start' | 'startLimited' | 'rotate' | 'stepUp' | 'countAttempt' | 'end' | 'endAll' | 'revokeToken'
>

/** All methods except `countAttempt`, as transactions or batches. */
export function createTransactions(database: Database): Omit<Commands, 'countAttempt'> {
  const transact = createTransact(database)
  return {
    start: (session, now) => transact((rows) => start(rows, session, now)),
    startLimited: (session, limit, now) => transact((rows) => startLimited(rows, session, { ...limit, now })),
    rotate: (call) => transact((rows) => rotate(rows, call)),
    stepUp: (call) => transact((rows) => stepUp(rows, call)),
    end: (sid, reason, call) => transact((rows) => end(rows, sid, { ...call, reason })),
    endAll: (owner, reason, call) => transact((rows) => endAll(rows, owner, { ...call, reason })),
    revokeToken: (jti, until, now) => transact((rows) => revokeToken(rows, jti, until, now)),
  }
}

/** Reads the row of an attempt; `n` counts this one, and stays at one more than the limit. */
export function toAttempt(row: Result['rows'][number] | undefined, limit: number): Attempt {
  const count = Number(row?.['n'])
  if (count <= limit) return { allowed: true, retryAfter: 0, count }
  const left = Number(row?.['until_at']) - Number(row?.['moment'])
  return { allowed: false, retryAfter: Math.max(1, Math.ceil(left / 1000)), count: limit }
}

/** SQLite: a transaction takes the write lock with its first statement. */
export function createSqliteCommands(database: Database): Commands {
  const { compile, run } = database
  const count = compile(
    `insert into {attempts} as a (attempt_key, n, until_at) values (:attempt_key, 1, {now} + :window)
     on conflict (attempt_key) do update set
       n = case when a.until_at <= {now} then 1 else min(a.n, :limit) + 1 end,
       until_at = case when a.until_at <= {now} then {now} + :window else a.until_at end
     returning n, until_at, {now} as moment`,
  )
  return {
    ...createTransactions(database),
    async countAttempt(key, limit, window, now) {
      const values = {
        attempt_key: toKey(key),
        window: toColumnTime(window),
        limit,
        now: toOptionalTime(now),
      }
      return toAttempt((await run(count, values)).rows[0], limit)
    },
  }
}
