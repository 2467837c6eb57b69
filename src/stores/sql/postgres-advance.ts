/**
 * PostgreSQL: the usual refresh, in a statement that is short. `ROTATE` of
 * `postgres-statements.ts`, which knows every word, takes twice as long, as PostgreSQL prepares
 * each part of a statement, also those that find nothing to do.
 */
import { KEPT_OVERLAPS } from '../../session/rotation.ts'
import { COLUMNS } from './mapping.ts'

function toLast(column: string, parameter: string): string {
  return `${column} = case when m.moment / :stretch::bigint > s.rotated_at / :stretch::bigint
        then coalesce(:${parameter}::text, s.${column}) else s.${column} end`
}

/**
 * A row as one text: for thirty columns the server describes each in each reply, which a client
 * takes longer to read than their values.
 */
function toJson(advanced: 0 | 1): string {
  return `json_build_array(${advanced}, m.moment, ${COLUMNS.map((name) => `s.${name}`).join(', ')})::text`
}

/**
 * Advances a live session whose generation is that of the token and old enough. Returns one text,
 * `found`: a JSON array of 1, the moment and the columns after it; else of 0, the moment and the
 * columns as they are then, or nulls. It waits for no lock, and so needs no limit: a row that is
 * locked is passed over, and `ROTATE` waits for it.
 */
export const ADVANCE: string = `
  with cur as (
    select s.sid_key from {sessions} as s
    where s.sid_key = :sid_key and s.gen = :gen::bigint and s.revoked_at is null
    for no key update skip locked
  ),
  m as materialized (select cur.sid_key, {now} as moment from cur),
  u as (
    update {sessions} as s set gen = s.gen + 1, rotated_at = m.moment, late = 0,
      late_before = case when s.late > 0 then s.late_before + s.late
        else greatest(0, s.late_before - :overlap::bigint) end,
      last_used_at = m.moment,
      idle_expires_at = least(m.moment + coalesce(s.idle_for, :idle::bigint), s.absolute_expires_at),
      ${toLast('last_ip', 'ip')}, ${toLast('last_user_agent', 'user_agent')}
    from m
    where s.sid_key = m.sid_key and m.moment < s.idle_expires_at and m.moment < s.absolute_expires_at
      and (s.gen = 0 or greatest(0, m.moment - s.rotated_at) >= ${KEPT_OVERLAPS} * :overlap::bigint)
      and not (s.last_used_at > s.rotated_at and m.moment - s.last_used_at < :overlap::bigint)
      and coalesce(m.moment <= :not_after::bigint, true)
    returning ${toJson(1)} as found
  )
  select u.found from u
  union all
  select ${toJson(0)} from (select {now} as moment) as m left join {sessions} as s on s.sid_key = :sid_key
  where not exists (select 1 from u)`
