/**
 * The form in which one service tells another what is revoked: a page of the log as JSON, and two
 * headers. Writes and reads it; nothing here knows a store or a token.
 */
import { isRecord } from '../internal/configuration-error.ts'
import { LATEST_MOMENT } from '../internal/duration.ts'

/** What the page was asked with, repeated: a cache that ignores the query repeats another one. */
export const NONCE_HEADER = 'revocations-nonce'

/**
 * As of when the page is complete, in seconds after the request came; negative for before. A length
 * and no time, so that no two clocks have to agree.
 */
export const AS_OF_HEADER = 'revocations-as-of'

/** The longest cursor, in characters. */
export const MAX_CURSOR = 1024

/** The longest time for which a request may ask to be held, in seconds. */
export const LONGEST_HOLD = 30

/** A nonce: up to 64 characters. */
export const NONCE: RegExp = /^[\w-]{1,64}$/

/** What was revoked. */
export interface RevocationEntry {
  /** What `key` names: a session, a token or a subject. */
  readonly kind: 'sid' | 'jti' | 'sub'
  /** A session's or a token's identifier, or a subject. */
  readonly key: string
  /** The realm of a subject; null or left out for none. */
  readonly realm?: string | null | undefined
  /** When it was revoked; for a subject, tokens that were issued until then are refused. */
  readonly at: number
  /** When it may be forgotten. */
  readonly until: number
}

/** Whose page it is. */
export interface PageOwner {
  /** The `issuer` of the application; undefined for none. */
  readonly iss?: string | undefined
  /** Its realm; undefined for none. */
  readonly realm?: string | undefined
}

/** A page of the log. */
export interface RevocationPage extends PageOwner {
  /** The entries after the cursor, oldest first. */
  readonly entries: readonly RevocationEntry[]
  /** Where to read on. */
  readonly cursor: string
  /** Whether there are more. */
  readonly more: boolean
  /** True where the cursor was not of this log, which is read from its beginning again. */
  readonly restarted: boolean
  /** The time of the store, epoch seconds. */
  readonly now: number
  /** The longest life of a token that the log covers, in seconds. */
  readonly covers: number
}

/** The most entries of a page that are read. */
const MOST_ENTRIES = 20_000

/**
 * Reads a page that came from elsewhere.
 *
 * @throws {Error} that says in words what is wrong with it, and repeats nothing of it
 */
export function readRevocationPage(body: unknown): RevocationPage {
  if (!isRecord(body)) throw new Error('it is no JSON object')
  const { iss, realm, entries, cursor, more, restarted = false, now, covers } = body
  if (!Array.isArray(entries) || entries.length > MOST_ENTRIES)
    throw new Error(`\`entries\` is no list of at most ${MOST_ENTRIES}`)
  if (!entries.every(isEntry)) throw new Error('`entries` has one of another form')
  if (typeof cursor !== 'string' || cursor === '' || cursor.length > MAX_CURSOR)
    throw new Error(`\`cursor\` is no text of 1-${MAX_CURSOR} characters`)
  if (typeof more !== 'boolean' || typeof restarted !== 'boolean')
    throw new Error('`more` or `restarted` is neither true nor false')
  if (!isMoment(now) || !isMoment(covers)) throw new Error('`now` or `covers` is no number of seconds')
  return { ...readPageOwner({ iss, realm }), entries, cursor, more, restarted, now, covers }
}

/** Reads whose page it is. @throws {Error} as `readRevocationPage` */
export function readPageOwner({ iss, realm }: Readonly<Record<string, unknown>>): PageOwner {
  if (!isName(iss) || !isName(realm)) throw new Error('`iss` or `realm` is no text')
  return { iss, realm }
}

function isName(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

/** A kind that is not known cannot be obeyed, so it is an error. */
function isEntry(value: unknown): value is RevocationEntry {
  if (!isRecord(value)) return false
  const { kind, key, realm, at, until } = value
  const isNamed =
    (kind === 'sid' || kind === 'jti' || kind === 'sub') && typeof key === 'string' && key !== ''
  return isNamed && isMoment(at) && isMoment(until) && (realm === null || isName(realm))
}

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LATEST_MOMENT
}
