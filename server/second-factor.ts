/**
 * The second factor: codes of an authenticator application (TOTP, RFC 6238), and recovery codes for
 * when that is lost. It does not limit how often codes are tried at a login or a step-up: that is
 * the work of `authRoutes`, which counts them with passwords.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import { Secret, TOTP } from 'otpauth'
import { AuthError } from 'tokenwright'
import type { RunQuery } from './queries.ts'
import { openSecondFactorTable } from './second-factor-table.ts'
import type { SecondFactorRow, Tables } from './tables.ts'

/** What a user has switched on. */
export interface SecondFactorState {
  readonly on: boolean
  /** How many recovery codes are left. */
  readonly recovery_codes: number
}

/** The second factors of this server. Every method may reject with `store_unavailable`. */
export interface SecondFactors {
  /** What the user has switched on. */
  stateOf(username: string): Promise<SecondFactorState>
  /** Begins to switch it on. @throws {AuthError} `request_invalid` when it is on */
  begin(username: string): Promise<{ readonly secret: string; readonly uri: string }>
  /**
   * Switches it on.
   *
   * @returns the recovery codes, which are shown once
   * @throws {AuthError} `request_invalid` for a wrong code, and when nothing was begun
   */
  confirm(username: string, code: unknown): Promise<readonly string[]>
  /**
   * Uses up a code.
   *
   * @returns how the user has authenticated (RFC 8176); null for a wrong code
   */
  use(username: string, code: unknown): Promise<readonly string[] | null>
  /** Switches it off. Resolves to whether it was on. */
  remove(username: string): Promise<boolean>
}

/** What the second factors build on. */
export interface SecondFactorDependencies {
  readonly database: Kysely<Tables>
  readonly run: RunQuery
  /** The time in epoch seconds. */
  readonly now: () => number
}

/** How long a setup may take, in seconds. */
const SETUP_LIFE = 600
/** How many codes may be tried to confirm one. */
const SETUP_TRIES = 5
/** How many recovery codes a user gets. */
const RECOVERY_CODES = 8
/** Their entropy in bytes: above 112 bits, a plain hash is enough (OWASP ASVS 6.5.2). */
const RECOVERY_BYTES = 15
/** The longest text that is looked at as a code. */
const LONGEST = 100

/** Creates the second factors of a database. */
export function createSecondFactors({ database, run, now }: SecondFactorDependencies): SecondFactors {
  const table = openSecondFactorTable(database, run)
  /** The period of a code; null for a wrong one. */
  const periodOf = ({ username, secret }: SecondFactorRow, code: string): number | null => {
    const totp = toTotp(username, secret)
    const timestamp = now() * 1000
    const delta = totp.validate({ token: code, window: 1, timestamp })
    return delta === null ? null : totp.counter({ timestamp }) + delta
  }

  return {
    async stateOf(username) {
      const on = (await table.find(username))?.is_on === 1
      return { on, recovery_codes: on ? await table.countRecoveryCodes(username) : 0 }
    },
    async begin(username) {
      if ((await table.find(username))?.is_on === 1) throw refuse('The second step is on already')
      const secret = new Secret().base32
      const created_at = Math.floor(now())
      await table.begin({ username, secret, is_on: 0, created_at, tries: 0, last_period: 0 })
      return { secret, uri: toTotp(username, secret).toString() }
    },
    async confirm(username, given) {
      const row = await table.find(username)
      if (row === undefined || row.is_on === 1 || now() - Number(row.created_at) > SETUP_LIFE)
        throw refuse('Start again: this took too long')
      // Whoever has stolen an access token does not know the key, and must not guess a code.
      if (row.tries >= SETUP_TRIES || !(await table.countTry(row)))
        throw refuse('Start again: too many wrong codes')
      const code = readCode(given)
      const period = code === null ? null : periodOf(row, code)
      if (period === null) throw refuse('The code is wrong, or too old')
      const codes = Array.from({ length: RECOVERY_CODES }, createRecoveryCode)
      const hashes = codes.map((recovery) => hash(toPlain(recovery)))
      await table.switchOn(row, period, hashes)
      return codes
    },
    async use(username, given) {
      const code = readCode(given)
      const row = await table.find(username)
      if (code === null || row?.is_on !== 1) return null
      const period = periodOf(row, code)
      if (period === null) return (await table.useRecoveryCode(username, hash(code))) ? ['mfa'] : null
      return (await table.usePeriod(username, period)) ? ['otp', 'mfa'] : null
    },
    remove: (username) => table.remove(username),
  }
}

function refuse(message: string): AuthError {
  return new AuthError('request_invalid', { message })
}

function toTotp(username: string, secret: string): TOTP {
  // A label may have no colon, which ends the issuer's name.
  const label = username.replaceAll(':', '.')
  return new TOTP({ issuer: 'Tokenwright', label, secret })
}

/** Six groups of four letters and digits. */
function createRecoveryCode(): string {
  const text = new Secret({ buffer: new Uint8Array(randomBytes(RECOVERY_BYTES)).buffer }).base32
  return text.toLowerCase().replaceAll(/(.{4})(?=.)/g, '$1-')
}

/** A code without what people type between its groups; null for what cannot be one. */
function readCode(given: unknown): string | null {
  if (typeof given !== 'string' || given.length > LONGEST) return null
  const plain = toPlain(given)
  return plain === '' ? null : plain
}

function toPlain(code: string): string {
  return code.replaceAll(/[\s-]/g, '').toLowerCase()
}

function hash(code: string): string {
  return createHash('sha256').update(code).digest('hex')
}
