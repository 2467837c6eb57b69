/**
 * JSON Web Keys: the checks before use (RFC 7517 section 4, RFC 7518 section 6), the public half
 * that may be published, and the thumbprint that names it (RFC 7638). Weak keys are refused at
 * start: short RSA moduli, small exponents, ROCA primes, points off the curve.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { ConfigurationError } from '../internal/configuration-error.ts'
import type { Algorithm } from './algorithms.ts'

/**
 * A JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2). Members that are not
 * named here are ignored.
 */
export interface Jwk {
  /** The key type: `'oct'`, `'RSA'`, `'EC'` or `'OKP'`. Required. */
  readonly kty?: string
  /** The algorithm that the key is for. */
  readonly alg?: string
  /** The key's name within its ring. */
  readonly kid?: string
  /** What the key is for: only `'sig'` is accepted. */
  readonly use?: string
  /** What the key may do: `'sign'` or `'verify'` must be among it when present. */
  readonly key_ops?: string[]
  /** Whether the key may be exported (Web Crypto). Ignored. */
  readonly ext?: boolean
  /** The secret of an `'oct'` key. Secret. */
  readonly k?: string
  /** The curve of an `'EC'` or `'OKP'` key. */
  readonly crv?: string
  /** The x coordinate, or the public key of an `'OKP'` key. */
  readonly x?: string
  /** The y coordinate. */
  readonly y?: string
  /** The modulus of an `'RSA'` key. */
  readonly n?: string
  /** The public exponent of an `'RSA'` key. */
  readonly e?: string
  /** The private exponent, or the private key. Secret. */
  readonly d?: string
  /** The first prime factor of an `'RSA'` key. Secret. */
  readonly p?: string
  /** The second prime factor. Secret. */
  readonly q?: string
  /** The first factor's exponent. Secret. */
  readonly dp?: string
  /** The second factor's exponent. Secret. */
  readonly dq?: string
  /** The first coefficient. Secret. */
  readonly qi?: string
  /** Address of the key's certificates. Ignored. */
  readonly x5u?: string
  /** The key's certificates. Ignored. */
  readonly x5c?: string[]
  /** SHA-1 fingerprint of the certificate. Ignored. */
  readonly x5t?: string
  /** SHA-256 fingerprint of the certificate. Ignored. */
  readonly 'x5t#S256'?: string
  /** Further members. Ignored. */
  readonly [member: string]: unknown
}

/**
 * The members of each key type in its thumbprint, in lexicographic order (RFC 7638 section 3.2, RFC
 * 8037 section 2).
 */
const THUMBPRINT_MEMBERS: Readonly<Record<Algorithm['kty'], readonly string[]>> = {
  oct: ['k', 'kty'],
  RSA: ['e', 'kty', 'n'],
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
}

/**
 * The RFC 7638 thumbprint with SHA-256, in base64url: 43 characters.
 *
 * @see RFC 7638 section 3
 */
export function toThumbprint(key: KeyObject, kty: Algorithm['kty']): string {
  const jwk = key.export({ format: 'jwk' }) as Record<string, unknown>
  const members = Object.fromEntries(THUMBPRINT_MEMBERS[kty].map((name) => [name, jwk[name]]))
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

/** The public half of a key as a JWK that may be published, with `kid`, `alg` and `use`. */
export function toPublicJwk(key: KeyObject, algorithm: Algorithm, kid: string): Jwk {
  const half = key.type === 'private' ? createPublicKey(key) : key
  return Object.freeze({ ...(half.export({ format: 'jwk' }) as Jwk), kid, alg: algorithm.name, use: 'sig' })
}

/**
 * Checks the members of a JWK that say what it is for.
 *
 * @param at the option as the developer writes it
 * @param operations the operations of which `key_ops` must allow one (RFC 7517 section 4.3)
 * @throws {ConfigurationError} when `kty`, `crv`, `alg`, `use` or `key_ops` do not allow signatures
 *   with the algorithm
 */
export function checkJwk(
  at: string,
  jwk: Jwk,
  algorithm: Algorithm,
  operations: readonly ('sign' | 'verify')[] = [],
): void {
  const { name, kty, crv } = algorithm
  const wanted = (member: string, what: string): ConfigurationError =>
    new ConfigurationError(`Expected \`${at}.${member}\` to be ${what}`)
  if (jwk.kty !== kty) throw wanted('kty', `'${kty}' for ${name}`)
  if (crv !== null && jwk.crv !== crv) throw wanted('crv', `'${crv}' for ${name}`)
  if (jwk.alg !== undefined && jwk.alg !== name) throw wanted('alg', `'${name}', as given beside the key`)
  if (jwk.use !== undefined && jwk.use !== 'sig') throw wanted('use', "'sig'")
  if (kty === 'RSA' && jwk.d !== undefined && jwk.p === undefined)
    throw wanted('p', 'the first prime, beside `q`, `dp`, `dq` and `qi`: a private RSA key has them all')
  const allowed: unknown = jwk.key_ops
  if (allowed === undefined || operations.length === 0) return
  if (!Array.isArray(allowed) || !operations.some((operation) => allowed.includes(operation)))
    throw wanted('key_ops', `a list with ${operations.map((name) => `'${name}'`).join(' or ')}`)
}

/** The least RSA modulus, in bits (RFC 7518 section 3.3). */
const MIN_RSA_BITS = 2048

/**
 * Checks that a public or private key fits its algorithm and is strong enough.
 *
 * @throws {ConfigurationError} for another key type or curve, an RSA modulus under 2048 bits, an
 *   even or tiny exponent, or a modulus with the ROCA fingerprint (CVE-2017-15361)
 */
export function checkStrength(at: string, key: KeyObject, algorithm: Algorithm): void {
  const jwk = key.export({ format: 'jwk' }) as Jwk
  checkJwk(at, jwk, algorithm)
  if (algorithm.kty !== 'RSA') return
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_RSA_BITS) {
    throw new ConfigurationError(
      `Expected \`${at}\` to be an RSA key of at least ${MIN_RSA_BITS} bits, got ${modulusLength} bits`,
    )
  }
  if (publicExponent < 3n || publicExponent % 2n === 0n) {
    throw new ConfigurationError(`Expected \`${at}\` to have an odd public exponent of at least 3`)
  }
  if (hasRocaFingerprint(BigInt(`0x${Buffer.from(jwk.n ?? '', 'base64url').toString('hex')}`))) {
    throw new ConfigurationError(
      `Expected \`${at}\` to be made by sound hardware: its modulus has the ROCA fingerprint (CVE-2017-15361)`,
    )
  }
}

/** The primes of the ROCA test; a flawed modulus is a power of 65537 modulo each of them. */
const ROCA_PRIMES = [
  3n,
  5n,
  7n,
  11n,
  13n,
  17n,
  19n,
  23n,
  29n,
  31n,
  37n,
  41n,
  43n,
  47n,
  53n,
  59n,
  61n,
  67n,
  71n,
  73n,
  79n,
  83n,
  89n,
  97n,
  101n,
  103n,
  107n,
  109n,
  113n,
  127n,
  131n,
  137n,
  139n,
  149n,
  151n,
  157n,
  163n,
  167n,
]

/** Whether a modulus looks like one of the Infineon library's: by chance about one in 2^27 does. */
function hasRocaFingerprint(modulus: bigint): boolean {
  return ROCA_PRIMES.every((prime) => {
    const target = modulus % prime
    let power = 1n
    do {
      if (power === target) return true
      power = (power * 65537n) % prime
    } while (power !== 1n)
    return false
  })
}
