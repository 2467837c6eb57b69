/**
 * The one table of JWS algorithms (RFC 7518 section 3, RFC 8037 section 3.1, RFC 9864 section 2.2):
 * which key each takes, how it signs, how it verifies. Keys are prepared once; after that no code
 * looks at an algorithm's name. Everything is synchronous `node:crypto`: Web Crypto passes each
 * token to another thread, which costs more than the signature.
 */
import * as crypto from 'node:crypto'
import { constants, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { fromBase64Url } from '../internal/bytes.ts'
import { oneShotHash } from '../internal/hash.ts'

/** Signs the ASCII signing input and returns the signature in base64url. */
export type Sign = (input: string) => string

/**
 * Verifies a base64url signature over the ASCII signing input. Never throws: any other text is
 * false. The signature must be in its canonical spelling.
 */
export type Verify = (input: string, signature: string) => boolean

/** The names of the algorithms, as the `alg` header parameter spells them. */
export type AlgorithmName =
  | `HS${256 | 384 | 512}`
  | `RS${256 | 384 | 512}`
  | `PS${256 | 384 | 512}`
  | `ES${256 | 384 | 512}`
  | 'EdDSA'
  | 'Ed25519'

/** One row of the table. */
export interface Algorithm {
  /** The registered `alg` value. */
  readonly name: AlgorithmName
  /** The key type it takes, as RFC 7517 names it. */
  readonly kty: 'oct' | 'RSA' | 'EC' | 'OKP'
  /** The one curve it takes, as RFC 7518 and RFC 8037 name it; null where it takes none. */
  readonly crv: string | null
  /** The least number of secret bytes (RFC 7518 section 3.2); 0 for public keys. */
  readonly minBytes: number
  /** Prepares a secret or private key for signing. */
  readonly prepareSign: (key: KeyObject) => Sign
  /** Prepares a secret or public key for verifying. */
  readonly prepareVerify: (key: KeyObject) => Verify
}

/**
 * Every algorithm, by name; a new one is a row here. A `Map`, so that names such as `__proto__`
 * find nothing.
 */
export const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map(
  [
    hmac('HS256', 'sha256', 32, 64),
    hmac('HS384', 'sha384', 48, 128),
    hmac('HS512', 'sha512', 64, 128),
    rsa('RS256', 'sha256'),
    rsa('RS384', 'sha384'),
    rsa('RS512', 'sha512'),
    pss('PS256', 'sha256'),
    pss('PS384', 'sha384'),
    pss('PS512', 'sha512'),
    ecdsa('ES256', 'sha256', 'P-256'),
    ecdsa('ES384', 'sha384', 'P-384'),
    ecdsa('ES512', 'sha512', 'P-521'),
    edwards('EdDSA'),
    edwards('Ed25519'),
  ].map((row) => [row.name, row]),
)

/** HMAC with SHA-2 (RFC 7518 section 3.2). */
function hmac(name: AlgorithmName, hash: string, minBytes: number, blockBytes: number): Algorithm {
  const prepareVerify = (key: KeyObject): Verify => {
    const mac = prepareMac(key, hash, blockBytes)
    const { length } = mac('')
    const both = Buffer.alloc(2 * length)
    const ours = both.subarray(0, length)
    const theirs = both.subarray(length)
    return (input, signature) => {
      if (signature.length !== length) return false
      // Only ASCII fits as a whole, and of ASCII equal bytes are equal texts.
      const { read } = encoder.encodeInto(mac(input) + signature, both)
      return timingSafeEqual(ours, theirs) && read === both.length
    }
  }
  return {
    name,
    kty: 'oct',
    crv: null,
    minBytes,
    prepareSign: (key) => prepareMac(key, hash, blockBytes),
    prepareVerify,
  }
}

/**
 * Space for the signing input of a token of the default length limit. A longer input is hashed the
 * slower way.
 */
const SCRATCH_BYTES = 8192

/** Writes ASCII. On some runtimes a `Buffer` takes several times as long to write `latin1`. */
const encoder = new TextEncoder()

/**
 * HMAC (RFC 2104) as two one-shot hashes over prepared pads, because `createHmac` allocates a
 * stream object per call. Of an input that is not ASCII, each character is one byte.
 */
function prepareMac(key: KeyObject, hash: string, blockBytes: number): Sign {
  const streamed: Sign = (input) => createHmac(hash, key).update(input, 'latin1').digest('base64url')
  const oneShot = oneShotHash
  if (oneShot === undefined) return streamed

  const exported = key.export()
  const secret = exported.length > blockBytes ? crypto.createHash(hash).update(exported).digest() : exported
  const digestBytes = crypto.createHash(hash).digest().length
  const inner = Buffer.alloc(blockBytes + SCRATCH_BYTES, 0x36)
  const outer = Buffer.alloc(blockBytes + digestBytes, 0x5c)
  for (let i = 0; i < secret.length; i++) {
    inner[i] = (secret[i] ?? 0) ^ 0x36
    outer[i] = (secret[i] ?? 0) ^ 0x5c
  }
  const space = inner.subarray(blockBytes)
  const digestSpace = outer.subarray(blockBytes)
  let view = inner
  const fast: Sign = (input) => {
    const { read, written } = encoder.encodeInto(input, space)
    if (read !== input.length || written !== input.length) return streamed(input)
    const end = blockBytes + written
    if (view.length !== end) view = inner.subarray(0, end)
    digestSpace.write(oneShot(hash, view, 'latin1'), 'latin1')
    return oneShot(hash, outer, 'base64url')
  }
  // A runtime whose one-shot hash differs is detected here and not on a token.
  return fast('probe') === streamed('probe') ? fast : streamed
}

/** RSASSA-PKCS1-v1_5 (RFC 7518 section 3.3). */
function rsa(name: AlgorithmName, hash: string): Algorithm {
  return signature({ name, kty: 'RSA', crv: null }, hash, { padding: constants.RSA_PKCS1_PADDING })
}

/** RSASSA-PSS with a salt as long as the hash (RFC 7518 section 3.5). */
function pss(name: AlgorithmName, hash: string): Algorithm {
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return signature({ name, kty: 'RSA', crv: null }, hash, options)
}

/** ECDSA with the signature as r and s of fixed length (RFC 7518 section 3.4). */
function ecdsa(name: AlgorithmName, hash: string, crv: string): Algorithm {
  return signature({ name, kty: 'EC', crv }, hash, { dsaEncoding: 'ieee-p1363' })
}

/**
 * Ed25519 (RFC 8037 section 3.1). `EdDSA` and `Ed25519` (RFC 9864 section 2.2) are two names of the
 * one algorithm.
 */
function edwards(name: AlgorithmName): Algorithm {
  return signature({ name, kty: 'OKP', crv: 'Ed25519' }, null, {})
}

/** A row for public keys: the same code with another hash and other options. */
function signature(
  row: Omit<Algorithm, 'minBytes' | 'prepareSign' | 'prepareVerify'>,
  hash: string | null,
  options: SignOptions,
): Algorithm {
  return {
    ...row,
    minBytes: 0,
    prepareSign: (key) => {
      const prepared = prepareKey(key, hash, options)
      return (input) => crypto.sign(hash, Buffer.from(input, 'latin1'), prepared).toString('base64url')
    },
    prepareVerify: (key) => {
      const prepared = prepareKey(key, hash, options)
      return (input, text) => {
        const bytes = fromBase64Url(text)
        return bytes !== undefined && crypto.verify(hash, Buffer.from(input, 'latin1'), prepared, bytes)
      }
    },
  }
}

/** The options that `node:crypto` takes in the same object as the key. */
type SignOptions = Omit<crypto.SignKeyObjectInput, 'key'>

/**
 * Whether this runtime's `sign` and `verify` take a `KeyObject` with options; undefined until the
 * first key.
 */
let takesKeyObjects: boolean | undefined

/**
 * Tries it with a verification. That needs no randomness, which some runtimes forbid while a module
 * loads.
 */
function tryKeyObject(key: KeyObject, hash: string | null, options: SignOptions): boolean {
  const nothing = Buffer.alloc(0)
  try {
    const verifying = key.type === 'private' ? crypto.createPublicKey(key as never) : key
    crypto.verify(hash, nothing, { key: verifying, ...options }, nothing)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code !== 'ERR_INVALID_ARG_TYPE'
  }
}

/**
 * A key with its options, in the form that this runtime takes. Cloudflare Workers take only DER,
 * which is slower on Node.
 */
function prepareKey(key: KeyObject, hash: string | null, options: SignOptions): crypto.SignKeyObjectInput {
  takesKeyObjects ??= tryKeyObject(key, hash, options)
  if (takesKeyObjects) return { key, ...options }
  const type = key.type === 'private' ? 'pkcs8' : 'spki'
  const der = key.export({ format: 'der', type } as { format: 'der'; type: 'spki' })
  return { key: der, format: 'der', type, ...options } as unknown as crypto.SignKeyObjectInput
}
