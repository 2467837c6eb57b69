/**
 * Makes key rings: of keys that are given once, and of keys that are loaded again and again, so
 * that they can be rotated without a restart. Also makes new keys.
 */
import { generateKeyPairSync, generateKeySync, type KeyObject } from 'node:crypto'
import { ConfigurationError, expected, isOptions } from '../internal/configuration-error.ts'
import type { Algorithm, AlgorithmName } from './algorithms.ts'
import { ChangingRing, type ReloadOptions } from './changing-ring.ts'
import { importKeys, type RingKeys, readAlgorithm, toDefaultKid } from './import-keys.ts'
import type { Jwk } from './jwk.ts'
import { copyKey } from './read-key.ts'
import { buildRing, type KeyRing } from './ring.ts'

/** What `createKeyRing` takes: the keys, or how to load them. */
export type KeyRingOptions = RingKeys | ReloadOptions

/**
 * Makes a key ring: one signer, many verifiers, the algorithm bound to each key. With `load` the
 * keys are loaded at the first use, and then again: it calls nothing and starts no timer.
 *
 * @throws {ConfigurationError} for a weak, unsuitable or unreadable key, two keys with one name, a
 *   signing key that cannot sign, or HMAC secrets beside public keys without `mixed`
 * @see RFC 7517 section 5, RFC 8725 section 3.1
 *
 * @example
 * ```ts
 * import { createAuth, createKeyRing, generateKey } from 'tokenwright'
 *
 * const keys = createKeyRing({ signing: generateKey('ES256') })
 * const auth = createAuth({ keys, issuer: 'https://auth.example' })
 * ```
 */
export function createKeyRing(options: KeyRingOptions): KeyRing {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('createKeyRing(options)', 'an object', options))
  return 'load' in options ? new ChangingRing(options) : buildRing(importKeys(options))
}

/** Generates a key of each type. */
const GENERATORS: Readonly<Record<Algorithm['kty'], (algorithm: Algorithm) => KeyObject>> = {
  oct: ({ minBytes }) => generateKeySync('hmac', { length: minBytes * 8 }),
  RSA: () => generateKeyPairSync('rsa', { modulusLength: MODULUS_BITS }).privateKey,
  EC: ({ crv }) => generateKeyPairSync('ec', { namedCurve: crv ?? '' }).privateKey,
  OKP: () => generateKeyPairSync('ed25519').privateKey,
}

/** The modulus of a generated RSA key, in bits. */
const MODULUS_BITS = 3072

/**
 * Makes a new key: a secret as long as the hash for HMAC, 3072 bits for RSA, the algorithm's curve
 * otherwise. It needs randomness, which some runtimes forbid while a module loads: call it later.
 *
 * @param alg the algorithm that the key is for
 * @param kid the key's name; default as in `Key`
 * @returns the private key as a JWK with `alg`, `kid` and `use`: keep it secret
 * @throws {ConfigurationError} for an unknown algorithm
 */
export function generateKey(alg: AlgorithmName, kid?: string): Jwk {
  const algorithm = readAlgorithm('alg', alg, null)
  const key = copyKey(GENERATORS[algorithm.kty](algorithm))
  const name = kid ?? toDefaultKid(key, algorithm)
  return { ...(key.export({ format: 'jwk' }) as Jwk), alg, kid: name, use: 'sig' }
}
