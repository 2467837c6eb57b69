/**
 * The limit: what a careful engineer writes by hand with `node:crypto` for one algorithm, one key
 * and one kind of token. It prepares keys, checks the header's `alg` and `typ`, compares the
 * signature in constant time, and checks exp, nbf, iss, aud and type. It is less strict than a
 * library must be: it freezes nothing, has no limits, accepts several spellings of base64url, and
 * replaces invalid UTF-8.
 */
import {
  createHmac,
  createSecretKey,
  type SignKeyObjectInput,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { AUDIENCE, createClaims, ISSUER, PAIRS, type PairName, SECRET, toHeader } from './token.ts'

type Claims = Record<string, unknown>
type Check = (input: string, signature: Buffer) => boolean

const secret = createSecretKey(SECRET)

/** The hash and the options of each public-key algorithm. */
const PAIR_OPTIONS: Record<PairName, { hash: string | null; options: Omit<SignKeyObjectInput, 'key'> }> = {
  RS256: { hash: 'sha256', options: {} },
  ES256: { hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  EdDSA: { hash: null, options: {} },
}

function readClaims(encoded: string): Claims {
  const claims = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
  const now = Date.now() / 1000
  if (typeof claims.exp !== 'number' || claims.exp <= now) throw new Error('expired')
  if (typeof claims.nbf !== 'number' || claims.nbf > now) throw new Error('not active')
  if (claims.iss !== ISSUER) throw new Error('issuer')
  if (claims.aud !== AUDIENCE) throw new Error('audience')
  if (claims.type !== 'access') throw new Error('type')
  return claims
}

/** Parses the header and checks it. */
function readHeader(alg: string): (encoded: string) => boolean {
  return (encoded) => {
    const header = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    return header.alg === alg && header.typ === 'access+jwt'
  }
}

function createVerifier(isExpected: (header: string) => boolean, check: Check): (token: string) => Claims {
  return (token) => {
    const first = token.indexOf('.')
    const second = token.indexOf('.', first + 1)
    if (!isExpected(token.slice(0, first))) throw new Error('header')
    const signature = Buffer.from(token.slice(second + 1), 'base64url')
    if (!check(token.slice(0, second), signature)) throw new Error('signature')
    return readClaims(token.slice(first + 1, second))
  }
}

function checkHmac(input: string, signature: Buffer): boolean {
  const expected = createHmac('sha256', secret).update(input).digest()
  return signature.length === expected.length && timingSafeEqual(signature, expected)
}

const hmacHeader = toHeader('HS256')

/** Verifies an HS256 token. */
export const verifyHmac = createVerifier(readHeader('HS256'), checkHmac)

/** The same where only one header is ever written: compares it as text. */
export const verifyHmacOfOneHeader = createVerifier((header) => header === hmacHeader, checkHmac)

/** Signs new claims with HS256. */
export function signHmac(): string {
  const input = `${hmacHeader}.${Buffer.from(JSON.stringify(createClaims())).toString('base64url')}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Creates a verifier for a public key. */
export function createPairVerifier(alg: PairName): (token: string) => Claims {
  const { hash, options } = PAIR_OPTIONS[alg]
  const key = { key: PAIRS[alg].publicKey, ...options }
  return createVerifier(readHeader(alg), (input, signature) =>
    verify(hash, Buffer.from(input), key, signature),
  )
}

/** Creates a signer for a private key. */
export function createPairSigner(alg: PairName, header: string = toHeader(alg)): () => string {
  const { hash, options } = PAIR_OPTIONS[alg]
  const key = { key: PAIRS[alg].privateKey, ...options }
  return () => {
    const input = `${header}.${Buffer.from(JSON.stringify(createClaims())).toString('base64url')}`
    return `${input}.${sign(hash, Buffer.from(input), key).toString('base64url')}`
  }
}

/** Looks a token up in a bare `Map` by the token, the least that a cache must do. */
export function createBareMap(tokens: readonly string[]): (token: string) => Claims | undefined {
  const map = new Map(tokens.map((token) => [token, verifyHmac(token)]))
  return (token) => map.get(token)
}
