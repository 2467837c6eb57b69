/**
 * `node:sqlite` for Kysely's `SqliteDialect`, which expects the interface of better-sqlite3. The
 * package `@photostructure/sqlite` has the interface of `node:sqlite` and works too.
 */

import { checkMethod } from '../../internal/configuration-error.ts'

/** The used part of a `DatabaseSync` of `node:sqlite`. */
export interface NodeSqliteConnection {
  /** Closes the file. */
  close(): void
  /** Prepares a statement. */
  prepare(sql: string): NodeSqliteStatement
}

/** The used part of a `StatementSync` of `node:sqlite`. */
export interface NodeSqliteStatement {
  /** The columns of the result; none for a statement without one. */
  columns(): readonly unknown[]
  /** Runs it and returns all rows. */
  all(...parameters: never[]): unknown[]
  /** Runs it and returns what it changed. */
  run(...parameters: never[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  /** Runs it and returns row after row. */
  iterate(...parameters: never[]): Iterable<unknown>
}

/** A database as Kysely's `SqliteDialect` takes it. */
export interface KyselySqliteDatabase {
  /** Closes the file. */
  close(): void
  /** Prepares a statement. */
  prepare(sql: string): {
    readonly reader: boolean
    all(parameters: readonly unknown[]): unknown[]
    run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
    iterate(parameters: readonly unknown[]): IterableIterator<unknown>
  }
}

/**
 * Adapts a connection of `node:sqlite` to Kysely's `SqliteDialect`.
 *
 * @param connection an open `DatabaseSync`, with a busy timeout of 0
 * @throws {ConfigurationError} for anything else
 *
 * @example
 * ```ts no-check
 * import { DatabaseSync } from 'node:sqlite'
 * import { Kysely, SqliteDialect } from 'kysely'
 * import { nodeSqlite, sqlStore } from 'tokenwright/stores/sql'
 *
 * const database = nodeSqlite(new DatabaseSync('sessions.db', { timeout: 0 }))
 * const store = sqlStore(new Kysely({ dialect: new SqliteDialect({ database }) }))
 * ```
 */
export function nodeSqlite(connection: NodeSqliteConnection): KyselySqliteDatabase {
  checkMethod('connection', 'an open `DatabaseSync` of `node:sqlite`', connection, 'prepare')
  return {
    close: () => connection.close(),
    prepare(sql) {
      const statement = connection.prepare(sql)
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as never[])),
        run: (parameters) => statement.run(...(parameters as never[])),
        iterate: (parameters) => statement.iterate(...(parameters as never[])) as IterableIterator<unknown>,
      }
    },
  }
}
