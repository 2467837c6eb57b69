/** One key for each algorithm, made once; the six RSA algorithms share a pair, which is slow to make. */
import { ALGORITHMS, type AlgorithmName } from '../../src/token/algorithms.ts'
import type { Jwk } from '../../src/token/jwk.ts'
import { generateKey } from '../../src/token/key-ring.ts'

const RSA = generateKey('RS256')

/** A private key or secret of each algorithm, as a JWK with `alg` and `kid`. */
export const EVERY_KEY: readonly { readonly name: AlgorithmName; readonly jwk: Jwk & { kid: string } }[] = [
  ...ALGORITHMS.values(),
].map(({ name, kty }) => ({
  name: name as AlgorithmName,
  jwk: (kty === 'RSA' ? { ...RSA, alg: name } : generateKey(name as AlgorithmName)) as Jwk & { kid: string },
}))

/** The key of one algorithm. */
export function keyOf(name: AlgorithmName): Jwk & { kid: string } {
  return EVERY_KEY.find((entry) => entry.name === name)!.jwk
}
