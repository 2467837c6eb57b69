/**
 * What stays open in a token's name, such as a socket, and must end with it: when it expires, when it is revoked, or when that can no
 * longer be told. Revocations are heard as this process hears of them; only where nothing can be heard is asked again. One
 * beat serves all that is open, and keeps no process alive.
 */

import { AuthError, isAuthError } from '../errors.ts'
import { type Awaitable, type Steps, settle } from '../internal/awaitable.ts'
import type { RevocationListener } from '../session/feed-reader.ts'
import type { LogEntry } from '../session/store.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** What following works from; lengths in seconds. */
export interface FollowDependencies<C> {
  /** The present moment in epoch seconds. */
  readonly clock: () => number
  /** Judges whether a token is still live. Throws or rejects with what ends it. */
  readonly checkRevocation: (payload: TokenPayload<C>) => Awaitable<void>
  /** Lets an listener hear of revocations from now on. */
  readonly listen: (listener: RevocationListener) => void
  /** Whether nothing is heard of what may end a token, so that it must be asked for now and then. */
  readonly mustAsk: (payload: TokenPayload<C>) => boolean
  /** How long asking may fail before a token counts as ended; infinite for ever. */
  readonly patience: number
}

/** One who follows a token. */
interface Follower<C> {
  readonly payload: TokenPayload<C>
  readonly onEnd: (error: AuthError) => void
  /** When to ask again; infinite for never. */
  askAt: number
  /** When it was last sure to be live. */
  sureAt: number
}

/** How often the clock is looked at, in seconds. */
const CHECK_INTERVAL = 0.25

/** How often is asked where nothing can be heard, in seconds. */
const ASK_INTERVAL = 30

/** How soon is asked again when there was no answer, in seconds. */
const RETRY = 1

/** Under which names a revocation may be heard. */
function toNames({ sid, jti, sub }: TokenPayload<unknown>): readonly string[] {
  return [`sid ${sid}`, `jti ${jti}`, `sub ${sub}`]
}

/** Those who follow tokens, to be found by what a revocation names. */
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

  /** Answers whether it was there. */
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

/** The following of one application. It starts nothing before somebody follows. */
export class TokenFollower<C> {
  readonly #deps: FollowDependencies<C>
  readonly #register = new Register<C>()
  readonly #listener: RevocationListener = {
    onRevoked: (entry) => {
      for (const follower of this.#register.named(entry)) this.#recheck(follower)
    },
    onStale: () => this.close(),
  }
  /** How a follower is judged. */
  readonly #judgement: Steps<Follower<C>, void, void> = {
    attempt: ({ payload }) => this.#deps.checkRevocation(payload),
    enter: (follower) => this.#take(follower, null),
    refuse: (follower, error) => this.#take(follower, error),
  }
  #timer: ReturnType<typeof setInterval> | undefined
  /** Nobody expires and nobody asks before this moment. */
  #nextAt = Number.POSITIVE_INFINITY

  /** @param deps what it works from */
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
    const follower = { payload, onEnd, askAt: Number.POSITIVE_INFINITY, sureAt: clock() }
    this.#register.add(follower)
    this.#nextAt = Math.min(this.#nextAt, payload.exp)
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#check(), CHECK_INTERVAL * 1000)
      this.#timer.unref?.()
    }
    listen(this.#listener)
    // What was revoked between the judgement of the guard and this moment is heard by nobody.
    queueMicrotask(() => this.#recheck(follower))
    return () => {
      this.#leave(follower)
    }
  }

  /** Ends all that is followed, as nobody can tell any longer. */
  close(): void {
    for (const follower of this.#register.all) this.#end(follower, new AuthError('store_unavailable'))
  }

  /** Judges anew. */
  #recheck(follower: Follower<C>): void {
    const { payload } = follower
    if (!this.#register.all.has(follower)) return
    if (payload.exp <= this.#deps.clock()) {
      this.#end(follower, new AuthError('token_expired'))
      return
    }
    follower.askAt = Number.POSITIVE_INFINITY
    void settle(follower, this.#judgement)
  }

  /** Takes a judgement: null, or what stands against the token. One that could not be made is made again, as long as patience lasts. */
  #take(follower: Follower<C>, error: unknown): void {
    const { clock, mustAsk, patience } = this.#deps
    if (error === null) {
      follower.sureAt = clock()
      if (mustAsk(follower.payload)) this.#askLater(follower, ASK_INTERVAL)
      return
    }
    const known = isAuthError(error) ? error : new AuthError('store_unavailable', { cause: error })
    if (known.status === 503 && clock() - follower.sureAt <= patience) this.#askLater(follower, RETRY)
    else this.#end(follower, known)
  }

  #askLater(follower: Follower<C>, seconds: number): void {
    follower.askAt = this.#deps.clock() + seconds
    this.#nextAt = Math.min(this.#nextAt, follower.askAt)
  }

  #check(): void {
    const now = this.#deps.clock()
    if (now < this.#nextAt) return
    this.#nextAt = Number.POSITIVE_INFINITY
    const { all } = this.#register
    for (const follower of all) {
      if (Math.min(follower.payload.exp, follower.askAt) <= now) this.#recheck(follower)
      if (all.has(follower)) this.#nextAt = Math.min(this.#nextAt, follower.payload.exp, follower.askAt)
    }
  }

  #end(follower: Follower<C>, error: AuthError): void {
    if (!this.#leave(follower)) return
    try {
      follower.onEnd(error)
    } catch {
      // A defect of one who follows must not keep the others from hearing.
    }
  }

  /** Answers whether it was there. */
  #leave(follower: Follower<C>): boolean {
    const left = this.#register.remove(follower)
    if (this.size > 0) return left
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#nextAt = Number.POSITIVE_INFINITY
    return left
  }
}
