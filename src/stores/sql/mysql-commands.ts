/**
 * MySQL and MariaDB: a refresh is a conditional update, then a read of the row: two round trips,
 * and no lock between them. MySQL can neither return a changed row nor make two changes in one
 * statement, so everything else is a transaction. If the conditional update found nothing, the row
 * that is read after it decides.
 */
import { KEPT_OVERLAPS } from '../../session/rotation.ts'
import type { Attempt, RotateCall, Rotation } from '../../session/store.ts'
import { type Commands, createTransactions, toAttempt } from './commands.ts'
import type { Database, Run } from './database.ts'
import {
  COLUMNS,
  decideReadOnly,
  type SessionColumns,
  toRow,
  toSeenColumns,
  toSessionColumns,
} from './mapping.ts'
import { readAfterChange } from './read-after-change.ts'
import type { Statement, Value, Values } from './statement.ts'
import { fromColumnTime, toColumnTime, toKey, toOptionalTime } from './values.ts'

/** The methods of the contract that write. */
export function createMysqlCommands(database: Database): Commands {
  const { run } = database
  const transactions = createTransactions(database)
  const texts = createTexts(database)

  /** The row after a change, and the time. */
  async function findAfter(values: Values): Promise<{ moment: number; columns: SessionColumns | null }> {
    const [row] = await readAfterChange(database, texts.find, values)
    const moment = Number(row?.['moment'])
    if ((row?.['found'] ?? null) === null) return { moment, columns: null }
    return { moment, columns: toSessionColumns(JSON.parse(String(row?.['found'])) as Value[]) }
  }

  return {
    ...transactions,

    async rotate(call) {
      // Inside the caller's transaction a plain read may miss the change of another transaction.
      if (database.isTransaction || !database.countsChanges) return transactions.rotate(call)
      const values = toValues(call)
      const changed = (await run(call.rotation ? texts.advance(call) : texts.prolong, values)).count > 0
      const { moment, columns } = await findAfter(values)
      if (changed && columns !== null) return toChanged(columns, call, moment)
      // Reused, healed, late predecessors, or a generation that was kept a moment ago: all rare.
      return decideReadOnly(columns, call, moment) ?? transactions.rotate(call)
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

const LIVE_IN_TIME =
  'revoked_at is null and idle_expires_at > {now} and absolute_expires_at > {now}' +
  ' and (:not_after is null or {now} <= :not_after)'

const toLast = (column: string, given: string): string =>
  `${column} = case when {now} div :stretch > rotated_at div :stretch then coalesce(:${given}, ${column}) else ${column} end`

/** Assigned before `rotated_at`, which it reads. */
const SEEN = `${toLast('last_ip', 'ip')}, ${toLast('last_user_agent', 'user_agent')}`

const USED =
  'last_used_at = {now}, idle_expires_at = least({now} + coalesce(idle_for, :idle), absolute_expires_at)'

/**
 * The usual refresh. Each parameter that is sent and each reading of the clock takes time, so there
 * is a text for each kind of call. Assignments run from left to right: a column that another one
 * reads is assigned after it.
 */
function toAdvance({ seen, notAfter }: Pick<RotateCall, 'seen' | 'notAfter'>): string {
  return `{limits} update {sessions} set ${seen === null ? '' : `${SEEN}, `}rotated_at = {now}, ${USED},
      late_before = case when late > 0 then late_before + late else greatest(0, late_before - :overlap) end,
      late = 0, gen = :gen + 1
    where sid_key = :sid_key and gen = :gen and revoked_at is null
      and least(idle_expires_at, absolute_expires_at) > {now}${notAfter === null ? '' : ' and {now} <= :not_after'}
      and (gen = 0 or greatest(0, {now} - rotated_at) >= ${KEPT_OVERLAPS} * :overlap)
      and not (last_used_at > rotated_at and {now} - last_used_at < :overlap)`
}

/** Compiles the texts of a refresh when they are first used. */
function createAdvance({ compile }: Database): (call: RotateCall) => Statement {
  const known = new Map<string, Statement>()
  return ({ seen, notAfter, now }) => {
    const text = toAdvance({ seen, notAfter })
    // Without a clock of the caller the server's is read by itself.
    const asked = now === null ? text.replaceAll('{now}', '{clock}') : text
    const statement = known.get(asked) ?? compile(asked)
    known.set(asked, statement)
    return statement
  }
}

function createTexts(database: Database) {
  const { compile } = database
  return {
    advance: createAdvance(database),
    prolong: compile(
      `{limits} update {sessions} set ${SEEN}, ${USED} where sid_key = :sid_key and ${LIVE_IN_TIME}`,
    ),
    // As one text: for thirty columns the server describes each in each reply.
    find: compile(
      `{causal} select {now} as moment, (select cast(json_array(${COLUMNS.join(', ')}) as char)
       from {sessions} where sid_key = :sid_key) as found`,
    ),
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

function toValues(call: RotateCall): Values {
  return {
    sid_key: toKey(call.sid),
    gen: call.gen,
    overlap: toColumnTime(call.overlap),
    idle: toColumnTime(call.idle),
    ...toSeenColumns(call.seen),
    not_after: toOptionalTime(call.notAfter),
    now: toOptionalTime(call.now),
  }
}

/**
 * The result of a change, from the row read after it, which another call may have changed since.
 */
function toChanged(columns: SessionColumns, call: RotateCall, moment: number): Rotation {
  const now = fromColumnTime(moment)
  const isSince = columns.revoke_reason === 'moved' || columns.revoke_reason === 'refresh_reused'
  if (columns.revoked_at !== null && !isSince) return { word: 'revoked', row: toRow(columns), now }
  // A session that has gone to another store since was changed before. So was one whose refresh
  // token came again since: of such a race one call gets the successor, in every store.
  const row = { ...toRow(columns), revokedAt: null, revokeReason: null }
  return call.rotation
    ? { word: 'rotated', row: { ...row, gen: call.gen + 1 }, now }
    : { word: 'kept', row, now }
}
