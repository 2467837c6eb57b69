/**
 * From the keys that the developer gives to keys that are imported, checked and named: one key, the
 * two options of a ring, or a key set with the times at which its keys sign. Nothing here signs.
 */
import { createHmac, type KeyObject } from 'node:crypto'
import {
  ConfigurationError,
  checkKnownKeys,
  describeType,
  expected,
  isCallable,
  isRecord,
  refuseUndefined,
} from '../internal/configuration-error.ts'
import { readEpochSeconds } from '../internal/duration.ts'
import { ALGORITHMS, type Algorithm, type AlgorithmName } from './algorithms.ts'
import { type Jwk, toThumbprint } from './jwk.ts'
import { readKey } from './read-key.ts'
import type { RemoteSign } from './remote-signer.ts'

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
  /**
   * Only in a key set that `load` returns: the moment from which the key signs, until a later one
   * does. Before it the key is announced: it verifies and does not sign. A Date, or epoch seconds.
   * Default: it signs from the beginning.
   */
  readonly signsFrom?: Date | number
}

/**
 * A private key that is elsewhere: in a key management service (KMS), a hardware module (HSM) or an
 * agent.
 */
export interface RemoteSigner extends Omit<Key, 'key' | 'passphrase'> {
  /** The public half, as `Key.key`. It verifies every signature before a token leaves. */
  readonly publicKey: Key['key']
  /**
   * Signs the signing input. A throw, or no result within 5 s, is `store_unavailable` (503).
   */
  readonly sign: RemoteSign
}

/** A key that signs: of this process, or elsewhere. */
export type SigningKey = Key | Jwk | RemoteSigner

/** The keys of a ring: one that signs, and others. */
export interface RingKeys {
  /** The key that signs new tokens; it verifies as well. Without one the ring only verifies. */
  readonly signing?: SigningKey
  /**
   * Further keys whose tokens are accepted: the next signing key before it signs, and the previous
   * one while its tokens live. JWKs of other uses and of unknown kinds are passed over.
   */
  readonly verifying?: readonly (Key | Jwk)[]
  /**
   * Allows HMAC secrets beside public keys, for a migration from one to the other. Default false.
   */
  readonly mixed?: boolean
}

/**
 * A key set with a schedule, such as the file that `tokenwright keys` writes. Of the keys that can
 * sign, the one with the latest `signsFrom` that has come does; of two alike, the first. All verify
 * until their `notAfter`.
 */
export interface KeySet {
  /** The keys: private JWKs, or `{ alg, key }`, each with `signsFrom` and `notAfter`. */
  readonly keys: readonly SigningKey[]
  /** As in `KeyRingOptions`. */
  readonly mixed?: boolean
}

/** A key that was imported and checked. */
export interface ImportedKey {
  /** The algorithm that it is for. */
  readonly algorithm: Algorithm
  /** The key. */
  readonly key: KeyObject
  /** Its name. */
  readonly kid: string
  /** Whether the developer named it. */
  readonly isNamed: boolean
  /** The last moment at which it verifies, in epoch seconds; Infinity for no end. */
  readonly notAfter: number
  /** The moment from which it signs, in epoch seconds. */
  readonly signsFrom: number
  /** Signs, where the private key is elsewhere; null otherwise. */
  readonly remote: RemoteSign | null
}

/** The keys of a ring, imported. */
export interface ImportedKeys {
  /** The key that signs now; null for none. */
  readonly signing: ImportedKey | null
  /** Every key, the signing one first. */
  readonly all: readonly ImportedKey[]
  /** When another key begins to sign, in epoch seconds; Infinity for never. */
  readonly switchAt: number
}

/** The longest `kid` that is accepted, in characters. */
export const MAX_KID_LENGTH = 128

/**
 * Imports the keys of a ring, and checks that they can be in one.
 *
 * @throws {ConfigurationError} as `createKeyRing`
 */
export function importKeys(options: RingKeys): ImportedKeys {
  checkKnownKeys('', options, ['signing', 'verifying', 'mixed'])
  const signing = options.signing === undefined ? null : importSigningKey('signing', options.signing, true)
  if (signing !== null && !canSign(signing)) {
    throw new ConfigurationError('Expected `signing` to be a private key or a secret, got a public key')
  }
  if (signing !== null && signing.notAfter !== Number.POSITIVE_INFINITY) {
    throw new ConfigurationError('Expected `signing` to have no `notAfter`: only verifying keys retire')
  }
  const { verifying: others = [] } = options
  const verifying = importList('verifying', others)
  const all = signing === null ? verifying : [signing, ...verifying]
  if (all.length === 0) {
    const hint =
      others.length > 0 ? " for signatures, got only JWKs with `use: 'enc'` or of unknown kinds" : ''
    throw new ConfigurationError(`Expected \`signing\` or \`verifying\` to hold a key${hint}`)
  }
  checkTogether(all, options)
  return { signing, all, switchAt: Number.POSITIVE_INFINITY }
}

/**
 * Imports a key set, and decides which of its keys signs.
 *
 * @param now epoch seconds
 * @throws {ConfigurationError} as `createKeyRing`
 */
export function importKeySet(set: KeySet, now: number): ImportedKeys {
  checkKnownKeys('', set, ['keys', 'mixed'])
  const all = importList('keys', set.keys)
  if (all.length === 0) throw new ConfigurationError('Expected `keys` to hold a key for signatures')
  checkTogether(all, set)
  const { signing, switchAt } = decideSigning(all, now)
  const others = all.filter((key) => key !== signing)
  return { signing, all: signing === null ? others : [signing, ...others], switchAt }
}

/**
 * Decides which key signs: the one with the latest `signsFrom` that has come, else the one that
 * comes first, as a ring that was just made must not wait for its clock.
 */
