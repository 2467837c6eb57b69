/**
 * The keys in Redis. All share one hash tag, `{prefix}`, and so one slot of a cluster, which makes a
 * script one atomic step (docs/decisions/0006-redis-keys.md). Scripts derive the key of a subject
 * from that of a session, and back, by the letter before the name.
 */
import { ConfigurationError, expected } from '../../internal/configuration-error.ts'

/** The keys of one store. */
export interface Keys {
  /** The log: a stream. */
  readonly log: string
  /** What `prune` takes away under a clock that the application brings: a sorted set of keys. */
  readonly due: string
  /** The row of a session: a hash. */
  row(sid: string): string
  /** The index of a subject: a sorted set of session identifiers by absolute end. */
  subject(sub: string): string
  /** The cut-off of a subject: a moment. */
  cutOff(sub: string): string
  /** A revoked token: until when. */
  token(jti: string): string
  /** The attempts of a key: a hash. */
  attempts(key: string): string
}

/**
 * Escapes a text so that two texts with different code units never become one: UTF-8 turns every
 * lone surrogate into U+FFFD. Ordinary texts stay as they are.
 */
export function spell(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** Undoes `spell`. */
export function unspell(text: string): string {
  return JSON.parse(`"${text}"`)
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
    subject: (sub) => `${tag}:u:${spell(sub)}`,
    cutOff: (sub) => `${tag}:c:${spell(sub)}`,
    token: (jti) => `${tag}:j:${spell(jti)}`,
    attempts: (key) => `${tag}:a:${spell(key)}`,
  }
}
