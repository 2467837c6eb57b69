/** Tokenwright through its public interface, promises included. */
import { createSecretKey } from 'node:crypto'
import { type Auth, type AuthOptions, createAuth, createKeyRing, type KeyRing } from 'tokenwright'
import { AUDIENCE, ISSUER, KID, LIFETIME, PAIRS, type PairName, SCOPES, SECRET, SUBJECT } from './token.ts'

/** The key ring with the shared secret, or with one of the key pairs. */
export function createRing(alg: 'HS256' | PairName): KeyRing {
  const key = alg === 'HS256' ? createSecretKey(SECRET) : PAIRS[alg].privateKey
  return createKeyRing({ signing: { alg, key, kid: KID } })
}

/** An application with the usual settings. With `cache: false` every call verifies. */
export function createApplication(alg: 'HS256' | PairName, cache?: AuthOptions['cache']): Auth {
  return createAuth({
    keys: createRing(alg),
    issuer: ISSUER,
    audience: AUDIENCE,
    ...(cache !== undefined && { cache }),
  })
}

/** Issues access tokens. */
export function createPublicSigner(auth: Auth): () => Promise<string> {
  return () =>
    auth.createAccessToken(SUBJECT, {
      scopes: SCOPES,
      expiresIn: LIFETIME,
      notBefore: Math.floor(Date.now() / 1000),
    })
}
