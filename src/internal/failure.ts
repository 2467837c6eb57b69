/**
 * What the failure of a database or of a Redis means, in plain words, and what mends it. Known by
 * the codes of engines and drivers; never by a part of a message, which may hold a value.
 */

/** What a failure means. */
export interface FailureExplanation {
  /** The code that it was known by, such as `READONLY`, `53300` or `ER_CON_COUNT_ERROR`. */
  readonly code: string
  /** What is wrong, in a few words, such as `it has no connection left`. */
  readonly reason: string
  /** What to do. */
  readonly advice: string
}

// cspell:ignoreRegExp [A-Z0-9_]{4,}
/** Codes, what they mean, and what to do. */
type Row = readonly [codes: string, reason: string, advice: string]

const ROWS: readonly Row[] = [
  [
    'MaxRetriesPerRequestError',
    'no connection to it lasts',
    'start it, or correct the address that its client was given; the event `error` of the client says more',
  ],
  [
    'POOL_TIMEOUT',
    'no connection of the pool became free in time',
    'make the pool larger, and give back each connection that is taken from it',
  ],
  [
    'TOO_MANY_CALLS',
    'too many calls of it wait for a place',
    'look at how long its calls take; where it could take more at once, raise `sessions.concurrency`',
  ],
  ['ECONNREFUSED', 'no server listens there', 'start it, or correct the address that its client was given'],
  ['ENOTFOUND EAI_AGAIN', 'the host is unknown', 'correct the address that its client was given'],
  [
    'EHOSTUNREACH ENETUNREACH EHOSTDOWN ENETDOWN',
    'the host is unreachable',
    'look at the network between this process and it',
  ],
  [
    'ECONNRESET EPIPE PROTOCOL_CONNECTION_LOST ER_SERVER_SHUTDOWN 57P01 57P02 08006 08003 UNCERTAINSTATE',
    'the connection broke',
    'look at its log if this goes on: the next call makes a new connection',
  ],
  [
    'ETIMEDOUT ESOCKETTIMEDOUT 57014 ER_QUERY_TIMEOUT ER_STATEMENT_TIMEOUT',
    'no response in time',
    'look at its load, its locks and the network between',
  ],
  [
    '53300 08004 ER_CON_COUNT_ERROR ER_TOO_MANY_USER_CONNECTIONS ER_USER_LIMIT_REACHED',
    'it has no connection left',
    'make the pools of all processes together smaller than its limit, or raise the limit',
  ],
  ['MAXCLIENTS', 'it has no connection left', 'close what is not used, or raise `maxclients`'],
  [
    '53100 ENOSPC ER_DISK_FULL ER_RECORD_FILE_FULL SQLITE_FULL',
    'no space left',
    'make space where it keeps its files; what is stored is kept',
  ],
  ['MISCONF', 'it cannot save to its disk', 'read its log, and give it space or permission there'],
  [
    'OOM',
    'its memory is full',
    'raise `maxmemory`, and keep `maxmemory-policy noeviction`: other policies remove sessions',
  ],
  ['53200 ER_OUT_OF_RESOURCES ER_OUTOFMEMORY', 'its memory is full', 'give it more, or less to do'],
  [
    'READONLY 25006 ER_OPTION_PREVENTS_STATEMENT ER_READ_ONLY_MODE ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
    'it is a read-only replica',
    'give the store a client of the primary',
  ],
  [
    'SQLITE_READONLY EROFS',
    'it is read-only',
    'give the process permission to write the file and its folder',
  ],
  ['42P01 3F000 ER_NO_SUCH_TABLE', 'its tables are missing', 'migrate them with `npx tokenwright migrate`'],
  [
    '42703 ER_BAD_FIELD_ERROR',
    'its tables are of another version',
    'migrate them with `npx tokenwright migrate`',
  ],
  [
    '42501 ER_TABLEACCESS_DENIED_ERROR ER_DBACCESS_DENIED_ERROR ER_COLUMNACCESS_DENIED_ERROR NOPERM',
    'permission denied',
    'grant its user what the guide on sessions lists',
  ],
  [
    '28P01 ER_ACCESS_DENIED_ERROR WRONGPASS',
    'user or password is wrong',
    'correct what its client was given',
  ],
  ['28000', 'the user may not connect', 'allow it, as in `pg_hba.conf`'],
  ['NOAUTH', 'it requires a password', 'give its client one'],
  ['3D000 ER_BAD_DB_ERROR', 'there is no such database', 'create it, or correct its name'],
  ['57P03 LOADING', 'it is starting up', 'wait: calls succeed when it is ready'],
  ['MASTERDOWN', 'it has lost its master', 'give the store a client of the primary'],
  ['CLUSTERDOWN', 'its cluster is not whole', 'bring back the nodes that hold the missing slots'],
  [
    'NOREPLICAS',
    'it has too few replicas to take writes',
    'bring them back, or lower `min-replicas-to-write`',
  ],
  [
    'ER_UNKNOWN_COM_ERROR WSREP_NOT_READY',
    'its node has left the cluster',
    'connect to a node of the majority, or bring this one back',
  ],
  ['SQLITE_BUSY SQLITE_LOCKED', 'another process keeps it locked', 'end what holds a transaction open'],
  ['SQLITE_CANTOPEN', 'it cannot be opened', 'create its folder, or correct its path'],
  ['SQLITE_CORRUPT', 'it is damaged', 'restore it from a backup'],
  ['SQLITE_NOTADB', 'it is not an SQLite database', 'correct its path'],
  ['SQLITE_IOERR', 'its disk fails', 'look at the disk'],
]

