/**
 * The signing secret of a server that was given none: generated on first start and kept in a file
 * beside the database, or in `.data` for a database elsewhere, mode 0600. The file comes into being
 * complete and under its final mode, by a hard link, which fails when the name exists: so two
 * servers that start at once agree, and no reader ever sees a half-written secret. The secret never
 * enters a message.
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
import { ConfigurationError } from 'tokenwright'
import type { ServerConfig } from './config.ts'
import { reasonOf } from './reason.ts'

/** Where a secret came from and what it is. */
export interface FoundSecret {
  readonly secret: string
  readonly origin: string
}

/**
 * The secret: given, kept in a file, or, where no file is wanted at all, made for this run.
 *
 * @param cwd the directory that the server was started from
 * @throws {ConfigurationError} as `keepSecret`
 */
export function findSecret(
  { secret, database }: Pick<ServerConfig, 'secret' | 'database'>,
  cwd: string,
): FoundSecret {
  if (secret !== undefined) return { secret, origin: 'from TOKENWRIGHT_SECRET' }
  if (database.kind !== 'sqlite') {
    // Servers that share such a database from several machines are given one secret by hand.
    const folder = resolve(cwd, '.data')
    makeFolder(folder)
    const path = resolve(folder, 'tokenwright.secret')
    return { secret: keepSecret(path), origin: path }
  }
  if (database.path === ':memory:') return { secret: createSecret(), origin: 'made for this run' }
  const path = `${database.path}.secret`
  return { secret: keepSecret(path), origin: path }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new ConfigurationError(`the secret's folder ${folder} cannot be made: ${reasonOf(error)}`)
  }
}

/**
 * Reads the secret from its file, which is made first if it does not exist.
 *
 * @param path the file; its folder must exist
 * @returns the secret, at least 32 bytes
 * @throws {ConfigurationError} when the file cannot be read or made, is open to others, or is too
 *   short
 */
export function keepSecret(path: string): string {
  try {
    return read(path) ?? create(path) ?? read(path) ?? ''
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError(`the secret's file ${path} cannot be used: ${reasonOf(error)}`)
  }
}

/** The secret in the file, or undefined when there is no such file. */
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
    // Windows has no such bits; there the folder's access list protects the file.
    if (open !== 0 && process.platform !== 'win32') {
      throw new ConfigurationError(`the secret's file ${path} is open to other users; run: chmod 600 ${path}`)
    }
    const secret = readFileSync(file, 'utf8').trim()
    if (Buffer.byteLength(secret) >= 32) return secret
    throw new ConfigurationError(
      `the secret's file ${path} holds less than 32 bytes; delete it to have a new secret made`,
    )
  } finally {
    closeSync(file)
  }
}

/** A new random secret: 43 characters, 256 bits. */
export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Makes the file, or answers undefined when another process was first. */
function create(path: string): string | undefined {
  const secret = createSecret()
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeSync(file, `${secret}\n`)
    // A secret that is lost in a power failure would sign everyone out.
    fsyncSync(file)
    linkSync(draft, path)
    return secret
  } catch (error) {
    if (isCode(error, 'EEXIST')) return undefined
    throw error
  } finally {
    closeSync(file)
    unlinkSync(draft)
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
