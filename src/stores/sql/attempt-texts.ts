/** The statements that count attempts of several keys: one text for each number of keys. */
import type { Database } from './database.ts'
import type { SqlDialect, Statement } from './statement.ts'

/** A statement for so many keys. Its parameters are `key_0`, `limit_0`, `window_0` and so on. */
type ForKeys = (many: number) => Statement

/** The statements, by their number of keys. */
export interface AttemptTexts {
  /** Reads keys. */
  readonly read: ForKeys
  /** SQLite and MySQL: counts each key; SQLite returns those that were not at their limit. */
  readonly count: ForKeys
  /** PostgreSQL: reads all keys, and counts those with a limit if none is at its limit. */
  readonly together: ForKeys
  /** Takes `many_0` attempts back, and so on. */
  readonly forget: ForKeys
}

/** Compiles the statements when they are first used. */
export function createAttemptTexts({ compile, dialect, isTransaction }: Database): AttemptTexts {
  // The commit of the caller's own transaction is the caller's.
  const settings = isTransaction ? '{limits}' : `{limits} cross join ${NO_FLUSH}`
  const forKeys = (toText: (many: number) => string): ForKeys => {
    const known = new Map<number, Statement>()
    return (many) => {
      const statement = known.get(many) ?? compile(toText(many).replace('{settings}', settings))
      known.set(many, statement)
      return statement
    }
  }
  return {
    read: forKeys(
      (many) => `{causal} select attempt_key, n, until_at, {now} as moment from {attempts}
        where attempt_key in (${list(many, (place) => `:key_${place}`)})`,
    ),
    count: forKeys(COUNT[dialect]),
    together: forKeys(toTogether),
    forget: forKeys(dialect === 'postgres' ? toOrderedForget : toForget),
  }
}

/**
 * PostgreSQL: the commit of this statement does not wait for the disk, nor for a standby. If the
 * server is killed, attempts of its last half second are forgotten, and no other record is.
 */
const NO_FLUSH = `(select set_config('synchronous_commit', 'off', true)) as no_flush`

function list(many: number, toPart: (place: number) => string): string {
  return Array.from({ length: many }, (_, place) => toPart(place)).join(', ')
}

/**
 * The value of a row, by its key.
 *
 * @param type a cast that PostgreSQL needs where nothing else tells the type: some drivers send
 *   each place of a parameter as a parameter of its own
 */
function byKey(many: number, column: string, name: string, type = ''): string {
  const parts = Array.from({ length: many }, (_, place) => `when :key_${place} then :${name}_${place}${type}`)
  return `case ${column} ${parts.join(' ')} end`
}

const COUNT: Readonly<Record<SqlDialect, (many: number) => string>> = {
  postgres: toTogether,
  // The clock for `n` is never ahead of the later one for `until_at`, as in `mysql-commands.ts`.
  mysql: (many) => `{limits} insert into {attempts} (attempt_key, n, until_at)
    values ${list(many, (place) => `(:key_${place}, 1, {now} + :window_${place})`)}
    on duplicate key update
      n = case when until_at <= {now} then 1 else n + 1 end,
      until_at = case when until_at <= {now}
        then {now} + ${byKey(many, 'attempt_key', 'window')} else until_at end`,
  sqlite: (many) => `insert into {attempts} as a (attempt_key, n, until_at)
    values ${list(many, (place) => `(:key_${place}, 1, {now} + :window_${place})`)}
    on conflict (attempt_key) do update set
      n = case when a.until_at <= {now} then 1 else a.n + 1 end,
      until_at = case when a.until_at <= {now} then excluded.until_at else a.until_at end
    where a.until_at <= {now} or a.n < ${byKey(many, 'a.attempt_key', 'limit')}
    returning attempt_key`,
}

/**
 * The check reads what was committed before the statement began. So each row decides once more
 * after it is locked, and is left as it is where another attempt was faster.
 */
function toTogether(many: number): string {
  const rows = list(
    many,
    (place) => `(${place}, :key_${place}::text, :limit_${place}::bigint, :window_${place}::bigint)`,
  )
  return `
    with asked (place, k, most, span) as (values ${rows}),
    f as materialized (
      select asked.*, a.n, a.until_at, m.moment
      from (select {now} as moment from {settings} offset 0) as m cross join asked
      left join {attempts} as a on a.attempt_key = asked.k
    ),
    u as (
      insert into {attempts} as a (attempt_key, n, until_at)
      select f.k, 1, f.moment + f.span from f
      where f.most is not null
        and not exists (select 1 from f where f.until_at > f.moment and f.n >= f.most)
      order by f.place
      on conflict (attempt_key) do update set
        n = case when a.until_at <= {now} then 1 else a.n + 1 end,
        until_at = case when a.until_at <= {now} 
          then {now} + ${byKey(many, 'a.attempt_key', 'window', '::bigint')} else a.until_at end
      where a.until_at <= {now} or a.n < ${byKey(many, 'a.attempt_key', 'limit', '::bigint')}
      returning attempt_key
    )
    select f.k as attempt_key, f.n, f.until_at, f.moment, case when u.attempt_key is null then 0 else 1 end as counted
    from f left join u on u.attempt_key = f.k`
}

/**
 * A window that ends at 0 has ended by every clock. MySQL assigns from left to right: `n` is last.
 */
function toForget(many: number): string {
  const taken = byKey(many, 'attempt_key', 'many')
  return `{causal} update {attempts} set until_at = case when n <= ${taken} then 0 else until_at end,
    n = case when n <= ${taken} then 0 else n - ${taken} end
    where attempt_key in (${list(many, (place) => `:key_${place}`)}) and n > 0`
}

/** PostgreSQL locks rows in the order in which it finds them, unless it is told another one. */
function toOrderedForget(many: number): string {
  const rows = list(many, (place) => `(${place}, :key_${place}::text, :many_${place}::bigint)`)
  return `
    with asked (place, k, taken) as (values ${rows}),
    l as materialized (
      select a.attempt_key, asked.taken from {settings} cross join asked join {attempts} as a on a.attempt_key = asked.k
      where a.n > 0 order by asked.place for update of a
    )
    update {attempts} as a set until_at = case when a.n <= l.taken then 0 else a.until_at end,
      n = case when a.n <= l.taken then 0 else a.n - l.taken end
    from l where a.attempt_key = l.attempt_key`
}
