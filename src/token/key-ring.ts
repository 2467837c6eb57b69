/**
 * The key ring: one key that signs, many that verify, each bound to its algorithm when it is made.
 * The header's `alg` and `kid` are compared with the ring and never choose anything (RFC 8725
 * section 3.1). All checks happen here, at start; what leaves is a set of prepared functions.
 */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  generateKeySync,
  type KeyObject,
} from 'node:crypto'
import { types } from 'node:util'
import { isBytes } from '../internal/bytes.ts'
import { ConfigurationError, checkKnownKeys, expected, isRecord } from '../internal/configuration-error.ts'
import { toEpochSeconds } from '../internal/duration.ts'
import { ALGORITHMS, type Algorithm, type AlgorithmName, type Sign, type Verify } from './algorithms.ts'
import { checkJwk, checkStrength, type Jwk, toPublicJwk, toThumbprint } from './jwk.ts'
import { checkSecret } from './secret.ts'

/** A key and the one algorithm that it is for. */
export interface Key {
  /** The algorithm; never guessed from the key. */
  readonly alg: AlgorithmName
  /**
   * The key: PEM text, a JWK, a `KeyObject`, or, for HMAC, the secret's bytes or text. At least 32
   * / 48 / 64 bytes for HS256 / HS384 / HS512 (RFC 7518 section 3.2), 2048 bits for RSA.
   */
  readonly key: string | Uint8Array | KeyObject | Jwk
  /** The key's name, 1-128 characters. Default: its RFC 7638 thumbprint. */
  readonly kid?: string
  /**
   * Only for verifying keys: the moment after which the key verifies nothing. A Date, or epoch
   * seconds.
   */
  readonly notAfter?: Date | number
}

/** What `createKeyRing` takes. */
export interface KeyRingOptions {
  /** The key that signs new tokens; it verifies as well. Without one the ring only verifies. */
  readonly signing?: Key | Jwk
  /**
   * Further keys whose tokens are accepted, such as the previous signing key while its tokens live.
   */
  readonly verifying?: readonly (Key | Jwk)[]
  /**
   * Allows HMAC secrets beside public keys, for a migration from one to the other. Default false.
   */
  readonly mixed?: boolean
}

/** One key of a ring, prepared. */
export interface RingKey {
  /** The key's name. */
  readonly kid: string
  /** Its algorithm's name. */
  readonly alg: string
  /** Verifies with this key and this algorithm. */
  readonly verify: Verify
  /** The last moment at which the key verifies, in epoch seconds; Infinity for ever. */
  readonly notAfter: number
}

/** What signs new tokens. */
export interface RingSigner {
  /** The key's name. */
  readonly kid: string
  /** Its algorithm's name. */
  readonly alg: string
  /** Signs with this key and this algorithm. */
  readonly sign: Sign
}

/** A JSON Web Key Set (RFC 7517 section 5). */
export interface Jwks {
  /** The public keys. */
  readonly keys: readonly Jwk[]
}

/** A key ring. Made by `createKeyRing`, handed to `createAuth({ keys })`. */
export interface KeyRing {
  /** What signs new tokens; null when the ring only verifies. */
  readonly signer: RingSigner | null
  /** Every key that verifies, the signer's first. */
  readonly keys: readonly RingKey[]
  /** The public halves for a JWKS endpoint; HMAC secrets are never among them. */
  readonly jwks: Jwks
}

/** A key on its way into the ring. */
interface ImportedKey {
  readonly algorithm: Algorithm
  readonly key: KeyObject
  readonly kid: string
  readonly notAfter: number
}

/** The longest `kid` that is accepted, in characters. */
export const MAX_KID_LENGTH = 128

/**
 * Copies a key. On Node 20 a key that was just generated shares a lock with what generated it,
 * which the garbage collector takes when it clears that away: if it comes upon it while the key is
 * exported as a JWK, the process hangs for ever. The export as DER takes no lock.
 */
function copyKey(key: KeyObject): KeyObject {
  if (key.type === 'secret') return key
  if (key.type === 'public')
    return createPublicKey({ key: key.export({ type: 'spki', format: 'der' }), type: 'spki', format: 'der' })
  return createPrivateKey({ key: key.export({ type: 'pkcs8', format: 'der' }), type: 'pkcs8', format: 'der' })
}

