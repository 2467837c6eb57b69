/**
 * The username behind a token, for checking a password again: what the application says, or what
 * the login wrote into the token where that is not the token's `sub`.
 */

import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** Says the username behind a token. */
export type UsernameOf<C> = (payload: TokenPayload<C>) => string | Promise<string>

/** The usernames of one application. */
export interface Usernames<C> {
  /**
   * The username behind a token.
   *
   * @throws {AuthError} `store_unavailable` when no result came in time
   * @throws {ConfigurationError} for a result that is not a username
   */
  find(payload: TokenPayload<C>): Promise<string>
  /**
   * The name that a login writes into its tokens; undefined where none is needed.
   *
   * @param username the name of the login; undefined for one without
   */
  toLoginName(username: string | undefined, subject: string): string | undefined
}

/** How long `usernameOf` may take, in seconds. */
const DEADLINE = 5

/**
 * Prepares how usernames are found.
 *
 * @param usernameOf the application's option; undefined for what the token says
 */
export function createUsernames<C>(usernameOf: UsernameOf<C> | undefined): Usernames<C> {
  return {
    async find(payload) {
      const username: unknown =
        usernameOf === undefined
          ? (payload.login_name ?? payload.sub)
          : await withDeadline('usernameOf', DEADLINE, () => usernameOf(payload))
      if (typeof username === 'string' && username !== '') return username
      throw new ConfigurationError(expected('usernameOf', 'a function that returns a username', username))
    },
    toLoginName: (username, subject) =>
      usernameOf !== undefined || username === subject ? undefined : username,
  }
}
