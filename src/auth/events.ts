/**
 * The audit events: what happens to tokens and sessions, for the listeners given as `on`. No event
 * holds a token, a key or a password.
 */
import type { ErrorCode } from '../errors.ts'
import { keysOf } from '../internal/read-options.ts'
import type { NewDevice } from '../session/new-device.ts'
import type { RevokeReason } from '../session/session-row.ts'
import type { TokenType } from '../token/token-type.ts'

/** The session of an event. */
export interface SessionNotice {
  /** The session. Null if several sessions of a subject ended at once. */
  readonly sid: string | null
  /** Its subject. */
  readonly sub: string
}

/** The end of a session, and why it came. */
export interface SessionEnd extends SessionNotice {
  /**
   * `ended` by the user or by the application; `subject_revoked` with everything of its subject;
   * `rights_withdrawn` where `sessions.rights` returned null; `limit` for a newer login. One that
   * ended because of a copied token is told of by `reused` or `shadowed` instead.
   */
  readonly reason: RevokeReason
  /** How many ended: 1 where `sid` names it, maybe 0 where it is null. */
  readonly count: number
}

/** Every event, by name. */
export interface AuthEvents {
  /** A token was issued. */
  readonly issued: {
    /** The type of the token. */
    readonly type: TokenType
    /** Its subject. */
    readonly sub: string
  }
  /** A request was refused. */
  readonly refused: {
    /** The code of the error. */
    readonly code: ErrorCode
    /** The method of the request. */
    readonly method: string
    /** The underlying error, such as a driver's; not for the client. */
    readonly cause: unknown
    /** The time in epoch seconds. */
    readonly time: number
    /** The path of the request, without its query. */
    readonly route: string
    /** The client's address; null where it is unknown. */
    readonly address: string | null
    /**
     * Its network: an IPv4 address by itself, an IPv6 address by its /64; null where it is unknown.
     */
    readonly network: string | null
    /** The client's user agent, at most 256 characters; null without one. */
    readonly userAgent: string | null
    /**
     * The account that a password was tried for: a hash, alike for all spellings of a name. Null
     * where no password was tried.
     */
    readonly account: string | null
    /** The subject of the token that stepped up; null for any other request. */
    readonly sub: string | null
  }
  /**
   * A request could not be checked because of a defect in the application or its configuration: the
   * response is 500.
   */
  readonly failed: {
    /** What was thrown, such as a `ConfigurationError` whose message says how to mend it. */
    readonly error: unknown
    /** The method of the request. */
    readonly method: string
    /** The time in epoch seconds. */
    readonly time: number
    /** The path of the request, without its query. */
    readonly route: string
  }
  /** An access token was renewed during a request. */
  readonly renewed: {
    /** Its subject. */
    readonly sub: string
  }
  /** A login started a session. */
  readonly started: SessionNotice
  /**
   * A login came from a device that no other live session of its subject looks like: its user agent
   * differs from theirs in more than numbers. It follows `started`. Not for the only session of a
   * subject, as there is nothing to compare with.
   */
  readonly newDevice: NewDevice
  /** A refresh token was exchanged. */
  readonly refreshed: SessionNotice
  /** The previous refresh token was used again: a race, or a response that was lost or late. */
  readonly replayed: SessionNotice
  /** An older refresh token was used, so it was copied. The session was revoked. */
  readonly reused: SessionNotice
  /**
   * The previous refresh token came late again and again, because two clients use one session. The
   * session was revoked.
   */
  readonly shadowed: SessionNotice
  /** A refresh token was newer than its session in the store, because the store has lost writes. */
  readonly healed: SessionNotice
  /** A user authenticated again. */
  readonly steppedUp: SessionNotice
  /** One session ended, or all of a subject. */
  readonly ended: SessionEnd
  /**
   * A token names a session that the store does not have: it ended more than a day ago, or the
   * store has lost it. Many at once mean that it lost data.
   */
  readonly unknown: SessionNotice
  /**
   * The store had lost revocations that this process knows: after a failover to a replica that was
   * behind, or a restored backup.
   */
  readonly lost: {
    /** How many. */
    readonly lost: number
    /** How many of them it has again; this process tries the others until they expire. */
    readonly restored: number
  }
  /**
   * The log of revocations cannot be read: the store is out of reach, or the service that
   * `revocation.source` follows. Once until it is back. A store that can be read and not written,
   * as a replica, is told of by `refused` only.
   */
  readonly storeDown: {
    /** What the reading failed with; `explainFailure(cause)` says it in words. */
    readonly cause: unknown
    /** The time in epoch seconds. */
    readonly time: number
  }
  /** The log of revocations can be read again. */
  readonly storeUp: {
    /** The time in epoch seconds. */
    readonly time: number
  }
  /**
   * An issuer of `issuers` is out of reach, or its key set was refused. Once until it is back.
   * Meanwhile its last key set is used, for `maxStale`.
   */
  readonly issuerDown: {
    /** The issuer. */
    readonly issuer: string
    /** Why, such as the status of the response. */
    readonly cause: Error
    /** The time in epoch seconds. */
    readonly time: number
  }
  /** An issuer is back: its key set was fetched again. */
  readonly issuerUp: {
    /** The issuer. */
    readonly issuer: string
    /** The time in epoch seconds. */
    readonly time: number
  }
}

/** The names of all events. */
export const EVENT_NAMES: readonly (keyof AuthEvents)[] = keysOf<AuthEvents>({
  issued: true,
  refused: true,
  failed: true,
  renewed: true,
  started: true,
  newDevice: true,
  refreshed: true,
  replayed: true,
  reused: true,
  shadowed: true,
  healed: true,
  steppedUp: true,
  ended: true,
  unknown: true,
  lost: true,
  storeDown: true,
  storeUp: true,
  issuerDown: true,
  issuerUp: true,
})
