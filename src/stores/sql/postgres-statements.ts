/**
 * The statements of PostgreSQL. What a step does is one statement, so that no client can hang while
 * it holds a lock. Each statement first locks the row, then reads the clock in an outer select (in
 * the same select it would show the time before the wait), and updates the counter of the log last.
 * `ROTATE` repeats `decideRotation` of `session/rotation.ts` in SQL; the store suite compares them.
 */

import { KEPT_OVERLAPS, LATE_PARTS, SHADOWED_OVERLAPS } from '../../session/rotation.ts'
import type { Database } from './database.ts'
import { CHANGING_COLUMNS, COLUMNS, FIXED_COLUMNS } from './mapping.ts'
import { ADVANCE } from './postgres-advance.ts'
import type { Statement } from './statement.ts'

/** The statements. */
export interface PostgresTexts {
  /** Returns one row, or none if the owner was revoked. */
  readonly start: Statement
  /**
   * Returns the new session and those that ended for it, or one row without; `done` is 0 if a
   * session started meanwhile that it cannot see: repeat it.
   */
  readonly startLimited: Statement
  /** Does the usual refresh; see `postgres-advance.ts`. */
  readonly advance: Statement
  /** Does every refresh. Returns one row; its `word` is null for `unknown`. */
  readonly rotate: Statement
  /** Returns one row; its `word` is null for `unknown`. */
  readonly stepUp: Statement
  /** Returns one row. */
  readonly countAttempt: Statement
  /** Returns one row; `live` is 1 if the session was live. */
  readonly end: Statement
  /** Returns one row; `done` is 0 if a session started meanwhile that it cannot see: repeat it. */
  readonly endAll: Statement
  /** Returns no row. */
  readonly revokeToken: Statement
}

/** Takes the next numbers of the log, one for each row of `e`, and inserts the entries. */
export const APPEND_ROWS = `
  n as (
    update {counters} as c set n = c.n + k.many from (select count(*) as many from e) as k
    where c.name = 'log' and k.many > 0 returning c.n - k.many as before
  ),
  l as (
    insert into {log} (id, kind, key_hash, entry_key, realm, revoked_at, until_at)
    select n.before + e.place, e.kind, e.key_hash, e.entry_key, e.realm, e.at, e.until from n, e
  )`

/** The columns of a new session that do not come as they are. */
const FIRST_VALUES: Readonly<Record<string, string>> = {
  gen: '0',
  rotated_at: 't.moment',
  late: '0',
  late_before: '0',
  auth_at: ':auth_at::bigint',
  brief: ':brief::bigint',
  idle_for: ':idle_for::bigint',
  created_at: 't.moment',
  last_used_at: 't.moment',
  idle_expires_at: 't.moment + least(coalesce(:idle_for::bigint, :idle::bigint), :absolute::bigint)',
  absolute_expires_at: 't.moment + :absolute::bigint',
  last_ip: 'null',
  last_user_agent: 'null',
  revoked_at: 'null',
  revoke_reason: 'null',
}

function toFirstValue(column: string): string {
  return FIRST_VALUES[column] ?? `:${column}::text`
}

const START = `
  with g as (
    insert into {subjects} as s (sub_key, version, until_at)
    select :owner_key::text, :version::bigint, 0 from {limits}
    on conflict (sub_key) do update set version = excluded.version
    returning s.cut_off_at
  ),
  t as materialized (
    select {now} as moment from g
    where (g.cut_off_at is null or g.cut_off_at < :proved_at::bigint) and not exists (
      select 1 from {subjects}
      where sub_key = :earlier_key::text and realm is null and cut_off_at >= :proved_at::bigint
    )
  )
  insert into {sessions} (${COLUMNS.join(', ')})
  select ${COLUMNS.map(toFirstValue).join(', ')}
  from t
  returning ${COLUMNS.join(', ')}`

/**
 * As START, where an owner may have only so many. A statement does not see a session that starts
 * while it waits for the owner's row: where another version is there than the one that it saw,
 * nothing is written, and it is done again. The rows that it sees are locked, and so as they are.
 */
