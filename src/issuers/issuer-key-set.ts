/**
 * A JSON Web Key Set of an issuer (RFC 7517 section 5) -> the keys that may verify its tokens, each
 * bound to one algorithm. What is for encryption, of an unknown kind, weak, secret or not for the
 * configured algorithms is passed over, with the reason in words; a set without any key left is
 * refused.
 */
import { isRecord } from '../internal/configuration-error.ts'
import type { Algorithm, Verify } from '../token/algorithms.ts'
import { MAX_KID_LENGTH } from '../token/import-keys.ts'
import { readKey } from '../token/read-key.ts'

/** A key of an issuer. */
export interface IssuerKey {
  /** Its name; undefined for none. */
  readonly kid: string | undefined
  /** The name of the one algorithm that it is for. */
  readonly alg: string
  /** Verifies with this key and this algorithm. */
  readonly verify: Verify
}

/** The most keys of a set. */
const MAX_KEYS = 128

/** The longest RSA modulus, in bits: the work of a verification grows with its square. */
const MAX_RSA_BITS = 8192

/** The most keys that are tried for one token. */
const MAX_TRIED_KEYS = 4

/** The members of the public half of a key, by its type. A secret (`oct`) has none. */
const PUBLIC_MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['kty', 'n', 'e']],
  ['EC', ['kty', 'crv', 'x', 'y']],
  ['OKP', ['kty', 'crv', 'x']],
])

/** The usable keys of an issuer. */
export class IssuerKeySet {
  /** How many keys there are. */
  readonly size: number
  /** Why other keys were passed over, in words. */
  readonly passedOver: readonly string[]
  readonly #byKid: ReadonlyMap<string | undefined, readonly IssuerKey[]>
  readonly #keys: readonly IssuerKey[]

  private constructor(size: number, keys: readonly IssuerKey[], passedOver: readonly string[]) {
    this.size = size
    this.passedOver = passedOver
    this.#keys = keys
    const byKid = new Map<string | undefined, IssuerKey[]>()
    for (const key of keys) byKid.set(key.kid, [...(byKid.get(key.kid) ?? []), key])
    this.#byKid = byKid
  }

  /**
   * Reads a key set.
   *
   * @param algorithms those that the issuer signs with
   * @throws {Error} that says in words why no key of it can be used
   */
  static read(jwks: unknown, algorithms: readonly Algorithm[]): IssuerKeySet {
    const list: unknown = isRecord(jwks) ? jwks['keys'] : undefined
    if (!Array.isArray(list)) throw new Error('The key set has no list `keys`')
    if (list.length > MAX_KEYS) throw new Error(`The key set has more than ${MAX_KEYS} keys`)
    const keys: IssuerKey[] = []
    const passedOver: string[] = []
    for (const [i, jwk] of list.entries()) {
      const read = readIssuerKey(jwk, algorithms)
      if (typeof read === 'string') passedOver.push(`keys[${i}] ${read}`)
      else keys.push(...read)
    }
    if (keys.length > 0) return new IssuerKeySet(list.length - passedOver.length, keys, passedOver)
    const reasons = passedOver.slice(0, 5).join('; ')
    throw new Error(`The key set has no key that can be used${reasons === '' ? '' : `: ${reasons}`}`)
  }

  /** Whether the set says which keys may have signed a token with this `kid`. */
  knows(alg: string, kid: string | undefined): boolean {
    return kid === undefined ? this.#keys.some((key) => key.alg === alg) : this.#byKid.has(kid)
  }

  /**
   * The keys that may have signed a token: those with its `kid`, else those without a name; for a
   * token without `kid`, all of its algorithm. At most four.
   */
  find(alg: string, kid: string | undefined): readonly IssuerKey[] {
    const named = kid === undefined ? this.#keys : (this.#byKid.get(kid) ?? this.#byKid.get(undefined) ?? [])
    return named.filter((key) => key.alg === alg).slice(0, MAX_TRIED_KEYS)
  }
}

/**
 * Reads one key.
 *
 * @returns the key, once for each name of its algorithm; or in words why it is passed over
 */
function readIssuerKey(jwk: unknown, algorithms: readonly Algorithm[]): readonly IssuerKey[] | string {
  if (!isRecord(jwk)) return 'is no object'
  const { kty, crv, alg, use, kid } = jwk
  const members = PUBLIC_MEMBERS.get(kty)
  if (members === undefined) return kty === 'oct' ? 'is a secret, and published' : 'is of another kind'
  if (use !== undefined && use !== 'sig') return 'is not for signatures'
  if (jwk['d'] !== undefined) return 'is a private key, and published'
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH))
    return `has a \`kid\` that is no text of 1-${MAX_KID_LENGTH} characters`
  const fitting = algorithms.filter((row) => row.kty === kty && (row.crv === null || row.crv === crv))
  const bound = alg === undefined ? fitting : fitting.filter((row) => row.name === alg)
  const [algorithm] = bound
  if (algorithm === undefined) return 'is for none of `algorithms`'
  // Algorithms of one curve are one algorithm with several names.
  if (bound.length > 1 && algorithm.crv === null) return 'has no `alg`, and several of `algorithms` fit it'
  try {
    const bare = Object.fromEntries(members.map((name) => [name, jwk[name]]))
    const source = { ...bare, ...(jwk['key_ops'] !== undefined && { key_ops: jwk['key_ops'] }) }
    const key = readKey({ at: 'key', source, algorithm, signs: false, passphrase: undefined })
    const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
    if (modulusLength > MAX_RSA_BITS) return `is longer than ${MAX_RSA_BITS} bits`
    const verify = algorithm.prepareVerify(key)
    return bound.map(({ name }) => ({ kid, alg: name, verify }))
  } catch {
    return 'cannot be read, or is weak'
  }
}
