/**
 * Statements: SQL written once, with named parameters and a few words in braces, put into one dialect's spelling.
 * `:name` is a parameter, `{sessions}` a table, `{now}` the moment that rules (the parameter `now`, or else the
 * store's own clock), `{lock}` a row lock, `{limits}` a bound for the waits. What a statement means is the business of the files that write them.
 */

/** The dialects that the store speaks; MariaDB is `'mysql'`. */
export type SqlDialect = 'postgres' | 'mysql' | 'sqlite'

/** A statement in a dialect's spelling. */
export interface Statement {
  /** The text, with the dialect's placeholders. */
  readonly sql: string
  /** The parameter that goes into each placeholder, by its name. */
  readonly names: readonly string[]
}

/** What a parameter may hold: nothing else is bound alike by all drivers (booleans abort libsql, Dates throw). */
export type Value = string | number | null

/** Parameters by their names. */
export type Values = Readonly<Record<string, Value>>

/** Puts a text into a dialect's spelling. */
export type Compile = (text: string) => Statement

/** The tables, by the words that stand for them in braces. */
export const TABLES = ['sessions', 'subjects', 'log', 'attempts', 'counters'] as const

/**
 * Every text starts with it: it shows in the server's list of running queries whose they are, and a pool wrapper
 * knows by it which texts are few and fixed, and so worth a name.
 */
export const MARK = '/* tokenwright */ '

/** The moment that rules, in whole milliseconds; after a lock wait it is the moment after. */
const NOW: Readonly<Record<SqlDialect, string>> = {
  // now() is the start of the transaction: half a second old after half a second's wait for a lock.
  postgres: 'coalesce(:now::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)',
  // Of MySQL's clocks only sysdate() goes on during a statement, but it is local time, in which an hour comes twice when
  // summer time ends. So: the statement's start in UTC, and how far sysdate() went since.
  mysql:
    "coalesce(:now, timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000" +
    ' + timestampdiff(microsecond, now(3), sysdate(3)) div 1000)',
  // SQLite runs in this process: where the parameter is null, the runner puts this process's clock.
  sqlite: ':now',
}

/**
 * Bounds the waits for locks of the statement that it stands in, and of nothing else, without a round trip: a client that
 * has given up must not leave a server process waiting for ever. In PostgreSQL it is something to select from; MariaDB has it
 * in front of a statement, and MySQL takes it for a comment; SQLite does not wait.
 */
const LIMITS: Readonly<Record<SqlDialect, (deadline: number) => string>> = {
  postgres: (deadline) =>
    `(select set_config('lock_timeout', '${Math.ceil(deadline * 1000)}', true)) as limits`,
  mysql: (deadline) => `/*M!100300 set statement innodb_lock_wait_timeout = ${Math.ceil(deadline)} for */`,
  sqlite: () => '',
}

/**
 * Makes the compiler of one dialect and table prefix.
 *
 * @param deadline how long a statement waits for a lock, in seconds
 */
export function createCompiler(dialect: SqlDialect, prefix: string, deadline: number): Compile {
  const words = new Map<string, string>([
    ...TABLES.map((table): [string, string] => [table, prefix + table]),
    ['now', NOW[dialect]],
    ['limits', LIMITS[dialect](deadline)],
    ['lock', dialect === 'sqlite' ? '' : 'for update'],
  ])
  return (text) => {
    const names: string[] = []
    const spelt = text
      .replace(/\{(\w+)\}/g, (whole, word: string) => words.get(word) ?? whole)
      .replace(/(?<!:):([a-z]\w*)/g, (_, name: string) => {
        // Only PostgreSQL's placeholders can stand for the same value twice.
        const known = dialect === 'postgres' ? names.indexOf(name) : -1
        const place = known >= 0 ? known + 1 : names.push(name)
        return dialect === 'postgres' ? `$${place}` : '?'
      })
    return { sql: MARK + spelt.replace(/\s+/g, ' ').trim(), names }
  }
}
