/**
 * MySQL and MariaDB: a refresh reads the row, decides in this process, and writes where the row is
 * still as it was read: two round trips, and no lock between them. MySQL can neither return a
 * changed row nor make two changes in one statement, so everything else is a transaction. The
 * reasons: docs/decisions/0043-a-refresh-on-mysql.md.
 */
import type { Attempt, RotateCall, Rotation } from '../../session/store.ts'
import { type Commands, createTransactions, toAttempt } from './commands.ts'
import type { Database, Run } from './database.ts'
import {
  COLUMNS,
  decideOnColumns,
  decideReadOnly,
  type SessionColumns,
  toRow,
  toSessionColumns,
} from './mapping.ts'
import { readAfterChange } from './read-after-change.ts'
import type { Value } from './statement.ts'
import { type Move, toMove } from './transactions.ts'
import { fromColumnTime, toColumnTime, toKey, toOptionalTime } from './values.ts'

/** A session that was read without a lock, and when, in milliseconds. */
interface Reading {
  readonly columns: SessionColumns
  readonly moment: number
}

/** How old the moment that is written may be, in milliseconds. */
const OLDEST_MOMENT = 1000

/** How long the change may wait for a lock, in milliseconds: the moment is from before the wait. */
const LONGEST_WAIT = 100

/** The methods of the contract that write. */
export function createMysqlCommands(database: Database): Commands {
  const { run } = database
  const transactions = createTransactions(database)
  const texts = createTexts(database)

  /** Reads a session. */
  async function find({ sid, now }: RotateCall): Promise<Reading | null> {
    const values = { sid_key: toKey(sid), now: toOptionalTime(now) }
    const [row] = (await run(now === null ? texts.find : texts.findAt, values)).rows
    if (row === undefined) return null
    const columns = toSessionColumns(JSON.parse(String(row['found'])) as Value[])
    return columns && { columns, moment: Number(row['moment']) }
  }

  async function readNow({ now }: RotateCall): Promise<number> {
    const { rows } = await run(texts.clock, { now: toOptionalTime(now) })
    return fromColumnTime(Number(rows[0]?.['moment']))
  }

  /** Writes a move, where the row is as it was read. Resolves to whether it was. */
  async function swap({ columns, moment }: Reading, move: Move, call: RotateCall): Promise<boolean> {
    const { sid_key, gen, late, last_used_at, idle_expires_at, absolute_expires_at } = columns
    const values = {
      ...move,
      sid_key,
      read_gen: gen,
      read_late: late,
      read_used_at: last_used_at,
      latest: Math.min(
        moment + OLDEST_MOMENT,
        toOptionalTime(call.notAfter) ?? Number.POSITIVE_INFINITY,
        idle_expires_at - 1,
        absolute_expires_at - 1,
      ),
    }
    return (await run(call.now === null ? texts.swap : texts.swapAt, values)).count > 0
  }

  return {
    ...transactions,

    async rotate(call): Promise<Rotation> {
      // Inside the caller's transaction a plain read may miss the change of another transaction.
      if (database.isTransaction || !database.countsChanges) return transactions.rotate(call)
      const found = await find(call)
      if (found === null) return { word: 'unknown', row: null, now: await readNow(call) }
      const { columns, moment } = found
      const word = decideOnColumns(columns, call, moment)
      const move = toMove(columns, { word, call, moment })
      // Reused, and a predecessor that is later than before: both rare.
      if (move === null) return decideReadOnly(columns, call, moment) ?? transactions.rotate(call)
      if (await swap(found, move, call))
        return { word, row: toRow({ ...columns, ...move }), now: fromColumnTime(moment) }
      const since = await find(call)
      return (since && decideReadOnly(since.columns, call, since.moment)) ?? transactions.rotate(call)
    },

    async countAttempt(key, limit, window, now) {
      const values = {
        attempt_key: toKey(key),
        window: toColumnTime(window),
        limit,
        now: toOptionalTime(now),
      }
      if (!database.countsChanges) {
        const find = async (inner: Run): Promise<Attempt> => {
          await inner(texts.count, values)
          return toAttempt((await inner(texts.findAttempt, values)).rows[0], limit)
        }
        return database.transact(find)
      }
      const { number } = await run(texts.count, values)
      if (number <= limit) return toAttempt({ n: number }, limit)
      const [row] = await readAfterChange(database, texts.findAttempt, values)
      return toAttempt({ ...row, n: number }, limit)
    },
  }
}

/** The row as one text: for thirty columns the server describes each in each reply. */
const toFind = (now: string): string =>
  `{prepared} {causal} select ${now} as moment, cast(json_array(${COLUMNS.join(', ')}) as char) as found
    from {sessions} where sid_key = :sid_key`

/** Each change of a row that a decision reads changes one of these columns. */
const SWAP = `{prepared} {limits} update {sessions} set gen = :gen, rotated_at = :rotated_at, late = :late,
    late_before = :late_before, last_used_at = :last_used_at, idle_expires_at = :idle_expires_at,
    last_ip = :last_ip, last_user_agent = :last_user_agent
  where sid_key = :sid_key and gen = :read_gen and late = :read_late and last_used_at = :read_used_at
    and revoked_at is null`

function createTexts({ compile }: Database) {
  return {
    // Without a clock of the caller the server's is read by itself.
    find: compile(toFind('{clock}')),
    findAt: compile(toFind('{now}')),
    swap: compile(
      `${SWAP} and {clock} <= :latest
        and timestampdiff(microsecond, now(3), sysdate(3)) <= ${LONGEST_WAIT * 1000}`,
    ),
    swapAt: compile(SWAP),
    clock: compile('select {now} as moment'),
    // The clock for `n` is never ahead of the later one for `until_at`: at worst one attempt too
    // few is allowed.
    count: compile(
      `{limits} insert into {attempts} (attempt_key, n, until_at)
       values (:attempt_key, last_insert_id(1), {now} + :window)
       on duplicate key update
         n = last_insert_id(case when until_at <= {now} then 1 else least(n, :limit) + 1 end),
         until_at = case when until_at <= {now} then {now} + :window else until_at end`,
    ),
    findAttempt: compile(
      '{causal} select n, until_at, {now} as moment from {attempts} where attempt_key = :attempt_key',
    ),
  }
}
