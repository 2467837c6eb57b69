#!/usr/bin/env node
/**
 * The `tokenwright` command: secrets and keys, and the tables of the SQL store. The standard output
 * has the result and nothing else, so that it can be piped. An error is one line on the standard
 * error output, with exit status 1. A database is named by its URL, best in `DATABASE_URL`, and its
 * password is never printed.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Kysely, SqliteDatabase } from 'kysely'
import { toSeconds } from './internal/duration.ts'
import {
  migrateSql,
  type NodeSqliteConnection,
  nodeSqlite,
  type SqlDialect,
  type SqlSettings,
  sqlStatements,
} from './stores/sql.ts'
import type { AlgorithmName } from './token/algorithms.ts'
import { importKeySet, type Key } from './token/import-keys.ts'
import { readKeyFile, writeKeyFile } from './token/key-file.ts'
import { createKeyRing, generateKey } from './token/key-ring.ts'
import { describeKeySet, parseKeySet, type StoredKeySet, toIso } from './token/key-rotation.ts'
import { buildRing } from './token/ring.ts'
import { rotateKeys } from './token/rotate-keys.ts'

const USAGE = `tokenwright <command>

  secret                    a new secret for HS256 to HS512
  key <algorithm>           a new private key as a JWK, such as: tokenwright key ES256
  keys rotate <file>        announces a new key, or makes the file: each process that loads it
                            verifies with the new key at once, signs with it after --announce,
                            and verifies with the old one for --retire after that
  keys list <file>          what each key of the file does now, and its times
  keys jwks <file>          the public halves of a file's keys, as a key set
  jwks [file]               the public half of a private JWK, as a key set; default: the standard input
  migrate [database]        brings the tables of the SQL store up; default: the database in DATABASE_URL
                            postgres://user:password@host/name, mysql://..., or sqlite:path/to/file.db
  sql <dialect>             prints what \`migrate\` carries out, for other tools: postgres, mysql or sqlite

  --alg <algorithm>         of a new key; default that of the key that signs, or ES256
  --announce <duration>     at least 10m; default 1h
  --retire <duration>       at least refresh.expiresIn; default 21d
  --force                   rotates at once: users whose instance does not know the key are signed out
  --prefix <prefix>         what the tables' names begin with; default tokenwright_
  --version                 the version of this package
`

/** Bytes of a new secret: enough for HS512 (RFC 7518 section 3.2). */
const SECRET_BYTES = 64

/** Something that the user got wrong, told in one line. */
class UsageError extends Error {}

/**
 * Loads a package of the project that the command is called in; this package depends on no driver.
 */
async function load<M>(name: string): Promise<M> {
  let path: string
  try {
    path = createRequire(join(process.cwd(), 'package.json')).resolve(name)
  } catch {
    throw new UsageError(`Expected the package ${name} in this project: npm install ${name}`)
  }
  const loaded: { default?: unknown } = await import(pathToFileURL(path).href)
  return { ...Object(loaded.default), ...loaded } as M
}

/** Kysely, of the project. */
type KyselyModule = typeof import('kysely')

/** The used part of `node:sqlite`. */
interface SqliteModule {
  readonly DatabaseSync: new (path: string) => NodeSqliteConnection
}

/** Opens Node's own SQLite for Kysely. */
function openSqlite(path: string): SqliteDatabase {
  const sqlite = process.getBuiltinModule?.('node:sqlite') as unknown as SqliteModule | undefined
  if (sqlite === undefined)
    throw new UsageError(
      'Expected Node 22.13 or later for SQLite; `tokenwright sql sqlite` prints the statements',
    )
  return nodeSqlite(new sqlite.DatabaseSync(path))
}

/** How each kind of database is opened, by the scheme of its URL. */
const OPENERS: Readonly<Record<string, (url: string, kysely: KyselyModule) => Promise<Kysely<unknown>>>> = {
  async postgres(url, { Kysely, PostgresDialect }) {
    const { Pool } = await load<typeof import('pg')>('pg')
    return new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) })
  },
  async mysql(url, { Kysely, MysqlDialect }) {
    const { createPool } = await load<typeof import('mysql2')>('mysql2')
    return new Kysely({ dialect: new MysqlDialect({ pool: createPool({ uri: url }) }) })
  },
  async sqlite(url, { Kysely, SqliteDialect }) {
    return new Kysely({ dialect: new SqliteDialect({ database: openSqlite(url.slice('sqlite:'.length)) }) })
  },
}

/** Other names of the schemes. */
const SCHEMES: Readonly<Record<string, string>> = { postgresql: 'postgres', mariadb: 'mysql' }

/** Brings the tables up and says what was done. */
async function migrate(url: string, settings: SqlSettings): Promise<string> {
  const [scheme = ''] = url.split(':', 1)
  const name = SCHEMES[scheme] ?? scheme
  const open = Object.hasOwn(OPENERS, name) ? OPENERS[name] : undefined
  if (open === undefined)
    throw new UsageError(
      'Expected a database: postgres://..., mysql://... or sqlite:path, as argument or in DATABASE_URL',
    )
  const db = await open(url.replace(scheme, name), await load<KyselyModule>('kysely'))
  try {
    const names = await migrateSql(db, settings)
    return names.length === 0 ? 'The tables are up to date' : names.join('\n')
  } finally {
    await db.destroy()
  }
}

