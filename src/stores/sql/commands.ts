/**
 * The contract's writing half, as each dialect carries it out; retries and the wording of failures are the door's.
 * For SQLite and MySQL a step is a transaction; what MySQL does in fewer round trips is in `mysql.ts`.
 */
import type { Attempt, Store } from '../../session/store.ts'
import type { Database, Result } from './database.ts'
import { createLockedRows, type LockedRows } from './locked-rows.ts'
import { toColumnTime, toKey, toOptionalTime } from './mapping.ts'
import { end, endAll, revokeToken, rotate, start, stepUp } from './transactions.ts'

/** The contract's methods that write. */
export type Commands = Pick<
  Store,
  'start' | 'rotate' | 'stepUp' | 'countAttempt' | 'end' | 'endAll' | 'revokeToken'
>

/** All but the counting of attempts as transactions that lock, look, decide and write. */
export function createTransactions(database: Database): Omit<Commands, 'countAttempt'> {
  const toRows = createLockedRows(database)
  const transact = <T>(step: (rows: LockedRows) => Promise<T>): Promise<T> =>
    database.transact((run) => step(toRows(run)))
  return {
    start: (draft, now) => transact((rows) => start(rows, draft, now)),
    rotate: (call) => transact((rows) => rotate(rows, call)),
    stepUp: (call) => transact((rows) => stepUp(rows, call)),
    end: (sid, reason, call) => transact((rows) => end(rows, sid, { ...call, reason })),
    endAll: (sub, reason, call) => transact((rows) => endAll(rows, sub, { ...call, reason })),
    revokeToken: (jti, until, now) => transact((rows) => revokeToken(rows, jti, until, now)),
  }
}

/** What the row of an attempt says; `n` already counts this one, and stays at one more than the limit. */
export function toAttempt(row: Result['rows'][number] | undefined, limit: number): Attempt {
  const count = Number(row?.['n'])
  if (count <= limit) return { allowed: true, retryAfter: 0, count }
  const left = Number(row?.['until_at']) - Number(row?.['moment'])
  return { allowed: false, retryAfter: Math.max(1, Math.ceil(left / 1000)), count: limit }
}

/** SQLite's half: each step holds the write lock from its first word. */
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
