/**
 * What an application can do with a payload after the request that brought it: judge it again for each message of a socket, follow it
 * until its end, and give a ticket for the handshake of a socket. The doors for sockets are built from these.
 */

import type { AuthError } from '../errors.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import type { Ticket, Tickets } from '../token/ticket.ts'
import { TokenPayload } from '../token/token-payload.ts'
import type { Guard } from './authenticate.ts'
import type { TokenFollower } from './follow.ts'
import type { Requirement } from './requirement.ts'

/** What can be done with a payload that stands: a member of `Auth`. */
export interface AuthWatch<C> {
  /**
   * Judges a verified payload again, against a requirement: times, type, realm, revocation, freshness, scopes. For what goes on after
   * the request, such as each message of a socket. `locations` and `csrf` play no part.
   *
   * @param requirement default: any valid access token
   * @returns the same payload
   * @throws {AuthError} the first objection
   * @throws {TypeError} for a payload that was not verified here
   */
  recheck(payload: TokenPayload<C>, requirement?: Requirement): Promise<TokenPayload<C>>
  /**
   * Follows a verified payload for as long as something stays open in its name. Expiry is noticed within half a second of `exp`, without
   * leeway; a revocation at once in this process and within a second elsewhere; what only `isRevoked` knows, and the end of a token
   * that lives longer than `access.expiresIn`, within 30 seconds more. It keeps no process alive.
   *
   * @param onEnd called at most once: `token_expired`; `token_revoked`; `store_unavailable` when the log of revocations was out of reach
   *   for longer than `revocation.maxStale` (not with `whenStale: 'allow'`), or when `close()` was called
   * @returns stops following
   * @throws {TypeError} for a payload that was not verified here, or for no function
   */
  follow(payload: TokenPayload<C>, onEnd: (error: AuthError) => void): () => void
  /**
   * Gives a ticket for one handshake of a WebSocket, in place of a token in a URL. It is used once, in the order of arrival and over all
   * processes of the store, by a route whose `locations` name `'ticket'`, and it shows the claims of the token to whoever reads it.
   *
   * @param payload a verified access token's
   * @throws {AuthError} `access_token_required`, `token_expired`
   * @throws {ConfigurationError} without a session store
   */
  createTicket(payload: TokenPayload<C>): Promise<Ticket>
}

/** Takes only what a verifier of ours has made. */
function requireVerified(payload: unknown): void {
  if (TokenPayload.isVerified(payload)) return
  throw new TypeError(expected('payload', 'a payload that `verifyToken` or a guard gave', payload))
}

/** Makes the standing of one application; `tickets` is null without a session store. */
export function createWatchApi<C>(
  guard: Guard<C>,
  following: TokenFollower<C>,
  tickets: Tickets<C> | null,
): AuthWatch<C> {
  return {
    async recheck(payload, requirement) {
      requireVerified(payload)
      return guard.recheck(payload, guard.prepare(requirement))
    },
    follow(payload, onEnd) {
      requireVerified(payload)
      if (typeof onEnd !== 'function') throw new TypeError(expected('onEnd', 'a function', onEnd))
      return following.follow(payload, onEnd)
    },
    async createTicket(payload) {
      requireVerified(payload)
      if (tickets !== null) return tickets.issue(payload)
      throw new ConfigurationError(
        'Expected the option `sessions.store`: without a store nothing knows which tickets were used',
      )
    },
  }
}
