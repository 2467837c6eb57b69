/**
 * Why the system refused something, in words for the person at the terminal. Only what stands in
 * this table or in an error's own code is said: messages of foreign errors may carry values.
 */

/** The one table of refusals, of the system and of databases, that a wrong setting leads to. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  ENOSPC: 'no space left',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection broke',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the host',
  ETIMEDOUT: 'no answer in time',
  ENOTFOUND: 'the host is unknown',
  EAI_AGAIN: 'the host is unknown',
  SQLITE_BUSY: 'another process keeps it locked',
  SQLITE_CANTOPEN: 'it cannot be opened',
  SQLITE_CORRUPT: 'it is damaged',
  SQLITE_FULL: 'no space left',
  SQLITE_NOTADB: 'it is not an SQLite database',
  SQLITE_READONLY: 'it is read-only',
  '28000': 'the user is not let in',
  '28P01': 'user or password is wrong',
  '3D000': 'there is no such database',
  '42501': 'permission denied',
  '53300': 'it has no connection left',
  '57P03': 'it is starting up',
  ER_ACCESS_DENIED_ERROR: 'user or password is wrong',
  ER_DBACCESS_DENIED_ERROR: 'permission denied',
  ER_BAD_DB_ERROR: 'there is no such database',
  ER_CON_COUNT_ERROR: 'it has no connection left',
  ER_TABLEACCESS_DENIED_ERROR: 'permission denied',
  PROTOCOL_CONNECTION_LOST: 'the connection broke',
  WRONGPASS: 'user or password is wrong',
  NOAUTH: 'it wants a password',
  NOPERM: 'permission denied',
  LOADING: 'it is starting up',
  READONLY: 'it is a read-only replica',
  MASTERDOWN: 'it has lost its master',
}

/** SQLite's primary result codes, which drivers give as numbers. */
const SQLITE_CODES: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
}

/**
 * The name of a refusal such as `EACCES` or `SQLITE_BUSY`; the error's own name where it has no
 * code.
 */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  // Redis begins its refusals with a word of its own.
  if (error.name === 'ReplyError') return /^[A-Z]+/.exec(error.message)?.[0] ?? error.name
  // The low byte is the primary code; the rest refines it.
  const sqlite = typeof errcode === 'number' ? SQLITE_CODES[errcode & 0xff] : undefined
  return sqlite ?? (typeof code === 'string' ? code : error.name)
}

/** The refusal in a few words. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error)
  return REASONS[code] ?? code
}
