/**
 * Describes errors of the operating system and of databases for the operator. It uses only tables
 * and the error's code: the message of a foreign error may contain secret values.
 */
import { explainFailure } from 'tokenwright'

/** The errors of files and ports that a wrong setting can cause, by code. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
}

/** The code of an error, such as `EACCES` or `SQLITE_BUSY`, or its name if it has no code. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code } = error as { code?: unknown }
  return explainFailure(error)?.code ?? (typeof code === 'string' ? code : error.name)
}

/** The reason for an error, in a few words. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error)
  return REASONS[code] ?? explainFailure(error)?.reason ?? code
}
