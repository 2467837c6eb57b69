/**
 * What the log of revocations is made of. A store writes an entry in the step that revokes, and
 * processes follow the log.
 *
 * Times named `...At` are epoch seconds, to the millisecond; so are `at`, `until` and `now`.
 */

/** What was revoked: a session, a token, or every token of a subject that names no session. */
export interface LogEntry {
  /** What `key` names. */
  readonly kind: 'sid' | 'jti' | 'sub'
  /** A session's or a token's identifier, or a subject. */
  readonly key: string
  /**
   * The realm of a subject; null for none. Left out for sessions and tokens, whose identifiers are
   * unique, and in entries of version 0.1: those apply to every realm.
   */
  readonly realm?: string | null | undefined
  /** When it was revoked; for a subject the cut-off: tokens issued until then are refused. */
  readonly at: number
  /** When followers may forget it: the store is asked about tokens that live longer. */
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
  /** Whether there are more. */
  readonly more: boolean
  /** True where the cursor was not of this log, which is read from its beginning again. */
  readonly restarted?: boolean
  /** The store's time. */
  readonly now: number
}
