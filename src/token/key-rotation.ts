/**
 * Rotates a key set: announces a new key, says from when it signs, and when the keys before it
 * retire. Pure: it takes the set and the time, and returns the next set. So one change takes a
 * rotation through its three steps, in every process that loads the set.
 */
import { ConfigurationError, isRecord } from '../internal/configuration-error.ts'
import { importKeySet } from './import-keys.ts'
import type { Jwk } from './jwk.ts'

/** The set of a key file: private JWKs, with the times of each in epoch seconds. */
export interface StoredKeySet {
  /** The keys. */
  readonly keys: readonly StoredKey[]
  /** Whether it has secrets beside public keys. */
  readonly mixed?: boolean
}

/** A key of a key file. */
export type StoredKey = Jwk & {
  /** From when it signs; undefined for the beginning. */
  readonly signsFrom?: number
  /** The last moment at which it verifies; undefined for no end. */
  readonly notAfter?: number
}

/** How a key set is rotated; lengths in seconds. */
export interface RotationPlan {
  /** How long the new key is announced before it signs. */
  readonly announce: number
  /** How long the keys before it verify after that: as long as the longest token lives. */
  readonly retire: number
  /** Whether a rotation may begin while another one's key is announced, which it gives up. */
  readonly force: boolean
}

/** The step of a key. */
export type KeyStep = 'announced' | 'signing' | 'retiring' | 'retired' | 'verifying'

/** What is told of a key. */
export interface KeyStatus {
  /** Its name. */
  readonly kid: string
  /** Its algorithm's name. */
  readonly alg: string
  /** Its step. */
  readonly step: KeyStep
  /** From when it signs; 0 for the beginning. */
  readonly signsFrom: number
  /** When it retires; Infinity for never. */
  readonly notAfter: number
}

/**
 * Parses the text of a key file. No message quotes it.
 *
 * @throws {ConfigurationError} for anything but a key set whose keys can be in one ring
 */
export function parseKeySet(text: string, now: number): StoredKeySet {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's message quotes the text.
  }
  if (!isRecord(value) || !Array.isArray(value['keys']))
    throw new ConfigurationError('Expected the key file to be a key set: {"keys":[...]}')
  const set = value as unknown as StoredKeySet
  importKeySet(set, now)
  return set
}

/**
 * The next set: without what has retired, with a new key that signs after it was announced.
 *
 * @param set null for a new set, whose key signs at once
 * @param key the new private key
 * @param now epoch seconds
 * @throws {ConfigurationError} where another key is announced, unless forced
 */
export function rotateKeySet(
  set: StoredKeySet | null,
  key: Jwk,
  now: number,
  { announce, retire, force }: RotationPlan,
): StoredKeySet {
  const live = set?.keys.filter(({ notAfter }) => notAfter === undefined || now <= notAfter) ?? []
  const announced = live.find(({ signsFrom = 0 }) => signsFrom > now)
  // An announced key that is given up has signed nothing.
  const before = live.filter(({ signsFrom = 0 }) => signsFrom <= now)
  if (announced !== undefined && !force)
    throw new ConfigurationError(
      `The key ${announced.kid} is announced and signs from ${toIso(announced.signsFrom)}: rotate after that, or by \`force\``,
    )
  const signsFrom = Math.floor(now) + (before.length === 0 ? 0 : announce)
  const end = signsFrom + retire
  const others = before.map((other) => ({ ...other, notAfter: Math.min(other.notAfter ?? end, end) }))
  const keys = [{ ...key, signsFrom }, ...others]
  const isMixed = new Set(keys.map(({ kty }) => kty === 'oct')).size > 1
  const next = { keys, ...(isMixed && { mixed: true }) }
  importKeySet(next, now)
  return next
}

/** What each key of a set does now. @param now epoch seconds */
export function describeKeySet(set: StoredKeySet, now: number): readonly KeyStatus[] {
  const { signing, all } = importKeySet(set, now)
  return all.map((key) => {
    const { kid, algorithm, signsFrom, notAfter } = key
    const rest =
      key.key.type === 'public' ? 'verifying' : signsFrom > now ? 'announced' : ('retiring' as const)
    const step = now > notAfter ? 'retired' : key === signing ? 'signing' : rest
    return { kid, alg: algorithm.name, step, signsFrom, notAfter }
  })
}

/** A moment as people read it. @param time epoch seconds */
export function toIso(time = 0): string {
  return `${new Date(time * 1000).toISOString().slice(0, 19)}Z`
}
