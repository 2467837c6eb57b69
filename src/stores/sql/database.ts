/**
 * Runs our statements on the application's Kysely instance. Nothing of Kysely is imported at run
 * time: its `executeQuery` takes any object with the shape of a compiled query, so that no query is
 * built per call. Plugins are switched off, because one that renames columns would rename ours. The
 * schema that `withSchema` sets is read first.
 */
import type { Kysely } from 'kysely'
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import { isDate } from '../../internal/duration.ts'
import { type Compile, createCompiler, type SqlDialect, type Statement, type Values } from './statement.ts'

/** The result of a statement. */
export interface Result {
  /** The rows; integers may be numbers, strings or bigints: read them with `Number()`. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** How many rows a change found; 0 for a read. */
  readonly count: number
  /** MySQL: the number that `last_insert_id(n)` set; 0 for none. */
  readonly number: number
}

/** Runs one statement: one round trip. */
export type Run = (statement: Statement, values?: Values) => Promise<Result>

/** A database and its settings. */
export interface Database {
  /** Its dialect. */
  readonly dialect: SqlDialect
  /** The prefix of the tables' names. */
  readonly prefix: string
  /** The tables' schema; null for the connection's own. */
  readonly schema: string | null
  /** Whether every statement belongs to a transaction of the caller. */
  readonly isTransaction: boolean
  /** Compiles templates. */
  readonly compile: Compile
  /** Runs a statement on its own, committed when it is done. */
  readonly run: Run
  /** Runs a step on one connection, without a transaction. */
  connect<T>(step: (run: Run) => Promise<T>): Promise<T>
  /** Runs a step in a transaction with the isolation level read committed. */
  transact<T>(step: (run: Run) => Promise<T>): Promise<T>
}

/** Where the tables are. */
export interface SqlSettings {
  /** The dialect; default: that of the Kysely instance. MariaDB is `'mysql'`. */
  readonly dialect?: SqlDialect
  /**
   * The prefix of the tables' names: lower-case letters, digits and `_`, at most 31 characters.
   * Default `'tokenwright_'`.
   */
  readonly prefix?: string
  /**
   * The schema of the tables, on MySQL the database: letters, digits, `_`, `$` and `-`, at most 63
   * characters. Default: that of `db.withSchema(...)`, else the connection's own. It must exist.
   */
  readonly schema?: string
}

/**
 * Wraps a Kysely instance, or a transaction of the caller, which the store then joins.
 *
 * @param deadline how long a statement waits for a lock, in seconds
 * @throws {ConfigurationError} for an unknown dialect or an invalid name
 */
export function createDatabase<DB>(given: Kysely<DB>, settings: SqlSettings, deadline = 2): Database {
  const prefix = toPrefix(settings.prefix)
  if (typeof given?.withoutPlugins !== 'function')
    throw new ConfigurationError(
      `${expected('db', 'a Kysely instance', given)}; make one of the pool that you have: new Kysely({ dialect: new PostgresDialect({ pool }) })`,
    )
  const schema = toSchema(settings.schema ?? readSchema(given))
  const db = given.withoutPlugins()
  const dialect = settings.dialect === undefined ? detectDialect(db) : toKnownDialect(settings.dialect)
  const compile = createCompiler({ dialect, prefix, schema, deadline })
  const database = { dialect, prefix, schema, compile, isTransaction: db.isTransaction }
  if (db.isTransaction) {
    const run = createRun(db, dialect)
    return { ...database, run, connect: (step) => step(run), transact: (step) => step(run) }
  }
  return {
    ...database,
    connect: (step) => db.connection().execute((connection) => step(createRun(connection, dialect))),
    ...(dialect === 'sqlite' ? createSqlite(db, compile) : createServer(db, dialect)),
  }
}

/**
 * Reads the prefix of the tables' names.
 *
 * @throws {ConfigurationError} for an invalid one
 */
export function toPrefix(given: string | undefined): string {
  const prefix = given ?? 'tokenwright_'
  if (/^[a-z][a-z0-9_]{0,30}$/.test(prefix)) return prefix
  throw new ConfigurationError(
    expected('prefix', 'lower-case letters, digits and `_`, at most 31, starting with a letter', prefix),
  )
}

