/**
 * The user's Kysely instance, seen as something that carries out statements. Nothing of Kysely is imported at run time: its
 * `executeQuery` takes any object of a compiled query's shape, which also saves building the same query on every call.
 * Plugins are left out, because one that renames columns would rename ours.
 */
import type { Kysely } from 'kysely'
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import { type Compile, createCompiler, type SqlDialect, type Statement, type Values } from './statement.ts'

/** What a statement answered. */
export interface Result {
  /** The rows; integers may be numbers, strings or bigints: read them with `Number()`. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** How many rows a change found; 0 for a read. */
  readonly count: number
  /** MySQL: the number that `last_insert_id(n)` set; 0 for none. */
  readonly number: number
}

/** Carries out one statement: one round trip. */
export type Run = (statement: Statement, values?: Values) => Promise<Result>

/** A database with everything that is known about it. */
export interface Database {
  /** Which dialect it speaks. */
  readonly dialect: SqlDialect
  /** What the tables' names begin with. */
  readonly prefix: string
  /** Puts texts into its spelling. */
  readonly compile: Compile
  /** Carries out a statement on its own, committed when it is done. */
  readonly run: Run
  /** Carries out a step on one connection, without a transaction. */
  connect<T>(step: (run: Run) => Promise<T>): Promise<T>
  /** Carries out a step in a transaction that sees what is committed. */
  transact<T>(step: (run: Run) => Promise<T>): Promise<T>
}

/** Which database is meant. */
export interface SqlSettings {
  /** The dialect; default: found out from the Kysely instance. MariaDB is `'mysql'`. */
  readonly dialect?: SqlDialect
  /** What the tables' names begin with: lower-case letters, digits and `_`, at most 31. Default `'tokenwright_'`. */
  readonly prefix?: string
}

/** The class of Kysely's adapter, or of its base, says the dialect; third-party dialects extend these. */
const ADAPTERS: Readonly<Record<string, SqlDialect>> = {
  PostgresAdapter: 'postgres',
  MysqlAdapter: 'mysql',
  SqliteAdapter: 'sqlite',
}

const DIALECTS: readonly string[] = Object.values(ADAPTERS)

function detectDialect(adapter: object): SqlDialect | undefined {
  for (let type: object | null = adapter; type !== null; type = Object.getPrototypeOf(type)) {
    const found = ADAPTERS[type.constructor.name]
    if (found !== undefined) return found
  }
  return undefined
}

function toDialect<DB>(db: Kysely<DB>, given: unknown): SqlDialect {
  if (given !== undefined) return toKnownDialect(given)
  const dialect = detectDialect(db.getExecutor().adapter)
  if (dialect !== undefined) return dialect
  const name = db.getExecutor().adapter.constructor.name
  throw new ConfigurationError(
    `Expected a Kysely instance for PostgreSQL, MySQL, MariaDB or SQLite, got one with ${name}; ` +
      "if it speaks one of them, say which with the option `dialect`: 'postgres', 'mysql' or 'sqlite'",
  )
}

function createRun<DB>(db: Kysely<DB>, dialect: SqlDialect): Run {
  const getNow = (): number | null => (dialect === 'sqlite' ? Date.now() : null)
  return async ({ sql, names }, values = {}) => {
    const { rows, numAffectedRows, insertId } = await db.executeQuery<Record<string, unknown>>({
      sql,
      parameters: names.map((name) => values[name] ?? (name === 'now' ? getNow() : null)),
      query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
      queryId: { queryId: 'tokenwright' },
    })
    return { rows, count: Number(numAffectedRows ?? 0), number: Number(insertId ?? 0) }
  }
}

/**
 * Reads what the tables' names begin with.
 *
 * @throws {ConfigurationError} for an unfit one
 */
export function toPrefix(given: string | undefined): string {
  const prefix = given ?? 'tokenwright_'
  if (/^[a-z][a-z0-9_]{0,30}$/.test(prefix)) return prefix
  throw new ConfigurationError(
    expected('prefix', 'lower-case letters, digits and `_`, at most 31, starting with a letter', prefix),
  )
}

/**
 * Takes the name of a dialect.
 *
 * @throws {ConfigurationError} for any other word
 */
export function toKnownDialect(given: unknown): SqlDialect {
  if (typeof given === 'string' && DIALECTS.includes(given)) return given as SqlDialect
  throw new ConfigurationError(expected('dialect', "'postgres', 'mysql' or 'sqlite'", given))
}

/** A lock that waits its turn in one process. */
function createTurns(): <T>(step: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (step) => {
    const turn = last.then(step)
    last = turn.catch(() => undefined)
    return turn
  }
}

/**
 * SQLite's transactions take the write lock with their first word: one that reads first and writes later fails at once where
 * another process wrote meanwhile, whatever the busy timeout. A process has one connection, so that everything takes turns: Kysely's
 * own dialect sees to that, others may let a statement slip into somebody's transaction.
 */
function createSqlite<DB>(db: Kysely<DB>, compile: Compile): Pick<Database, 'run' | 'transact'> {
  const [begin, commit, rollback] = ['begin immediate', 'commit', 'rollback'].map(compile) as [
    Statement,
    Statement,
    Statement,
  ]
  const takeTurn = createTurns()
  const runAlone = createRun(db, 'sqlite')
  async function transact<T>(run: Run, step: (run: Run) => Promise<T>): Promise<T> {
    await run(begin)
    try {
      const result = await step(run)
      await run(commit)
      return result
    } catch (error) {
      // The transaction may be gone already; what went wrong first is what counts.
      await run(rollback).catch(() => undefined)
      throw error
    }
  }
  return {
    run: (statement, values) => takeTurn(() => runAlone(statement, values)),
    transact: (step) =>
      takeTurn(() =>
        db.connection().execute((connection) => transact(createRun(connection, 'sqlite'), step)),
      ),
  }
}

/** A server's transactions see what is committed: repeatable read would also lock the gap where an unknown session is looked for. */
function createServer<DB>(db: Kysely<DB>, dialect: SqlDialect): Pick<Database, 'run' | 'transact'> {
  return {
    run: createRun(db, dialect),
    transact: (step) =>
      db
        .transaction()
        .setIsolationLevel('read committed')
        .execute((transaction) => step(createRun(transaction, dialect))),
  }
}

/**
 * Looks at a Kysely instance.
 *
 * @param deadline how long a statement waits for a lock, in seconds
 * @throws {ConfigurationError} when its dialect is none of the three, or the prefix is unfit
 */
export function createDatabase<DB>(given: Kysely<DB>, settings: SqlSettings, deadline = 2): Database {
  const prefix = toPrefix(settings.prefix)
  const db = given.withoutPlugins()
  const dialect = toDialect(db, settings.dialect)
  const compile = createCompiler(dialect, prefix, deadline)
  return {
    dialect,
    prefix,
    compile,
    connect: (step) => db.connection().execute((connection) => step(createRun(connection, dialect))),
    ...(dialect === 'sqlite' ? createSqlite(db, compile) : createServer(db, dialect)),
  }
}
