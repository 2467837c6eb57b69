/**
 * Whether a verified token is still good. In `feed` mode every process holds what was revoked lately and follows the store's log:
 * a check is a lookup. In `strict` mode each check asks the store. A process that has not caught up, has slept, or meets
 * a token that lives longer than usual, judges strictly; one that has lost the log for too long refuses to judge.
 */
import { AuthError } from '../errors.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { FeedReader, type RevocationListener } from './feed-reader.ts'
import { createRevocationList } from './revocation-list.ts'
import type { LogEntry } from './store.ts'
import type { StoreClient } from './store-client.ts'

/** How revocation is judged. */
export type RevocationMode = 'feed' | 'strict' | 'off'

/** What revocation works from; lengths in seconds. */
export interface RevocationSettings {
  /** How tokens are judged. */
  readonly mode: RevocationMode
  /** How long the log may be out of reach before tokens are refused. */
  readonly maxStale: number
  /** What happens then. */
  readonly whenStale: 'refuse' | 'allow'
  /** The usual life of an access token: longer ones are judged strictly. */
  readonly accessTtl: number
  /** Forgiven clock skew. */
  readonly leeway: number
}

/** How much a process knows of what is revoked. */
export interface FeedState {
  /** Whether it has read the whole log; until then it asks the store each time. */
  readonly caughtUp: boolean
  /** How old its knowledge is, in seconds. */
  readonly age: number
  /** How many revocations it remembers. */
  readonly entries: number
}

/** The judge of liveness in one process. */
export interface RevocationFeed {
  /**
   * Refuses a revoked token.
   *
   * @param strict whether to ask the store in any case
   * @returns a promise only where the store must be asked
   * @throws {AuthError} `token_revoked`; `store_unavailable` when it cannot be told
   */
  checkRevocation(payload: TokenPayload<unknown>, strict: boolean): Promise<void> | undefined
  /** Whether this process has heard that a token was revoked: a lookup. No says nothing. */
  hasHeard(payload: TokenPayload<unknown>): boolean
  /** Lets an listener hear from now on, and follows the log for it, also in strict mode. The latest listener counts. */
  listen(listener: RevocationListener): void
  /** Whether a token lives longer than entries are kept for, so that one could be missed. */
  isLongLived(payload: TokenPayload<unknown>): boolean
  /** Takes over at once what this process has revoked itself. */
  note(entry: LogEntry): void
  /** Reads the log now, where it is followed; a store that cannot be reached is left to the next reading. */
  catchUp(): Promise<void>
  /** Waits until the feed has caught up; at once in other modes. Rejects when the store cannot be reached. */
  ready(): Promise<void>
  /** Whether the feed has caught up and how old its knowledge is, in seconds; for health checks. */
  state(): FeedState
  /** Stops following the log. */
  close(): void
}

/** Creates the revocation feed of one application. */
export function createRevocationFeed(storeClient: StoreClient, settings: RevocationSettings): RevocationFeed {
  const { mode, maxStale, whenStale, accessTtl, leeway } = settings
  let listener: RevocationListener | null = null
  const revocations = createRevocationList(leeway)
  const take = (entry: LogEntry): void => {
    revocations.add(entry)
    listener?.onRevoked(entry)
  }
  const feed = new FeedReader(storeClient, revocations, {
    onRevoked: take,
    onStale: () => {
      if (isStale()) listener?.onStale()
    },
  })

  /** Whether what is known is too old to be gone by. */
  const isStale = (): boolean => whenStale === 'refuse' && feed.age() > maxStale

  async function judgeStrictly({ sid, jti, sub, iat }: TokenPayload<unknown>): Promise<void> {
    const query = {
      sid: sid ?? null,
      jti: jti ?? null,
      sub,
      iat: iat === undefined ? null : iat - leeway,
      now: storeClient.now(),
    }
    if (await storeClient.call((store) => store.isRevoked(query))) throw new AuthError('token_revoked')
  }

  /** Whether a token outlives what the feed remembers. */
  const isLongLived = ({ iat, exp }: TokenPayload<unknown>): boolean =>
    iat === undefined || exp - iat > accessTtl

  return {
    checkRevocation(payload, strict) {
      if (mode === 'off') return undefined
      // What this process knows counts in any case: a store that was restored from a backup may have forgotten it.
      if (revocations.holds(payload)) throw new AuthError('token_revoked')
      if (mode === 'strict' || strict || isLongLived(payload)) return judgeStrictly(payload)
      feed.start()
      if (!feed.isCaughtUp()) return judgeStrictly(payload)
      if (isStale()) throw new AuthError('store_unavailable', { detail: { retryAfter: 1 } })
      return undefined
    },
    hasHeard: (payload) => revocations.holds(payload),
    listen(to) {
      listener = to
      if (mode !== 'off') feed.start()
    },
    isLongLived,
    note(entry) {
      revocations.sweep(entry.at)
      take(entry)
    },
    catchUp: () => feed.catchUp(),
    ready: () =>
      mode === 'feed' ? feed.ready() : storeClient.call((store) => store.now()).then(() => undefined),
    state: () => ({ caughtUp: feed.isCaughtUp(), age: feed.age(), entries: revocations.size }),
    close: () => feed.close(),
  }
}
