/**
 * Runs our statements on the application's Kysely instance, or on its own functions
 * (`executor.ts`). Nothing of Kysely is imported at run time: its `executeQuery` takes any object
 * with the shape of a compiled query, so that no query is built per call. Plugins are switched off,
 * because one that renames columns would rename ours. The schema that `withSchema` sets is read
 * first.
 */
import type { Kysely } from 'kysely'
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import { withCausality } from './causal.ts'
import {
  checkShape,
  type Database,
  type Run,
  type SqlSettings,
  toKnownDialect,
  toPrefix,
  toSchema,
} from './database.ts'
import { checkExecutor, connectExecutor, isExecutor, type SqlExecutor } from './executor.ts'
import { createSqliteTurns } from './sqlite-turns.ts'
import { createCompiler, type SqlDialect, toParameters } from './statement.ts'

/**
 * Wraps a Kysely instance, a transaction of the caller, which the store then joins, or the
 * application's own functions.
 *
 * @param deadline how long a statement waits for a lock, in seconds
 * @throws {ConfigurationError} for an unknown dialect or an invalid name
 */
export function createDatabase<DB>(
  given: Kysely<DB> | SqlExecutor,
  settings: SqlSettings,
  deadline = 2,
): Database {
  const prefix = toPrefix(settings.prefix)
  if (isExecutor(given)) {
    const dialect = toKnownDialect(settings.dialect ?? given.dialect)
    checkExecutor(given, dialect)
    const schema = toSchema(settings.schema)
    const compile = createCompiler({ dialect, prefix, schema, deadline })
    const connected = connectExecutor(given, dialect, compile)
    return { dialect, prefix, schema, compile, ...connected, run: withCausality(connected.run) }
  }
  if (typeof given?.withoutPlugins !== 'function')
    throw new ConfigurationError(
      `${expected('db', 'a Kysely instance, or { dialect, run }', given)}; make one of the pool that you have: new Kysely({ dialect: new PostgresDialect({ pool }) })`,
    )
  const schema = toSchema(settings.schema ?? readSchema(given))
  const db = given.withoutPlugins()
  const dialect = settings.dialect === undefined ? detectDialect(db) : toKnownDialect(settings.dialect)
  const compile = createCompiler({ dialect, prefix, schema, deadline })
  const { isTransaction } = db
  const settled = { countsChanges: true, batch: null, isInteractive: true, isTransaction }
  const database = { dialect, prefix, schema, compile, ...settled }
  if (isTransaction) {
    const run = withCausality(createRun(db, dialect))
    return { ...database, run, connect: (step) => step(run), transact: (step) => step(run) }
  }
  const connect: Database['connect'] = (step) =>
    db.connection().execute((connection) => step(createRun(connection, dialect)))
  return {
    ...database,
    connect,
    ...(dialect === 'sqlite'
      ? createSqliteTurns({ run: createRun(db, dialect), connect, compile })
      : createServer(db, dialect)),
  }
}

/**
 * The dialect by the class of Kysely's adapter; adapters of other packages extend these classes.
 */
const ADAPTERS: Readonly<Record<string, SqlDialect>> = {
  PostgresAdapter: 'postgres',
  MysqlAdapter: 'mysql',
  SqliteAdapter: 'sqlite',
}

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
  return async (statement, values = {}) => {
    const { sql } = statement
    const { rows, numAffectedRows, insertId } = await db.executeQuery<Record<string, unknown>>({
      sql,
      parameters: toParameters(statement, values, dialect),
      query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
      queryId: { queryId: 'tokenwright' },
    })
    checkShape(rows[0])
    return { rows, count: Number(numAffectedRows ?? 0), number: Number(insertId ?? 0) }
  }
}

/** Read committed, because repeatable read also locks the gap of a session that does not exist. */
function createServer<DB>(db: Kysely<DB>, dialect: SqlDialect): Pick<Database, 'run' | 'transact'> {
  return {
    run: withCausality(createRun(db, dialect)),
    transact: (step) =>
      db
        .transaction()
        .setIsolationLevel('read committed')
        .execute((transaction) => step(createRun(transaction, dialect))),
  }
}
