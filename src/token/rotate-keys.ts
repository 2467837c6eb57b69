/**
 * Rotates a key set that lies anywhere as text: in a row of a database, a secret manager, a file.
 * It reads and writes nothing; `key-rotation.ts` decides what the next set is.
 */
import { ConfigurationError, checkKnownKeys, expected, isOptions } from '../internal/configuration-error.ts'
import { type Duration, systemClock, toSeconds } from '../internal/duration.ts'
import { keysOf, readFlag } from '../internal/read-options.ts'
import type { AlgorithmName } from './algorithms.ts'
import { generateKey } from './key-ring.ts'
import { describeKeySet, parseKeySet, rotateKeySet, type StoredKeySet } from './key-rotation.ts'

/** How keys are rotated. */
export interface RotateKeysOptions {
  /** The algorithm of the new key. Default: that of the key that signs, or `'ES256'`. */
  readonly alg?: AlgorithmName
  /**
   * How long the new key is announced before it signs, at least 1 s: longer than every process
   * takes to load the set, and other services to fetch the JWKS again. Default `'1h'`.
   */
  readonly announce?: Duration
  /**
   * How long the keys before it verify after that: at least `refresh.expiresIn`, so that no user
   * is signed out. Default `'21d'`.
   */
  readonly retire?: Duration
  /**
   * Changes nothing while the newest key signs for less than that, or is announced: then any
   * process may rotate at any time. Default none: a set with an announced key is refused.
   */
  readonly olderThan?: Duration
  /**
   * Whether the new key takes the place of an announced one, and signs at once, unless `announce`
   * says otherwise: for a key that was stolen. Users whose process does not know the key yet are
   * signed out. Default `false`.
   */
  readonly force?: boolean
}

const OPTION_NAMES = keysOf<RotateKeysOptions>({
  alg: true,
  announce: true,
  retire: true,
  olderThan: true,
  force: true,
})

/** Bounds of lengths, in seconds: no token lives longer than a century. */
const BOUNDS = { min: 1, max: 100 * 366 * 86_400 } as const

/**
 * Makes the next key set: with a new key that is announced, then signs, and the keys before it,
 * which retire after that. Processes whose ring loads the set, by `createKeyRing({ load })`, take
 * each step at its time. It draws randomness and writes nothing.
 *
 * @param text the JSON text of the set as it is; null for none, and then its key signs at once
 * @returns the JSON text of the next set, with private keys: write it where no one has written
 *   since, and keep it secret. The same text where `olderThan` says that there is nothing to do
 * @throws {ConfigurationError} for a text that is no key set, for a set with an announced key, and
 *   for unknown options
 *
 * @example
 * ```ts
 * import { rotateKeys } from 'tokenwright'
 *
 * const first = rotateKeys(null, { alg: 'ES256' })
 * const second = rotateKeys(first, { announce: '1h', retire: '21d' })
 * console.log(second === first) // false
 * console.log(rotateKeys(second, { olderThan: '30d' }) === second) // true
 * ```
 */
export function rotateKeys(text: string | null, options: RotateKeysOptions = {}): string {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('rotateKeys(text, options)', 'an object as options', options))
  checkKnownKeys('rotateKeys', options, OPTION_NAMES)
  if (text !== null && typeof text !== 'string')
    throw new ConfigurationError(expected('text', 'the JSON text of a key set, or null', text))
  const now = systemClock()
  const force = readFlag('force', options.force ?? false)
  const { announce = force ? 0 : '1h', retire = '21d', olderThan } = options
  const plan = {
    announce: toSeconds('announce', announce, { ...BOUNDS, min: force ? 0 : BOUNDS.min }),
    retire: toSeconds('retire', retire, { ...BOUNDS, min: 0 }),
    force,
  }
  const age = olderThan === undefined ? 0 : toSeconds('olderThan', olderThan, BOUNDS)
  const set = text === null ? null : parseKeySet(text, now)
  if (set !== null && olderThan !== undefined && !force && !isDue(set, now - age)) return String(text)
  const key = generateKey(options.alg ?? findAlgorithm(set, now))
  return JSON.stringify(rotateKeySet(set, key, now, plan))
}

/** Whether the newest key has signed since a moment. */
function isDue({ keys }: StoredKeySet, moment: number): boolean {
  return Math.max(...keys.map(({ signsFrom = 0 }) => signsFrom)) <= moment
}

/** The algorithm of the key that signs. */
function findAlgorithm(set: StoredKeySet | null, now: number): AlgorithmName {
  const signing = set && describeKeySet(set, now).find(({ step }) => step === 'signing')
  return (signing?.alg ?? 'ES256') as AlgorithmName
}
