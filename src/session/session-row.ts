/**
 * What is kept of a session: one row for each login. A stored row contains nothing secret: no token
 * can be made out of a stolen database.
 *
 * Times named `...At` are epoch seconds, to the millisecond; lengths are seconds.
 */

/**
 * Whose sessions: a subject in a realm. Two realms on one store never see each other, and a subject
 * without a realm is not theirs.
 */
export interface SessionOwner {
  /** The subject. Compared by its code units: no collation may fold case, accents or blanks. */
  readonly sub: string
  /** The realm, compared likewise; null for none. */
  readonly realm: string | null
}

/** One login: what its refresh tokens are minted from. */
export interface SessionRow extends SessionOwner {
  /** The session's identifier: 22 characters of base64url. */
  readonly sid: string
  /** The generation of the current refresh token; 0 at the login. */
  readonly gen: number
  /** When `gen` last advanced; the login at generation 0. */
  readonly rotatedAt: number
  /**
   * How late the generation before came, in seconds; see `rotation.ts`. 0 when it was not
   * late.
   */
  readonly late: number
  /**
   * The sum of `late` over the generations before, in seconds; it falls with each that was not
   * late.
   */
  readonly lateBefore: number
  /** The latest active authentication, for lists only; null when unknown. */
  readonly authTime: number | null
  /** The class of that authentication. */
  readonly acr: string | null
  /** Its methods. */
  readonly amr: readonly string[] | null
  /** The scopes that were granted at the login, or by an update since. */
  readonly scopes: readonly string[]
  /** The custom claims, likewise: plain JSON. */
  readonly data: Readonly<Record<string, unknown>>
  /** What the application keeps of the session, and no token has: plain JSON. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** What its user calls it; null for nothing. */
  readonly label: string | null
  /** When the session was started. */
  readonly createdAt: number
  /** When it was last started, rotated or stepped up. */
  readonly lastUsedAt: number
  /** When it ends unless it is used. Never after `absoluteExpiresAt`. */
  readonly idleExpiresAt: number
  /** When it ends in any case. */
  readonly absoluteExpiresAt: number
  /** Whether its user did not want to be remembered: its cookies end with the browser. */
  readonly brief: boolean
  /**
   * Its own time until it ends unused, in seconds, where its login has said one; null for that of
   * the application's rules.
   */
  readonly idleFor: number | null
  /** When it was revoked; null while it is not. */
  readonly revokedAt: number | null
  /** Why it was revoked. */
  readonly revokeReason: RevokeReason | null
  /** The address at the login, at most 64 characters; null when unknown. */
  readonly ip: string | null
  /** The user agent at the login, at most 256 characters; null when unknown. */
  readonly userAgent: string | null
  /** The address of the last refresh that was noted; null before one. See `Sighting`. */
  readonly lastIp: string | null
  /** The user agent of that refresh. */
  readonly lastUserAgent: string | null
}

/** Why a session was revoked; `moved` for one that went to another store. */
export type RevokeReason =
  | 'refresh_reused'
  | 'shadowed'
  | 'ended'
  | 'subject_revoked'
  | 'rights_withdrawn'
  | 'limit'
  | 'moved'

/** A session to start; the rest of its row follows from the time of the step. */
export interface NewSession
  extends Pick<
    SessionRow,
    | 'sid'
    | 'sub'
    | 'realm'
    | 'authTime'
    | 'acr'
    | 'amr'
    | 'scopes'
    | 'data'
    | 'metadata'
    | 'label'
    | 'brief'
    | 'idleFor'
    | 'ip'
    | 'userAgent'
  > {
  /**
   * The moment before the password was checked, in the store's time; a subject that was revoked at
   * or after it gets no session.
   */
  readonly provedAt: number
  /** Seconds from now until the session ends unused, where `idleFor` is null. */
  readonly idle: number
  /** Seconds from now until it ends in any case. */
  readonly absolute: number
}
