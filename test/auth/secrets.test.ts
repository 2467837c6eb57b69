import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Auth, type AuthOptions, createAuth, createKeyRing } from '../../src/index.ts'

const OLD = 'fZq2#kW9-vL5xTgB8mRyC4uHj7Ns-one'
const NEW = 'Kp8&dQ3-hX6wZrJ2nVtF9bMc5Ys-two!'

const kidOf = (auth: Auth, token: string): unknown => auth.decodeUnverified(token).header['kid']
const accepts = (auth: Auth, token: string): Promise<boolean> =>
  auth.verifyToken(token).then(
    () => true,
    () => false,
  )

describe('several secrets', () => {
  it('signs with the first and verifies with all', async () => {
    const [old, both, fresh] = [OLD, [NEW, OLD], NEW].map((secret) => createAuth({ secret }))
    const token = await both!.createAccessToken('u')
    expect([await accepts(old!, token), await accepts(both!, token), await accepts(fresh!, token)]).toEqual([
      false,
      true,
      true,
    ])
    expect(await accepts(both!, await old!.createAccessToken('u'))).toBe(true)
  })

  it('rotates in three deployments, during which both versions run, and refuses no token', async () => {
    const steps: AuthOptions['secret'][] = [OLD, [OLD, NEW], [NEW, OLD], NEW]
    let before: Auth | undefined
    for (const [i, secret] of steps.entries()) {
      const now = createAuth({ secret: secret! })
      for (const from of before === undefined ? [] : [before, now]) {
        const token = await from.createAccessToken('u')
        // Before the last deployment the tokens of the old secret have expired.
        const isOver = i === 3 && from === before && kidOf(from, token) !== kidOf(now, token)
        expect(isOver).toBe(false)
        expect([await accepts(before!, token), await accepts(now, token)], `step ${i}`).toEqual([true, true])
      }
      before = now
    }
  })

  it.each<[string, unknown, RegExp]>([
    ['an empty list', [], /^Expected `secret` to hold at least one secret, got an empty list$/],
    ['a number in it', [OLD, 7], /^Expected `secret\[1\]` to be a string or bytes/],
    ['a hole in it', [OLD, undefined], /^Expected `secret` to be a string or bytes/],
    ['a short one', [OLD, 'hunter2'], /^Expected `secret\[1\]` to be at least 32 bytes for HS256, got 7/],
    ['one that can be guessed', ['a'.repeat(40), OLD], /^Expected `secret\[0\]` to be random/],
    ['one twice', [OLD, OLD], /^Expected each secret to be another one: two are the same$/],
  ])('refuses %s, and shows no part of it', (_, secret, message) => {
    const build = (): unknown => createAuth({ secret: secret as string[] })
    expect(build).toThrow(message)
    expect(build).not.toThrow(/hunter2/)
  })

  it('refuses any of them as issuer', () => {
    expect(() => createAuth({ secret: [NEW, OLD], issuer: OLD })).toThrow(/`issuer` .*got a key$/)
  })
})

describe('the secrets of the environment', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('verify with the other one, and never sign with it', async () => {
    vi.stubEnv('TOKENWRIGHT_SECRET', NEW)
    vi.stubEnv('TOKENWRIGHT_SECRET_OTHER', OLD)
    const auth = createAuth()
    expect(await accepts(auth, await createAuth({ secret: OLD }).createAccessToken('u'))).toBe(true)
    expect(await accepts(createAuth({ secret: NEW }), await auth.createAccessToken('u'))).toBe(true)
    vi.stubEnv('TOKENWRIGHT_SECRET_OTHER', '')
    expect(await accepts(createAuth(), await createAuth({ secret: OLD }).createAccessToken('u'))).toBe(false)
  })

  it('name the one that is wrong', () => {
    vi.stubEnv('TOKENWRIGHT_SECRET', NEW)
    vi.stubEnv('TOKENWRIGHT_SECRET_OTHER', 'hunter2')
    expect(() => createAuth()).toThrow(/^Expected `TOKENWRIGHT_SECRET_OTHER` to be at least 32 bytes/)
    vi.stubEnv('TOKENWRIGHT_SECRET', undefined)
    vi.stubEnv('TOKENWRIGHT_SECRET_OTHER', OLD)
    expect(() => createAuth()).toThrow(/^Expected `secret` to be a string or bytes/)
  })
})

describe('a ring that was made by hand', () => {
  const made = createKeyRing({ signing: { alg: 'HS256', key: OLD } })
  it.each<[string, object]>([
    ['lacks what says how it changes', { signer: null, keys: made.keys, currentJwks: made.currentJwks }],
    ['has a signer that cannot sign', { ...made, signer: { kid: 'a', alg: 'ES256', sign: 'no' } }],
    ['has a signer of no algorithm', { ...made, signer: { kid: 'a', alg: 'none', sign: () => 'x' } }],
    ['has a key that cannot verify', { ...made, keys: [{ kid: 'a', alg: 'ES256', notAfter: 1 }] }],
    ['has a key without an end', { ...made, keys: [{ kid: 'a', alg: 'ES256', verify: () => true }] }],
  ])('is refused where it %s', (_, keys) => {
    expect(() => createAuth({ keys: keys as never })).toThrow(/`keys` to be a key ring made by createKeyRing/)
  })

  it.each<[string, (input: string) => unknown, boolean]>([
    ['resolves to the signature', async (input) => made.signer?.sign(input), true],
    ['resolves to bytes', async () => new Uint8Array(32), false],
    ['returns nothing', () => undefined, false],
    ['resolves to an object', async () => ({}), false],
  ])('issues only tokens with a signature where `sign` %s', async (_, sign, works) => {
    const signer = { ...made.signer!, sign: sign as () => string }
    const auth = createAuth({ keys: { ...made, signer } })
    if (works) expect(await accepts(auth, await auth.createAccessToken('u'))).toBe(true)
    else
      await expect(auth.createAccessToken('u')).rejects.toThrow(
        /`sign` of the key ring to return a signature/,
      )
  })
})
