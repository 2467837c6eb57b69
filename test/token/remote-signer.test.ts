import { createHash, generateKeyPairSync, type KeyObject, sign as signWith } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AlgorithmName,
  createAuth,
  createKeyRing,
  type RemoteSign,
  type RemoteSigner,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { toFixedLength } from '../../src/token/remote-signer.ts'

const PAIRS = {
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: generateKeyPairSync('ed25519'),
}

/** What a service signs with: DER for ECDSA, unless it is told another form. */
type Service = readonly [AlgorithmName, keyof typeof PAIRS, string | null, object]

const SERVICES: readonly Service[] = [
  ['ES256', 'P-256', 'sha256', {}],
  ['ES256', 'P-256', 'sha256', { dsaEncoding: 'ieee-p1363' }],
  ['ES384', 'P-384', 'sha384', {}],
  ['ES512', 'P-521', 'sha512', {}],
  ['RS256', 'RSA', 'sha256', {}],
  ['PS256', 'RSA', 'sha256', { padding: 6, saltLength: 32 }],
  ['EdDSA', 'Ed25519', null, {}],
]

function toSigner([alg, pair, hash, options]: Service, change: Partial<RemoteSigner> = {}): RemoteSigner {
  const { privateKey, publicKey } = PAIRS[pair]
  const sign: RemoteSign = async (input) => signWith(hash, input, { key: privateKey, ...options })
  return { alg, publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string, sign, ...change }
}

const ES256 = SERVICES[0]!
const signerOf =
  (privateKey: KeyObject): RemoteSign =>
  async (input) =>
    signWith('sha256', input, privateKey)