function decideSigning(
  all: readonly ImportedKey[],
  now: number,
): { readonly signing: ImportedKey | null; readonly switchAt: number } {
  const able = all.filter((key) => canSign(key) && now <= key.notAfter)
  const begun = able.filter(({ signsFrom }) => signsFrom <= now)
  const signing = begun.length > 0 ? pick(begun, (a, b) => a > b) : pick(able, (a, b) => a < b)
  const next = able.filter(({ signsFrom }) => signsFrom > now).map(({ signsFrom }) => signsFrom)
  return { signing, switchAt: Math.min(...next) }
}

/** The first of the keys whose `signsFrom` no other's precedes. */
function pick(keys: readonly ImportedKey[], precedes: (a: number, b: number) => boolean): ImportedKey | null {
  let best: ImportedKey | null = null
  for (const key of keys) if (best === null || precedes(key.signsFrom, best.signsFrom)) best = key
  return best
}

/** Imports a list of keys, without the JWKs of other uses and kinds, which verify nothing. */
function importList(name: string, list: unknown): readonly ImportedKey[] {
  if (Array.isArray(list))
    return (list as readonly unknown[]).flatMap((key, i) =>
      isOfAnotherKind(key) ? [] : importSigningKey(`${name}[${i}]`, key, false),
    )
  const hint = isRecord(list) && Object.hasOwn(list, 'keys') ? '; of a key set give its `keys`' : ''
  throw new ConfigurationError(`${expected(name, 'a list of keys', list)}${hint}`)
}

/** Checks that keys can be in one ring. */
function checkTogether(all: readonly ImportedKey[], { mixed }: { readonly mixed?: boolean }): void {
  if (new Set(all.map((key) => key.kid)).size !== all.length) {
    throw new ConfigurationError(
      'Expected every key of the ring to have a `kid` of its own: two are the same',
    )
  }
  const secrets = all.filter((key) => key.algorithm.kty === 'oct').length
  if (secrets > 0 && secrets < all.length && mixed !== true) {
    throw new ConfigurationError(
      'Expected the ring to hold HMAC secrets or public keys, not both; say `mixed: true` while migrating from one to the other',
    )
  }
}

function canSign({ key, remote }: ImportedKey): boolean {
  return key.type !== 'public' || remote !== null
}

/** Imports one key, whose private half may be elsewhere. */
function importSigningKey(at: string, value: unknown, signs: boolean): ImportedKey {
  if (!isRecord(value) || !('sign' in value) || 'kty' in value) return importKey(at, value, signs)
  const { publicKey, sign, ...rest } = value as unknown as RemoteSigner
  if (!isCallable(sign)) throw new ConfigurationError(expected(`${at}.sign`, 'a function', sign))
  const imported = importKey(at, { ...rest, key: publicKey }, false, 'publicKey')
  if (imported.key.type === 'public') return { ...imported, remote: sign as RemoteSign }
  throw new ConfigurationError(
    `Expected \`${at}.publicKey\` to be a public key, got a ${imported.key.type} key: \`sign\` has that elsewhere`,
  )
}

/**
 * Imports one key and checks all of its members.
 *
 * @param member what has the key, for messages
 */
function importKey(at: string, value: unknown, signs: boolean, member = 'key'): ImportedKey {
  const given = parseKey(at, value)
  const bare = isBareJwk(given)
  if (!bare) checkKnownKeys(at, given, ['alg', 'key', 'kid', 'notAfter', 'signsFrom', 'passphrase'])
  refuseUndefined(at, given, ['notAfter', 'signsFrom'])
  const algorithm = readAlgorithm(`${at}.alg`, given.alg, bare ? given : null)
  const source: unknown = bare ? given : given.key
  const key = readKey({
    at: bare ? at : `${at}.${member}`,
    source,
    algorithm,
    signs,
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
  const { notAfter, signsFrom } = given as { readonly notAfter?: unknown; readonly signsFrom?: unknown }
  return {
    algorithm,
    key,
    kid: isNamed ? named : toDefaultKid(key, algorithm),
    isNamed,
    notAfter:
      notAfter === undefined ? Number.POSITIVE_INFINITY : readEpochSeconds(`${at}.notAfter`, notAfter),
    remote: null,
    signsFrom: signsFrom === undefined ? 0 : readEpochSeconds(`${at}.signsFrom`, signsFrom),
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

/** The curves and key types of the table, as JWKs name them. */
const KINDS: ReadonlySet<string> = new Set([...ALGORITHMS.values()].map(({ kty, crv }) => crv ?? kty))

/**
 * Whether a value is a JWK that no signature here is made with, by its own words: for encryption,
 * or of an algorithm, type or curve that is not ours (RFC 7517 sections 4.2, 4.3 and 5).
 */
function isOfAnotherKind(value: unknown): boolean {
  if (!isRecord(value) || !('kty' in value)) return false
  const { kty, crv, use, alg, key_ops } = value
  if (use !== undefined && use !== 'sig') return true
  if (typeof alg === 'string' && !ALGORITHMS.has(alg)) return true
  if (Array.isArray(key_ops) && !key_ops.includes('verify') && !key_ops.includes('sign')) return true
  const kind = kty === 'EC' || kty === 'OKP' ? crv : kty
  return typeof kind === 'string' && !KINDS.has(kind)
}

/**
 * Reads the name of an algorithm.
 *
 * @param jwk the key that should have said it; null where the option says it
 */
export function readAlgorithm(at: string, name: unknown, jwk: Jwk | null): Algorithm {
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
export function toDefaultKid(key: KeyObject, { kty }: Algorithm): string {
  if (kty !== 'oct') return toThumbprint(key, kty)
  return createHmac('sha256', key).update(KID_LABEL).digest('base64url').slice(0, SECRET_KID_LENGTH)
}
