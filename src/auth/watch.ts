/**
 * Tokens after the request: check a payload again for each message of a socket, follow it until its
 * end, and create a ticket for the handshake of a socket. The entry points for WebSockets build on
 * these.
 */
import { AuthError, isAuthError } from '../errors.ts'
import { ConfigurationError, expected, isCallable, misuse } from '../internal/configuration-error.ts'
import type { Clock } from '../internal/duration.ts'
import type { RevocationListener } from '../session/feed-reader.ts'
import type { LogEntry } from '../session/store.ts'
import { hasEnded } from '../token/claims.ts'
import type { Ticket, Tickets } from '../token/ticket.ts'
import { type PayloadOrigin, requireVerifiedBy, type TokenPayload } from '../token/token-payload.ts'
import type { Pipeline } from './authenticate.ts'
import type { PrepareRequirement, Requirement } from './requirement.ts'

/** Members of `Auth` for sockets and streams that outlive their request. */
export interface AuthWatch<C> {
  /**
   * Checks a verified payload again, against a requirement: times, type, realm, revocation,
   * freshness, scopes. For use after the request, such as for each message of a socket. `locations`
   * and `csrf` are not checked.
   *
   * @param requirement default: any valid access token
   * @returns the same payload
   * @throws {AuthError} for the first check that fails
   * @throws {TypeError} for a payload that was not verified here
   */
  recheck(payload: TokenPayload<C>, requirement?: Requirement): Promise<TokenPayload<C>>
  /**
   * Follows a verified payload while a socket or stream of its user is open. Expiry is noticed
   * within half a second of `exp`, without leeway. A revocation is noticed at once in this process
   * and within a second in others. What only `isRevoked` knows, and the revocation of a token that
   * lives longer than `access.expiresIn`, is noticed within 30 seconds. It keeps no process alive.
   *
   * @param onEnd called at most once: `token_expired`; `token_revoked`; `store_unavailable` when
   *   the log of revocations was out of reach for longer than `revocation.maxStale` (not with
   *   `whenStale: 'allow'`), or when `close()` was called
   * @returns stops following
   * @throws {TypeError} for a payload that was not verified here, or if `onEnd` is not a function
   */
  follow(payload: TokenPayload<C>, onEnd: (error: AuthError) => void): () => void
  /**
   * Creates a ticket for one handshake of a WebSocket, in place of a token in a URL. The first use
   * wins, across all processes of the store, on a route whose `locations` name `'ticket'`. Whoever
   * reads a ticket can read the claims of the token.
   *
   * @param payload of a verified access token
   * @throws {AuthError} `access_token_required`, `token_expired`
   * @throws {ConfigurationError} without a session store
   */
  createTicket(payload: TokenPayload<C>): Promise<Ticket>
}

/** The dependencies of following; lengths in seconds. */
export interface FollowDependencies<C> {
  /** The time in epoch seconds. */
  readonly clock: Clock
  /** Rejects with the error that ends a token. */
  readonly checkRevocation: (payload: TokenPayload<C>) => Promise<void>
  /** Tells a listener of revocations from now on. */
  readonly listen: (listener: RevocationListener) => void
  /** Whether no listener is called when a token ends, so that it must be polled. */
  readonly mustPoll: (payload: TokenPayload<C>) => boolean
  /** How long checks may fail before a token counts as ended; infinite for no end. */
  readonly maxOutage: number
}

/** How often the clock is read, in seconds. */
const CHECK_INTERVAL = 0.25

/** How often a token that must be polled is checked, in seconds. */
const POLL_INTERVAL = 30

/** How soon a check that failed is repeated, in seconds. */
const RETRY_INTERVAL = 1

/** The dependencies of the members of `AuthWatch`. */
export interface WatchDependencies<C> {
  /** The tokens that are followed. */
  readonly followers: TokenFollowers<C>
  /** Null without a session store. */
  readonly tickets: Tickets<C> | null
  /** Whose payloads are accepted. */
  readonly origin: PayloadOrigin
}

/** Creates the members of `AuthWatch`. */
export function createWatchApi<C>(
  pipeline: Pipeline<C>,
  prepare: PrepareRequirement,
  { followers, tickets, origin }: WatchDependencies<C>,
): AuthWatch<C> {
  return {
    async recheck(payload, requirement) {
      requireVerifiedBy(origin, payload)
      return pipeline.recheck(payload, prepare(requirement))
    },
    follow(payload, onEnd) {
      requireVerifiedBy(origin, payload)
      if (!isCallable(onEnd)) throw misuse(expected('onEnd', 'a function', onEnd))
      return followers.follow(payload, onEnd)
    },
    async createTicket(payload) {
      requireVerifiedBy(origin, payload)
      if (tickets !== null) return tickets.issue(payload)
      throw new ConfigurationError(
        'Expected the option `sessions.store`: without a store nothing knows which tickets were used',
      )
    },
  }
}

/** One token that is followed. */
interface Follower<C> {
  readonly payload: TokenPayload<C>
  readonly onEnd: (error: AuthError) => void
  /** When to check again; infinite for never. */
  checkAt: number
  /** When it was last known to be good. */
  goodAt: number
}