describe('a key that is elsewhere', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each(SERVICES)('signs with %s and %s', async (...service) => {
    const auth = createAuth({ keys: createKeyRing({ signing: toSigner(service) }) })
    // Several, as the numbers of ECDSA differ in length.
    for (let i = 0; i < 20; i++)
      expect((await auth.verifyToken(await auth.createAccessToken(`u${i}`))).sub).toBe(`u${i}`)
    expect(auth.jwks().keys).toHaveLength(1)
  })

  it('signs sessions, tickets and one-time tokens, and in a ring that loads it', async () => {
    const load = (): object => ({ keys: [toSigner(ES256, { kid: 'kms' })] })
    const auth = createAuth({ keys: createKeyRing({ load }), sessions: { store: memoryStore() } })
    const pair = await auth.sessions.start('u')
    const { refresh_token } = await auth.sessions.refresh(
      await auth.verifyToken(pair.refresh_token, { type: 'refresh' }),
    )
    expect(auth.decodeUnverified(refresh_token).header['kid']).toBe('kms')
    await auth.createTicket(await auth.verifyToken(pair.access_token))
    const once = await auth.oneTime.create('reset', 'u')
    expect((await auth.oneTime.redeem('reset', once)).subject).toBe('u')
  })

  it.each<[string, RemoteSign, RegExp]>([
    [
      'of another key',
      signerOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      /is it another key/,
    ],
    [
      'over a hash',
      async (input) =>
        signWith('sha256', createHash('sha256').update(input).digest(), PAIRS['P-256'].privateKey),
      /is the input hashed twice/,
    ],
    [
      'as text',
      (async () => 'c2ln') as never,
      /to return bytes, got a value of type string|to return bytes, got/,
    ],
    ['of no bytes', async () => new Uint8Array(0), /that its `publicKey` verifies/],
    ['of half of them', async () => new Uint8Array(32), /that its `publicKey` verifies/],
    ['of nothing', (async () => undefined) as never, /to return bytes/],
  ])('issues no token with a signature %s', async (_, sign, message) => {
    const auth = createAuth({ keys: createKeyRing({ signing: toSigner(ES256, { sign }) }) })
    const error = await auth.createAccessToken('u').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'ConfigurationError' })
    expect((error as Error).message).toMatch(message)
  })

  it('is unavailable while its service is, and the session goes on afterwards', async () => {
    let isDown = false
    const works = toSigner(ES256)
    const sign: RemoteSign = async (input) => {
      if (isDown) throw new Error('connect ECONNREFUSED')
      return works.sign(input)
    }
    const clock = { now: 1_900_000_000 }
    const auth = createAuth({
      keys: createKeyRing({ signing: { ...works, sign } }),
      sessions: { store: memoryStore() },
      clock: () => clock.now,
    })
    const pair = await auth.sessions.start('u')
    clock.now += 100
    const token = await auth.verifyToken(pair.refresh_token, { type: 'refresh' })
    isDown = true
    for (let i = 0; i < 3; i++) {
      await expect(auth.sessions.refresh(token)).rejects.toMatchObject({
        code: 'store_unavailable',
        status: 503,
      })
      clock.now += 60
    }
    await expect(auth.sessions.start('other')).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await auth.verifyToken(pair.access_token)).sub, 'nothing is signed').toBe('u')
    isDown = false
    const next = await auth.sessions.refresh(token)
    expect((await auth.verifyToken(next.access_token)).sub).toBe('u')
    expect(await auth.sessions.list('other')).toEqual([])
  })

  it('is waited for at most 5 seconds', async () => {
    const sign: RemoteSign = () => new Promise(() => undefined)
    const auth = createAuth({ keys: createKeyRing({ signing: toSigner(ES256, { sign }) }) })
    vi.useFakeTimers()
    const error = auth.createTokenPair('u').catch((thrown: unknown) => thrown)
    await vi.advanceTimersByTimeAsync(5001)
    expect(await error).toMatchObject({
      code: 'store_unavailable',
      cause: { message: 'No result of `sign` within 5 s' },
    })
  })

  it.each<[string, object, RegExp]>([
    ['without a function', { sign: 'kms' }, /^Expected `signing\.sign` to be a function/],
    [
      'for a secret',
      { alg: 'HS256', publicKey: 'Kp8&dQ3-hX6wZrJ2nVtF9bMc5Ys-two!' },
      /^Expected `signing\.publicKey`/,
    ],
    [
      'with its private half',
      { publicKey: PAIRS['P-256'].privateKey },
      /to be a public key, got a private key/,
    ],
    ['of another curve', { publicKey: PAIRS['P-384'].publicKey }, /`signing\.publicKey\.crv` to be 'P-256'/],
    ['without its public half', { publicKey: undefined }, /^Expected `signing\.publicKey`/],
  ])('is refused %s', (_, change, message) => {
    expect(() => createKeyRing({ signing: toSigner(ES256, change) })).toThrow(message)
  })
})

describe('toFixedLength', () => {
  it.each<[string, number[], number[] | undefined]>([
    ['pads short numbers', [0x30, 6, 2, 1, 1, 2, 1, 2], [0, 1, 0, 2]],
    ['drops the zero of a high bit', [0x30, 9, 2, 3, 0, 0xff, 1, 2, 2, 0x7f, 3], [0xff, 1, 0x7f, 3]],
    ['reads a long length', [0x30, 0x81, 6, 2, 1, 1, 2, 1, 2], [0, 1, 0, 2]],
    ['refuses numbers that are too long', [0x30, 8, 2, 3, 1, 2, 3, 2, 1, 1], undefined],
    ['refuses another length', [0x30, 7, 2, 1, 1, 2, 1, 2], undefined],
    ['refuses what comes after', [0x30, 7, 2, 1, 1, 2, 1, 2, 9], undefined],
    ['refuses one number', [0x30, 3, 2, 1, 1], undefined],
    ['refuses another type', [0x31, 6, 2, 1, 1, 2, 1, 2], undefined],
    ['refuses nothing', [], undefined],
  ])('%s', (_, der, fixed) => {
    const result = toFixedLength(Uint8Array.from(der), 2)
    expect(result && [...result]).toEqual(fixed)
  })
})
