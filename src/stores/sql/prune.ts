/**
 * Deletes expired rows in bounded batches, so that no statement holds many locks. The tables take
 * turns, so that a backlog in one holds back no other. Sessions that were revoked or not used have
 * no index by their end, which each refresh would have to change. So the table is read in the order
 * of its key, some rows at a time, from where the last pruning stopped.
 */
import { KEPT_AFTER_END } from '../../session/store.ts'
import { type CountedRun, createCountedRun } from './counted-run.ts'
import type { Database } from './database.ts'
import type { Statement, Values } from './statement.ts'
import { toColumnTime, toOptionalTime } from './values.ts'

/** The most rows that one statement deletes. */
const BATCH = 500

/** Seconds after which no further batch starts. */
const LONGEST = 1

/** How many sessions are read at once. */
const READ_AT_ONCE = 2000

/** The moment before which a session must have ended. */
const LONG_AGO = `{now} - ${toColumnTime(KEPT_AFTER_END)}`

/** Rows of a table, by a condition on them. */
interface Deletion {
  readonly table: string
  readonly key: string
  readonly when: string
  readonly counted: boolean
}

/** What is deleted. `counted` is false for rows that are only locks. */
export const DELETIONS: readonly Deletion[] = [
  { table: 'attempts', key: 'attempt_key', when: 'until_at <= {now}', counted: true },
  { table: 'log', key: 'id', when: 'until_at <= {now}', counted: true },
  {
    table: 'subjects',
    key: 'sub_key',
    when: 'until_at <= {now} and cut_off_at is not null',
    counted: true,
  },
  { table: 'subjects', key: 'sub_key', when: 'until_at <= {now} and cut_off_at is null', counted: false },
  { table: 'sessions', key: 'sid_key', when: `absolute_expires_at <= ${LONG_AGO}`, counted: true },
]

function compileBatch({ compile, dialect }: Database, { table, key, when }: Deletion): Statement {
  if (dialect === 'mysql') return compile(`delete from {${table}} where ${when} limit ${BATCH}`)
  // A locked row is in use: leave it to the next prune.
  const skip = dialect === 'postgres' ? 'for update skip locked' : ''
  return compile(
    `delete from {${table}} where ${key} in (select ${key} from {${table}} where ${when} limit ${BATCH} ${skip})
     returning 1 as gone`,
  )
}

/** Runs one batch, and again where it failed for the moment. */
type Attempt = <T>(work: () => Promise<T>) => Promise<T>

/** Deletes for about a second at most. Resolves to how many records it deleted. */
export type Prune = (attempt: Attempt, now: number | null) => Promise<number>

/** Compiles the deletions. */
export function createPrune(database: Database): Prune {
  const batches = DELETIONS.map((deletion) => ({
    statement: compileBatch(database, deletion),
    counted: deletion.counted,
  }))
  const deleteBatch = createCountedRun(database)
  const deleteEnded = createEndedDeletion(database, deleteBatch)
  return async (attempt, now) => {
    const end = performance.now() + LONGEST * 1000
    const isOver = (): boolean => performance.now() >= end
    const values = { now: toOptionalTime(now) }
    let gone = 0
    let open = batches
    while (open.length > 0 && !isOver()) {
      const full: typeof batches = []
      for (const batch of open) {
        const count = await attempt(() => deleteBatch(batch.statement, values))
        if (batch.counted) gone += count
        if (count >= BATCH) full.push(batch)
      }
      open = full
    }
    return gone + (await deleteEnded(attempt, values, isOver))
  }
}

/** Deletes sessions that ended before their absolute end, in at least one stretch of the table. */
type EndedDeletion = (attempt: Attempt, values: Values, isOver: () => boolean) => Promise<number>

function createEndedDeletion({ compile, dialect, run }: Database, deleteBatch: CountedRun): EndedDeletion {
  const stretch = 'sid_key > :after and sid_key <= :last'
  const ended = `(revoked_at <= ${LONG_AGO} or idle_expires_at <= ${LONG_AGO})`
  const where =
    dialect === 'postgres'
      ? `sid_key in (select sid_key from {sessions} where ${stretch} and ${ended} for update skip locked)`
      : `${stretch} and ${ended}`
  const returning = dialect === 'mysql' ? '' : 'returning 1 as gone'
  const statement = compile(`delete from {sessions} where ${where} ${returning}`)
  const findLast = compile(
    `select sid_key from {sessions} where sid_key > :after order by sid_key limit 1 offset ${READ_AT_ONCE - 1}`,
  )
  // The keys are hashes. Each process begins anywhere, so that restarts leave no part unread.
  let place = toHex(Math.random())
  return async (attempt, values, isOver) => {
    const start = place
    let gone = 0
    let isPast = false
    do {
      const after = place
      const [row] = await attempt(async () => (await run(findLast, { after })).rows)
      const last = row === undefined ? END : String(row['sid_key'])
      gone += await attempt(() => deleteBatch(statement, { ...values, after, last }))
      isPast ||= last === END
      place = last === END ? '' : last
    } while (!(isPast && place >= start) && !isOver())
    return gone
  }
}

/** Greater than every key. */
const END = 'g'

/** The beginning of a key, by a number from 0 to 1. */
function toHex(share: number): string {
  return Math.floor(share * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
}