const START_LIMITED = `
  with seen as materialized (select version from {subjects} where sub_key = :owner_key::text),
  g as (
    insert into {subjects} as s (sub_key, version, until_at)
    select :owner_key::text, :version::bigint, 0 from {limits}
    on conflict (sub_key) do update set version =
      case when s.version = (select version from seen) then excluded.version else s.version end
    returning s.version, s.cut_off_at
  ),
  t as materialized (
    select {now} as moment, (g.cut_off_at is null or g.cut_off_at < :proved_at::bigint) and not exists (
      select 1 from {subjects}
      where sub_key = :earlier_key::text and realm is null and cut_off_at >= :proved_at::bigint
    ) as proved
    from g where g.version = :version::bigint
  ),
  cur as (
    select s.sid_key, s.sid, s.created_at, t.moment from t, {sessions} as s
    where t.proved and s.sub_key = :sub_key::text and s.{in_realm} and s.revoked_at is null
      and s.idle_expires_at > t.moment and s.absolute_expires_at > t.moment
    for update of s
  ),
  r as materialized (
    select cur.*, row_number() over (order by cur.created_at desc, cur.sid_key) as place from cur
  ),
  f as materialized (
    select t.*, :refuses::int = 1 and (select count(*) from r) >= :count::bigint as is_full from t
  ),
  w as materialized (select r.* from r, f where r.place >= :count::bigint and not f.is_full),
  u as (
    update {sessions} as s set revoked_at = w.moment, revoke_reason = 'limit' from w
    where s.sid_key = w.sid_key
    returning ${COLUMNS.map((name) => `s.${name}`).join(', ')}
  ),
  i as (
    insert into {sessions} (${COLUMNS.join(', ')})
    select ${COLUMNS.map(toFirstValue).join(', ')} from f as t where t.proved and not t.is_full
    returning ${COLUMNS.join(', ')}
  ),
  e as materialized (
    select row_number() over (order by w.place) as place, 'sid' as kind, w.sid_key as key_hash,
      w.sid as entry_key, null::text as realm, w.moment as at, w.moment + :log_ttl::bigint as until
    from w
  ), ${APPEND_ROWS}
  select (select count(*) from f) as done, (select count(*) from f where f.is_full) as fulls, x.*
  from (select 1) as one left join (
    select 'started' as part, ${COLUMNS.join(', ')} from i
    union all select 'ended', ${COLUMNS.join(', ')} from u
  ) as x on true`

/** The row, locked; then the moment after the wait. */
const LOCKED = `
  cur as (select s.* from {limits}, {sessions} as s where s.sid_key = :sid_key for update of s),
  t as materialized (select cur.*, {now} as moment from cur)`

