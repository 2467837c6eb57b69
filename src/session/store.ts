/**
 * What a store must do: the records and the two contracts. A store keeps sessions, one row per
 * login (`session-row.ts`), and a log of what was revoked. Each method says what must happen in one
 * atomic step.
 *
 * Times named `...At` are epoch seconds, to the millisecond; lengths are seconds. A store reads its
 * own clock inside the atomic step, after any wait for a lock, unless the call brings `now`.
 */
import type {
  Attempt,
  AttemptCount,
  AttemptForget,
  CountedAttempts,
  CountedTogether,
} from './attempt-records.ts'
import type { LogPage } from './log-entry.ts'
import type { NewSession, RevokeReason, SessionOwner, SessionRow } from './session-row.ts'
import type { StoreTransfer } from './transfer.ts'

export type {
  Attempt,
  AttemptCount,
  AttemptForget,
  CountedAttempts,
  CountedTogether,
} from './attempt-records.ts'
export type { LogEntry, LogPage } from './log-entry.ts'

/** Seconds for which a row is kept after it was revoked or expired: a late client is told why. */
export const KEPT_AFTER_END = 86_400

/** How many rows `list` returns at most. */
export const MOST_LISTED = 1000

/** How many live sessions an owner may have. */
export interface SessionLimit {
  /** How many, the new one included; at least 1. */
  readonly count: number
  /** Whether a start beyond that is refused; else the sessions with the oldest logins end. */
  readonly refuses: boolean
  /** How long a log entry must outlive such an end, in seconds. */
  readonly logTtl: number
}

/** The result of a start within a limit. */
export interface LimitedStart {
  /** `revoked` where the owner was revoked at or after the proof, `full` where it is refused. */
  readonly word: 'started' | 'revoked' | 'full'
  /** The row; null unless it was started. */
  readonly row: SessionRow | null
  /** The sessions that ended for it, as they are after the step. */
  readonly ended: readonly SessionRow[]
}

/**
 * What a refresh does, by its generation; exactly one word.
 *
 * - `kept` it is the row's and was made, or handed out by a step-up, a short while ago: nothing is
 *   written
 * - `rotated` it is the row's: the generation advances, the idle end moves
 * - `replayed` it is the one before the row's: the row remembers at most how late that was
 * - `reused` it is older than that, or one time too many late: the session is revoked and the log
 *   entry written in the same step; the row's `revokeReason` says which
 * - `healed` it is ahead of the row, which lost writes: the row takes it over, then as `rotated`
 * - `late` the deadline has passed and it would have written: nothing is written
 * - `expired`, `revoked`, `unknown` the session is over: nothing is written
 */
export type RotationWord =
  | 'kept'
  | 'rotated'
  | 'replayed'
  | 'reused'
  | 'healed'
  | 'late'
  | 'expired'
  | 'revoked'
  | 'unknown'

/** The rules of rotation. */
export interface RotationPolicy {
  /**
   * A generation is kept for twice as long, in seconds, and its predecessor is late when it
   * comes after a share of it. 0 is strict single use.
   */
  readonly overlap: number
  /**
   * Seconds until an unused session ends; counted anew by every rotation. A row that has `idleFor`
   * goes by that.
   */
  readonly idle: number
  /**
   * False for plain refresh: the generation never advances, and `kept` moves the idle end (the one
   * `kept` that writes).
   */
  readonly rotation: boolean
}

/** One refresh, for the store to decide. */
export interface RotateCall extends RotationPolicy {
  /** The session. */
  readonly sid: string
  /** The generation of the token, whose signature was verified. */
  readonly gen: number
  /** The last moment for a write, in the store's time; null for no limit. */
  readonly notAfter: number | null
  /** The time of the step, where the application brings its own clock; null for the store's. */
  readonly now: number | null
  /** How long a log entry must outlive a reuse, in seconds. */
  readonly logTtl: number
  /** Where the client was seen; null for nowhere. */
  readonly seen: Sighting | null
}

