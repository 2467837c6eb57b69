/**
 * A pool of `mysql2`, wrapped for Kysely's `MysqlDialect`: calls and waits for a connection have a
 * deadline, a connection that hung is closed, and no `error` event of the driver ends the process.
 */
import { readFlag } from '../../internal/read-options.ts'
import { DeadlineError, type DeadlineOptions, Generations, type Loose, readDeadline } from './deadline.ts'
import { isCutOff, isDriverError, isReadOnly } from './driver-error.ts'
import { MARK, PREPARED } from './statement.ts'

/** The used part of a pooled connection of `mysql2` (callbacks, not `mysql2/promise`). */
export interface MysqlConnectionLike {
  /** Runs a query. */
  query(...call: Loose[]): Loose
  /** Runs a statement that is prepared once on each connection. */
  execute?(...call: Loose[]): Loose
  /** Gives the connection back. */
  release(): void
  /** Closes the connection, and removes it from the pool. */
  destroy(): void
  /** The server's number for the connection. */
  readonly threadId: number
  /** The connection's settings. */
  readonly config?: object
  /** Listens to the connection's failures. */
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** The used part of a pool of `mysql2`. */
export interface MysqlPoolLike {
  /** Lends a connection. */
  getConnection(callback: (error: Loose, connection: Loose) => void): void
  /** Closes all connections. */
  end(callback?: (error: Loose) => void): void
}

/** A connection as Kysely's dialect takes it. */
export interface MysqlConnectionWithDeadlines {
  /** Runs a query within the deadline; without a callback it streams, without a deadline. */
  query(sql: string, parameters: Loose, callback?: (error: unknown, result: Loose) => void): Loose
  /** Gives the connection back, unless it hung. */
  release(): void
  /** Closes the connection. */
  destroy(): void
  /** Does nothing: the connection is already open. */
  connect(callback?: (error: unknown) => void): void
  /** The server's number for the connection. */
  readonly threadId: number
  /** The connection's settings. */
  readonly config: object
}

/** A pool as Kysely's `MysqlDialect` takes it, in 0.28 and 0.29. */
export interface MysqlPoolWithDeadlines {
  /** Lends a connection within the deadline. */
  getConnection(callback: (error: unknown, connection: MysqlConnectionWithDeadlines) => void): void
  /** Closes all connections. */
  end(callback: (error: unknown) => void): void
}

type Callback<T> = (error: unknown, result: T) => void

/** Calls back once: with the result or at the deadline, whichever comes first. */
function callOnce<T>(
  callback: Callback<T | undefined>,
  seconds: number,
  late: { readonly what: string; onDeadline(): void; onLate(result: T | undefined): void },
): Callback<T | undefined> {
  let over = false
  const timer = setTimeout(() => {
    over = true
    late.onDeadline()
    callback(new DeadlineError(`${late.what} took longer than ${seconds} seconds`), undefined)
  }, seconds * 1000)
  return (error, result) => {
    clearTimeout(timer)
    if (over) late.onLate(error ? undefined : result)
    else callback(error, result)
  }
}

/** What the connections of one pool share. */
interface Shared {
  readonly deadline: number
  readonly generations: Generations
  /** Whether statements are prepared: until the server, or what is before it, takes none. */
  prepares: boolean
}

/**
 * A server that does not prepare a statement, and has not run it: too many of them, one that a
 * pooler has prepared on another connection, a kind that this server or a pooler does not prepare.
 */
const NOT_PREPARED: ReadonlySet<unknown> = new Set([1243, 1295, 1461])

/** Runs a statement, prepared where that is worth it and goes. */
function send(
  connection: MysqlConnectionLike,
  shared: Shared,
  [sql, parameters, callback]: [string, Loose, Callback<Loose>],
): Loose {
  const query = (): Loose => connection.query(sql, parameters, callback)
  if (!shared.prepares || !sql.startsWith(PREPARED) || connection.execute === undefined) return query()
  return connection.execute(sql, parameters, (error: unknown, result: Loose) => {
    if (!isDriverError(error, ({ errno }) => NOT_PREPARED.has(errno))) return callback(error, result)
    shared.prepares = false
    query()
  })
}

function wrap(connection: MysqlConnectionLike, shared: Shared): MysqlConnectionWithDeadlines {
  const { deadline, generations } = shared
  let broken: Error | undefined
  // The running query rejects by itself; without a listener the event could end the process.
  connection.on('error', (error) => {
    broken ??= error
    generations.fail(connection)
  })
  function destroy(error: Error): void {
    if (broken === undefined) connection.destroy()
    broken ??= error
  }
  return {
    threadId: connection.threadId,
    config: connection.config ?? {},
    connect: (callback) => callback?.(null),
    query(sql, parameters, callback) {
      if (callback === undefined) return connection.query(sql, parameters)
      if (broken !== undefined) return callback(broken, undefined)
      const finish: Callback<unknown> = (error, result) => {
        const isOurs = sql.startsWith(MARK)
        if (isCutOff(error) || (isOurs && isReadOnly(error))) broken ??= error as Error
        if (isOurs && isReadOnly(error)) generations.fail(connection)
        callback(error, result)
      }
      const done = callOnce(finish, deadline, {
        what: 'A query',
        onDeadline() {
          generations.fail(connection)
          destroy(new DeadlineError('The connection hung before'))
        },
        onLate: () => undefined,
      })
      return send(connection, shared, [sql, parameters, done])
    },
    destroy: () => destroy(new DeadlineError('The connection was closed')),
    release() {
      if (broken === undefined && !generations.isOutdated(connection)) connection.release()
      else connection.destroy()
    },
  }
}

/**
 * Wraps a pool of `mysql2`.
 *
 * @throws {ConfigurationError} for an invalid deadline
 */
export function withMysqlDeadlines(
  pool: MysqlPoolLike,
  options: DeadlineOptions = {},
): MysqlPoolWithDeadlines {
  const deadline = readDeadline(options, ['deadline', 'prepared'])
  const generations = new Generations()
  const shared: Shared = { deadline, generations, prepares: readFlag('prepared', options.prepared ?? true) }
  // Kysely keys its state by the connection object, so each connection has one wrapper.
  const known = new WeakMap<MysqlConnectionLike, MysqlConnectionWithDeadlines>()
  function toWrapped(connection: MysqlConnectionLike): MysqlConnectionWithDeadlines {
    generations.note(connection)
    const wrapped = known.get(connection) ?? wrap(connection, shared)
    known.set(connection, wrapped)
    return wrapped
  }

  /** Lends a connection that is not older than a failure; the pool makes new ones. */
  function lend(callback: Callback<MysqlConnectionLike | undefined>): void {
    pool.getConnection((error: unknown, connection: MysqlConnectionLike | undefined) => {
      if (error || connection === undefined || !generations.isOutdated(connection))
        return callback(error, connection)
      connection.destroy()
      lend(callback)
    })
  }
  return {
    end: (callback) => pool.end(callback),
    getConnection(callback) {
      const done = callOnce<MysqlConnectionLike>(
        (error, connection) => {
          // Kysely's type requires a connection with an error too; its code checks the error first.
          callback(error, (connection && toWrapped(connection)) as MysqlConnectionWithDeadlines)
        },
        deadline,
        {
          what: 'The wait for a connection',
          onDeadline: () => undefined,
          onLate: (connection) => connection?.release(),
        },
      )
      lend(done)
    },
  }
}
