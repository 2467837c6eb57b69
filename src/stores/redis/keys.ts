/**
 * The keys in Redis. All share one hash tag, `{prefix}`, and so one slot of a cluster, which makes
 * a script one atomic step (docs/decisions/0006-redis-keys.md). A letter before the name says what
 * a key is: by it, scripts derive the key of a subject from that of a session, and back.
 */
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'
import type { SessionOwner } from '../../session/session-row.ts'

/** The keys of one store. */
export interface Keys {
  /** The log: a stream. */
  readonly log: string
  /** Keys that `prune` deletes under a clock of the application: a sorted set by their ends. */
  readonly due: string
  /** The row of a session: a hash. */
  row(sid: string): string
  /** The index of an owner: a sorted set of session identifiers by absolute end. */
  index(owner: SessionOwner): string
  /** The cut-off of an owner: a time. */
  cutOff(owner: SessionOwner): string
  /** A revoked token: its end. */
  token(jti: string): string
  /** The attempts of a key: a hash. */
  attempts(key: string): string
  /** A cut-off that came from a store which knows its owner by the hash only. */
  hashedCutOff(hash: string): string
  /** Attempts that came from such a store. */
  hashedAttempts(hash: string): string
}

/**
 * Escapes a text so that two texts with different code units never become one: UTF-8 turns every
 * lone surrogate into U+FFFD. Ordinary texts stay as they are.
 */
export function spell(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/**
 * Escapes an owner: without a realm as its subject, else with the realm in quotes before it. An
 * escaped text has no bare quote, so no subject can pass for an owner in a realm.
 */
export function spellOwner({ realm, sub }: SessionOwner): string {
  return realm === null ? spell(sub) : JSON.stringify(realm) + spell(sub)
}

/** Reverses `spell`. */
export function unspell(text: string): string {
  return text.includes('\\') ? JSON.parse(`"${text}"`) : text
}

/** The owner under which version 0.1 kept a subject of every realm. */
export function toShared({ sub }: SessionOwner): SessionOwner {
  return { sub, realm: null }
}

/** Reverses `spellOwner`. */
export function unspellOwner(text: string): SessionOwner {
  const [realm] = /^"(?:[^"\\]|\\.)*"/.exec(text) ?? []
  if (realm === undefined) return { sub: unspell(text), realm: null }
  return { sub: unspell(text.slice(realm.length)), realm: JSON.parse(realm) as string }
}

/**
 * Creates the keys of one store.
 *
 * @param prefix 1 to 64 letters, digits and `: . _ -`
 * @throws {ConfigurationError} for another prefix: a brace would move keys to another slot
 */
export function createKeys(prefix: string): Keys {
  if (typeof prefix !== 'string' || !/^[\w:.-]{1,64}$/.test(prefix)) {
    throw new ConfigurationError(expected('prefix', '1 to 64 letters, digits or : . _ -', prefix))
  }
  const tag = `{${prefix}}`
  return {
    log: `${tag}:log`,
    due: `${tag}:due`,
    row: (sid) => `${tag}:s:${spell(sid)}`,
    index: (owner) => `${tag}:u:${spellOwner(owner)}`,
    cutOff: (owner) => `${tag}:c:${spellOwner(owner)}`,
    token: (jti) => `${tag}:j:${spell(jti)}`,
    attempts: (key) => `${tag}:a:${spell(key)}`,
    hashedCutOff: (hash) => `${tag}:C:${hash}`,
    hashedAttempts: (hash) => `${tag}:A:${hash}`,
  }
}
