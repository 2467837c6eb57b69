import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { fromBase64Url } from '../../src/internal/bytes.ts'
import type { Key, RingKeys } from '../../src/token/import-keys.ts'
import { prepareVerifyJws } from '../../src/token/jws.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { codeOf, complaintOf, errorOf, NOW, SECRET, stoppedClock } from './forge.ts'
import { EVERY_KEY, keyOf } from './pairs.ts'
import { prepareSignNow } from './sign-now.ts'

const ES = keyOf('ES256')
const RS = keyOf('RS256')
const RS_PUBLIC = { kty: 'RSA', n: RS['n'], e: RS['e'], alg: 'RS256' }
const publicPem = (jwk: object): string =>
  createPublicKey({ key: jwk as never, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
const privatePem = (type: 'ec' | 'rsa' | 'ed25519', options: object): string =>
  (generateKeyPairSync as (type: string, options: object) => { privateKey: { export(o: object): string } })(
    type,
    options,
  ).privateKey.export({ type: 'pkcs8', format: 'pem' })
const hmac = (length: number): Key => ({ alg: 'HS256', key: randomBytes(length) })

/** What is refused, and what the complaint says. `any` because most of it does not compile. */
// biome-ignore lint/suspicious/noExplicitAny: what does not compile must be refused at run time
const REFUSALS: readonly (readonly [string, any, RegExp])[] = [
  [
    'no options',
    undefined,
    /Expected `createKeyRing\(options\)` to be an object, got a value of type undefined/,
  ],
  ['an unknown option', { signin: ES }, /Unknown option `signin`; did you mean `signing`\?/],
  ['no key at all', {}, /Expected `signing` or `verifying` to hold a key/],
  ['an empty list', { verifying: [] }, /Expected `signing` or `verifying` to hold a key/],
  [
    'a key without alg',
    { signing: { key: SECRET } },
    /`signing\.alg` to be one of HS256, HS384, .*, EdDSA, Ed25519, got undefined/,
  ],
  ['a JWK without alg', { signing: { ...ES, alg: undefined } }, /`signing\.alg` to be one of/],
  ['alg none', { signing: { alg: 'none', key: '' } }, /`signing\.alg` to be one of .* got none \(string\)/],
  [
    'a misspelt member',
    { signing: { alg: 'HS256', key: SECRET, kind: 'x' } },
    /Unknown option `signing\.kind`; did you mean `kid`/,
  ],
  [
    'a secret of 31 bytes',
    { signing: hmac(31) },
    /`signing\.key` to be at least 32 bytes for HS256, got 31; make one with: node -p/,
  ],
  [
    '47 bytes for HS384',
    { signing: { alg: 'HS384', key: randomBytes(47) } },
    /at least 48 bytes for HS384, got 47/,
  ],
  [
    '63 bytes for HS512',
    { signing: { alg: 'HS512', key: randomBytes(63) } },
    /at least 64 bytes for HS512, got 63/,
  ],
  ['an empty secret', { signing: { alg: 'HS256', key: '' } }, /at least 32 bytes for HS256, got 0/],
  [
    'a secret of one byte',
    { signing: { alg: 'HS256', key: 'a'.repeat(64) } },
    /to be random: it can be guessed/,
  ],
  [
    'a public key as a secret (ALG-06)',
    { signing: { alg: 'HS256', key: publicPem(RS) } },
    /got a key of another kind/,
  ],
  [
    'a PEM behind a blank (ALG-07)',
    { signing: { alg: 'HS256', key: `\0 ${publicPem(RS)}` } },
    /got a key of another kind/,
  ],
  [
    'a JWK in JSON as a secret (ALG-08)',
    { signing: { alg: 'HS256', key: JSON.stringify(RS) } },
    /got a key of another kind/,
  ],
  [
    'an SSH key as a secret (ALG-09)',
    { signing: { alg: 'HS256', key: `ssh-rsa ${'A'.repeat(80)} me@host` } },
    /got a key of another kind/,
  ],
  [
    'a public JWK as a secret',
    { signing: { alg: 'HS256', key: RS } },
    /`signing\.key\.kty` to be 'oct' for HS256/,
  ],
  [
    'a public KeyObject as a secret',
    { signing: { alg: 'HS256', key: createPublicKey({ key: ES as never, format: 'jwk' }) } },
    /to be a secret for HS256, got a public key/,
  ],
  [
    'a secret KeyObject as a public key',
    { verifying: [{ alg: 'RS256', key: createSecretKey(randomBytes(64)) }] },
    /`verifying\[0\]\.key` to be a public or private key for RS256/,
  ],
  [
    'bytes as a public key',
    { verifying: [{ alg: 'RS256', key: Buffer.alloc(64, 0xa5) }] },
    /PEM text, a JWK, a KeyObject or a secret's bytes for RS256/,
  ],
  [
    'text that is no PEM',
    { verifying: [{ alg: 'RS256', key: SECRET }] },
    /`verifying\[0\]\.key` to be a readable RSA key for RS256/,
  ],
  ['an EC key for RS256', { verifying: [{ alg: 'RS256', key: publicPem(ES) }] }, /to be 'RSA' for RS256/],
  [
    'P-256 for ES384 (ALG-13)',
    { verifying: [{ alg: 'ES384', key: publicPem(ES) }] },
    /to be 'P-384' for ES384/,
  ],
  [
    'secp256k1 for ES256',
    { signing: { alg: 'ES256', key: privatePem('ec', { namedCurve: 'secp256k1' }) } },
    /to be 'P-256' for ES256/,
  ],
  [
    'RSA of 1024 bits (ALG-20)',
    { signing: { alg: 'RS256', key: privatePem('rsa', { modulusLength: 1024 }) } },
    /RSA key of at least 2048 bits, got 1024 bits/,
  ],
  [
    'a JWK whose alg differs',
    { verifying: [{ alg: 'PS256', key: RS }] },
    /`verifying\[0\]\.key\.alg` to be 'PS256', as given beside the key/,
  ],
  ['only keys for encryption', { verifying: [{ ...RS, use: 'enc' }] }, /got only JWKs with `use: 'enc'`/],
  ['a signing key for encryption', { signing: { ...RS, use: 'enc' } }, /`signing\.use` to be 'sig'/],
  [
    'a JWK that may only encrypt',
    { verifying: [{ ...RS, key_ops: ['encrypt'] }] },
    /got only JWKs with `use: 'enc'` or of unknown kinds/,
  ],
  [
    'a public key to sign with',
    { signing: { alg: 'RS256', key: publicPem(RS) } },
    /`signing` to be a private key or a secret, got a public key/,
  ],
  [
    'a signing key that retires',
    { signing: { alg: 'HS256', key: SECRET, notAfter: NOW } },
    /`signing` to have no `notAfter`/,
  ],
  [
    'an invalid date',
    { verifying: [{ ...hmac(32), notAfter: new Date(Number.NaN) }] },
    /`verifying\[0\]\.notAfter` to be a Date or a number/,
  ],
  [
    'notAfter as text',
    { verifying: [{ ...hmac(32), notAfter: '2027-01-01' }] },
    /`verifying\[0\]\.notAfter`/,
  ],
  [
    'a kid of no character',
    { signing: { ...hmac(32), kid: '' } },
    /`signing\.kid` to be a string of 1-128 characters/,
  ],
  ['a kid of 129 characters', { signing: { ...hmac(32), kid: 'k'.repeat(129) } }, /`signing\.kid`/],
  ['a kid that is a number', { signing: { ...hmac(32), kid: 1 } }, /`signing\.kid` .* got number$/],
  ['a kid of nothing', { signing: { ...hmac(32), kid: '' } }, /`signing\.kid` .* got an empty string$/],
  [
    'a signing key that may only verify',
    { signing: { ...RS, key_ops: ['verify'] } },
    /`signing\.key_ops` to be a list with 'sign'$/,
  ],
  [
    'a public key that may only sign',
    { verifying: [{ ...RS_PUBLIC, key_ops: ['sign'] }] },
    /`verifying\[0\]\.key_ops` to be a list with 'verify'$/,
  ],
  [
    'a set of keys in place of a list',
    { verifying: { keys: [RS_PUBLIC] } },
    /`verifying` to be a list of keys, got object; of a key set give its `keys`$/,
  ],
  [
    'the key and passphrase of another library',
    { signing: { alg: 'RS256', key: { key: 'x', passphrase: 'y' } } },
    /\(give its `key`, and its `passphrase` beside that\)$/,
  ],
  [
    'a secret of a file with its line break',
    { signing: { alg: 'HS256', key: `${SECRET}\n` } },
    /`signing\.key` to have no blanks or line breaks around it/,
  ],
  [
    'two keys of one kid (KEY-06)',
    {
      verifying: [
        { ...hmac(32), kid: 'a' },
        { ...hmac(32), kid: 'a' },
      ],
    },
    /a `kid` of its own: two are the same/,
  ],
  ['one key twice', { signing: ES, verifying: [ES] }, /a `kid` of its own: two are the same/],
  [
    'HMAC beside public keys (ALG-21)',
    { signing: ES, verifying: [hmac(32)] },
    /HMAC secrets or public keys, not both; say `mixed: true`/,
  ],
  // `key: process.env.AUTH_KEY` with the variable unset.
  [
    'a secret that is undefined',
    { signing: { alg: 'HS256', key: undefined } },
    /^Expected `signing\.key` to be .*undefined/,
  ],
  [
    'a secret that is null',
    { signing: { alg: 'HS256', key: null } },
    /^Expected `signing\.key` to be .*null/,
  ],
  [
    'a list with a hole',
    { verifying: [undefined] },
    /`verifying\[0\]` to be \{ alg, key \} or a JWK with alg, got undefined/,
  ],
]

describe('createKeyRing', () => {
  it.each(REFUSALS)('refuses %s', async (_, options, message) => {
    const error = (await errorOf(() => createKeyRing(options))) as Error
    expect(error?.name, String(error)).toBe('ConfigurationError')
    expect(error.message).toMatch(message)
  })

  it.each(REFUSALS)('prints nothing of the key when it refuses %s', async (_, options) => {
    const complaint = await complaintOf(() => createKeyRing(options))
    const { signing, verifying = [] } = options ?? {}
    const keys = [signing, ...(Array.isArray(verifying) ? verifying : verifying.keys)]
    const texts = keys
      .flatMap((k) => [k?.key, k?.key?.n, k?.n, k?.d, k?.x])
      .filter((t) => typeof t === 'string' && t.length > 8)
    for (const text of texts) expect(complaint).not.toContain(text.slice(0, 12))
  })

  it('passes over the keys of a set that are for encryption, whatever their algorithm', async () => {
    const forEncryption = { ...RS_PUBLIC, alg: 'RSA-OAEP', use: 'enc', kid: 'e' }
    const set = {
      keys: [forEncryption, { ...RS_PUBLIC, use: 'sig', kid: 's' }, { ...forEncryption, alg: undefined }],
    }
    const ring = createKeyRing({ verifying: set.keys as never })
    expect(ring.keys.map(({ kid }) => kid)).toEqual(['s'])
    expect(ring.jwks.keys).toHaveLength(1)
  })

  it.each([
    ['PEM, PKCS#8', { alg: 'ES256', key: privatePem('ec', { namedCurve: 'P-256' }) }],
    ['PEM, Ed25519', { alg: 'EdDSA', key: privatePem('ed25519', {}) }],
    ['a JWK beside alg', { alg: 'ES256', key: ES }],
    ['a bare JWK', ES],
    ['a KeyObject', { alg: 'ES256', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['bytes', hmac(32)],
    ['text', { alg: 'HS256', key: SECRET }],
    ['an oct JWK', { kty: 'oct', alg: 'HS256', k: randomBytes(32).toString('base64url') }],
  ] as [string, RingKeys['signing']][])('signs and verifies with a key given as %s', (_, signing) => {
    const ring = createKeyRing({ signing: signing! })
    const token = prepareSignNow(ring, {})('payload')
    expect(prepareVerifyJws(ring, { tokenLength: 8192 }, fromBase64Url)(token, NOW).payload.toString()).toBe(
      'payload',
    )
  })

  it.each(EVERY_KEY.filter(({ jwk }) => jwk.kty !== 'oct').map(({ name, jwk }) => [name, jwk] as const))(
    '%s: the kid is the thumbprint, as jose computes it',
    async (_, jwk) => {
      const { kid: __, ...unnamed } = jwk
      const thumbprint = await calculateJwkThumbprint(unnamed as never)
      expect(createKeyRing({ signing: unnamed }).signer?.kid).toBe(thumbprint)
      expect(generateKey('ES256').kid).toMatch(/^[\w-]{43}$/)
    },
  )

  it('names a key as it is told to', () => {
    expect(createKeyRing({ signing: { ...hmac(32), kid: '2027-01' } }).signer?.kid).toBe('2027-01')
    expect(createKeyRing({ signing: generateKey('HS256', 'mine') }).signer?.kid).toBe('mine')
    expect(createKeyRing({ signing: { alg: 'ES256', key: { ...ES, kid: 'inner' } } }).signer?.kid).toBe(
      'inner',
    )
  })

  it('publishes the public halves, with kid, alg and use, and never a secret', () => {
    const { jwks } = createKeyRing({ signing: ES, verifying: [RS, hmac(32)], mixed: true })
    expect(jwks.keys.map(({ kid, alg, use, kty }) => ({ kid, alg, use, kty }))).toEqual([
      { kid: ES.kid, alg: 'ES256', use: 'sig', kty: 'EC' },
      { kid: RS.kid, alg: 'RS256', use: 'sig', kty: 'RSA' },
    ])
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) {
      for (const key of jwks.keys) expect(key).not.toHaveProperty(member)
    }
    expect(createKeyRing({ signing: hmac(32) }).jwks.keys).toEqual([])
  })

  it('is frozen, so that no handler can add a key', () => {
    const ring = createKeyRing({ signing: ES })
    expect(
      [ring, ring.keys, ring.keys[0], ring.jwks, ring.jwks.keys, ring.jwks.keys[0]].every(Object.isFrozen),
    ).toBe(true)
  })

  it('lets a key verify until its notAfter and not a moment longer, a Date or seconds', () => {
    const old = hmac(32)
    for (const notAfter of [NOW, new Date(NOW * 1000)]) {
      const ring = createKeyRing({ signing: hmac(40), verifying: [{ ...old, notAfter }] })
      const verify = prepareVerifyJws(ring, { tokenLength: 8192 }, fromBase64Url)
      const token = prepareSignNow(createKeyRing({ signing: old }), {})('x')
      expect(verify(token, NOW).payload.toString()).toBe('x')
      expect(() => verify(token, NOW + 0.001)).toThrow('Signature verification failed')
    }
  })

  it('binds each key to its algorithm: the MAC of the public key does not pass in a mixed ring (ALG-10)', () => {
    const ring = createKeyRing({ verifying: [{ alg: 'RS256', key: publicPem(RS) }, hmac(32)], mixed: true })
    const verify = prepareVerifyJws(ring, { tokenLength: 8192 }, fromBase64Url)
    for (const key of [
      publicPem(RS),
      publicPem(RS).trim(),
      createPublicKey(publicPem(RS)).export({ type: 'spki', format: 'der' }),
    ]) {
      // Padded, so that the check of secrets lets it through: an attacker has no such check.
      const input = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.e30`
      const mac = macWith(key, input)
      expect(() => verify(`${input}.${mac}`, NOW)).toThrow('Signature verification failed')
    }
  })
})

/** HMAC with anything for a key, as an attacker computes it. */
function macWith(key: string | Buffer, input: string): string {
  return createHmac('sha256', key).update(input).digest('base64url')
}

describe('a key of another shape', () => {
  // FINDING F7: these end in a raw TypeError or OpenSSL error that names neither the option nor what was expected.
  // biome-ignore lint/suspicious/noExplicitAny: what does not compile must be refused at run time
  const RAW: readonly (readonly [string, any])[] = [
    ['an oct JWK whose k is a number', { verifying: [{ kty: 'oct', alg: 'HS256', k: 5 }] }],
    [
      'an RSASSA-PSS KeyObject for PKCS#1 v1.5',
      { signing: { alg: 'RS256', key: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey } },
    ],
    ['verifying that is no list', { verifying: {} }],
  ]
  it.each(RAW)('is refused by name: %s', async (_, options) => {
    expect(await complaintOf(() => createKeyRing(options))).toMatch(
      /^ConfigurationError: Expected `(signing|verifying)/,
    )
  })

  // FINDING F7: milliseconds are a moment in the year 58 000: the key never retires, and nobody is told.
  it('is refused when its notAfter is undefined, as of a variable that is not set', async () => {
    const options = { verifying: [{ alg: 'HS256', key: SECRET, notAfter: undefined }] }
    expect(await complaintOf(() => createKeyRing(options as never))).toMatch(
      /^ConfigurationError: Expected `verifying\[0\]\.notAfter` to have a value/,
    )
  })

  it('is refused when its notAfter is in milliseconds', async () => {
    const key = { ...hmac(32), notAfter: NOW * 1000 }
    expect(await complaintOf(() => createKeyRing({ verifying: [key] }))).toMatch(/^ConfigurationError/)
  })
})

describe('key rotation', () => {
  const [older, newer] = [generateKey('HS256'), generateKey('HS256')]
  const clock = stoppedClock()
  const before = createAuth({ keys: createKeyRing({ signing: older }), clock })
  const after = createAuth({
    keys: createKeyRing({ signing: newer, verifying: [{ ...(older as object), alg: 'HS256' }] }),
    clock,
  })

  it('accepts tokens of both keys, and signs with the new one', async () => {
    const [old, fresh] = [await before.createAccessToken('u'), await after.createAccessToken('u')]
    expect(await codeOf(() => after.verifyToken(old))).toBe('accepted')
    expect(await codeOf(() => after.verifyToken(fresh))).toBe('accepted')
    expect(after.decodeUnverified(fresh).header['kid']).toBe(newer.kid)
    expect(await codeOf(() => before.verifyToken(fresh))).toBe('signature_invalid')
  })

  it('reports an expired token as expired, of either key', async () => {
    const tokens = [await before.createAccessToken('u'), await after.createAccessToken('u')]
    clock.now = NOW + 905
    for (const token of tokens) expect(await codeOf(() => after.verifyToken(token))).toBe('token_expired')
    clock.now = NOW
  })

  it('refuses the tokens of a key that retired, also remembered ones', async () => {
    const key = { alg: 'HS256', key: older, notAfter: NOW + 60 } as const
    const auth = createAuth({ keys: createKeyRing({ signing: newer, verifying: [key] }), clock })
    const token = await before.createAccessToken('u')
    expect(await codeOf(() => auth.verifyToken(token))).toBe('accepted')
    clock.now = NOW + 60
    expect(await codeOf(() => auth.verifyToken(token))).toBe('accepted')
    clock.now = NOW + 60.5
    expect(await codeOf(() => auth.verifyToken(token))).toBe('signature_invalid')
    clock.now = NOW
  })

  it('lets a ring without a signing key verify and not issue', async () => {
    const { d: _, ...verifying } = ES as typeof ES & { d: string }
    const auth = createAuth({ keys: createKeyRing({ verifying: [verifying] }), clock })
    const signer = createAuth({ keys: createKeyRing({ signing: ES }), clock })
    expect((await auth.verifyToken(await signer.createAccessToken('u'))).sub).toBe('u')
    expect(await complaintOf(() => auth.createAccessToken('u'))).toBe(
      'ConfigurationError: Expected the key ring to hold a `signing` key: this one only verifies',
    )
    expect(auth.jwks().keys.map(({ kid }) => kid)).toEqual([ES.kid])
  })
})

describe('generateKey', () => {
  it.each(EVERY_KEY.map(({ name }) => name))('%s: a key that says what it is for', (name) => {
    const jwk = name.includes('S') && /^[RP]/.test(name) ? keyOf(name) : generateKey(name)
    expect(jwk).toMatchObject({
      alg: name,
      use: 'sig',
      kid: expect.stringMatching(jwk.kty === 'oct' ? /^[\w-]{8}$/ : /^[\w-]{43}$/),
    })
  })

  it('refuses an algorithm that does not exist', async () => {
    expect(await complaintOf(() => generateKey('none' as 'HS256'))).toMatch(
      /^ConfigurationError: Expected `alg` to be one of/,
    )
  })
})
