/**
 * PostgreSQL: every step is one statement, one round trip, so that no client that hangs between two can keep a lock. In each the
 * row is locked first, the clock is read above the lock (in the same select it would be as old as the wait is long), and the
 * counter of the log comes last. The verdict is `decide` of `session/rotation.ts` once more, in SQL; the store suite holds them
 * together.
 */
import type { Database } from './database.ts'
import { CHANGING_COLUMNS, COLUMNS, FIXED_COLUMNS } from './mapping.ts'
import type { Statement } from './statement.ts'

/** The statements. */
export interface PostgresTexts {
  /** Answers one row, or none where the subject was revoked. */
  readonly start: Statement
  /** Answers one row; its `word` is null for `unknown`. */
  readonly rotate: Statement
  /** Answers one row, or none for `unknown`. */
  readonly stepUp: Statement
  /** Answers one row. */
  readonly countAttempt: Statement
  /** Answers one row; `live` is 1 where the session was. */
  readonly end: Statement
  /** Answers one row; `done` is 0 where a session started meanwhile that it cannot see: then once more. */
  readonly endAll: Statement
  /** Answers nothing. */
  readonly revokeToken: Statement
}

/** The numbers of the log that follow, one for each row of `e`; then the entries. */
const APPEND = `
  n as (
    update {counters} as c set n = c.n + k.many from (select count(*) as many from e) as k
    where c.name = 'log' and k.many > 0 returning c.n - k.many as before
  ),
  l as (
    insert into {log} (id, kind, key_hash, entry_key, revoked_at, until_at)
    select n.before + e.place, e.kind, e.key_hash, e.entry_key, e.at, e.until from n, e
  )`

const START = `
  with g as (
    insert into {subjects} as s (sub_key, version, until_at)
    select :sub_key::text, :version::bigint, 0 from {limits}
    on conflict (sub_key) do update set version = excluded.version
    returning s.cut_off_at
  ),
  t as materialized (
    select {now} as moment from g where g.cut_off_at is null or g.cut_off_at < :proved_at::bigint
  )
  insert into {sessions} (${COLUMNS.join(', ')})
  select :sid_key::text, :sub_key::text, :sid::text, :sub::text, :realm::text, :scopes::text, :data::text, t.moment,
    t.moment + :absolute::bigint, :ip::text, :user_agent::text, 0, t.moment, :auth_at::bigint, :acr::text, :amr::text,
    t.moment, t.moment + least(:idle::bigint, :absolute::bigint), null, null
  from t
  returning ${COLUMNS.join(', ')}`

/** The row, locked; then the moment after the wait. */
const LOCKED = `
  cur as (select s.* from {limits}, {sessions} as s where s.sid_key = :sid_key for update of s),
  t as materialized (select cur.*, {now} as moment from cur)`

