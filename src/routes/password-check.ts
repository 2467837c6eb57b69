/**
 * The one place where a password is tried: within the limits, within a deadline, and with a look at
 * what the application's function returned. Login and step-up share it, and so share the limits.
 */
import { withDeadline } from '../internal/with-deadline.ts'
import {
  type Credentials,
  checkVerifiedUser,
  type VerifiedUser,
  type VerifyCredentials,
} from './credentials.ts'
import type { Throttle } from './throttle/throttle.ts'

/** How long `verifyCredentials` may take, in seconds: hashing waits in queues. */
const DEADLINE = 10

/** A request that brings a password. */
export interface PasswordRequest {
  /** The request as it came. */
  readonly request: Request
  /** The client's address; undefined where it is unknown. */
  readonly address: () => Promise<string | undefined>
}

/**
 * Tries a username and a password.
 *
 * @throws {AuthError} `rate_limited`, `credentials_invalid`, `store_unavailable` also when no
 *   result came in time
 * @throws {ConfigurationError} when the application's function returned neither a user nor null;
 *   the attempt is counted
 */
export type PasswordCheck = (
  credentials: Credentials,
  attempt: PasswordRequest,
) => Promise<VerifiedUser<unknown>>

/** Prepares the check of passwords. */
export function createPasswordCheck(
  verifyCredentials: VerifyCredentials<unknown>,
  throttle: Throttle,
): PasswordCheck {
  return async (credentials, { request, ...attempt }) => {
    const { username } = credentials
    const address = await attempt.address()
    const userAgent = request.headers.get('user-agent') ?? undefined
    return throttle.run({ username, address }, async (countAgainst) => {
      const result = await withDeadline('verifyCredentials', DEADLINE, () =>
        verifyCredentials(credentials, request, { address, userAgent, countAgainst }),
      )
      return checkVerifiedUser(result)
    })
  }
}
