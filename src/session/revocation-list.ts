/**
 * What is revoked, in memory: sessions, tokens and the cut-offs of subjects, each until no token
 * can be hit any more. A look-up does no I/O. An entry takes 60-100 bytes at a million of them: a
 * string and a number in a `Map`.
 */
import type { LogEntry } from './store.ts'

/** What identifies a token to the list. */
export interface TokenIdentity {
  /** The token's session. */
  readonly sid: string | undefined
  /** The token's identifier. */
  readonly jti: string | undefined
  /** The token's subject. */
  readonly sub: string
  /** When it was issued, epoch seconds. */
  readonly iat: number | undefined
}

/** The revocation of every token of a subject that was issued until `at`. */
interface CutOff {
  readonly at: number
  readonly until: number
}

/** The most entries: some 200 MB. */
const MOST_ENTRIES = 2_000_000

/** The revocations that one process knows of. */
export class RevocationList {
  readonly #leeway: number
  readonly #most: number
  /** When the last entry ends that found no place. */
  #missesUntil = 0
  #sweptAt = 0
  readonly #sids = new Map<string, number>()
  readonly #jtis = new Map<string, number>()
  readonly #subs = new Map<string, CutOff>()

  /**
   * @param leeway clock skew that is forgiven between issuers and the store, in seconds
   * @param most how many entries are kept; further ones make it incomplete
   */
  constructor(leeway: number, most: number = MOST_ENTRIES) {
    this.#leeway = leeway
    this.#most = most
  }

  /** Whether an entry that may still apply found no place, so that a no proves nothing. */
  isIncomplete(): boolean {
    return this.#missesUntil > this.#sweptAt
  }

  /** How many entries there are. */
  get size(): number {
    return this.#sids.size + this.#jtis.size + this.#subs.size
  }

  /** Adds an entry; one that is known already changes nothing. */
  add({ kind, key, at, until }: LogEntry): void {
    if (this.size >= this.#most) {
      this.#missesUntil = Math.max(this.#missesUntil, until)
      return
    }
    if (kind !== 'sub') {
      keepLatest(kind === 'sid' ? this.#sids : this.#jtis, key, until)
      return
    }
    const known = this.#subs.get(key)
    this.#subs.delete(key)
    this.#subs.set(key, { at: Math.max(at, known?.at ?? 0), until: Math.max(until, known?.until ?? 0) })
  }

  /** Whether a token is revoked, as far as is known. */
  has({ sid, jti, sub, iat }: TokenIdentity): boolean {
    if (jti !== undefined && this.#jtis.size > 0 && this.#jtis.has(jti)) return true
    // A cut-off ends the sessions of its subject one by one: a token with a session needs no look
    // at it.
    if (sid !== undefined) return this.#sids.size > 0 && this.#sids.has(sid)
    const cutOff = this.#subs.size > 0 ? this.#subs.get(sub) : undefined
    return cutOff !== undefined && (iat === undefined || iat <= cutOff.at + this.#leeway)
  }

  /** All entries, whose `at` is 0 where it is not known. */
  *entries(): Iterable<LogEntry> {
    for (const [key, until] of this.#sids) yield { kind: 'sid', key, at: 0, until }
    for (const [key, until] of this.#jtis) yield { kind: 'jti', key, at: 0, until }
    for (const [key, { at, until }] of this.#subs) yield { kind: 'sub', key, at, until }
  }

  /** Deletes the entries that no token can be hit by any more. @param now the store's time */
  sweep(now: number): void {
    this.#sweptAt = Math.max(this.#sweptAt, now)
    sweepMap(this.#sids, (until) => until <= now)
    sweepMap(this.#jtis, (until) => until <= now)
    sweepMap(this.#subs, ({ until }) => until <= now)
  }
}

/** Adds a key at the end of a map, unless it is there already and ends later. */
function keepLatest(map: Map<string, number>, key: string, until: number): void {
  const known = map.get(key)
  if (known !== undefined && known >= until) return
  map.delete(key)
  map.set(key, until)
}

/**
 * Deletes from the front until an entry has not ended: entries are nearly in the order of their
 * ends.
 */
function sweepMap<V>(map: Map<string, V>, hasEnded: (value: V) => boolean): void {
  for (const [key, value] of map) {
    if (!hasEnded(value)) return
    map.delete(key)
  }
}
