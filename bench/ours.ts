/**
 * Tokenwright, measured twice: through the public interface, as applications call it, and on the floor below (`Verifier`,
 * `prepareIssue`), so that the price of promises, options and requirements can be seen.
 */
import { createSecretKey } from 'node:crypto'
import { type Auth, createAuth, createKeyRing, type KeyRing, type TokenPayload } from 'tokenwright'
import type { Awaitable } from '../src/internal/awaitable.ts'
import { systemClock } from '../src/internal/duration.ts'
import { prepareSignToken } from '../src/token/sign-token.ts'
import type { CacheBounds } from '../src/token/token-cache.ts'
import { Verifier } from '../src/token/verify.ts'
import { AUDIENCE, ISSUER, KID, LIFETIME, PAIRS, type PairName, SCOPES, SECRET, SUBJECT } from './token.ts'

/** The ring with the shared secret, or with one of the pairs. */
export function createRing(alg: 'HS256' | PairName): KeyRing {
  const key = alg === 'HS256' ? createSecretKey(SECRET) : PAIRS[alg].privateKey
  return createKeyRing({ signing: { alg, key, kid: KID } })
}

/** An application with the usual settings; without its cache, where verification itself is measured. */
export function createApplication(alg: 'HS256' | PairName, cache: boolean): Auth {
  const settings = { keys: createRing(alg), issuer: ISSUER, audience: AUDIENCE }
  return createAuth(cache ? settings : { ...settings, cache: false })
}

/** Issues as applications do. */
export function createPublicSigner(auth: Auth): () => Promise<string> {
  return () =>
    auth.createAccessToken(SUBJECT, {
      scopes: SCOPES,
      expiresIn: LIFETIME,
      notBefore: Math.floor(Date.now() / 1000),
    })
}

/** The verifier below the public interface. */
export function createFloorVerifier(
  alg: 'HS256' | PairName,
  cache: CacheBounds | null,
): (token: string) => Awaitable<TokenPayload> {
  const wanted = { type: 'access', realm: undefined } as const
  const verifier = new Verifier({
    ring: createRing(alg),
    rules: {
      issuer: ISSUER,
      audience: [AUDIENCE],
      interop: false,
      maxLifetime: 400 * 86_400,
      leeway: 5,
      clock: systemClock,
    },
    limits: { tokenLength: 8192 },
    cache,
    schema: null,
    hasRows: false,
  })
  return (text) => {
    const carried = { text, start: 0 }
    return verifier.lookup(carried, wanted) ?? verifier.verify(carried, wanted)
  }
}

/** The issuer below the public interface. */
export function createFloorSigner(alg: 'HS256' | PairName): () => string {
  const issue = prepareSignToken({
    ring: createRing(alg),
    issuer: ISSUER,
    audience: AUDIENCE,
    realm: undefined,
    maxLifetime: 400 * 86_400,
    tokenLength: 8192,
  })
  return () => {
    const iat = Math.floor(Date.now() / 1000)
    return issue({
      type: 'access',
      sub: SUBJECT,
      iat,
      exp: iat + LIFETIME,
      nbf: iat,
      fresh: false,
      scopes: SCOPES,
    })
  }
}
