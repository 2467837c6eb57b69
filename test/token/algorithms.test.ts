import { createHmac, createPublicKey, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign, compactVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { fromBase64Url } from '../../src/internal/bytes.ts'
import { ALGORITHMS, type AlgorithmName } from '../../src/token/algorithms.ts'
import { prepareVerifyJws } from '../../src/token/jws.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { NOW } from './forge.ts'
import { EVERY_KEY } from './pairs.ts'
import { prepareSignNow } from './sign-now.ts'

const MACS = [
  ['HS256', 'sha256', 64],
  ['HS384', 'sha384', 128],
  ['HS512', 'sha512', 128],
] as const

/** The lengths at which a hash or our scratch buffer changes its way of working, each with its neighbours. */
function edgesOf(block: number): number[] {
  const edges = [0, 1, block - 9, block, block + 55, block * 2, 8192 - block, 8192, 8193, 20_000]
  return [...new Set(edges.flatMap((n) => [n - 1, n, n + 1]))].filter((n) => n >= 0)
}

describe.each(MACS)('%s by two hashes', (name, hash, block) => {
  const algorithm = ALGORITHMS.get(name)!
  const macOf = (key: KeyObject, input: string): string =>
    createHmac(hash, key).update(input, 'latin1').digest('base64url')

  it('equals createHmac for inputs of every length around blocks, the scratch buffer and beyond', () => {
    for (const keyLength of [1, 31, 32, block - 1, block, block + 1, block * 3]) {
      const key = createSecretKey(randomBytes(keyLength))
      const sign = algorithm.prepareSign(key)
      for (const length of edgesOf(block)) {
        const input = randomBytes(length).toString('base64url').slice(0, length)
        expect(sign(input), `key ${keyLength}, input ${length}`).toBe(macOf(key, input))
      }
    }
  })

  it('equals createHmac for random keys and inputs, whatever was signed before', () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 300 })
    const inputs = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 400 }), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(key, inputs, (bytes, texts) => {
        const secret = createSecretKey(bytes)
        const sign = algorithm.prepareSign(secret)
        const verify = algorithm.prepareVerify(secret)
        // One prepared function serves all, so that what one input leaves in the buffer could spoil the next.
        for (const text of texts) {
          const mac = macOf(secret, text)
          expect(sign(text)).toBe(mac)
          expect(verify(text, mac)).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('equals createHmac for text that is not ASCII, also where it fills the scratch buffer', () => {
    const key = createSecretKey(randomBytes(40))
    const sign = algorithm.prepareSign(key)
    for (const high of ['\u0080', 'é', '\u0141', '漢', '\u{1f511}', '\ud800', '\udc00']) {
      for (const length of [0, 1, 8189, 8190, 8191, 8192]) {
        for (const input of [high + 'a'.repeat(length), 'a'.repeat(length) + high])
          expect(sign(input), `${high} with ${length}`).toBe(macOf(key, input))
      }
    }
  })

  it('keeps the buffers of two keys apart', () => {
    const keys = [createSecretKey(randomBytes(40)), createSecretKey(randomBytes(200))]
    const signers = keys.map((key) => algorithm.prepareSign(key))
    for (const input of ['a', 'a longer input', 'a', '']) {
      for (const [i, sign] of signers.entries()) expect(sign(input)).toBe(macOf(keys[i]!, input))
    }
  })

  it('refuses a signature of another length, with high characters, or of one key for another', () => {
    const secret = createSecretKey(randomBytes(64))
    const verify = algorithm.prepareVerify(secret)
    const mac = macOf(secret, 'input')
    expect(verify('input', '')).toBe(false)
    expect(verify('input', mac.slice(1))).toBe(false)
    expect(verify('input', `${mac}=`)).toBe(false)
    for (let i = 0; i < mac.length; i++) {
      // The same low byte; and the first comparison may still see the end of the text before.
      expect(verify('input', mac)).toBe(true)
      const high = String.fromCharCode(mac.charCodeAt(i) + 0x100)
      expect(verify('input', mac.slice(0, i) + high + mac.slice(i + 1))).toBe(false)
    }
    expect(verify('input', macOf(createSecretKey(randomBytes(64)), 'input'))).toBe(false)
  })
})

describe.each(EVERY_KEY.map(({ name, jwk }) => [name, jwk] as const))('%s', (name, jwk) => {
  const ring = createKeyRing({ signing: jwk })
  const verify = prepareVerifyJws(ring, { tokenLength: 8192 }, fromBase64Url)
  const theirs =
    jwk.kty === 'oct' ? Buffer.from(jwk.k ?? '', 'base64url') : createPublicKey({ key: jwk, format: 'jwk' })

  it('signs what jose verifies', async () => {
    const sign = prepareSignNow(ring, { typ: 'at+jwt' })
    for (const payload of ['', 'x', '{"sub":"ü 漢 \u{1f511}"}', 'y'.repeat(5000)]) {
      const { payload: read, protectedHeader } = await compactVerify(sign(payload), theirs, {
        algorithms: [name],
      })
      expect(Buffer.from(read).toString()).toBe(payload)
      expect(protectedHeader).toEqual({ alg: name, typ: 'at+jwt', kid: jwk.kid })
    }
  })

  it('verifies what jose signs', async () => {
    const key = jwk.kty === 'oct' ? Buffer.from(jwk.k ?? '', 'base64url') : jwk
    const token = await new CompactSign(Buffer.from('payload'))
      .setProtectedHeader({ alg: name })
      .sign(key as never)
    expect(verify(token, NOW).payload.toString()).toBe('payload')
    expect(verify(token, NOW).key.alg).toBe(name)
  })

  it('refuses the signature of another key of its kind', () => {
    const other = prepareSignNow(createKeyRing({ signing: OTHERS.get(name)! }), {})
    expect(() => verify(other('payload'), NOW)).toThrow('Signature verification failed')
  })
})

/** A second key of each algorithm; RSA keys are slow to make, so they share one. */
const OTHER_RSA = generateKey('RS256')
const OTHERS = new Map(
  [...ALGORITHMS.values()].map(({ name, kty }) => {
    const { alg: _, kid: __, ...rsa } = OTHER_RSA
    return [name, kty === 'RSA' ? { ...rsa, alg: name } : generateKey(name as AlgorithmName)]
  }),
)

describe('the table of algorithms', () => {
  it('has those of RFC 7518, RFC 8037 and RFC 9864, and neither none nor names that objects have', () => {
    const wanted = ['HS', 'RS', 'PS', 'ES'].flatMap((kind) => [256, 384, 512].map((bits) => `${kind}${bits}`))
    expect([...ALGORITHMS.keys()]).toEqual([
      ...wanted.filter((n) => n.startsWith('HS')),
      ...wanted.filter((n) => !n.startsWith('HS')),
      'EdDSA',
      'Ed25519',
    ])
    for (const name of ['none', 'None', 'NONE', '', 'hs256', '__proto__', 'constructor', 'toString']) {
      expect(ALGORITHMS.get(name)).toBeUndefined()
    }
  })
})