/** Where a client was seen. What is null leaves what is known. */
export interface Sighting {
  /** Its address, at most 64 characters. */
  readonly ip: string | null
  /** Its user agent, at most 256 characters. */
  readonly userAgent: string | null
  /**
   * How often that is noted, in seconds: by a refresh that moves the session and is the first since
   * a whole multiple of this. One that was noted each time would tell whoever sees it when the
   * session was refreshed; see `session-info.ts`.
   */
  readonly stretch: number
}

/** The result of a refresh. */
export interface Rotation {
  /** What became of it. */
  readonly word: RotationWord
  /** The row after the step; null only for `unknown`. */
  readonly row: SessionRow | null
  /** The store's time in the step. */
  readonly now: number
}

/** What a step-up writes. */
export interface StepUpCall
  extends Pick<RotateCall, 'sid' | 'notAfter' | 'now'>,
    Pick<SessionRow, 'acr' | 'amr'> {
  /** The moment of the authentication, epoch seconds. */
  readonly authTime: number
}

/** The result of a step-up. */
export interface StepUp {
  /** `live` when it was written; `late` when the deadline had passed. */
  readonly word: 'live' | 'late' | 'expired' | 'revoked' | 'unknown'
  /** The row after the step; null only for `unknown`. */
  readonly row: SessionRow | null
  /** The store's time in the step. */
  readonly now: number
}

/** What an update changes of a live session; what is undefined stays. */
export interface UpdateCall
  extends Pick<RotateCall, 'sid' | 'now'>,
    Partial<Pick<SessionRow, 'scopes' | 'data' | 'metadata' | 'label'>> {}

/** A strict check of one token. */
export interface RevocationQuery extends SessionOwner {
  /** The token's session; null for a token without. */
  readonly sid: string | null
  /** The token's identifier; null for a token without. */
  readonly jti: string | null
  /**
   * When it was issued, less the forgiven skew; null when unknown, which a cut-off always applies
   * to.
   */
  readonly iat: number | null
  /** As in `RotateCall`. */
  readonly now: number | null
}

/**
 * Keeps sessions. Every method is one atomic step. A rejection means that nothing or all of it has
 * happened: a connection may break, or a deadline pass, between the commit and its acknowledgement.
 */
export interface SessionStore {
  /** The store's time: one round trip. */
  now(): Promise<number>
  /**
   * Starts a session, unless its owner was revoked at or after `provedAt`. Atomic against `endAll`:
   * of a start and a revocation that race, either the start sees the cut-off or the revocation ends
   * the session.
   *
   * @returns the row; null when the owner was revoked
   */
  start(session: NewSession, now: number | null): Promise<SessionRow | null>
  /**
   * As `start`, for an owner who may have only so many live sessions, this one included. Those that
   * end for it have the reason `limit` and an entry in the log, all in the same atomic step:
   * however many start at once, no more are ever live. Of logins at one moment any counts as the
   * older one.
   */
  startLimited(session: NewSession, limit: SessionLimit, now: number | null): Promise<LimitedStart>
  /**
   * Whether there is a row of a session, live or not. Only where that is known at once and without
   * I/O, as in the memory of this process; then it is asked for each token.
   */
  knows?(sid: string): boolean
  /** Decides and runs one refresh. One atomic step, with the log entry of a reuse inside it. */
  rotate(call: RotateCall): Promise<Rotation>
  /** Records an active authentication, if the session is live. One atomic step. */
  stepUp(call: StepUpCall): Promise<StepUp>
  /**
   * Changes what a live session grants and is called. One atomic step, and no other step loses it.
   *
   * @returns the row after it; null for a session that is not live
   */
  update(call: UpdateCall): Promise<SessionRow | null>
  /**
   * Counts one more attempt of `key` in a window that starts with its first attempt. One atomic
   * step; parallel attempts never exceed the limit. Keys are the caller's: one that counts a
   * subject names its realm too.
   */
  countAttempt(key: string, limit: number, window: number, now: number | null): Promise<Attempt>
  /**
   * What is counted of `key`; after refused attempts it may be one more than the limit. Only reads.
   */
  readAttempts(key: string, now: number | null): Promise<CountedAttempts>
  /**
   * Takes back `count` attempts of `key`, all of them for null. One atomic step. Where none is left
   * the window is over: the next attempt starts another.
   */
  forgetAttempts(key: string, count: number | null, now: number | null): Promise<void>
  /**
   * Counts one more attempt of every key, or of none where one of them is at its limit; and reads
   * other keys. No key comes twice. Each key is counted as by `countAttempt`: parallel attempts
   * never exceed a limit. They may keep each other from being counted, and what was counted of some
   * keys is then taken back. One round trip where the store has one for a change and a read.
   *
   * Left out with `forgetTogether` by stores that count key by key; then a login takes longer.
   */
  countTogether?(
    counts: readonly AttemptCount[],
    reads: readonly string[],
    now: number | null,
  ): Promise<CountedTogether>
  /** As `forgetAttempts`, of several keys. No key comes twice. One atomic step for each key. */
  forgetTogether?(forgets: readonly AttemptForget[], now: number | null): Promise<void>
  /** One row, revoked and expired ones included until they are pruned; null for none. */
  get(sid: string): Promise<SessionRow | null>
  /**
   * The live rows of an owner, newest login first, at most `MOST_LISTED`. It costs what it returns:
   * sessions beyond that are not read.
   */
  list(owner: SessionOwner, now: number | null): Promise<readonly SessionRow[]>
  /**
   * Whether a token's session, identifier or subject is revoked, or its session gone. One round
   * trip.
   */
  isRevoked(query: RevocationQuery): Promise<boolean>
}

