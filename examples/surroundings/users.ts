/**
 * The one user of the examples for frameworks. A real application looks the user up and compares
 * with a slow hash (argon2id, scrypt), in the same time for a user that it does not know.
 */
import type { Credentials, VerifiedUser } from 'tokenwright/routes'

/** Checks a username and a password. */
export function verifyCredentials({ username, password }: Credentials): VerifiedUser<object> | null {
  return username === 'test' && password === 'test' ? { subject: username, scopes: ['posts:read'] } : null
}
