/**
 * MySQL and MariaDB: a refresh is a change under conditions, then a look at the row; two round trips, and no lock is held between
 * them. MySQL can neither answer a changed row nor put two changes into one statement, so that all else is a
 * transaction. A change under conditions that found nothing is judged by the one row that was read after it.
 */

import { isWriting } from '../../session/rotation.ts'
import type { RotateCall, Rotation } from '../../session/store.ts'
import { type Commands, createTransactions, toAttempt } from './commands.ts'
import type { Database } from './database.ts'
import {
  COLUMNS,
  decideRevocation,
  fromColumnTime,
  readColumns,
  type SessionColumns,
  toColumnTime,
  toKey,
  toOptionalTime,
  toRow,
} from './mapping.ts'
import type { Values } from './statement.ts'

const LIVE_IN_TIME =
  'revoked_at is null and idle_expires_at > {now} and absolute_expires_at > {now} and (:not_after is null or {now} <= :not_after)'

/** Sets are carried out from left to right: what another one reads is set last. */
const USED = 'last_used_at = {now}, idle_expires_at = least({now} + :idle, absolute_expires_at)'

function createTexts({ compile }: Database) {
  const moment = (from: string): string => `(select {now} as moment) as m left join ${from}`
  return {
    advance: compile(
      `{limits} update {sessions} set rotated_at = {now}, ${USED}, gen = :gen + 1
       where sid_key = :sid_key and gen = :gen and ${LIVE_IN_TIME}
         and (gen = 0 or greatest(0, {now} - rotated_at) >= 2 * :overlap)
         and not (last_used_at > rotated_at and {now} - last_used_at < :overlap)`,
    ),
    prolong: compile(`{limits} update {sessions} set ${USED} where sid_key = :sid_key and ${LIVE_IN_TIME}`),
    find: compile(
      `select m.moment, ${COLUMNS.join(', ')} from ${moment('{sessions} as s on s.sid_key = :sid_key')}`,
    ),
    // The clock that decides about `n` is never ahead of the one that decides about `until_at`: at worst an attempt too few.
    count: compile(
      `{limits} insert into {attempts} (attempt_key, n, until_at)
       values (:attempt_key, last_insert_id(1), {now} + :window)
       on duplicate key update
         n = last_insert_id(case when until_at <= {now} then 1 else least(n, :limit) + 1 end),
         until_at = case when until_at <= {now} then {now} + :window else until_at end`,
    ),
    findAttempt: compile('select until_at, {now} as moment from {attempts} where attempt_key = :attempt_key'),
  }
}

function toValues(call: RotateCall): Values {
  return {
    sid_key: toKey(call.sid),
    gen: call.gen,
    overlap: toColumnTime(call.overlap),
    idle: toColumnTime(call.idle),
    not_after: toOptionalTime(call.notAfter),
    now: toOptionalTime(call.now),
  }
}

/** What a change that was made is called, by the row as it was read after it: others may have changed it since. */
function toMade(columns: SessionColumns, call: RotateCall, moment: number): Rotation {
  const now = fromColumnTime(moment)
  if (columns.revoked_at !== null) return { word: 'revoked', row: toRow(columns), now }
  if (!call.rotation) return { word: 'kept', row: toRow(columns), now }
  return { word: 'rotated', row: toRow({ ...columns, gen: call.gen + 1 }), now }
}

/** MySQL's half. */
export function createMysqlCommands(database: Database): Commands {
  const { run } = database
  const transactions = createTransactions(database)
  const texts = createTexts(database)
  return {
    ...transactions,

    async rotate(call) {
      const values = toValues(call)
      const made = (await run(call.rotation ? texts.advance : texts.prolong, values)).count > 0
      const [found = {}] = (await run(texts.find, values)).rows
      const moment = Number(found['moment'])
      const columns = (found['sid_key'] ?? null) === null ? null : readColumns(found)
      if (made && columns !== null) return toMade(columns, call, moment)
      const word = decideRevocation(columns, call, moment)
      // Reused, healed, or a generation that was still kept a moment ago: all rare, and decided under the row's lock.
      if (isWriting(word, call)) return transactions.rotate(call)
      return { word, row: columns && toRow(columns), now: fromColumnTime(moment) }
    },

    async countAttempt(key, limit, window, now) {
      const values = {
        attempt_key: toKey(key),
        window: toColumnTime(window),
        limit,
        now: toOptionalTime(now),
      }
      const { number } = await run(texts.count, values)
      if (number <= limit) return toAttempt({ n: number }, limit)
      return toAttempt({ ...(await run(texts.findAttempt, values)).rows[0], n: number }, limit)
    },
  }
}