const ROTATE = `
  with ${LOCKED},
  a as (select t.*, greatest(0, t.moment - t.rotated_at) as age from t),
  v as (
    select a.*, case
      when a.revoked_at is not null then 'revoked'
      when a.moment >= a.idle_expires_at or a.moment >= a.absolute_expires_at then 'expired'
      when :rotation::int = 0 then 'kept'
      when :gen::bigint > a.gen then 'healed'
      when :gen::bigint = a.gen then
        case when a.gen > 0 and a.age < 2 * :overlap::bigint
            or a.last_used_at > a.rotated_at and a.moment - a.last_used_at < :overlap::bigint then 'kept'
          else 'rotated' end
      when :gen::bigint = a.gen - 1 and :overlap::bigint > 0 and a.age <= :overlap::bigint then 'replayed'
      else 'reused' end as verdict
    from a
  ),
  w as materialized (
    select v.*, case
      when v.moment > :not_after::bigint
        and (v.verdict in ('rotated', 'healed', 'reused') or v.verdict = 'kept' and :rotation::int = 0) then 'late'
      else v.verdict end as word
    from v
  ),
  u as (
    update {sessions} as s set
      gen = case when w.word in ('rotated', 'healed') then greatest(s.gen, :gen::bigint) + 1 else s.gen end,
      rotated_at = case when w.word in ('rotated', 'healed') then w.moment else s.rotated_at end,
      last_used_at = case when w.word = 'reused' then s.last_used_at else w.moment end,
      idle_expires_at = case when w.word = 'reused' then s.idle_expires_at
        else least(w.moment + :idle::bigint, s.absolute_expires_at) end,
      revoked_at = case when w.word = 'reused' then w.moment end,
      revoke_reason = case when w.word = 'reused' then 'refresh_reused' end
    from w
    where s.sid_key = w.sid_key
      and (w.word in ('rotated', 'healed', 'reused') or w.word = 'kept' and :rotation::int = 0)
    returning ${CHANGING_COLUMNS.map((name) => `s.${name}`).join(', ')}
  ),
  e as materialized (
    select 1 as place, 'sid' as kind, w.sid_key as key_hash, w.sid as entry_key, w.moment as at,
      w.moment + :log_ttl::bigint as until
    from w where w.word = 'reused'
  ), ${APPEND}
  select ${FIXED_COLUMNS.map((name) => `w.${name}`).join(', ')},
    ${CHANGING_COLUMNS.map((name) => `coalesce(u.${name}, w.${name}) as ${name}`).join(', ')},
    w.word, coalesce(w.moment, m.moment) as moment
  from (select {now} as moment) as m left join w on true left join u on true`

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
    returning s.auth_at, s.acr, s.amr, s.last_used_at
  )
  select ${FIXED_COLUMNS.map((name) => `w.${name}`).join(', ')},
    w.gen, w.rotated_at, w.idle_expires_at, w.revoked_at, w.revoke_reason, w.word,
    ${['auth_at', 'acr', 'amr', 'last_used_at']
      .map((name) => `case when w.word = 'live' then u.${name} else w.${name} end as ${name}`)
      .join(', ')}
  from w left join u on true`

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
  e as materialized (
    select 1 as place, 'sid' as kind, w.sid_key as key_hash, w.sid as entry_key, w.moment as at,
      w.moment + :log_ttl::bigint as until
    from w
  ), ${APPEND}
  select count(*) as live from w where w.idle_expires_at > w.moment and w.absolute_expires_at > w.moment`

/**
 * A statement sees what was committed before it began. A session that starts while this one waits for the subject's row would
 * be missed, so that each start leaves its own `version` there: where the locked row has another than the one seen,
 * nothing is written.
 */
const END_ALL = `
  with seen as materialized (select version from {subjects} where sub_key = :sub_key::text),
  g as (
    insert into {subjects} as s (sub_key, version, cut_off_at, until_at)
    select :sub_key::text, :version::bigint,
      case when :cut_off::bigint is not null then {now} end, case when :cut_off::bigint is not null
        then {now} + :cut_off::bigint else 0 end
    from {limits}
    on conflict (sub_key) do update set (cut_off_at, until_at) = (
      select
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
    where s.sub_key = :sub_key::text and s.sid_key <> :except::text and s.revoked_at is null
      and s.idle_expires_at > t.moment and s.absolute_expires_at > t.moment
    for update of s
  ),
  w as materialized (select * from cur),
  u as (
    update {sessions} as s set revoked_at = w.moment, revoke_reason = :reason::text from w where s.sid_key = w.sid_key
  ),
  e as materialized (
    select row_number() over () as place, x.* from (
      select 'sub' as kind, :sub_key::text as key_hash, :sub::text as entry_key, t.cut_off_at as at, t.until_at as until
      from t where :cut_off::bigint is not null
      union all
      select 'sid', w.sid_key, w.sid, w.moment, w.moment + :log_ttl::bigint from w
    ) as x
  ), ${APPEND}
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
    rotate: compile(ROTATE),
    stepUp: compile(STEP_UP),
    countAttempt: compile(COUNT_ATTEMPT),
    end: compile(END),
    endAll: compile(END_ALL),
    revokeToken: compile(REVOKE_TOKEN),
  }
}
