/**
 * The username behind a token, for checking a password again: what the application says, or the
 * token's `sub` where the application says nothing.
 */

import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { createWarnOnce } from '../internal/warn.ts'
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
  /** Warns once of a login whose subject is not its username, where the application says none. */
  noteLogin(username: string, subject: string): void
}

/** How long `usernameOf` may take, in seconds. */
const DEADLINE = 5

const WARNING =
  '`verifyCredentials` returned a subject that is not the username, and `authRoutes` has no `usernameOf`: a step-up by password ' +
  'will give it the subject as the username. Give `usernameOf: (payload) => ...`, which returns what the user logs in with.'

/**
 * Prepares how usernames are found.
 *
 * @param usernameOf the application's option; undefined for the `sub`
 * @param isSame whether two texts name one account
 */
export function createUsernames<C>(
  usernameOf: UsernameOf<C> | undefined,
  isSame: (username: string, subject: string) => boolean,
): Usernames<C> {
  const warn = createWarnOnce()
  return {
    async find(payload) {
      const username: unknown =
        usernameOf === undefined
          ? payload.sub
          : await withDeadline('usernameOf', DEADLINE, () => usernameOf(payload))
      if (typeof username === 'string' && username !== '') return username
      throw new ConfigurationError(expected('usernameOf', 'a function that returns a username', username))
    },
    noteLogin(username, subject) {
      if (usernameOf !== undefined || username === subject || isSame(username, subject)) return
      warn('TOKENWRIGHT_USERNAME', WARNING)
    },
  }
}