/** What has no code: that of its row, by the beginning of its message, which is always the same. */
const MESSAGES: readonly (readonly [start: string, code: string])[] = [
  ["ERR The user executing the script can't run this command", 'NOPERM'],
  ['ERR max number of clients', 'MAXCLIENTS'],
  ['Reached the max retries per request limit', 'MaxRetriesPerRequestError'],
  ['timeout exceeded when trying to connect', 'POOL_TIMEOUT'],
  ['Connection terminated due to connection timeout', 'ETIMEDOUT'],
  ['Connection terminated unexpectedly', 'ECONNRESET'],
  ['Connection is closed.', 'ECONNRESET'],
  ['attempt to write a readonly database', 'SQLITE_READONLY'],
  ['database or disk is full', 'SQLITE_FULL'],
  ['database is locked', 'SQLITE_BUSY'],
  ['database table is locked', 'SQLITE_LOCKED'],
  ['disk I/O error', 'SQLITE_IOERR'],
  ['database disk image is malformed', 'SQLITE_CORRUPT'],
  ['unable to open database file', 'SQLITE_CANTOPEN'],
  ['file is not a database', 'SQLITE_NOTADB'],
]

const EXPLANATIONS: ReadonlyMap<string, FailureExplanation> = new Map(
  ROWS.flatMap(([codes, reason, advice]) =>
    codes.split(' ').map((code) => [code, { code, reason, advice }] as const),
  ),
)

/** SQLite's primary result codes, which `node:sqlite` reports as numbers. */
const SQLITE_CODES: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
}

/** How many wrappers around an error are opened. */
const MOST_WRAPPERS = 5

/**
 * Says what a failure of a database or a Redis means and what mends it, for logs: such as the
 * `cause` of `store_unavailable`. Reads the codes of PostgreSQL, MariaDB, MySQL, SQLite, Redis and
 * of sockets, also where a query builder or a connection pool wraps them.
 *
 * @returns undefined for what it does not know
 */
export function explainFailure(error: unknown): FailureExplanation | undefined {
  let current = error
  for (let depth = 0; depth < MOST_WRAPPERS && typeof current === 'object' && current !== null; depth++) {
    const { meta, cause, errors } = current as {
      readonly meta?: unknown
      readonly cause?: unknown
      readonly errors?: readonly unknown[]
    }
    // A socket tries all addresses of a host, and has one error for each.
    const found = [current, meta, ...(Array.isArray(errors) ? errors : [])].map(lookUp).find(Boolean)
    if (found !== undefined) return found
    current = cause
  }
  return undefined
}

/** By the code, or by what the message begins with: of a Redis error a word in capitals. */
function lookUp(error: unknown): FailureExplanation | undefined {
  const { code, errcode, message } = Object(error) as {
    readonly code?: unknown
    readonly errcode?: unknown
    readonly message?: unknown
  }
  if (typeof errcode === 'number') return EXPLANATIONS.get(SQLITE_CODES[errcode & 0xff] ?? '')
  // Drivers with the interface of node:sqlite have the result code in `errcode`, but not always.
  if (typeof code === 'string' && code !== 'ERR_SQLITE_ERROR') {
    // SQLite's extended codes begin with the primary one.
    const [sqlite] = /^SQLITE_[A-Z]+/.exec(code) ?? []
    return EXPLANATIONS.get(sqlite ?? code)
  }
  const text = String(message)
  const [, known] = MESSAGES.find(([start]) => text.startsWith(start)) ?? []
  const [word = ''] = /^[A-Z]{3,}(?= )/.exec(text) ?? []
  return EXPLANATIONS.get(known ?? word)
}

/**
 * One line for the operator: what is wrong, by which code, and what to do. The message of the error
 * itself where it is not known.
 */
export function describeFailure(error: unknown): string {
  const known = explainFailure(error)
  if (known !== undefined) return `${known.reason} (${known.code}): ${known.advice}`
  return error instanceof Error ? error.message : typeof error
}
