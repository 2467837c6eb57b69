/** Tokenwright through its public interface, promises included. */
import { createSecretKey } from 'node:crypto'
import {
  type Auth,
  type AuthOptions,
  createAuth,
  createKeyRing,
  type KeyRing,
  type RequestPort,
} from 'tokenwright'
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

/** What a guard asks for each request. The whole header is the token, so that no text is joined. */
export function createGuard(): (token: string) => unknown {
  const settings = { issuer: ISSUER, audience: AUDIENCE, header: { scheme: '' } }
  const auth = createAuth({ keys: createRing('HS256'), ...settings })
  const authenticate = auth.authenticator({})
  let token = ''
  const request: RequestPort = { method: 'GET', url: '/', header: () => token }
  return (text) => {
    token = text
    return authenticate(request)
  }
}
