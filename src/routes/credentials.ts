/**
 * Usernames and passwords as they come over the wire, and what the application says of a user whose password was right.
 */
import { AuthError } from '../errors.ts'

/** A username and a password as they came, within their bounds. */
export interface Credentials {
  /** The username, 1-320 characters; not normalized in any way. */
  readonly username: string
  /** The password, 1-1024 bytes of UTF-8. */
  readonly password: string
}

/** What is known of a user whose password was right. */
export interface VerifiedUser<C> {
  /** The `sub` of the tokens. */
  readonly subject: string
  /** The user's scopes. Default none. */
  readonly scopes?: readonly string[]
  /** The user's custom claims. Default none. */
  readonly data?: C
  /** How the user authenticated: method names (RFC 8176). */
  readonly amr?: readonly string[]
  /** The authentication context class. */
  readonly acr?: string
}

/** The largest credentials: characters of a username, bytes of a password; hashing costs by the byte. */
const MAX_USERNAME = 320
const MAX_PASSWORD_BYTES = 1024

/** Reads a text member of a body within its bounds. */
function toText(value: unknown, fits: (text: string) => boolean): string {
  if (typeof value === 'string' && value !== '' && fits(value)) return value
  throw new AuthError('request_invalid')
}

/** Reads a username. Throws `request_invalid` for anything else. */
export function toUsername(value: unknown): string {
  return toText(value, (text) => text.length <= MAX_USERNAME)
}

/** Reads a password. Throws `request_invalid` for anything else. */
export function toPassword(value: unknown): string {
  return toText(value, (text) => Buffer.byteLength(text, 'utf8') <= MAX_PASSWORD_BYTES)
}