/**
 * Turns the forms that a key may come in into a `KeyObject`, without ever guessing what a text
 * might be.
 */
function toKeyObject(at: string, source: Key['key'], algorithm: Algorithm): KeyObject {
  if (types.isKeyObject(source)) return copyKey(source)
  if (algorithm.kty === 'oct' && (typeof source === 'string' || isBytes(source))) {
    return createSecretKey(typeof source === 'string' ? Buffer.from(source, 'utf8') : source)
  }
  if (typeof source === 'string') {
    return source.includes('PRIVATE KEY-----') ? createPrivateKey(source) : createPublicKey(source)
  }
  if (!isRecord(source as unknown) || !('kty' in source)) {
    throw new ConfigurationError(
      expected(at, `PEM text, a JWK, a KeyObject or a secret's bytes for ${algorithm.name}`, source),
    )
  }
  checkJwk(at, source, algorithm)
  if (algorithm.kty === 'oct') return createSecretKey(Buffer.from(source.k ?? '', 'base64url'))
  const input = { key: source, format: 'jwk' } as const
  return source.d === undefined ? createPublicKey(input) : createPrivateKey(input)
}

/** Checks that a key is of the kind that its algorithm takes, and strong enough. */
function checkKey(at: string, key: KeyObject, algorithm: Algorithm): void {
  const wantsSecret = algorithm.kty === 'oct'
  if (wantsSecret !== (key.type === 'secret')) {
    const wanted = wantsSecret ? 'a secret' : 'a public or private key'
    throw new ConfigurationError(
      `Expected \`${at}\` to be ${wanted} for ${algorithm.name}, got a ${key.type} key`,
    )
  }
  if (wantsSecret) checkSecret(at, key.export(), algorithm.name, algorithm.minBytes)
  else checkStrength(at, key, algorithm)
}

/**
 * Imports a key. Whatever the platform finds wrong with it is said in our words, without any of the
 * key in them.
 */
function toCheckedKey(at: string, source: Key['key'], algorithm: Algorithm): KeyObject {
  try {
    const key = toKeyObject(at, source, algorithm)
    checkKey(at, key, algorithm)
    return key
  } catch (cause) {
    if (cause instanceof ConfigurationError) throw cause
    throw new ConfigurationError(
      `Expected \`${at}\` to be a readable ${algorithm.kty} key for ${algorithm.name}`,
      { cause },
    )
  }
}

/** No key lives longer than this, epoch seconds: what is later was meant as milliseconds. */
const LATEST_MOMENT = 100_000_000_000

/** Reads the moment after which a key verifies nothing. */
function toNotAfter(at: string, value: unknown): number {
  if (value === undefined) return Number.POSITIVE_INFINITY
  const seconds = toEpochSeconds(value)
  if (seconds !== undefined && seconds <= LATEST_MOMENT) return seconds
  throw new ConfigurationError(expected(`${at}.notAfter`, 'a Date or a number of epoch seconds', value))
}

/** Whether a key came as a JWK that says itself what it is for. */
function isBareJwk(given: Key | Jwk): given is Jwk {
  return 'kty' in given
}

/** Checks one key and everything that is said of it. */
function importKey(at: string, given: Key | Jwk): ImportedKey {
  if (!isRecord(given as unknown))
    throw new ConfigurationError(expected(at, '{ alg, key } or a JWK with alg', given))
  const bare = isBareJwk(given)
  if (!bare) checkKnownKeys(at, given, ['alg', 'key', 'kid', 'notAfter'])
  const name = given.alg
  const algorithm = typeof name === 'string' ? ALGORITHMS.get(name) : undefined
  if (algorithm === undefined) {
    throw new ConfigurationError(expected(`${at}.alg`, `one of ${[...ALGORITHMS.keys()].join(', ')}`, name))
  }
  const source = bare ? given : given.key
  const key = toCheckedKey(bare ? at : `${at}.key`, source, algorithm)
  const inner = source !== null && typeof source === 'object' && 'kty' in source ? source.kid : undefined
  const kid = given.kid ?? inner ?? toThumbprint(key, algorithm.kty)
  if (typeof kid !== 'string' || kid.length === 0 || kid.length > MAX_KID_LENGTH) {
    throw new ConfigurationError(
      expected(`${at}.kid`, `a string of 1-${MAX_KID_LENGTH} characters`, undefined),
    )
  }
  return { algorithm, key, kid, notAfter: toNotAfter(at, bare ? undefined : given.notAfter) }
}

