/**
 * Parses `DATABASE_URL` and `REDIS_URL`, without any look-up. Such an address may contain a
 * password, so no error message quotes it. What may be shown is kept apart: the kind, the host and
 * the name of the database.
 */
import { resolve } from 'node:path'
import { ConfigurationError } from 'tokenwright'

/** A database in a local file. */
export interface FileLocation {
  readonly kind: 'sqlite'
  /** An absolute path, or `:memory:`. */
  readonly path: string
  /**
   * Whether a missing folder may be created. Only for the default path: in any other path, a
   * missing folder is probably a typo.
   */
  readonly createFolder: boolean
}

/** A database that is reached over the network. */
export interface RemoteLocation<K extends string = 'postgres' | 'mysql'> {
  readonly kind: K
  /** The address for the driver, with the password. Never shown. */
  readonly url: string
  /** The address without its secrets, for messages. */
  readonly shown: string
}

/** Where the users are kept, and the sessions if there is no Redis. */
export type DatabaseLocation = FileLocation | RemoteLocation

/** The address of a Redis server. */
export type RedisLocation = RemoteLocation<'redis'>

/** The default database, relative to the current directory. Git ignores it. */
export const DEFAULT_DATABASE_URL = 'sqlite:./.data/tokenwright.db'

/** The schemes of `DATABASE_URL`. */
const DATABASES: Readonly<Record<string, (text: string, cwd: string) => DatabaseLocation>> = {
  sqlite: readFile,
  postgres: (text) => readRemote(text, 'postgres'),
  postgresql: (text) => readRemote(text, 'postgres'),
  mysql: (text) => readRemote(text, 'mysql'),
  mariadb: (text) => readRemote(text, 'mysql'),
}

/** Reads `DATABASE_URL`. */
export function readDatabase(text = '', cwd = ''): DatabaseLocation {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? ''
  const read = Object.hasOwn(DATABASES, scheme) ? DATABASES[scheme] : undefined
  if (read) return Object.freeze(read(text, cwd))
  throw new ConfigurationError(
    `DATABASE_URL: the address is not understood; use sqlite:<path>, for example ${DEFAULT_DATABASE_URL}, ` +
      'postgres://user@host/database or mysql://user@host/database',
  )
}

/** Reads `REDIS_URL`. Undefined if it is empty. */
export function readRedis(text = ''): RedisLocation | undefined {
  if (text === '') return undefined
  const url = parse(text)
  if (url === null || !/^rediss?:$/.test(url.protocol) || !/^(?:\/\d{0,4})?$/.test(url.pathname)) {
    throw new ConfigurationError(
      'REDIS_URL must be redis://host:port, with /number for another database than 0, and rediss: for TLS',
    )
  }
  return Object.freeze({ kind: 'redis', url: text, shown: show('redis', url) })
}

/** A location as messages may show it. */
export function showLocation(location: DatabaseLocation | RedisLocation): string {
  return location.kind === 'sqlite' ? location.path : location.shown
}

/**
 * `sqlite:x.db`, `sqlite:/x.db` and `sqlite:///x.db` (the empty authority of a URL);
 * `sqlite::memory:`.
 */
function readFile(text: string, cwd: string): FileLocation {
  const rest = text.slice('sqlite:'.length)
  if (rest === ':memory:') return { kind: 'sqlite', path: rest, createFolder: false }
  const path = rest.startsWith('///') ? rest.slice(2) : rest
  if (path === '' || path.startsWith('//') || path.endsWith('/') || /[?#]/.test(path)) {
    throw new ConfigurationError(
      `DATABASE_URL must be sqlite:<path of a file>, without host, query or fragment, got ${quote(`sqlite:${rest}`)}`,
    )
  }
  return { kind: 'sqlite', path: resolve(cwd, path), createFolder: text === DEFAULT_DATABASE_URL }
}

/** `postgres://user:password@host:port/database?sslmode=require`, and so on. */
function readRemote(text: string, kind: 'postgres' | 'mysql'): RemoteLocation {
  const url = parse(text)
  if (url === null || !/^\/[^/]+$/.test(url.pathname)) {
    throw new ConfigurationError(`DATABASE_URL must be ${kind}://user:password@host:port/database`)
  }
  return { kind, url: text.replace(/^[^:]+/, kind), shown: show(kind, url) }
}

/** Parses a URL with a host and no fragment. Null for anything else. */
function parse(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null
  return url === null || url.hostname === '' || url.hash !== '' ? null : url
}

/** The URL without user, password and query. */
function show(kind: string, { host, pathname }: URL): string {
  return `${kind}://${host}${pathname}`
}

/** Quotes a value for a one-line message: escapes line breaks and cuts long values. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
}
