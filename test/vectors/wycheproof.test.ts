/**
 * Project Wycheproof (C2SP), JSON Web Signature, Key and Crypto: every vector against the layer that verifies compact JWS.
 * An import that throws counts as "invalid". Nothing is exempt but what is listed here by number, with the reason.
 */
import { createSecretKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromBase64Url } from '../../src/internal/bytes.ts'
import { ALGORITHMS } from '../../src/token/algorithms.ts'
import type { Jwk } from '../../src/token/jwk.ts'
import { prepareVerifyJws } from '../../src/token/jws.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import type { KeyRing } from '../../src/token/ring.ts'
import { NOW, SECRET } from '../token/forge.ts'
import { HAVE_WYCHEPROOF, loadWycheproof } from './load.ts'

type KeyGroup = Jwk | { readonly keys: readonly Jwk[] }
interface Vector {
  readonly tcId: number
  readonly comment: string
  /** A compact serialization, or a JSON one as parsed JSON. */
  readonly jws?: string | object
  readonly result: 'valid' | 'invalid'
}
interface Group {
  readonly comment: string
  readonly public?: KeyGroup
  readonly private: KeyGroup
  readonly tests: readonly Vector[]
}
interface File {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}
const NONE: File = { numberOfTests: 0, testGroups: [] }

/** The key of these groups says another `alg` than their valid token (346, 350), or one that is not registered (347, 351). */
const CORRECTED: Readonly<Record<number, string>> = { 346: 'PS384', 347: 'ES512', 350: 'PS384', 351: 'ES512' }

/** Marked invalid, but identical to the valid vector 357, byte for byte: no verifier can tell them apart. */
const IDENTICAL_TO_VALID = [367, 370]

/** Marked valid, but they contain `?`, which is not of the alphabet of base64url (RFC 7515 section 2): refused by us. */
const MUST_BE_REFUSED = [372, 373]

/** Keys that are for encryption and name no algorithm: given the one of their tokens, so that what refuses them is `use` and `key_ops`. */
const FAMILY: Readonly<Record<string, string>> = { rsa_encryption: 'RS256', ec_key_for_encryption: 'ES256' }

/** The 32 zero bytes of group `base64`. `createKeyRing` refuses them as guessable, so that group gets its ring made by hand. */
const ZEROS = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

function toRing(group: Group, { tcId }: Vector): KeyRing {
  const given = group.public ?? group.private
  const keys = ('keys' in given ? given.keys : [given]) as readonly Jwk[]
  const [only] = keys
  if (only?.k === ZEROS) {
    const verify = ALGORITHMS.get('HS256')!.prepareVerify(createSecretKey(Buffer.alloc(32)))
    const key = { kid: only.kid!, alg: 'HS256', verify, notAfter: Number.POSITIVE_INFINITY }
    return { signer: null, keys: [key], jwks: { keys: [] }, currentJwks: () => ({ keys: [] }), changes: null }
  }
  const alg = (jwk: Jwk): string | undefined => CORRECTED[tcId] ?? jwk.alg ?? FAMILY[group.comment]
  return createKeyRing({ verifying: keys.map((jwk) => ({ ...jwk, alg: alg(jwk)! })) })
}

/** A token as it would come: JSON serializations as their text. */
function toText(token: unknown): string {
  return typeof token === 'string' ? token : JSON.stringify(token)
}

/** Judges one vector; a refusal other than an `AuthError` or a `ConfigurationError` is a defect. */
function judge(group: Group, vector: Vector): string {
  try {
    prepareVerifyJws(toRing(group, vector), { tokenLength: 8192 }, fromBase64Url)(toText(vector.jws), NOW)
    return 'valid'
  } catch (error) {
    const { code, name } = error as { code?: string; name: string }
    const clean = code === 'token_malformed' || code === 'signature_invalid' || name === 'ConfigurationError'
    return clean ? 'invalid' : `threw ${String(error)}`
  }
}

/** The numbers of the vectors on which we differ from the file, with both verdicts. */
function differences({ testGroups }: File): { count: number; differing: Record<number, string> } {
  const vectors = testGroups.flatMap((group) =>
    group.tests.filter(({ jws }) => jws !== undefined).map((vector) => ({ group, vector })),
  )
  const differing = vectors
    .map(({ group, vector }) => [vector.tcId, judge(group, vector), vector.result] as const)
    .filter(([, ours, theirs]) => ours !== theirs)
    .map(([tcId, ours, theirs]) => [tcId, `file: ${theirs}, ours: ${ours}`])
  return { count: vectors.length, differing: Object.fromEntries(differing) }
}

if (!HAVE_WYCHEPROOF) {
  console.warn('\nSKIPPED: the Wycheproof vectors are not here. Run `npm run vectors` once to fetch them.\n')
}

describe.skipIf(!HAVE_WYCHEPROOF)('Wycheproof', () => {
  const signatures = loadWycheproof('json_web_signature_test.json', NONE)

  it('passes 397 of 401 JSON Web Signature vectors, and the other four are wrong in the file', () => {
    const { count, differing } = differences(signatures)
    expect(count).toBe(401)
    expect(differing).toEqual({
      ...Object.fromEntries(IDENTICAL_TO_VALID.map((id) => [id, 'file: invalid, ours: valid'])),
      ...Object.fromEntries(MUST_BE_REFUSED.map((id) => [id, 'file: valid, ours: invalid'])),
    })
  })

  it('has the four reasons that are claimed for its four wrong vectors', () => {
    const all = signatures.testGroups.flatMap(({ tests }) => tests)
    const find = (id: number): Vector => all.find(({ tcId }) => tcId === id)!
    for (const id of IDENTICAL_TO_VALID) expect(find(id).jws).toBe(find(357).jws)
    expect(find(357).result).toBe('valid')
    for (const id of MUST_BE_REFUSED) expect(find(id).jws).toContain('?')
  })

  it('passes 26 of 26 JSON Web Key vectors', () => {
    expect(differences(loadWycheproof('json_web_key_test.json', NONE))).toEqual({ count: 26, differing: {} })
  })

  it('passes 49 of 49 JWS vectors of JSON Web Crypto', () => {
    expect(differences(loadWycheproof('json_web_crypto_test.json', NONE))).toEqual({
      count: 49,
      differing: {},
    })
  })

  it('refuses every JWE of JSON Web Crypto where a JWS is expected', () => {
    const crypto = loadWycheproof<{ testGroups: { tests: { jwe?: string | object }[] }[] }>(
      'json_web_crypto_test.json',
      NONE as never,
    )
    const tokens = crypto.testGroups.flatMap(({ tests }) => tests.flatMap(({ jwe }) => jwe ?? []))
    const verify = prepareVerifyJws(
      createKeyRing({ verifying: [{ alg: 'HS256', key: SECRET }] }),
      {
        tokenLength: 8192,
      },
      fromBase64Url,
    )
    expect(tokens.length).toBe(34)
    for (const token of tokens) expect(() => verify(toText(token), NOW)).toThrow('Invalid Token')
  })

  it('would be spared the 32 zero bytes of one group by createKeyRing, which refuses them', () => {
    const jwk = { kty: 'oct', alg: 'HS256', k: ZEROS }
    expect(() => createKeyRing({ verifying: [jwk] })).toThrow('it can be guessed')
  })
})
