/**
 * Usernames and passwords of requests, and what the application returns for a user whose password
 * was correct.
 */
import { AuthError } from '../errors.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import { ConfigurationError, isRecord } from '../internal/configuration-error.ts'
import type { DataFor } from '../token/custom-claims.ts'
import type { CountAgainst } from './throttle/throttle.ts'

/** A username and a password of a request, within their bounds. */
export interface Credentials {
  /** The username, 1-320 characters; not normalized. */
  readonly username: string
  /** The password, 1-1024 bytes of UTF-8. */
  readonly password: string
}

/**
 * A user whose password was correct. `data` is required if `I`, what the schema takes, has a
 * required member.
 */
export type VerifiedUser<I> = DataFor<I> & {
  /** The `sub` of the tokens. */
  readonly subject: string
  /** The user's scopes. Default none. */
  readonly scopes?: readonly string[] | undefined
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr?: readonly string[] | undefined
  /** The authentication context class. */
  readonly acr?: string | undefined
}

/** What `verifyCredentials` gets besides the credentials. */
export interface LoginContext {
  /** The client's address, as the option `address` returns it. */
  readonly address: string | undefined
  /** The client's user agent. */
  readonly userAgent: string | undefined
  /**
   * Counts this attempt against a subject as well. Where several names lead to one user (a name and
   * a mail address), call it with the user's identifier before you compare the password. Rejects
   * with `rate_limited`, which is then the response of the route.
   */
  readonly countAgainst: CountAgainst
}

/** Checks a username and a password; null when they are wrong. */
export type VerifyCredentials<I> = (
  credentials: Credentials,
  request: Request,
  context: LoginContext,
) => Awaitable<VerifiedUser<I> | null>

/**
 * Checks what `verifyCredentials` returned: a user, or null for a wrong password.
 *
 * @throws {ConfigurationError} for anything else: a forgotten `return` must let no one in, and must
 *   be seen
 */
export function checkVerifiedUser(result: unknown): VerifiedUser<unknown> | null {
  if (result === null) return null
  const subject = isRecord(result) ? result['subject'] : undefined
  if (typeof subject === 'string' && subject !== '') return result as unknown as VerifiedUser<unknown>
  const got = isRecord(result) ? 'an object without it' : describe(result)
  throw new ConfigurationError(
    'Expected `verifyCredentials` to return a user with a non-empty string as `subject`, or null where name or password are wrong; ' +
      `got ${got}. The attempt counts as a failure.`,
  )
}

/** Describes a value without its text, which may be a password. */
function describe(value: unknown): string {
  return value === undefined || typeof value === 'boolean' ? String(value) : `a value of type ${typeof value}`
}

/** The longest username in characters; the longest password in bytes, as hashing costs per byte. */
const MAX_USERNAME = 320
const MAX_PASSWORD_BYTES = 1024

/**
 * What no database or token can keep: U+0000, and half of a surrogate pair. A look-up would fail as
 * if the database was down.
 */
const BROKEN_TEXT = /[\0\p{Surrogate}]/u

/** Reads a username. Throws `request_invalid` for anything else. */
export function toUsername(value: unknown): string {
  const isText = typeof value === 'string' && value !== '' && value.length <= MAX_USERNAME
  if (isText && !BROKEN_TEXT.test(value)) return value
  throw toInvalid(`Expected \`username\` in the body to be a string of 1 to ${MAX_USERNAME} characters`)
}

/** Reads a password. Throws `request_invalid` for anything else. */
export function toPassword(value: unknown): string {
  const isText = typeof value === 'string' && value !== ''
  if (isText && Buffer.byteLength(value, 'utf8') <= MAX_PASSWORD_BYTES) return value
  throw toInvalid(`Expected \`password\` in the body to be a string of 1 to ${MAX_PASSWORD_BYTES} bytes`)
}

/**
 * The refusal of a request without a body, or with one of an unknown type.
 *
 * @param contentType the `Content-Type` header
 */
export function toMissingBody(contentType: string | null): AuthError {
  const wanted = 'Expected a body of application/json or application/x-www-form-urlencoded'
  return toInvalid(contentType === null ? wanted : `${wanted}, got none, or one of another type`)
}

function toInvalid(message: string): AuthError {
  return new AuthError('request_invalid', { message })
}