/**
 * Reads the name of a schema; null for none.
 *
 * @throws {ConfigurationError} for an invalid one
 */
export function toSchema(given: string | undefined): string | null {
  if (given === undefined) return null
  if (/^[A-Za-z_][\w$-]{0,62}$/.test(given)) return given
  throw new ConfigurationError(expected('schema', 'letters, digits, `_`, `$` and `-`, at most 63', given))
}

/**
 * Reads the name of a dialect.
 *
 * @throws {ConfigurationError} for any other word
 */
export function toKnownDialect(given: unknown): SqlDialect {
  if (typeof given === 'string' && DIALECTS.includes(given)) return given as SqlDialect
  throw new ConfigurationError(expected('dialect', "'postgres', 'mysql' or 'sqlite'", given))
}

/**
 * The dialect by the class of Kysely's adapter; adapters of other packages extend these classes.
 */
const ADAPTERS: Readonly<Record<string, SqlDialect>> = {
  PostgresAdapter: 'postgres',
  MysqlAdapter: 'mysql',
  SqliteAdapter: 'sqlite',
}

const DIALECTS: readonly string[] = Object.values(ADAPTERS)

function detectDialect<DB>(db: Kysely<DB>): SqlDialect {
  const { adapter } = db.getExecutor()
  for (let type: object | null = adapter; type !== null; type = Object.getPrototypeOf(type)) {
    const found = ADAPTERS[type.constructor.name]
    if (found !== undefined) return found
  }
  throw new ConfigurationError(
    `Expected a Kysely instance for PostgreSQL, MySQL, MariaDB or SQLite, got one with ${adapter.constructor.name}; ` +
      "if it speaks one of them, say which with the option `dialect`: 'postgres', 'mysql' or 'sqlite'",
  )
}

/** The schema that the instance's plugins add to a table's name; undefined for none. */
function readSchema<DB>(db: Kysely<DB>): string | undefined {
  if (typeof (db as { readonly selectFrom?: unknown }).selectFrom !== 'function') return undefined
  const node: unknown = (db as unknown as Kysely<Record<string, object>>)
    .selectFrom('tokenwright')
    .selectAll()
    .toOperationNode()
  const { from } = node as { from?: { froms?: readonly TableNode[] } }
  return from?.froms?.[0]?.table?.schema?.name
}

/** The part of Kysely's `TableNode` that names the schema. */
interface TableNode {
  readonly table?: { readonly schema?: { readonly name: string } }
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
    checkShape(rows[0])
    return { rows, count: Number(numAffectedRows ?? 0), number: Number(insertId ?? 0) }
  }
}

/** Refuses rows as arrays, or as an object for each table. No column of ours is an object. */
function checkShape(row: Record<string, unknown> | undefined): void {
  if (row === undefined) return
  const nested = Array.isArray(row) || Object.values(row).some(isPlainObject)
  if (!nested) return
  throw new ConfigurationError(
    'Expected the driver to return rows as flat objects: leave out `rowsAsArray` and `nestTables` (mysql2), `rowMode` (pg)',
  )
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !isDate(value)
}

/**
 * SQLite's transactions take the write lock at once (`begin immediate`): one that reads first and
 * writes later fails if another process wrote meanwhile, whatever the busy timeout. A process has
 * one connection, so all calls take turns here. Kysely's own dialect serializes them too, but
 * others may run a statement inside another call's transaction.
 */
function createSqlite<DB>(db: Kysely<DB>, compile: Compile): Pick<Database, 'run' | 'transact'> {
  const begin = compile('begin immediate')
  const commit = compile('commit')
  const rollback = compile('rollback')
  const runAlone = createRun(db, 'sqlite')
  let last: Promise<unknown> = Promise.resolve()

  function takeTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = last.then(step)
    last = turn.catch(() => undefined)
    return turn
  }
  async function transact<T>(run: Run, step: (run: Run) => Promise<T>): Promise<T> {
    await run(begin)
    try {
      const result = await step(run)
      await run(commit)
      return result
    } catch (error) {
      // The transaction may be gone already; the first failure is the one to report.
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

/** Read committed, because repeatable read also locks the gap of a session that does not exist. */
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
