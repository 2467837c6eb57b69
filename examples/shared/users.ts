/**
 * The only user of the examples for frameworks. A real application looks up the user and compares
 * with a slow hash (argon2id, scrypt). It takes as long for an unknown user.
 */
import type { Credentials, VerifiedUser } from 'tokenwright/routes'

/** Verifies a user name and a password. */
export function verifyCredentials({ username, password }: Credentials): VerifiedUser<object> | null {
  return username === 'test' && password === 'test' ? { subject: username, scopes: ['posts:read'] } : null
}