/** Prepares a key for verifying: a private key verifies by its public half. */
function toRingKey({ algorithm, key, kid, notAfter }: ImportedKey): RingKey {
  const half = key.type === 'private' ? createPublicKey(key) : key
  return Object.freeze({ kid, alg: algorithm.name, verify: algorithm.prepareVerify(half), notAfter })
}

/**
 * Makes a key ring: one signer, many verifiers, the algorithm bound to each key.
 *
 * @throws {ConfigurationError} for a weak, unfit or unreadable key, two keys of one name, a signing
 *   key that cannot sign, or HMAC secrets beside public keys without `mixed`
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
  if (!isRecord(options as unknown))
    throw new ConfigurationError(expected('createKeyRing(options)', 'an object', options))
  checkKnownKeys('', options, ['signing', 'verifying', 'mixed'])
  const signing = options.signing === undefined ? undefined : importKey('signing', options.signing)
  if (signing !== undefined && signing.key.type === 'public') {
    throw new ConfigurationError('Expected `signing` to be a private key or a secret, got a public key')
  }
  if (signing !== undefined && signing.notAfter !== Number.POSITIVE_INFINITY) {
    throw new ConfigurationError('Expected `signing` to have no `notAfter`: only verifying keys retire')
  }
  const { verifying: others = [] } = options
  if (!Array.isArray(others)) throw new ConfigurationError(expected('verifying', 'a list of keys', others))
  const verifying = (others as readonly (Key | Jwk)[]).map((key, i) => importKey(`verifying[${i}]`, key))
  const all = signing === undefined ? verifying : [signing, ...verifying]
  if (all.length === 0) throw new ConfigurationError('Expected `signing` or `verifying` to hold a key')
  if (new Set(all.map((key) => key.kid)).size !== all.length) {
    throw new ConfigurationError(
      'Expected every key of the ring to have a `kid` of its own: two are the same',
    )
  }
  const secrets = all.filter((key) => key.algorithm.kty === 'oct').length
  if (secrets > 0 && secrets < all.length && options.mixed !== true) {
    throw new ConfigurationError(
      'Expected the ring to hold HMAC secrets or public keys, not both; say `mixed: true` while migrating from one to the other',
    )
  }
  return Object.freeze({
    signer:
      signing === undefined
        ? null
        : { kid: signing.kid, alg: signing.algorithm.name, sign: signing.algorithm.prepareSign(signing.key) },
    keys: Object.freeze(all.map(toRingKey)),
    jwks: Object.freeze({
      keys: Object.freeze(
        all.filter((k) => k.algorithm.kty !== 'oct').map((k) => toPublicJwk(k.key, k.algorithm, k.kid)),
      ),
    }),
  })
}

/** How each key type is made: the row's curve or the modulus says the rest. */
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
 * otherwise. Draws randomness, so call it when a process or a tool runs, not while a worker's
 * module loads.
 *
 * @param alg the algorithm that the key is for
 * @param kid the key's name; default: its RFC 7638 thumbprint
 * @returns the private key as a JWK with `alg`, `kid` and `use`: keep it secret
 * @throws {ConfigurationError} for an unknown algorithm
 */
export function generateKey(alg: AlgorithmName, kid?: string): Jwk {
  const algorithm = ALGORITHMS.get(alg)
  if (algorithm === undefined)
    throw new ConfigurationError(expected('alg', `one of ${[...ALGORITHMS.keys()].join(', ')}`, alg))
  const key = copyKey(GENERATORS[algorithm.kty](algorithm))
  const name = kid ?? toThumbprint(key, algorithm.kty)
  return { ...key.export({ format: 'jwk' }), alg, kid: name, use: 'sig' } as Jwk
}
