/**
 * The one page that a store must obey: the records, and the two contracts. A store keeps sessions,
 * one row per login, and a log of what was revoked. It speaks in domain verbs; each method says
 * what must happen in one atomic step. Nothing secret is stored: no token can be made out of a
 * stolen database.
 *
 * Times named `...At` are epoch seconds, to the millisecond; lengths are seconds. A store reads its
 * own clock inside the atomic step, after any wait for a lock, unless the call brings `now`: then
 * that moment rules.
 */

/** How long a row is kept after its absolute end before it is pruned, in seconds: a day. */
export const KEPT_AFTER_END = 86_400

/** The most sessions that `list` returns. */
export const MOST_LISTED = 1000

/** One login: what its refresh tokens are minted from. */
export interface SessionRow {
  /**
   * The session's identifier: 22 random characters of base64url.
   */
  readonly sid: string
  /**
   * The subject. Compared by its exact code units: no collation may fold case, accents or trailing
   * blanks.
   */
  readonly sub: string
  /** The realm; null for none. */
  readonly realm: string | null
  /** The generation of the refresh token that is current; 0 at the login. */
  readonly gen: number
  /** When `gen` last advanced; the login at generation 0. */
  readonly rotatedAt: number
  /** The latest active authentication, for lists only; null when unknown. */
  readonly authTime: number | null
  /** The class of that authentication. */
  readonly acr: string | null
  /** Its methods. */
  readonly amr: readonly string[] | null
  /** The scopes granted at the login. */
  readonly scopes: readonly string[]
  /** The custom claims given at the login: plain JSON. */
  readonly data: Readonly<Record<string, unknown>>
  /** When the session was started. */
  readonly createdAt: number
  /** When it was last started, refreshed with a write, or stepped up. */
  readonly lastUsedAt: number
  /** When it ends unless it is used. Never after `absoluteExpiresAt`. */
  readonly idleExpiresAt: number
  /** When it ends in any case. */
  readonly absoluteExpiresAt: number
  /** When it was revoked; null while it is not. */
  readonly revokedAt: number | null
  /** Why it was revoked. */
  readonly revokeReason: RevokeReason | null
  /** The address at the login, at most 64 characters; null when unknown. */
  readonly ip: string | null
  /** The user agent at the login, at most 256 characters; null when unknown. */
  readonly userAgent: string | null
}

/** Why a session was revoked. */
export type RevokeReason = 'refresh_reused' | 'ended' | 'subject_revoked' | 'rights_withdrawn'

/** What a session is started with; everything else follows from the moment of the step. */
export interface NewSession
  extends Pick<
    SessionRow,
    'sid' | 'sub' | 'realm' | 'authTime' | 'acr' | 'amr' | 'scopes' | 'data' | 'ip' | 'userAgent'
  > {
  /**
   * The moment before the password was checked, in the store's time; a subject revoked at or after
   * it gets no session.
   */
  readonly provedAt: number
  /** Seconds from now until the session ends unused. */
  readonly idle: number
  /** Seconds from now until it ends in any case. */
  readonly absolute: number
}

/**
 * What a refresh did, by the generation of its token; exactly one word.
 *
 * - `kept` it is the row's and was made, or handed out by a step-up, a short while ago: nothing is
 *   written
 * - `rotated` it is the row's: the generation advances, the idle end moves
 * - `replayed` it is the one before the row's, within the overlap: nothing is written
 * - `reused` it is older than that: the session is revoked and the log entry written in the same
 *   step
 * - `healed` it is in front of the row, which lost writes: the row takes it over, then as `rotated`
 * - `late` the caller waits no longer and it would have written: nothing is written
 * - `expired`, `revoked`, `unknown` the session is no more: nothing is written
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
   * How long the generation before stays good, in seconds; a generation is kept twice as long. 0 is
   * strict single use.
   */
  readonly overlap: number
  /** Seconds until an unused session ends; counted anew by every rotation. */
  readonly idle: number
  /**
   * False for plain refresh: the generation never advances, and `kept` moves the idle end (the one
   * `kept` that writes).
   */
  readonly rotation: boolean
}