/** Revokes, and keeps the log that other processes follow. */
export interface RevocationStore {
  /**
   * Revokes one session and writes the log entry, also where the row is gone: its access tokens may
   * still live. A session that was revoked before gets no second entry. One atomic step.
   *
   * @returns whether it was live before
   */
  end(sid: string, reason: RevokeReason, call: RevokeCall): Promise<boolean>
  /**
   * Revokes every live session of an owner but `except`, with a log entry each; with `cutOff` also
   * every token of the owner that names no session, and every start whose proof is older. One
   * atomic step.
   *
   * @returns how many sessions were live before
   */
  endAll(owner: SessionOwner, reason: RevokeReason, call: EndAllCall): Promise<number>
  /**
   * Revokes one token by its identifier until `until`, and writes the log entry. One atomic step.
   */
  revokeToken(jti: string, until: number, now: number | null): Promise<void>
  /**
   * Reads the log after a cursor; null from its beginning. No entry is ever missed: what is
   * committed later comes later, also when writers overlap.
   */
  readLog(cursor: string | null, limit: number): Promise<LogPage>
  /**
   * Deletes expired records: rows `KEPT_AFTER_END` after they were revoked or expired; log entries,
   * cut-offs and attempts after theirs. It takes about a second, in short steps, and goes on with
   * the next call where it stopped.
   *
   * @returns how many records it deleted
   */
  prune(now: number | null): Promise<number>
}

/** What a revocation brings along. */
export type RevokeCall = Pick<RotateCall, 'logTtl' | 'now'>

/** What ending all sessions of an owner brings along. */
export interface EndAllCall extends RevokeCall {
  /** The session that is spared; null for none. */
  readonly except: string | null
  /**
   * Stores a cut-off that outlives every session, and any token with a life of so many seconds.
   * Null for none.
   */
  readonly cutOff: number | null
}

/** What may be wrong with a store. */
export interface StoreWarning {
  /** Its kind, such as `store-read-only`, by which programs tell warnings apart. */
  readonly code: string
  /** What it is, what it may cost and what to do, in one sentence. */
  readonly warning: string
}

/** A store: both contracts. Closing the connection is the user's. */
export interface Store extends SessionStore, RevocationStore {
  /** A short name for messages, such as `'postgres'`. */
  readonly name: string
  /** Warnings at start, such as of a Redis that writes nothing to disk. */
  inspect(): Promise<readonly string[]>
  /**
   * As `inspect`, with a code each, and what an operator looks for: missing tables and privileges,
   * a pooler, a log or a backlog that has grown. It writes nothing, may take a second and two
   * connections, and rejects only where the store cannot be asked. Left out by stores that know no
   * more than `inspect`.
   */
  diagnose?(): Promise<readonly StoreWarning[]>
  /** How its records go to another store, and come from one; left out where they cannot. */
  readonly transfer?: StoreTransfer
}
