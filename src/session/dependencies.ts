/**
 * What the sessions of one application have at hand: the way to the store, the rules, and whom to tell.
 */
import type { SignToken } from '../token/sign-token.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { LogEntry, RotationPolicy } from './store.ts'
import type { StoreClient } from './store-client.ts'

/** What sessions work from; lengths in seconds. */
export interface SessionSettings<C> extends RotationPolicy {
  /** When a session ends in any case. */
  readonly absolute: number
  /** The largest share of an access token's life that is taken off at random at a refresh, 0-0.5. */
  readonly jitter: number
  /** The life of an access token. */
  readonly accessTtl: number
  /** How long a log entry must live: no shorter than any access token. */
  readonly logTtl: number
  /** How long a subject's cut-off must live: no shorter than any token. */
  readonly cutOffTtl: number
  /** The realm of every session; null for none. */
  readonly realm: string | null
  /** Asks for a subject's current rights; null for none. Throws `session_revoked` when they are withdrawn. */
  readonly rights: ((payload: TokenPayload<C>) => Promise<Rights | null>) | null
}

/** What a user may do now. */
export interface Rights {
  /** The scopes. Default none. */
  readonly scopes?: readonly string[]
  /** The custom claims. Default none. */
  readonly data?: Readonly<Record<string, unknown>>
}

/** What sessions have at hand. */
export interface SessionDependencies<C> {
  /** The way to the store. */
  readonly storeClient: StoreClient
  /** The rules. */
  readonly settings: SessionSettings<C>
  /** Signs a draft. */
  readonly issue: SignToken
  /** The present moment in epoch seconds. */
  readonly clock: () => number
  /** Whether this process has heard that a token was revoked: a lookup. No says nothing. */
  readonly hasHeard: (payload: TokenPayload<C>) => boolean
  /** Hears of what was revoked here, before any feed does. */
  readonly note: (entry: LogEntry) => void
  /** Reads at once what several endings wrote into the log. */
  readonly catchUp: () => Promise<void>
  /** Hears of what became of a session. */
  readonly emit: (event: SessionEvent) => void
}

/** What became of a session. */
export interface SessionEvent {
  /** What happened. */
  readonly kind: 'started' | 'refreshed' | 'replayed' | 'healed' | 'reused' | 'steppedUp' | 'ended'
  /** The session; null where several ended at once. */
  readonly sid: string | null
  /** The subject. */
  readonly sub: string
}
