/**
 * The token that all sign and verify: 472 characters with `sub jti iat exp nbf type fresh
 * scopes[3] iss aud`. Every verifier checks exp, nbf, iss and aud. The verifiers get strings that
 * no one has hashed before, as a server does: V8 keeps a string's hash, so a string that is used
 * twice makes every `Map` look faster than it is.
 */
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto'

/** What every token says of its origin, and every verifier asks for. */
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const SUBJECT = 'user-64f1c0ffee5'
export const SCOPES = ['users:read', 'orders:read', 'orders:write:own']
export const LIFETIME = 900

/** The key's name, in every header. */
export const KID = '2026-11'

/** How many different tokens are in play. */
const POOL_SIZE = 1000

/** The secret of all HMAC contestants. */
export const SECRET = randomBytes(32)

/** A pair for one public-key algorithm; RSA with 2048 bits, which most deployments have. */
export const PAIRS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
} satisfies Record<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>

/** The name of a public-key algorithm. */
export type PairName = keyof typeof PAIRS

/** The claims of one new token, as one who issues it by hand writes them. */
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

/** The encoded header of every token of one algorithm. */
export function toHeader(alg: string): string {
  return Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: KID })).toString('base64url')
}

/** Signs with the secret, without any library. */
export function signByHand(header: string, payload: string): string {
  const input = `${header}.${Buffer.from(payload).toString('base64url')}`
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
}

/** Distinct tokens, kept as bytes. */
export function createPool(sign: () => string): readonly Buffer[] {
  return Array.from({ length: POOL_SIZE }, () => Buffer.from(sign(), 'latin1'))
}

/** One token of the pool at random, as a string that was never hashed before. */
export function draw(pool: readonly Buffer[]): string {
  const bytes = pool[Math.floor(Math.random() * pool.length)]
  return bytes === undefined ? '' : bytes.toString('latin1')
}
