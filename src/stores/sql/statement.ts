/**
 * SQL templates and their compiler. A template is written once and compiled for one dialect:
 * `:name` is a parameter, `{sessions}` a table, `{now}` the time of the step (the parameter `now`,
 * else the database's clock), `{clock}` the clock of MySQL, `{lock}` a row lock, `{limits}` a bound
 * on lock waits, `{causal}` the same, and that a statement outside of a transaction sees all that
 * was committed before it, `{schema}` the schema with its dot, `{in_realm}` that a row is in the
 * realm of the parameter `realm`, `{prepared}` that the statement is worth preparing on MySQL.
 */

/** The supported dialects; MariaDB is `'mysql'`. */
export type SqlDialect = 'postgres' | 'mysql' | 'sqlite'

/** A compiled statement. */
export interface Statement {
  /** The text, with the dialect's placeholders. */
  readonly sql: string
  /** The name of the parameter for each placeholder. */
  readonly names: readonly string[]
}

/** A parameter. Drivers differ in all other types: booleans abort libsql, Dates throw. */
export type Value = string | number | null

/** Parameters by their names. */
export type Values = Readonly<Record<string, Value>>

/** Compiles a template. */
export type Compile = (text: string) => Statement

/** The tables, by their placeholders. */
export const TABLES = ['sessions', 'subjects', 'log', 'attempts', 'counters'] as const

/**
 * Starts every statement. An operator recognizes our queries by it, and the pool wrapper recognizes
 * the statements to prepare under a name: ours are few and fixed.
 */
export const MARK = '/* tokenwright */ '

/**
 * Starts the few statements of MySQL that the pool wrapper prepares. On PostgreSQL it prepares all:
 * there a statement costs memory of its connection, on MySQL also a place of a global number.
 */
export const PREPARED: string = `${MARK}/* prepared */ `

/** The clock of MySQL, as `NOW` explains it. */
const MYSQL_CLOCK =
  "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000" +
  ' + timestampdiff(microsecond, now(3), sysdate(3)) div 1000)'

/** The time of the step in whole milliseconds, read after any lock wait. */
const NOW: Readonly<Record<SqlDialect, string>> = {
  // now() is the start of the transaction, which predates a lock wait.
  postgres: 'coalesce(:now::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)',
  // Only sysdate() advances during a statement, but it is local time, in which an hour comes twice
  // when summer time ends. So: the statement's start in UTC, and how far sysdate() went since.
  mysql: `coalesce(:now, ${MYSQL_CLOCK})`,
  // `toParameters` fills in this process's clock for null.
  sqlite: ':now',
}

/**
 * Bounds the lock waits of one statement without a round trip, so that no server process waits for
 * a client that has given up. PostgreSQL selects from it; MariaDB has it before the statement,
 * where MySQL reads a comment; SQLite does not wait.
 */
const LIMITS: Readonly<Record<SqlDialect, (deadline: number) => string>> = {
  postgres: (deadline) =>
    `(select set_config('lock_timeout', '${Math.ceil(deadline * 1000)}', true)) as limits`,
  mysql: (deadline) => `/*M!100300 set statement innodb_lock_wait_timeout = ${Math.ceil(deadline)} for */`,
  sqlite: () => '',
}

/**
 * On Galera a node applies the commits of other nodes a moment after they were acknowledged: it
 * shows the rows before them, unless a statement asks to wait. Elsewhere it means nothing. MariaDB
 * without Galera's code does not know the variable (`causal.ts`); MySQL reads a comment, and has to
 * be configured (`inspect.ts`).
 */
export const CAUSALITY = ', wsrep_sync_wait = 7'

const CAUSAL: Readonly<Record<SqlDialect, (deadline: number) => string>> = {
  ...LIMITS,
  postgres: () => '',
  mysql: (deadline) => LIMITS.mysql(deadline).replace(' for */', `${CAUSALITY} for */`),
}

/**
 * Compares the column `realm`, null for null. MySQL's collations ignore blanks at the end; binary
 * does not.
 */
const IN_REALM: Readonly<Record<SqlDialect, string>> = {
  postgres: 'realm is not distinct from :realm::text',
  mysql: 'binary realm <=> :realm',
  sqlite: 'realm is :realm',
}

/** The options of a compiler. */
export interface CompilerOptions {
  /** The dialect. */
  readonly dialect: SqlDialect
  /** The prefix of the tables' names. */
  readonly prefix: string
  /** The tables' schema; null for the connection's own. */
  readonly schema: string | null
  /** How long a statement waits for a lock, in seconds. */
  readonly deadline: number
}

/** Makes the compiler for one dialect, prefix and schema. */
export function createCompiler({ dialect, prefix, schema, deadline }: CompilerOptions): Compile {
  const quote = dialect === 'mysql' ? '`' : '"'
  const qualifier = schema === null ? '' : `${quote}${schema}${quote}.`
  const words = new Map<string, string>([
    ...TABLES.map((table): [string, string] => [table, qualifier + prefix + table]),
    ['schema', qualifier],
    ['now', NOW[dialect]],
    ['clock', MYSQL_CLOCK],
    ['prepared', dialect === 'mysql' ? PREPARED.slice(MARK.length) : ''],
    ['limits', LIMITS[dialect](deadline)],
    ['causal', CAUSAL[dialect](deadline)],
    ['lock', dialect === 'sqlite' ? '' : 'for update'],
    ['in_realm', IN_REALM[dialect]],
  ])
  return (text) => {
    const names: string[] = []
    const sql = text
      .replace(/\{(\w+)\}/g, (whole, word: string) => words.get(word) ?? whole)
      .replace(/(?<!:):([a-z]\w*)/g, (_, name: string) => {
        // Only PostgreSQL's placeholders can stand for the same value twice.
        const known = dialect === 'postgres' ? names.indexOf(name) : -1
        const place = known >= 0 ? known + 1 : names.push(name)
        return dialect === 'postgres' ? `$${place}` : '?'
      })
    return { sql: MARK + sql.replace(/\s+/g, ' ').trim(), names }
  }
}

/**
 * The values of a statement in the order of its placeholders. SQLite runs in this process, or close
 * to it: this process's clock is the store's.
 */
export function toParameters({ names }: Statement, values: Values, dialect: SqlDialect): Value[] {
  const toDefault = (name: string): Value => (name === 'now' && dialect === 'sqlite' ? Date.now() : null)
  return names.map((name) => values[name] ?? toDefault(name))
}
