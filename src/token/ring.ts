/**
 * What a key ring is, and how one is built of imported keys: one key that signs, many that verify,
 * each bound to its algorithm. The header's `alg` and `kid` are compared with the ring and never
 * choose an algorithm (RFC 8725 section 3.1). The ring holds prepared functions, no keys.
 */
import { createPublicKey } from 'node:crypto'
import type { Awaitable } from '../internal/awaitable.ts'
import { isCallable, isRecord } from '../internal/configuration-error.ts'
import { type Clock, systemClock } from '../internal/duration.ts'
import { ALGORITHMS, type Verify } from './algorithms.ts'
import type { ImportedKey, ImportedKeys } from './import-keys.ts'
import { type Jwk, toPublicJwk } from './jwk.ts'
import { prepareRemoteSign } from './remote-signer.ts'

/** One key of a ring, prepared. */
export interface RingKey {
  /** The key's name. */
  readonly kid: string
  /** False for a key that was given no name: it also verifies tokens whose `kid` no key has. */
  readonly isNamed?: boolean
  /** Its algorithm's name. */
  readonly alg: string
  /** Verifies with this key and this algorithm. */
  readonly verify: Verify
  /** The last moment at which the key verifies, in epoch seconds; Infinity for no end. */
  readonly notAfter: number
}

/** The key of a ring that signs, prepared. */
export interface RingSigner {
  /** The key's name. */
  readonly kid: string
  /** Its algorithm's name. */
  readonly alg: string
  /** Signs the ASCII signing input; returns, or resolves to, the signature in base64url. */
  readonly sign: (input: string) => Awaitable<string>
}

/** A JSON Web Key Set (RFC 7517 section 5). */
export interface Jwks {
  /** The public keys. */
  readonly keys: readonly Jwk[]
}

/** A key ring. Made by `createKeyRing`, passed to `createAuth({ keys })`. */
export interface KeyRing {
  /** The key that signs new tokens; null when the ring only verifies. */
  readonly signer: RingSigner | null
  /** Every key that verifies, the signer's first. */
  readonly keys: readonly RingKey[]
  /** The public keys that have not retired, by the system's clock. Never an HMAC secret. */
  readonly jwks: Jwks
  /** The same by another clock, which is read only if a key has a `notAfter`. */
  currentJwks(clock: Clock): Jwks
  /** How the keys change; null for a ring whose keys never do. */
  readonly changes: RingChanges | null
}

/** How the keys of a ring change. `keys` and `signer` of the ring are other objects afterwards. */
export interface RingChanges {
  /**
   * Makes sure that the keys are as new as `every` says.
   *
   * @param now epoch seconds
   * @returns undefined where nothing has to be waited for
   * @throws {AuthError} rejects with `store_unavailable` where no keys could be loaded yet
   */
  current(now: number): Promise<void> | undefined
  /**
   * Loads once more, for a token that no key fits; at most once in a tenth of `every`. It does not
   * reject.
   *
   * @param now epoch seconds
   */
  reload(now: number): Promise<void>
  /** Until when nothing has to be loaded, in epoch seconds. */
  readonly validUntil: number
  /** What is known of the keys, for health checks. */
  state(): KeyRingState
}

/** What is known of the keys of a ring that loads them. */
export interface KeyRingState {
  /** When they were last loaded, in epoch seconds; null for never. */
  readonly loadedAt: number | null
  /** Since when loading has failed, in epoch seconds; null where it has not. */
  readonly failedSince: number | null
  /** The `kid` of the key that signs; null for none. */
  readonly signing: string | null
  /** The `kid` of every key that verifies. */
  readonly verifying: readonly string[]
}

/** Builds a ring whose keys never change. */
export function buildRing({ signing, all }: ImportedKeys): KeyRing {
  const currentJwks = prepareJwks(all)
  return Object.freeze({
    signer: signing && toSigner(signing),
    keys: Object.freeze(all.map(toRingKey)),
    get jwks() {
      return currentJwks(systemClock)
    },
    currentJwks,
    changes: null,
  })
}

/** When the next key of a ring retires, in epoch seconds; Infinity where none does. */
export function findNextRetirement({ keys }: KeyRing, now: number): number {
  return Math.min(...keys.map(({ notAfter }) => (notAfter < now ? Number.POSITIVE_INFINITY : notAfter)))
}

/**
 * Whether a value is a ring as `createKeyRing` makes it, also of another copy of this package. One
 * that was made by hand fits only with all members, each of its type.
 */
export function isKeyRing(value: unknown): value is KeyRing {
  if (!isRecord(value)) return false
  const { signer, keys, currentJwks, changes } = value
  const signs = signer === null || (isNamedKey(signer) && isCallable(signer['sign']))
  const verifies = Array.isArray(keys) && keys.every((key) => isNamedKey(key) && isVerifying(key))
  const reloads = changes === null || (isRecord(changes) && isCallable(changes['current']))
  return signs && verifies && reloads && isCallable(currentJwks)
}

function isNamedKey(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && typeof value['kid'] === 'string' && ALGORITHMS.has(String(value['alg']))
}

function isVerifying({ verify, notAfter }: Record<string, unknown>): boolean {
  return isCallable(verify) && typeof notAfter === 'number'
}

function toSigner({ kid, algorithm, key, remote }: ImportedKey): RingSigner {
  const sign =
    remote === null ? algorithm.prepareSign(key) : prepareRemoteSign({ kid, algorithm, key, sign: remote })
  return Object.freeze({ kid, alg: algorithm.name, sign })
}

function toRingKey({ algorithm, key, kid, isNamed, notAfter }: ImportedKey): RingKey {
  const half = key.type === 'private' ? createPublicKey(key) : key
  return Object.freeze({
    kid,
    isNamed,
    alg: algorithm.name,
    verify: algorithm.prepareVerify(half),
    notAfter,
  })
}

/** Prepares the public keys that have not retired. */
function prepareJwks(all: readonly ImportedKey[]): (clock: Clock) => Jwks {
  const published = all
    .filter(({ algorithm }) => algorithm.kty !== 'oct')
    .map(({ algorithm, key, kid, notAfter }) => ({ jwk: toPublicJwk(key, algorithm, kid), notAfter }))
  const jwks = freezeJwks(published.map(({ jwk }) => jwk))
  const isLasting = published.every(({ notAfter }) => notAfter === Number.POSITIVE_INFINITY)
  return (clock) => {
    if (isLasting) return jwks
    const now = clock()
    return freezeJwks(published.filter(({ notAfter }) => now <= notAfter).map(({ jwk }) => jwk))
  }
}

function freezeJwks(keys: readonly Jwk[]): Jwks {
  return Object.freeze({ keys: Object.freeze([...keys]) })
}