/** The tokens that one application follows. It starts no timer before the first one. */
export class TokenFollowers<C> {
  readonly #deps: FollowDependencies<C>
  readonly #register = new Register<C>()
  readonly #listener: RevocationListener = {
    onRevoked: (entry) => {
      for (const follower of this.#register.named(entry)) this.#recheck(follower)
    },
    onStale: () => this.close(),
  }
  #timer: ReturnType<typeof setInterval> | undefined
  /** No follower expires, and none is checked, before this time. */
  #nextAt = Number.POSITIVE_INFINITY

  /** @param deps what it builds on */
  constructor(deps: FollowDependencies<C>) {
    this.#deps = deps
  }

  /** How many tokens are followed. */
  get size(): number {
    return this.#register.all.size
  }

  /**
   * Follows a token.
   *
   * @param onEnd called at most once, and never before this returns
   * @returns stops following: `onEnd` is not called any more
   */
  follow(payload: TokenPayload<C>, onEnd: (error: AuthError) => void): () => void {
    const { clock, listen } = this.#deps
    const follower = { payload, onEnd, checkAt: Number.POSITIVE_INFINITY, goodAt: clock() }
    this.#register.add(follower)
    this.#nextAt = Math.min(this.#nextAt, payload.exp)
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#checkTimes(), CHECK_INTERVAL * 1000)
      this.#timer.unref?.()
    }
    listen(this.#listener)
    // The listener has missed what was revoked between the guard's check and this moment.
    queueMicrotask(() => this.#recheck(follower))
    return () => {
      this.#remove(follower)
    }
  }

  /** Ends everything with `store_unavailable`: what is revoked is no longer known. */
  close(): void {
    for (const follower of this.#register.all) this.#end(follower, new AuthError('store_unavailable'))
  }

  #recheck(follower: Follower<C>): void {
    const { payload } = follower
    const { clock, checkRevocation } = this.#deps
    if (!this.#register.all.has(follower)) return
    if (hasEnded(payload.exp, clock())) {
      this.#end(follower, new AuthError('token_expired'))
      return
    }
    follower.checkAt = Number.POSITIVE_INFINITY
    checkRevocation(payload).then(
      () => this.#confirm(follower),
      (error: unknown) => this.#refuse(follower, error),
    )
  }

  #confirm(follower: Follower<C>): void {
    const { clock, mustPoll } = this.#deps
    follower.goodAt = clock()
    if (mustPoll(follower.payload)) this.#checkLater(follower, POLL_INTERVAL)
  }

  /** Ends a token, unless only the check failed, and not for longer than `maxOutage`. */
  #refuse(follower: Follower<C>, cause: unknown): void {
    const { clock, maxOutage } = this.#deps
    const error = isAuthError(cause) ? cause : new AuthError('store_unavailable', { cause })
    if (error.status === 503 && clock() - follower.goodAt <= maxOutage)
      this.#checkLater(follower, RETRY_INTERVAL)
    else this.#end(follower, error)
  }

  #checkLater(follower: Follower<C>, seconds: number): void {
    follower.checkAt = this.#deps.clock() + seconds
    this.#nextAt = Math.min(this.#nextAt, follower.checkAt)
  }

  #checkTimes(): void {
    const now = this.#deps.clock()
    if (now < this.#nextAt) return
    this.#nextAt = Number.POSITIVE_INFINITY
    const { all } = this.#register
    for (const follower of all) {
      if (hasEnded(Math.min(follower.payload.exp, follower.checkAt), now)) this.#recheck(follower)
      if (all.has(follower)) this.#nextAt = Math.min(this.#nextAt, follower.payload.exp, follower.checkAt)
    }
  }

  #end(follower: Follower<C>, error: AuthError): void {
    if (!this.#remove(follower)) return
    try {
      follower.onEnd(error)
    } catch {
      // A defect of one listener must not stop the others.
    }
  }

  /** @returns whether it was there */
  #remove(follower: Follower<C>): boolean {
    const removed = this.#register.remove(follower)
    if (this.size > 0) return removed
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#nextAt = Number.POSITIVE_INFINITY
    return removed
  }
}

/** Followers, by what a revocation names. */
class Register<C> {
  readonly all: Set<Follower<C>> = new Set()
  readonly #byName = new Map<string, Set<Follower<C>>>()

  add(follower: Follower<C>): void {
    this.all.add(follower)
    for (const name of toNames(follower.payload)) {
      const named = this.#byName.get(name)
      if (named === undefined) this.#byName.set(name, new Set([follower]))
      else named.add(follower)
    }
  }

  /** @returns whether it was there */
  remove(follower: Follower<C>): boolean {
    for (const name of toNames(follower.payload)) {
      const named = this.#byName.get(name)
      named?.delete(follower)
      if (named?.size === 0) this.#byName.delete(name)
    }
    return this.all.delete(follower)
  }

  named({ kind, key }: LogEntry): readonly Follower<C>[] {
    return [...(this.#byName.get(`${kind} ${key}`) ?? [])]
  }
}

/** The names under which a revocation of a token may come. */
function toNames({ sid, jti, sub }: TokenPayload<unknown>): readonly string[] {
  return [`sid ${sid}`, `jti ${jti}`, `sub ${sub}`]
}