/** One refresh, as the store is asked to decide it. */
export interface RotateCall extends RotationPolicy {
  /** The session. */
  readonly sid: string
  /** The generation of the token, whose signature held. */
  readonly gen: number
  /**
   * The last moment, in the store's time, at which a write is still of use; null for no such
   * moment.
   */
  readonly notAfter: number | null
  /** The moment that rules, where the application brings its own clock; null for the store's. */
  readonly now: number | null
  /** How long a log entry must outlive a reuse, in seconds. */
  readonly logTtl: number
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
export interface StepUpCall {
  /** The session. */
  readonly sid: string
  /** The moment of the authentication, epoch seconds. */
  readonly authTime: number
  /** Its class. */
  readonly acr: string | null
  /** Its methods. */
  readonly amr: readonly string[] | null
  /** The last moment at which a write is of use, as for a refresh. */
  readonly notAfter: number | null
  /** The moment that rules; null for the store's clock. */
  readonly now: number | null
}

/** The result of a step-up. */
export interface StepUp {
  /** `live` when it was written; `late` when the caller waits no longer. */
  readonly word: 'live' | 'late' | 'expired' | 'revoked' | 'unknown'
  /** The row after the step; null only for `unknown`. */
  readonly row: SessionRow | null
}

/** The result of counting one more attempt. */
export interface Attempt {
  /** Whether it may be made. */
  readonly allowed: boolean
  /** Seconds until the next one may be, when it may not; whole, at least 1. */
  readonly retryAfter: number
  /** How many attempts are counted in the window, this one included when it may be made. */
  readonly count: number
}

/** What is counted of a key. */
export interface CountedAttempts {
  /** How many attempts; 0 once the window has ended. */
  readonly count: number
  /** Seconds until the window ends; whole, 0 where nothing is counted. */
  readonly endsIn: number
}

/** What was revoked: a session, a token, or every token of a subject that names no session. */
export interface LogEntry {
  /** What `key` names. */
  readonly kind: 'sid' | 'jti' | 'sub'
  /** A session's or a token's identifier, or a subject. */
  readonly key: string
  /** When it was revoked; for a subject the cut-off: tokens issued until then are refused. */
  readonly at: number
  /** From when on no token can be hit any more. */
  readonly until: number
}

/** A stretch of the log. */
export interface LogPage {
  /**
   * The entries after the cursor, oldest first. Entries whose `until` has passed may be left out.
   */
  readonly entries: readonly LogEntry[]
  /** Where to read on; opaque, at most 1024 characters. */
  readonly cursor: string
  /** Whether there was more than fitted. */
  readonly more: boolean
  /** The store's time. */
  readonly now: number
}

/** What a strict check asks about one token. */
export interface RevocationQuery {
  /** The token's session; null for a token without. */
  readonly sid: string | null
  /** The token's identifier; null for a token without. */
  readonly jti: string | null
  /** The token's subject. */
  readonly sub: string
  /**
   * When it was issued, less the forgiven skew; null when it does not say, which a subject's
   * cut-off always hits.
   */
  readonly iat: number | null
  /** The moment that rules; null for the store's clock. */
  readonly now: number | null
}

/**
 * Keeps sessions. Every method is one atomic step; a failure is a rejection, and then nothing or
 * all of it has happened.
 */
export interface SessionStore {
  /** The store's time: one round trip. */
  now(): Promise<number>
  /**
   * Starts a session, unless its subject was revoked at or after `provedAt`. Atomic against
   * `endAll` with a cut-off: of a start and a revocation that race, either the start sees the
   * cut-off or the revocation ends the session.
   *
   * @returns the row; null when the subject was revoked
   */
  start(session: NewSession, now: number | null): Promise<SessionRow | null>
  /**
   * Decides one refresh and carries it out. One atomic step, with the log entry of a reuse inside
   * it.
   */
  rotate(call: RotateCall): Promise<Rotation>
  /** Records an active authentication, if the session is live. One atomic step. */
  stepUp(call: StepUpCall): Promise<StepUp>
  /**
   * Counts one more attempt of `key` in a window that starts with its first attempt. One atomic
   * step; parallel attempts never exceed the limit.
   */
  countAttempt(key: string, limit: number, window: number, now: number | null): Promise<Attempt>
  /**
   * What is counted of `key`; where attempts were refused it may be one more than the limit. Only
   * reads.
   */
  readAttempts(key: string, now: number | null): Promise<CountedAttempts>
  /**
   * Takes back `count` attempts of `key`, all of them for null. One atomic step. Where none is left
   * the window is over: the next attempt starts another. A key of which nothing is counted stays as
   * it is.
   */
  forgetAttempts(key: string, count: number | null, now: number | null): Promise<void>
  /** One row, revoked and expired ones included until they are pruned; null for none. */
  get(sid: string): Promise<SessionRow | null>
  /** The live rows of a subject, newest login first, at most 1000. */
  list(sub: string, now: number | null): Promise<readonly SessionRow[]>
  /**
   * Whether a token's session, identifier or subject is revoked, or its session gone. One round
   * trip.
   */
  isRevoked(query: RevocationQuery): Promise<boolean>
}

/** Revokes, and keeps the log that other processes follow. */
export interface RevocationStore {
  /**
   * Revokes one session and writes the log entry. One atomic step.
   *
   * @returns whether it was live before
   */
  end(sid: string, reason: RevokeReason, call: RevokeCall): Promise<boolean>
  /**
   * Revokes every live session of a subject but `except`, with a log entry each; with `cutOff` also
   * every token of the subject that names no session, and every start whose proof is older. One
   * atomic step.
   *
   * @returns how many sessions were live before
   */
  endAll(sub: string, reason: RevokeReason, call: EndAllCall): Promise<number>
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
   * Deletes what is no longer needed: rows a day after their absolute end, log entries,
   * cut-offs and attempts after theirs.
   *
   * @returns how many records went
   */
  prune(now: number | null): Promise<number>
}

/** What a revocation brings along. */
export interface RevokeCall {
  /** How long the log entry must live, in seconds. */
  readonly logTtl: number
  /** The moment that rules; null for the store's clock. */
  readonly now: number | null
}

/** What ending all sessions of a subject brings along. */
export interface EndAllCall extends RevokeCall {
  /** The session that is spared; null for none. */
  readonly except: string | null
  /**
   * Whether to store a cut-off; it outlives every session, and any token of `cutOff` seconds' life.
   * Null for none.
   */
  readonly cutOff: number | null
}

/** A store: both contracts. What it needs to close is the user's own connection. */
export interface Store extends SessionStore, RevocationStore {
  /** A short name for messages, such as `'postgres'`. */
  readonly name: string
  /**
   * What is worth a warning at start, such as a Redis that keeps nothing on disk; empty when
   * nothing is.
   */
  inspect(): Promise<readonly string[]>
}
