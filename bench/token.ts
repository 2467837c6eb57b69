/**
 * The token that all contestants sign and verify: 472 characters with `sub jti iat exp nbf type
 * fresh scopes[3] iss aud`. Each verifier checks exp, nbf, iss and aud, and gets a string that V8
 * has not hashed yet, as a server does. V8 keeps the hash of a string, so using one twice would
 * make a `Map` look faster than it is.
 */
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto'

/** The claims of all tokens. Each verifier checks the issuer and the audience. */
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const SUBJECT = 'user-64f1c0ffee5'
export const SCOPES = ['users:read', 'orders:read', 'orders:write:own']
export const LIFETIME = 900

/** The key id in each header. */
export const KID = '2026-11'

/** The number of different tokens. */
const POOL_SIZE = 1000

/** The secret of all HMAC contestants. */
export const SECRET = randomBytes(32)

/** A key pair for each public-key algorithm. RSA has 2048 bits, as in most deployments. */
export const PAIRS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
} satisfies Record<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>

/** The name of a public-key algorithm. */
export type PairName = keyof typeof PAIRS

/** The claims of a new token. */
export function createClaims(): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000)
  return {
    sub: SUBJECT,
    jti: randomUUID(),
    type: 'access',
    fresh: false,
    iat,
    exp: iat + LIFETIME,
    nbf: iat,
    aud: AUDIENCE,
    iss: ISSUER,
    scopes: SCOPES,
  }
}

/** The encoded header of tokens with an algorithm. */
export function toHeader(alg: string, typ = 'access+jwt'): string {
  return Buffer.from(JSON.stringify({ alg, typ, kid: KID })).toString('base64url')
}

/** Signs with the secret, without a library. */
export function signByHand(header: string, payload: string): string {
  const input = `${header}.${Buffer.from(payload).toString('base64url')}`
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
}

/** Different tokens, as bytes. */
export function createPool(sign: () => string): readonly Buffer[] {
  return Array.from({ length: POOL_SIZE }, () => Buffer.from(sign(), 'latin1'))
}

/** A random token of the pool, as a string that V8 has not hashed. */
export function draw(pool: readonly Buffer[]): string {
  const bytes = pool[Math.floor(Math.random() * pool.length)]
  return bytes === undefined ? '' : bytes.toString('latin1')
}
