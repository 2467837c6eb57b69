/**
 * The key ring: one key that signs, many that verify, each bound to its algorithm when the ring is
 * made. The header's `alg` and `kid` are compared with the ring and never choose an algorithm (RFC
 * 8725 section 3.1). All checks happen here, at start; the ring holds prepared functions, no keys.
 */
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  generateKeySync,
  type KeyObject,
} from 'node:crypto'
import {
  ConfigurationError,
  checkKnownKeys,
  describeType,
  expected,
  isOptions,
  isRecord,
  refuseUndefined,
} from '../internal/configuration-error.ts'
import { type Clock, readEpochSeconds, systemClock } from '../internal/duration.ts'
import { ALGORITHMS, type Algorithm, type AlgorithmName, type Sign, type Verify } from './algorithms.ts'
import { type Jwk, toPublicJwk, toThumbprint } from './jwk.ts'
import { copyKey, readKey } from './read-key.ts'

/** A key and the one algorithm that it is for. */
export interface Key {
  /** The algorithm; never guessed from the key. */
  readonly alg: AlgorithmName
  /**
   * The key: PEM text (PKCS#8, SPKI, PKCS#1, SEC1 or an X.509 certificate), a JWK or its JSON text,
   * a `KeyObject`, or, for HMAC, the secret's bytes or text. At least 32 / 48 / 64 bytes for HS256
   * / HS384 / HS512 (RFC 7518 section 3.2), 2048 bits for RSA. PEM may have lost its line breaks,
   * or have them as `\n`, as in environment variables.
   */
  readonly key: string | Uint8Array | KeyObject | Jwk
  /** The passphrase of an encrypted PEM. */
  readonly passphrase?: string
  /**
   * The key's name, 1-128 characters. Default: the RFC 7638 thumbprint of a public key, a short MAC
   * of a secret. A key with a default name also verifies tokens whose `kid` no key of the ring has.
   */
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
  /** False for a key that was given no name: it also verifies tokens whose `kid` no key has. */
  readonly isNamed?: boolean
  /** Its algorithm's name. */
  readonly alg: string
  /** Verifies with this key and this algorithm. */
  readonly verify: Verify
  /** The last moment at which the key verifies, in epoch seconds; Infinity for no end. */
  readonly notAfter: number
}

/** A JSON Web Key Set (RFC 7517 section 5). */
export interface Jwks {
  /** The public keys. */
  readonly keys: readonly Jwk[]
}

/** A key ring. Made by `createKeyRing`, passed to `createAuth({ keys })`. */
export interface KeyRing {
  /** The key that signs new tokens; null when the ring only verifies. */
  readonly signer: {
    /** The key's name. */
    readonly kid: string
    /** Its algorithm's name. */
    readonly alg: string
    /** Signs with this key and this algorithm. */
    readonly sign: Sign
  } | null
  /** Every key that verifies, the signer's first. */
  readonly keys: readonly RingKey[]
  /** The public keys that have not retired, by the system's clock. Never an HMAC secret. */
  readonly jwks: Jwks
  /** The same by another clock, which is read only if a key has a `notAfter`. */
  currentJwks(clock: Clock): Jwks
}

/** A key that was imported and checked. */
interface ImportedKey {
  readonly algorithm: Algorithm
  readonly key: KeyObject
  readonly kid: string
  /** Whether the developer named it. */
  readonly isNamed: boolean
  readonly notAfter: number
}

/** The longest `kid` that is accepted, in characters. */
export const MAX_KID_LENGTH = 128

/**
 * Makes a key ring: one signer, many verifiers, the algorithm bound to each key.
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
  const { signing, all } = importKeys(options)
  const keys = all.map(({ algorithm, key, kid, isNamed, notAfter }) => {
    const half = key.type === 'private' ? createPublicKey(key) : key
    const verify = algorithm.prepareVerify(half)
    return Object.freeze({ kid, isNamed, alg: algorithm.name, verify, notAfter })
  })
  const published = all
    .filter(({ algorithm }) => algorithm.kty !== 'oct')
    .map(({ algorithm, key, kid, notAfter }) => ({ jwk: toPublicJwk(key, algorithm, kid), notAfter }))
  const jwks = freezeJwks(published.map(({ jwk }) => jwk))
  const isLasting = published.every(({ notAfter }) => notAfter === Number.POSITIVE_INFINITY)
  const currentJwks = (clock: Clock): Jwks => {
    if (isLasting) return jwks
    const now = clock()
    return freezeJwks(published.filter(({ notAfter }) => now <= notAfter).map(({ jwk }) => jwk))
  }
  return Object.freeze({
    signer: signing && {
      kid: signing.kid,
      alg: signing.algorithm.name,
      sign: signing.algorithm.prepareSign(signing.key),
    },
    keys: Object.freeze(keys),
    get jwks() {
      return currentJwks(systemClock)
    },
    currentJwks,
  })
}

function freezeJwks(keys: readonly Jwk[]): Jwks {
  return Object.freeze({ keys: Object.freeze([...keys]) })
}

/** Imports the keys of a ring, and checks that they can be in one. */
function importKeys(options: KeyRingOptions): {
  readonly signing: ImportedKey | null
  readonly all: readonly ImportedKey[]
} {
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('createKeyRing(options)', 'an object', options))
  checkKnownKeys('', options, ['signing', 'verifying', 'mixed'])
  const signing = options.signing === undefined ? null : importKey('signing', options.signing)
  if (signing?.key.type === 'public') {
    throw new ConfigurationError('Expected `signing` to be a private key or a secret, got a public key')
  }
  if (signing !== null && signing.notAfter !== Number.POSITIVE_INFINITY) {
    throw new ConfigurationError('Expected `signing` to have no `notAfter`: only verifying keys retire')
  }
  const { verifying: others = [] } = options
  if (!Array.isArray(others)) {
    const hint = isRecord(others) && Object.hasOwn(others, 'keys') ? '; of a key set give its `keys`' : ''
    throw new ConfigurationError(`${expected('verifying', 'a list of keys', others)}${hint}`)
  }
  // A key set may hold keys for encryption too. They verify nothing.
  const verifying = (others as readonly (Key | Jwk)[]).flatMap((key, i) =>
    isForEncryption(key) ? [] : importKey(`verifying[${i}]`, key),
  )
  const all = signing === null ? verifying : [signing, ...verifying]
  if (all.length === 0) {
    const hint = others.length > 0 ? " for signatures, got only JWKs with `use: 'enc'`" : ''
    throw new ConfigurationError(`Expected \`signing\` or \`verifying\` to hold a key${hint}`)
  }
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
  return { signing, all }
}

