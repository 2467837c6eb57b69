/**
 * What happens to tokens and sessions, for audit: the events that listeners given as `on` hear of. No event holds a token,
 * a key or a password.
 */
import type { ErrorCode } from '../errors.ts'
import type { TokenType } from '../token/token-type.ts'

/** A session to which something happened. */
export interface SessionNotice {
  /** The session; null where several of a subject ended at once. */
  readonly sid: string | null
  /** Its subject. */
  readonly sub: string
}

/** Every event, by name. */
export interface AuthEvents {
  /** A token was issued. */
  readonly issued: {
    /** Which kind. */
    readonly type: TokenType
    /** For whom. */
    readonly sub: string
  }
  /** A request was refused. */
  readonly refused: {
    /** Why. */
    readonly code: ErrorCode
    /** The method of the request. */
    readonly method: string
    /** What lies behind it, such as a driver's error; for the server's eyes only. */
    readonly cause: unknown
  }
  /** An access token was renewed in passing. */
  readonly renewed: {
    /** For whom. */
    readonly sub: string
  }
  /** A login has started a session. */
  readonly started: SessionNotice
  /** A refresh token was exchanged. */
  readonly refreshed: SessionNotice
  /** The refresh token before the current one came within the overlap: a race or a lost answer. */
  readonly replayed: SessionNotice
  /** An older refresh token came: somebody has a copy. The session was revoked. */
  readonly reused: SessionNotice
  /** A refresh token was newer than its row: the store has lost writes. */
  readonly healed: SessionNotice
  /** A user has proved once more who it is. */
  readonly steppedUp: SessionNotice
  /** One session has ended, or all of a subject. */
  readonly ended: SessionNotice
}
