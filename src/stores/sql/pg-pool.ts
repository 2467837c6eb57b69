/**
 * A pool of `pg`, wrapped for Kysely's `PostgresDialect`: calls have a deadline, a connection that
 * hung or broke is closed, and no `error` event of the driver ends the process. Our own statements
 * are prepared under names, so that the server plans each once per connection: otherwise a refresh
 * takes twice as long.
 */
import { createHash } from 'node:crypto'
import { readFlag } from '../../internal/read-options.ts'
import { type DeadlineOptions, Generations, type Loose, readDeadline, within } from './deadline.ts'
import { isDriverError, isReadOnly, STATEMENT_NAME_CODES } from './driver-error.ts'
import { MARK } from './statement.ts'

/** The used part of a client of `pg`. */
export interface PgClientLike {
  /** Runs a query. */
  query(...call: Loose[]): Loose
  /** Gives the client back; closes it instead if there was an error. */
  release(error?: Error | boolean): void
  /** The server process of the connection. */
  readonly processID?: number | null
  /** Listens to an event. */
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Stops listening. */
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** The used part of a `Pool` of `pg`. */
export interface PgPoolLike {
  /** Lends a client. */
  connect(): Promise<PgClientLike>
  /** Closes all clients. */
  end(): Promise<void>
  /** Listens to the failures of idle clients. */
  on(event: 'error', listener: (error: Error, client?: Loose) => void): unknown
  /** Listens to the creation of clients. */
  on(event: 'connect', listener: (client: Loose) => void): unknown
  /** The pool's settings. */
  readonly options: object
}

/** A client as Kysely's dialect takes it. */
export interface PgClientWithDeadlines {
  /** Runs a query within the deadline; a cursor has no deadline. */
  query(query: Loose, parameters?: readonly unknown[]): Loose
  /** Gives the client back, or closes it if it hung or broke. */
  release(destroy?: boolean): void
  /** The server process of the connection. */
  readonly processID?: number
}

/** A pool as Kysely's `PostgresDialect` takes it, in 0.28 and 0.29. */
export interface PgPoolWithDeadlines {
  /** Lends a client within the deadline. */
  connect(): Promise<PgClientWithDeadlines>
  /** Closes all clients. */
  end(): Promise<void>
  /** The pool's settings. */
  readonly options: object
}

/** The state of a client while it is lent. */
interface Loan {
  broken: Error | undefined
}

/** The names of our own statements, which are few. */
const names = new Map<string, string>()

function toName(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `tokenwright_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
  names.set(text, name)
  return name
}

/** What the clients of one pool share. */
interface PoolState {
  /** The deadline of a call, in seconds. */
  readonly deadline: number
  /** Whether our statements are prepared under names. */
  named: boolean
}

function wrap(
  client: PgClientLike,
  state: PoolState,
  generations: Generations,
): { client: PgClientWithDeadlines; lend(): void } {
  const loan: Loan = { broken: undefined }
  const onError = (error: Error): void => {
    loan.broken ??= error
    generations.fail(client)
  }
  async function query(text: string, values: readonly unknown[]): Promise<unknown> {
    if (loan.broken !== undefined) throw loan.broken
    const isNamed = state.named && text.startsWith(MARK)
    const call: Promise<unknown> = isNamed
      ? client.query({ name: toName(text), text, values })
      : client.query(text, values)
    try {
      return await within(call, state.deadline, 'A query')
    } catch (error) {
      const isRefused = text.startsWith(MARK) && isReadOnly(error)
      if (error instanceof Error && (error.name === 'DeadlineError' || isRefused)) onError(error)
      // Behind a pooler the names of other clients' connections are in the way. The store tries
      // again, since nothing has run.
      if (isNamed && isDriverError(error, ({ code }) => STATEMENT_NAME_CODES.includes(String(code))))
        state.named = false
      throw error
    }
  }
  return {
    client: {
      // A cursor is not a string, and has no deadline.
      query: (asked: unknown, values: readonly unknown[] = []) =>
        typeof asked === 'string' ? query(asked, values) : client.query(asked),
      release(destroy) {
        client.removeListener('error', onError)
        client.release(loan.broken ?? (destroy || generations.isOutdated(client)))
      },
      ...(typeof client.processID === 'number' ? { processID: client.processID } : {}),
    },
    lend() {
      client.on('error', onError)
    },
  }
}

/**
 * Wraps a pool of `pg`.
 *
 * Sets the pool's `connectionTimeoutMillis` to the deadline if it has none: only the pool itself
 * can abort a connection attempt.
 *
 * @throws {ConfigurationError} for an invalid deadline
 */
export function withPgDeadlines(pool: PgPoolLike, options: DeadlineOptions = {}): PgPoolWithDeadlines {
  const deadline = readDeadline(options, ['deadline', 'named'])
  const state: PoolState = { deadline, named: readFlag('named', options.named ?? true) }
  const settings = pool.options as Record<string, unknown>
  settings['connectionTimeoutMillis'] ||= Math.ceil(deadline * 1000)
  const generations = new Generations()
  // The pool has discarded the broken idle client; without a listener the event ends the process.
  pool.on('error', (_error, client?: object) => client && generations.fail(client))
  pool.on('connect', (client) => {
    generations.note(client)
    // Between `connect` and the loan neither the pool nor this wrapper listens to a driver's error.
    client.on('error', () => undefined)
  })
  // Kysely keys its state by the client object, so each client has one wrapper.
  const known = new WeakMap<PgClientLike, ReturnType<typeof wrap>>()
  async function lend(): Promise<PgClientLike> {
    const lending = pool.connect()
    let isOver = false
    lending.then((late) => isOver && late.release()).catch(() => undefined)
    try {
      return await within(lending, deadline, 'The wait for a connection')
    } catch (error) {
      // A client that comes now goes back at once.
      isOver = true
      throw error
    }
  }
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      let client = await lend()
      // A pool has few outdated clients, and makes a new one when they are gone.
      for (; generations.isOutdated(client); client = await lend()) client.release(true)
      const wrapped = known.get(client) ?? wrap(client, state, generations)
      known.set(client, wrapped)
      wrapped.lend()
      return wrapped.client
    },
  }
}