const ROTATE = `
  with ${LOCKED},
  g as (select t.*, greatest(0, t.moment - t.rotated_at) as age from t),
  a as (
    select g.*, case when g.age * ${LATE_PARTS} > :overlap::bigint
      then greatest(g.late, least(g.age, :overlap::bigint)) else g.late end as late_now
    from g
  ),
  v as (
    select a.*, case
      when a.revoked_at is not null then 'revoked'
      when a.moment >= a.idle_expires_at or a.moment >= a.absolute_expires_at then 'expired'
      when :rotation::int = 0 then 'kept'
      when :gen::bigint > a.gen then 'healed'
      when :gen::bigint = a.gen then
        case when a.gen > 0 and a.age < ${KEPT_OVERLAPS} * :overlap::bigint
            or a.last_used_at > a.rotated_at and a.moment - a.last_used_at < :overlap::bigint then 'kept'
          else 'rotated' end
      when :gen::bigint = a.gen - 1 and :overlap::bigint > 0
        and a.late_before + a.late_now < ${SHADOWED_OVERLAPS} * :overlap::bigint then 'replayed'
      else 'reused' end as verdict
    from a
  ),
  w as materialized (
    select v.*, case
      when v.moment > :not_after::bigint
        and (v.verdict in ('rotated', 'healed', 'reused') or v.verdict = 'kept' and :rotation::int = 0) then 'late'
      else v.verdict end as word,
      v.verdict in ('rotated', 'healed', 'kept')
        and v.moment / :stretch::bigint > v.rotated_at / :stretch::bigint as noted
    from v
  ),
  u as (
    update {sessions} as s set
      gen = case when w.word in ('rotated', 'healed') then greatest(s.gen, :gen::bigint) + 1 else s.gen end,
      rotated_at = case when w.word in ('rotated', 'healed') then w.moment else s.rotated_at end,
      late = case when w.word = 'replayed' then w.late_now when w.word in ('rotated', 'healed') then 0
        else s.late end,
      late_before = case when w.word not in ('rotated', 'healed') then s.late_before
        when s.late > 0 then s.late_before + s.late
        else greatest(0, s.late_before - :overlap::bigint) end,
      last_used_at = case when w.word in ('reused', 'replayed') then s.last_used_at else w.moment end,
      idle_expires_at = case when w.word in ('reused', 'replayed') then s.idle_expires_at
        else least(w.moment + coalesce(s.idle_for, :idle::bigint), s.absolute_expires_at) end,
      last_ip = case when w.noted then coalesce(:ip::text, s.last_ip) else s.last_ip end,
      last_user_agent = case when w.noted then coalesce(:user_agent::text, s.last_user_agent)
        else s.last_user_agent end,
      revoked_at = case when w.word = 'reused' then w.moment end,
      revoke_reason = case when w.word <> 'reused' then null
        when :gen::bigint = w.gen - 1 and :overlap::bigint > 0 then 'shadowed' else 'refresh_reused' end
    from w
    where s.sid_key = w.sid_key and (
      w.word in ('rotated', 'healed', 'reused') or w.word = 'kept' and :rotation::int = 0
      or w.word = 'replayed' and w.late_now <> w.late and coalesce(w.moment <= :not_after::bigint, true)
    )
    returning ${CHANGING_COLUMNS.map((name) => `s.${name}`).join(', ')}
  ),
  e as materialized (
    select 1 as place, 'sid' as kind, w.sid_key as key_hash, w.sid as entry_key, null::text as realm,
      w.moment as at, w.moment + :log_ttl::bigint as until
    from w where w.word = 'reused'
  ), ${APPEND_ROWS}
  select ${FIXED_COLUMNS.map((name) => `w.${name}`).join(', ')},
    ${CHANGING_COLUMNS.map((name) => `coalesce(u.${name}, w.${name}) as ${name}`).join(', ')},
    w.word, coalesce(w.moment, m.moment) as moment
  from (select {now} as moment) as m left join w on true left join u on true`

/** The columns that a step-up changes. */
const STEPPED_UP: readonly string[] = ['auth_at', 'acr', 'amr', 'last_used_at']

function toSteppedUp(name: string): string {
  return STEPPED_UP.includes(name)
    ? `case when w.word = 'live' then u.${name} else w.${name} end as ${name}`
    : `w.${name}`
}

const STEP_UP = `
  with ${LOCKED},
  w as materialized (
    select t.*, case
      when t.revoked_at is not null then 'revoked'
      when t.moment >= t.idle_expires_at or t.moment >= t.absolute_expires_at then 'expired'
      when t.moment > :not_after::bigint then 'late'
      else 'live' end as word
    from t
  ),
  u as (
    update {sessions} as s set auth_at = :auth_at::bigint, acr = :acr::text, amr = :amr::text, last_used_at = w.moment
    from w where s.sid_key = w.sid_key and w.word = 'live'
    returning ${STEPPED_UP.map((name) => `s.${name}`).join(', ')}
  )
  select ${FIXED_COLUMNS.map((name) => `w.${name}`).join(', ')},
    ${CHANGING_COLUMNS.map(toSteppedUp).join(', ')}, w.word,
    coalesce(w.moment, m.moment) as moment
  from (select {now} as moment) as m left join w on true left join u on true`

/** The clock is read once, after the row is locked, by the one sub-select. */
const COUNT_ATTEMPT = `
  insert into {attempts} as a (attempt_key, n, until_at)
  select :attempt_key::text, 1, {now} + :window::bigint from {limits}
  on conflict (attempt_key) do update set (n, until_at) = (
    select
      case when a.until_at <= c.moment then 1 else least(a.n, :limit::bigint) + 1 end,
      case when a.until_at <= c.moment then c.moment + :window::bigint else a.until_at end
    from (select {now} as moment offset 0) as c
  )
  returning n, until_at, {now} as moment`

