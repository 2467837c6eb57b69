/**
 * The signing secret. If the settings have none, the server generates one at the first start. It
 * keeps it in a file with mode 0600: beside an SQLite file, or in `.data` for a remote database.
 *
 * The file is written under a temporary name and then linked to its final name. The link fails if
 * the name exists. So two servers that start at once agree on one secret, and no reader sees a
 * half-written one. No message contains the secret.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { resolve } from 'node:path'
import { type AuthOptions, ConfigurationError, createKeyRing } from 'tokenwright'
import type { ServerConfig } from './config.ts'
import { reasonOf } from './reason.ts'

/** A secret and, for people, where it comes from. */
export interface LoadedSecret {
  readonly secret: string
  readonly origin: string
}

/** The options of `createAuth` that say which keys there are and, for people, where they are. */
export interface LoadedKeys {
  readonly options: Pick<AuthOptions, 'secret' | 'keys'>
  readonly origin: string
}

/**
 * Loads the keys of a key file, or else the secret.
 *
 * @param cwd the current directory
 * @throws {ConfigurationError} as `loadSecret`, and for a key file that cannot be used
 */
export async function loadKeys(config: ServerConfig, cwd: string): Promise<LoadedKeys> {
  const { keyFile, secret: given, otherSecret } = config
  if (keyFile === undefined) {
    const { secret, origin } = loadSecret(config, cwd)
    return { options: { secret: otherSecret === undefined ? secret : [secret, otherSecret] }, origin }
  }
  if (given !== undefined || otherSecret !== undefined)
    throw new ConfigurationError('TOKENWRIGHT_KEYS or TOKENWRIGHT_SECRET must be set, not both')
  let isStarted = false
  let reason = ''
  const keys = createKeyRing({
    load: keyFile,
    on: {
      keysFailed({ error }) {
        reason = `the key file ${keyFile} cannot be used: ${toKeyReason(error)}`
        if (isStarted) console.error(`Warning: ${reason}`)
      },
    },
  })
  try {
    await keys.changes?.current(Date.now() / 1000)
  } catch {
    throw new ConfigurationError(reason)
  }
  isStarted = true
  return { options: { keys }, origin: keyFile }
}

/** Why a key file cannot be used. The library's messages quote nothing of it. */
function toKeyReason(error: unknown): string {
  if (error instanceof ConfigurationError) return error.message
  return isCode(error, 'ENOENT') ? 'it does not exist' : reasonOf(error)
}

/**
 * Returns the secret from the settings or from its file. For a database in memory, it generates a
 * secret for this run only.
 *
 * @param cwd the current directory
 * @throws {ConfigurationError} as `readOrCreateSecret`
 */
export function loadSecret(
  { secret, database }: Pick<ServerConfig, 'secret' | 'database'>,
  cwd: string,
): LoadedSecret {
  if (secret !== undefined) return { secret, origin: 'from TOKENWRIGHT_SECRET' }
  if (database.kind !== 'sqlite') {
    // Servers on several machines that share this database need one TOKENWRIGHT_SECRET.
    const folder = resolve(cwd, '.data')
    createFolder(folder)
    const path = resolve(folder, 'tokenwright.secret')
    return { secret: readOrCreateSecret(path), origin: path }
  }
  if (database.path === ':memory:') return { secret: createSecret(), origin: 'generated for this run' }
  const path = `${database.path}.secret`
  return { secret: readOrCreateSecret(path), origin: path }
}

function createFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new ConfigurationError(`the secret's folder ${folder} cannot be created: ${reasonOf(error)}`)
  }
}

/**
 * Reads the secret from its file. Creates the file first if it does not exist.
 *
 * @param path the file; its folder must exist
 * @returns the secret, at least 32 bytes
 * @throws {ConfigurationError} when the file cannot be read or created, is readable by other users,
 *   or is too short
 */
export function readOrCreateSecret(path: string): string {
  try {
    return read(path) ?? create(path) ?? read(path) ?? ''
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError(`the secret's file ${path} cannot be used: ${reasonOf(error)}`)
  }
}

/** Reads the secret. Undefined if the file does not exist. */
function read(path: string): string | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const open = fstatSync(file).mode & 0o077
    // Windows has no such bits. There, the folder's access list protects the file.
    if (open !== 0 && process.platform !== 'win32') {
      throw new ConfigurationError(`the secret's file ${path} is open to other users; run: chmod 600 ${path}`)
    }
    const secret = readFileSync(file, 'utf8').trim()
    if (Buffer.byteLength(secret) >= 32) return secret
    throw new ConfigurationError(
      `the secret's file ${path} holds less than 32 bytes; delete it to get a new secret`,
    )
  } finally {
    closeSync(file)
  }
}

/** Generates a random secret: 43 characters, 256 bits. */
export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Creates the file and returns its secret. Undefined if another process was first. */
function create(path: string): string | undefined {
  const secret = createSecret()
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, `${secret}\n`)
    // Losing the secret in a power failure would sign out all users.
    fsyncSync(file)
    linkSync(temporary, path)
    return secret
  } catch (error) {
    if (isCode(error, 'EEXIST')) return undefined
    throw error
  } finally {
    closeSync(file)
    unlinkSync(temporary)
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
