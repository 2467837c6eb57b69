/**
 * Describes errors of the operating system and of databases for the operator. It uses only this
 * table and the error's code: the message of a foreign error may contain secret values.
 */

/** The errors that a wrong setting can cause, by code. */
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
  ECONNREFUSED: 'no server listens there',
  ECONNRESET: 'the connection broke',
  EHOSTUNREACH: 'the host is unreachable',
  ENETUNREACH: 'the network is unreachable',
  ETIMEDOUT: 'no response in time',
  ENOTFOUND: 'the host is unknown',
  EAI_AGAIN: 'the host is unknown',
  SQLITE_BUSY: 'another process keeps it locked',
  SQLITE_CANTOPEN: 'it cannot be opened',
  SQLITE_CORRUPT: 'it is damaged',
  SQLITE_FULL: 'no space left',
  SQLITE_NOTADB: 'it is not an SQLite database',
  SQLITE_READONLY: 'it is read-only',
  '28000': 'the user may not connect',
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
  NOAUTH: 'it requires a password',
  NOPERM: 'permission denied',
  LOADING: 'it is starting up',
  READONLY: 'it is a read-only replica',
  MASTERDOWN: 'it has lost its master',
}

/** SQLite's primary result codes, which drivers report as numbers. */
const SQLITE_CODES: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
}

/** The code of an error, such as `EACCES` or `SQLITE_BUSY`, or its name if it has no code. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  // The message of a Redis error begins with its code.
  if (error.name === 'ReplyError') return /^[A-Z]+/.exec(error.message)?.[0] ?? error.name
  // The low byte is the primary code. The other bytes refine it.
  const sqlite = typeof errcode === 'number' ? SQLITE_CODES[errcode & 0xff] : undefined
  return sqlite ?? (typeof code === 'string' ? code : error.name)
}

/** The reason for an error, in a few words. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error)
  return REASONS[code] ?? code
}
