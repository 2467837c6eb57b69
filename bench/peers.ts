/**
 * The peers, each in the way that its documentation calls fastest: with imported keys, pinned
 * algorithms and the same claims. fast-jwt runs with and without its cache. jsonwebtoken does not
 * support EdDSA.
 */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import { jwtVerify, SignJWT } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import type { Contestant } from './measure.ts'
import { AUDIENCE, createClaims, ISSUER, KID, PAIRS, type PairName, SECRET } from './token.ts'

type Alg = 'HS256' | PairName

/** The size of fast-jwt's cache: more than the tokens of the pool. */
const CACHE_SIZE = 10_000

const header = { typ: 'access+jwt', kid: KID }

function keysOf(alg: Alg): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (alg !== 'HS256') return PAIRS[alg]
  const key = createSecretKey(SECRET)
  return { privateKey: key, publicKey: key }
}

/** A key for fast-jwt, which takes secrets and PEM and prepares them once. */
function toFastKey(key: KeyObject): string | Buffer {
  if (key.type === 'secret') return key.export()
  return key.type === 'public'
    ? key.export({ type: 'spki', format: 'pem' })
    : key.export({ type: 'pkcs8', format: 'pem' })
}

/** The verifier of fast-jwt, as a contestant. */
export function createFastVerifier(alg: Alg, cached: boolean): Contestant {
  const verify = createVerifier({
    key: toFastKey(keysOf(alg).publicKey),
    algorithms: [alg],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    cache: cached ? CACHE_SIZE : false,
  })
  return { name: cached ? 'fast-jwt, cached' : 'fast-jwt', run: (token) => verify(token) }
}

function createJsonwebtokenVerifier(alg: Exclude<Alg, 'EdDSA'>): Contestant {
  const key = keysOf(alg).publicKey
  const options = { algorithms: [alg], issuer: ISSUER, audience: AUDIENCE }
  return { name: 'jsonwebtoken', run: (token) => jsonwebtoken.verify(token, key, options) }
}

function createJoseVerifier(alg: Alg): Contestant {
  const key = keysOf(alg).publicKey
  const options = { algorithms: [alg], issuer: ISSUER, audience: AUDIENCE }
  return { name: 'jose', run: (token) => jwtVerify(token, key, options) }
}

/** The verifiers of all peers for an algorithm, without caches. */
export function createPeerVerifiers(alg: Alg): readonly Contestant[] {
  const fast = createFastVerifier(alg, false)
  const jose = createJoseVerifier(alg)
  return alg === 'EdDSA' ? [fast, jose] : [fast, createJsonwebtokenVerifier(alg), jose]
}

/** The signers of all peers for an algorithm. */
export function createPeerSigners(alg: Alg): readonly Contestant[] {
  const key = keysOf(alg).privateKey
  const sign = createSigner({ key: toFastKey(key), algorithm: alg, header: { ...header, alg } })
  const fast = { name: 'fast-jwt', run: () => sign(createClaims()) }
  const jose = {
    name: 'jose',
    run: () => new SignJWT(createClaims()).setProtectedHeader({ alg, ...header }).sign(key),
  }
  if (alg === 'EdDSA') return [fast, jose]
  const options = { algorithm: alg, header: { ...header, alg } }
  return [fast, { name: 'jsonwebtoken', run: () => jsonwebtoken.sign(createClaims(), key, options) }, jose]
}