/** The public half of a private key. */
function toJwks(file: string | undefined): string {
  const text = readFileSync(file ?? 0, 'utf8')
  // The JSON text of a JWK is a key, too; what is wrong with it is told without a part of it.
  const { jwks } = createKeyRing({ signing: text.trim() as unknown as Key })
  if (jwks.keys.length === 0) throw new UsageError('Expected the key of a pair: a secret has no public half')
  return JSON.stringify(jwks)
}

/** One command. */
interface Command {
  /** What its argument is called; null for none. */
  readonly argument: string | null
  /** Returns what is to be printed. */
  readonly run: (argument: string | undefined, flags: Flags) => unknown
}

/** The flags of all commands. */
interface Flags extends SqlSettings {
  readonly alg?: string
  readonly announce?: string
  readonly retire?: string
  readonly force?: boolean
}

/** The least time between the announcement of a key and its first signature, in seconds. */
const MIN_ANNOUNCE = 600

/** Bounds of both, in seconds: no token lives longer than a century. */
const MAX_PLAN = 100 * 366 * 86_400

/** Rotates a key file, and says what each key does then. */
async function rotate(path: string | undefined, flags: Flags): Promise<string> {
  if (path === undefined) throw new UsageError('Expected a file, such as: tokenwright keys rotate keys.json')
  const { force = false, announce = force ? '0s' : '1h', retire = '21d' } = flags
  const plan = {
    announce: toSeconds('--announce', announce, { min: force ? 0 : MIN_ANNOUNCE, max: MAX_PLAN }),
    retire: toSeconds('--retire', retire, { min: 0, max: MAX_PLAN }),
    force,
  }
  const before = await readKeyFile(path).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  const alg = flags.alg === undefined ? {} : { alg: flags.alg as AlgorithmName }
  const next = rotateKeys(before, { ...plan, ...alg })
  await writeKeyFile(path, `${JSON.stringify(JSON.parse(next), null, 2)}\n`)
  const now = Date.now() / 1000
  return listKeys(parseKeySet(next, now), now)
}

async function readKeySet(path: string | undefined, now: number): Promise<StoredKeySet> {
  if (path === undefined) throw new UsageError('Expected a file, such as keys.json')
  return parseKeySet(await readKeyFile(path), now)
}

/** A line for each key, the signing one first. */
function listKeys(set: StoredKeySet, now: number): string {
  const lines = describeKeySet(set, now).map(({ kid, alg, step, signsFrom, notAfter }) => {
    const from = step === 'announced' ? `, signs from ${toIso(signsFrom)}` : ''
    const until = Number.isFinite(notAfter) ? `, verifies until ${toIso(notAfter)}` : ''
    return `${kid} ${alg} ${step}${from}${until}`
  })
  return lines.join('\n')
}

/** The commands. */
const COMMANDS: Readonly<Record<string, Command>> = {
  secret: { argument: null, run: () => randomBytes(SECRET_BYTES).toString('base64url') },
  key: {
    argument: 'algorithm',
    run(algorithm) {
      if (algorithm === undefined)
        throw new UsageError('Expected an algorithm, such as: tokenwright key ES256')
      return JSON.stringify(generateKey(algorithm as AlgorithmName))
    },
  },
  'keys rotate': { argument: 'file', run: rotate },
  'keys list': {
    argument: 'file',
    async run(path) {
      const now = Date.now() / 1000
      return listKeys(await readKeySet(path, now), now)
    },
  },
  'keys jwks': {
    argument: 'file',
    async run(path) {
      const now = Date.now() / 1000
      return JSON.stringify(buildRing(importKeySet(await readKeySet(path, now), now)).jwks)
    },
  },
  jwks: { argument: 'file', run: toJwks },
  migrate: {
    argument: 'database',
    run: (url, settings) => migrate(url ?? process.env['DATABASE_URL'] ?? '', settings),
  },
  sql: {
    argument: 'dialect',
    run(dialect, settings) {
      if (dialect === undefined) throw new UsageError('Expected a dialect: postgres, mysql or sqlite')
      return sqlStatements(dialect as SqlDialect, settings)
        .map((statement) => `${statement};`)
        .join('\n')
    },
  },
}

/** What went wrong, in one line and without the password of any URL. */
function toLine(error: unknown): string {
  const { message = '', code = '' } = Object(error) as { message?: string; code?: string }
  return (message || code || String(error)).replace(/\s+/g, ' ').replace(/:\/\/[^@/]*@/g, '://***@')
}

/** The version of this package, in `package.json` two folders above the built command. */
function readVersion(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string }
  return version
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prefix: { type: 'string' },
      alg: { type: 'string' },
      announce: { type: 'string' },
      retire: { type: 'string' },
      force: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
    },
  })
  const { version, help, ...flags } = values
  const words = positionals[0] === 'keys' ? 2 : 1
  const name = positionals.slice(0, words).join(' ')
  const [argument, ...rest] = positionals.slice(words)
  if (version) console.log(readVersion())
  else if (help || name === '') console.log(USAGE)
  else {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (command === undefined)
      throw new UsageError(`Expected a command: ${Object.keys(COMMANDS).join(', ')}; see tokenwright --help`)
    if (rest.length > 0 || (argument !== undefined && command.argument === null))
      throw new UsageError(`Expected \`${name}\` with ${toWanted(command.argument)}`)
    console.log(await command.run(argument, flags as Flags))
  }
}

function toWanted(argument: string | null): string {
  return argument === null ? 'no argument' : `one argument, the ${argument}`
}

try {
  await main()
} catch (error) {
  console.error(toLine(error))
  process.exitCode = 1
}
