/** Deletes what nobody asks for any more, a bounded number at a time, so that no deletion holds many locks or fills a log. */
import type { Database, Run } from './database.ts'
import { toOptionalTime } from './mapping.ts'
import type { Statement } from './statement.ts'

/** The most rows that one statement deletes. */
const BATCH = 500

/** Seconds after which no other batch starts; what is left goes the next time. */
const LONGEST = 1

/** Rows stay for a day after their absolute end, so that a late client hears `expired` and not `unknown`. In the columns' unit. */
const KEPT_AFTER_END = 86_400_000

/** What goes, by table, primary key and condition; `counted` is false for rows that hold nothing, only a lock. */
const GOES = [
  {
    table: 'sessions',
    key: 'sid_key',
    when: `absolute_expires_at <= {now} - ${KEPT_AFTER_END}`,
    counted: true,
  },
  { table: 'log', key: 'id', when: 'until_at <= {now}', counted: true },
  { table: 'attempts', key: 'attempt_key', when: 'until_at <= {now}', counted: true },
  {
    table: 'subjects',
    key: 'sub_key',
    when: 'until_at <= {now} and cut_off_at is not null',
    counted: true,
  },
  { table: 'subjects', key: 'sub_key', when: 'until_at <= {now} and cut_off_at is null', counted: false },
] as const

function compileBatch(
  { compile, dialect }: Database,
  { table, key, when }: (typeof GOES)[number],
): Statement {
  if (dialect === 'mysql') return compile(`delete from {${table}} where ${when} limit ${BATCH}`)
  // A row that somebody works on is not worth a wait.
  const skip = dialect === 'postgres' ? 'for update skip locked' : ''
  return compile(
    `delete from {${table}} where ${key} in (select ${key} from {${table}} where ${when} limit ${BATCH} ${skip})`,
  )
}

/** Deletes for about a second at most; answers how many records went. */
export type Prune = (run: Run, now: number | null) => Promise<number>

/** Compiles the deletions. */
export function createPrune(database: Database): Prune {
  const batches = GOES.map((goes) => ({ statement: compileBatch(database, goes), counted: goes.counted }))
  return async (run, now) => {
    const end = performance.now() + LONGEST * 1000
    let gone = 0
    for (const { statement, counted } of batches) {
      let count = BATCH
      while (count >= BATCH && performance.now() < end) {
        count = (await run(statement, { now: toOptionalTime(now) })).count
        if (counted) gone += count
      }
    }
    return gone
  }
}
