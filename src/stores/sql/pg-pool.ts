/**
 * A pool of `pg`, wrapped for Kysely's `PostgresDialect`: calls have a deadline, a connection that
 * hung or broke is closed, and no `error` event of the driver ends the process. Our own statements
 * are prepared under names, so that the server plans each once per connection: without, a refresh
 * takes twice as long.
 */
import { createHash } from 'node:crypto'
import { type DeadlineOptions, Generations, type Loose, readDeadline, within } from './deadline.ts'
import { MARK } from './statement.ts'

/** The used part of a client of `pg`. */
export interface PgClientLike {
  /** Carries out a query. */
  query(...call: Loose[]): Loose
  /** Gives the client back; closes it instead where there was an error. */
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
  /** Tells of each new client. */
  on(event: 'connect', listener: (client: Loose) => void): unknown
  /** The pool's settings. */
  readonly options: object
}

/** A client as Kysely's dialect takes it. */
export interface PgClientWithDeadlines {
  /** Carries out a query within the deadline; a cursor passes as it is. */
  query(query: Loose, parameters?: readonly unknown[]): Loose
  /** Gives the client back, or closes it where it hung or broke. */
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

/** What a client's wrapper knows while the client is lent. */
interface Loan {
  broken: Error | undefined
}

/** Names of our own texts, which are few. */
const names = new Map<string, string>()

function toName(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `tokenwright_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
  names.set(text, name)
  return name
}

function wrap(
  client: PgClientLike,
  deadline: number,
  generations: Generations,
): { client: PgClientWithDeadlines; lend(): void } {
  const loan: Loan = { broken: undefined }
  const onError = (error: Error): void => {
    loan.broken ??= error
    generations.fail(client)
  }
  async function query(text: string, values: readonly unknown[]): Promise<unknown> {
    if (loan.broken !== undefined) throw loan.broken
    const call: Promise<unknown> = text.startsWith(MARK)
      ? client.query({ name: toName(text), text, values })
      : client.query(text, values)
    try {
      return await within(call, deadline, 'A query')
    } catch (error) {
      if (error instanceof Error && error.name === 'DeadlineError') onError(error)
      throw error
    }
  }
  return {
    client: {
      // A cursor is no text, and reads in its own time.
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
 * Sets the pool's `connectionTimeoutMillis` to the deadline where it has none: only the pool itself
 * can give up a connection attempt.
 *
 * @throws {ConfigurationError} when the deadline is unfit
 */
export function withPgDeadlines(pool: PgPoolLike, options: DeadlineOptions = {}): PgPoolWithDeadlines {
  const deadline = readDeadline(options)
  const settings = pool.options as Record<string, unknown>
  settings['connectionTimeoutMillis'] ||= Math.ceil(deadline * 1000)
  const generations = new Generations()
  // The pool has thrown away the idle client that broke; without a listener the event would end the
  // process.
  pool.on('error', (_error, client?: object) => client && generations.fail(client))
  pool.on('connect', (client) => {
    generations.note(client)
    // A driver's error between the greeting and the loan finds no listener of the pool or of ours.
    client.on('error', () => undefined)
  })
  // Kysely knows a connection by its object, and greets each new one.
  const known = new WeakMap<PgClientLike, ReturnType<typeof wrap>>()
  async function lend(): Promise<PgClientLike> {
    const lending = pool.connect()
    let given = false
    lending.then((late) => given && late.release()).catch(() => undefined)
    try {
      return await within(lending, deadline, 'The wait for a connection')
    } catch (error) {
      // What comes now goes back at once.
      given = true
      throw error
    }
  }
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      let client = await lend()
      // A pool has few such clients, and makes a new one when they are gone.
      for (; generations.isOutdated(client); client = await lend()) client.release(true)
      const wrapped = known.get(client) ?? wrap(client, deadline, generations)
      known.set(client, wrapped)
      wrapped.lend()
      return wrapped.client
    },
  }
}