/** Imports one key and checks all of its members. */
function importKey(at: string, value: unknown): ImportedKey {
  const given = parseKey(at, value)
  const bare = isBareJwk(given)
  if (!bare) checkKnownKeys(at, given, ['alg', 'key', 'kid', 'notAfter', 'passphrase'])
  refuseUndefined(at, given, ['notAfter'])
  const algorithm = readAlgorithm(`${at}.alg`, given.alg, bare ? given : null)
  const source: unknown = bare ? given : given.key
  const key = readKey({
    at: bare ? at : `${at}.key`,
    source,
    algorithm,
    signs: at === 'signing',
    passphrase: bare ? undefined : given.passphrase,
  })
  const inner = isRecord(source) && 'kty' in source ? source['kid'] : undefined
  const named: unknown = given.kid ?? inner
  if (named !== undefined && (typeof named !== 'string' || named === '' || named.length > MAX_KID_LENGTH)) {
    throw new ConfigurationError(
      `Expected \`${at}.kid\` to be a string of 1-${MAX_KID_LENGTH} characters, got ${describeType(named)}`,
    )
  }
  // The thumbprint of a secret would identify it to anyone with a table of known secrets.
  const isNamed = named !== undefined && !(algorithm.kty === 'oct' && named === toThumbprint(key, 'oct'))
  // Also beside the members of a JWK: a key that is to retire must not stay.
  const { notAfter } = given as { readonly notAfter?: unknown }
  return {
    algorithm,
    key,
    kid: isNamed ? named : toDefaultKid(key, algorithm),
    isNamed,
    notAfter:
      notAfter === undefined ? Number.POSITIVE_INFINITY : readEpochSeconds(`${at}.notAfter`, notAfter),
  }
}

/** Reads the value of a key option; the JSON text of a JWK is one, too. */
function parseKey(at: string, value: unknown): Key | Jwk {
  const wanted = `Expected \`${at}\` to be { alg, key } or a JWK with alg`
  if (typeof value === 'string' && value.trim().startsWith('{')) {
    try {
      const parsed: unknown = JSON.parse(value)
      if (isRecord(parsed)) return parsed as Jwk
    } catch {
      // The parser's message quotes the text.
    }
    throw new ConfigurationError(`${wanted}, got text in braces that is not JSON`)
  }
  if (typeof value === 'string' || ArrayBuffer.isView(value))
    throw new ConfigurationError(
      `${wanted}, got ${describeType(value)}; give { alg: 'ES256', key } for PEM, { alg: 'HS256', key } for a secret`,
    )
  if (isRecord(value) && ('kty' in value || 'key' in value || 'alg' in value)) return value as unknown as Key
  const got =
    isRecord(value) && Object.hasOwn(value, 'keys')
      ? 'a key set: give one of its keys, or `verifying` all'
      : describeType(value)
  throw new ConfigurationError(`${wanted}, got ${got}`)
}

/** Whether a key is a JWK itself, and not `{ alg, key }`. */
function isBareJwk(given: Key | Jwk): given is Jwk {
  return 'kty' in given
}

/** Whether a value is a JWK that is for encryption by its own words (RFC 7517 section 4.2). */
function isForEncryption(value: unknown): boolean {
  return isRecord(value) && 'kty' in value && value['use'] === 'enc'
}

/** @param jwk the key that should have said it; null where the option says it */
function readAlgorithm(at: string, name: unknown, jwk: Jwk | null): Algorithm {
  const algorithm = typeof name === 'string' ? ALGORITHMS.get(name) : undefined
  if (algorithm !== undefined) return algorithm
  const kid = /^[\w.~-]{1,64}$/.test(jwk?.kid ?? '') ? ` (kid ${jwk?.kid})` : ''
  const hint =
    jwk !== null && name === undefined
      ? `; for a JWK without \`alg\`${kid} give { alg, key: jwk }, with what its issuer signs with`
      : ''
  throw new ConfigurationError(`${expected(at, `one of ${[...ALGORITHMS.keys()].join(', ')}`, name)}${hint}`)
}

/**
 * The text whose MAC is the default `kid` of a secret. No signing input has a blank, so it is not
 * the MAC of a token.
 */
const KID_LABEL = 'tokenwright kid'

/** How many characters of that MAC are the `kid`: enough to tell the keys of a ring apart. */
const SECRET_KID_LENGTH = 8

/** The name of a key without one. */
function toDefaultKid(key: KeyObject, { kty }: Algorithm): string {
  if (kty !== 'oct') return toThumbprint(key, kty)
  return createHmac('sha256', key).update(KID_LABEL).digest('base64url').slice(0, SECRET_KID_LENGTH)
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
