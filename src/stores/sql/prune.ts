/** Deletes expired rows in bounded batches, so that no statement holds many locks. */
import { KEPT_AFTER_END } from '../../session/store.ts'
import type { Database, Run } from './database.ts'
import { toColumnTime, toOptionalTime } from './mapping.ts'
import type { Statement } from './statement.ts'

/** The most rows that one statement deletes. */
const BATCH = 500

/** Seconds after which no further batch starts. */
const LONGEST = 1

/** What is deleted. `counted` is false for rows that are only locks. */
const DELETIONS = [
  {
    table: 'sessions',
    key: 'sid_key',
    when: `absolute_expires_at <= {now} - ${toColumnTime(KEPT_AFTER_END)}`,
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
  { table, key, when }: (typeof DELETIONS)[number],
): Statement {
  if (dialect === 'mysql') return compile(`delete from {${table}} where ${when} limit ${BATCH}`)
  // A locked row is in use: leave it to the next prune.
  const skip = dialect === 'postgres' ? 'for update skip locked' : ''
  return compile(
    `delete from {${table}} where ${key} in (select ${key} from {${table}} where ${when} limit ${BATCH} ${skip})`,
  )
}

/** Deletes for about a second at most. Resolves to how many records it deleted. */
export type Prune = (run: Run, now: number | null) => Promise<number>

/** Compiles the deletions. */
export function createPrune(database: Database): Prune {
  const batches = DELETIONS.map((deletion) => ({
    statement: compileBatch(database, deletion),
    counted: deletion.counted,
  }))
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
