/** Deletes expired rows in bounded batches, so that no statement holds many locks. */
import { KEPT_AFTER_END } from '../../session/store.ts'
import type { Database } from './database.ts'
import { toColumnTime, toOptionalTime } from './mapping.ts'
import type { Statement, Values } from './statement.ts'

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
    `delete from {${table}} where ${key} in (select ${key} from {${table}} where ${when} limit ${BATCH} ${skip})
     returning 1 as gone`,
  )
}

/** Deletes one batch. Resolves to how many rows it deleted. */
type DeleteBatch = (statement: Statement, now: number | null) => Promise<number>

function createDeleteBatch(database: Database): DeleteBatch {
  const { dialect, compile, run } = database
  const toValues = (now: number | null): Values => ({ now: toOptionalTime(now) })
  if (dialect !== 'mysql') return async (statement, now) => (await run(statement, toValues(now))).rows.length
  if (database.countsChanges) return async (statement, now) => (await run(statement, toValues(now))).count
  const count = compile('select row_count() as gone')
  return (statement, now) =>
    database.transact(async (inner) => {
      await inner(statement, toValues(now))
      return Number((await inner(count)).rows[0]?.['gone'])
    })
}

/**
 * Deletes for about a second at most. Resolves to how many records it deleted.
 *
 * @param attempt runs one batch, and again where it failed for the moment
 */
export type Prune = (
  attempt: <T>(work: () => Promise<T>) => Promise<T>,
  now: number | null,
) => Promise<number>

/** Compiles the deletions. */
export function createPrune(database: Database): Prune {
  const batches = DELETIONS.map((deletion) => ({
    statement: compileBatch(database, deletion),
    counted: deletion.counted,
  }))
  const deleteBatch = createDeleteBatch(database)
  return async (attempt, now) => {
    const end = performance.now() + LONGEST * 1000
    let gone = 0
    for (const { statement, counted } of batches) {
      let count = BATCH
      while (count >= BATCH && performance.now() < end) {
        count = await attempt(() => deleteBatch(statement, now))
        if (counted) gone += count
      }
    }
    return gone
  }
}