const END = `
  with ${LOCKED},
  w as materialized (select t.* from t where t.revoked_at is null),
  u as (
    update {sessions} as s set revoked_at = w.moment, revoke_reason = :reason::text from w where s.sid_key = w.sid_key
  ),
  x as materialized (
    select coalesce((select w.moment from w), {now}) as moment
    where not exists (select 1 from t where t.revoked_at is not null)
  ),
  e as materialized (
    select 1 as place, 'sid' as kind, :sid_key::text as key_hash, :sid::text as entry_key,
      null::text as realm, x.moment as at, x.moment + :log_ttl::bigint as until
    from x
  ), ${APPEND_ROWS}
  select count(*) as live from w where w.idle_expires_at > w.moment and w.absolute_expires_at > w.moment`

/**
 * A statement sees what was committed before it began. It would miss a session that starts while it
 * waits for the owner's row, so each start writes its own `version` there: if the locked row has
 * another version than the one seen, nothing is written.
 */
const END_ALL = `
  with seen as materialized (select version from {subjects} where sub_key = :owner_key::text),
  g as (
    insert into {subjects} as s (sub_key, realm, version, cut_off_at, until_at)
    select :owner_key::text, case when :cut_off::bigint is not null then :owner_realm::text end, :version::bigint,
      case when :cut_off::bigint is not null then {now} end, case when :cut_off::bigint is not null
        then {now} + :cut_off::bigint else 0 end
    from {limits}
    on conflict (sub_key) do update set (realm, cut_off_at, until_at) = (
      select
        case when o.ok then excluded.realm else s.realm end,
        case when o.ok then greatest(s.cut_off_at, c.moment) else s.cut_off_at end,
        case when o.ok then greatest(s.until_at, c.moment + :cut_off::bigint) else s.until_at end
      from (select {now} as moment offset 0) as c,
        (select :cut_off::bigint is not null and s.version = (select version from seen) as ok) as o
    )
    returning s.version, s.cut_off_at, s.until_at
  ),
  t as materialized (
    select g.cut_off_at, g.until_at, {now} as moment from g
    where g.version = coalesce((select version from seen), :version::bigint)
  ),
  cur as (
    select s.sid_key, s.sid, t.moment from t, {sessions} as s
    where s.sub_key = :sub_key::text and s.{in_realm} and s.sid_key <> :except::text and s.revoked_at is null
      and s.idle_expires_at > t.moment and s.absolute_expires_at > t.moment
    for update of s
  ),
  w as materialized (select * from cur),
  u as (
    update {sessions} as s set revoked_at = w.moment, revoke_reason = :reason::text from w where s.sid_key = w.sid_key
  ),
  e as materialized (
    select row_number() over () as place, x.* from (
      select 'sub' as kind, :sub_key::text as key_hash, :sub::text as entry_key, :owner_realm::text as realm,
        t.cut_off_at as at, t.moment + :log_ttl::bigint as until
      from t where :cut_off::bigint is not null
      union all
      select 'sid', w.sid_key, w.sid, null, w.moment, w.moment + :log_ttl::bigint from w
    ) as x
  ), ${APPEND_ROWS}
  select (select count(*) from t) as done, (select count(*) from w) as many`

const REVOKE_TOKEN = `
  with n as (
    update {counters} as c set n = c.n + 1 from {limits} where c.name = 'log' returning c.n
  )
  insert into {log} (id, kind, key_hash, entry_key, revoked_at, until_at)
  select n.n, 'jti', :key_hash::text, :entry_key::text, {now}, :until::bigint from n`

/** Compiles the statements. */
export function createPostgresTexts({ compile }: Database): PostgresTexts {
  return {
    start: compile(START),
    startLimited: compile(START_LIMITED),
    advance: compile(ADVANCE),
    rotate: compile(ROTATE),
    stepUp: compile(STEP_UP),
    countAttempt: compile(COUNT_ATTEMPT),
    end: compile(END),
    endAll: compile(END_ALL),
    revokeToken: compile(REVOKE_TOKEN),
  }
}
