/**
 * Tokens that the real AuthX, FastJWT and flask-jwt-extended issued: with `interop: true` each is accepted with the claims that it
 * has; without, none is. And the other way: what the shape of our own tokens must be for those three to accept them.
 */
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import type { TokenPayload } from '../../src/token/token-payload.ts'
import { codeOf, complaintOf, NOW, read, setUp, stoppedClock } from '../token/forge.ts'
import { loadRecording } from './load.ts'

interface PythonToken {
  readonly lib: string
  readonly alg: string
  readonly kind: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly token: string
}
interface PythonTokens {
  readonly secret: string
  readonly keys: Readonly<Record<string, { readonly public: string }>>
  readonly tokens: readonly PythonToken[]
}
const { secret, keys, tokens } = loadRecording<PythonTokens>('python-tokens.json')

/** An application with the key of one algorithm. */
function setUpFor(alg: string, interop: boolean): ReturnType<typeof createAuth> {
  const key = alg.startsWith('HS') ? secret : (keys[alg]?.public ?? '')
  return createAuth({
    keys: createKeyRing({ verifying: [{ alg: alg as 'HS256', key }] }),
    interop,
    clock: stoppedClock(),
  })
}

/** What a payload says, under the names that the claims have on the wire. */
function toClaims(payload: TokenPayload<unknown>): Record<string, unknown> {
  const { data, ...registered } = payload
  const claims = { ...registered, ...(data as object) }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

describe('tokens of the Python libraries', () => {
  const table = tokens.map((entry) => [`${entry.lib} ${entry.alg} ${entry.kind}`, entry] as const)

  it.each(table)('%s: accepted with its claims', async (_, { alg, token, claims }) => {
    const auth = setUpFor(alg, true)
    const payload = await auth.verifyToken(token, { type: 'any' })
    const { csrf, ...others } = claims
    // What a token does not say is false, empty or absent; AuthX writes an empty `csrf` where it means none.
    const expected = { fresh: false, scopes: [], ...others, ...(csrf ? { csrf } : {}) }
    expect(toClaims(payload)).toEqual(expected)
  })

  it.each(table)('%s: checked by its type', async (_, { alg, token, claims }) => {
    const auth = setUpFor(alg, true)
    const access = await codeOf(() => auth.verifyToken(token))
    const refresh = await codeOf(() => auth.verifyToken(token, { type: 'refresh' }))
    expect([access, refresh]).toEqual(
      claims['type'] === 'access'
        ? ['accepted', 'refresh_token_required']
        : ['access_token_required', 'accepted'],
    )
  })

  it.each(table)('%s: refused without interop', async (_, { alg, token }) => {
    const auth = setUpFor(alg, false)
    expect(await codeOf(() => auth.verifyToken(token, { type: 'any' }))).toBe('token_malformed')
  })

  it('has every library in HS256, RS256 and ES256', () => {
    const seen = new Set(tokens.map(({ lib, alg }) => `${lib} ${alg}`))
    const wanted = ['authx', 'fastjwt', 'flask'].flatMap((lib) =>
      ['HS256', 'RS256', 'ES256'].map((alg) => `${lib} ${alg}`),
    )
    expect([...seen].sort()).toEqual(wanted.sort())
    expect(tokens.length).toBe(34)
  })

  it.each(
    tokens.filter(({ kind }) => kind === 'timed-fresh-10y').map((entry) => [entry.alg, entry] as const),
  )('timed freshness of flask in %s is a deadline', async (alg, { token, claims }) => {
    const clock = stoppedClock()
    const key = alg.startsWith('HS') ? secret : (keys[alg]?.public ?? '')
    const ring = createKeyRing({ verifying: [{ alg: alg as 'HS256', key }] })
    const auth = createAuth({ keys: ring, interop: true, clock })
    const deadline = claims['fresh'] as number
    clock.now = deadline - 0.001
    expect(await codeOf(() => auth.verifyToken(token, { fresh: true }))).toBe('accepted')
    clock.now = deadline
    expect(await codeOf(() => auth.verifyToken(token, { fresh: true }))).toBe('fresh_token_required')
    expect(await codeOf(() => auth.verifyToken(token))).toBe('accepted')
  })

  it('imports the key of every algorithm that the libraries use', () => {
    const names = Object.keys(keys).filter((alg) => alg !== 'ES256K')
    for (const alg of names) {
      expect(() =>
        createKeyRing({ verifying: [{ alg: alg as 'RS256', key: keys[alg]!.public }] }),
      ).not.toThrow()
    }
    expect(names.length).toBe(9)
  })

  it('has no ES256K, and says which algorithms there are', async () => {
    const key = keys['ES256K']!.public
    const complaint = await complaintOf(() =>
      createKeyRing({ verifying: [{ alg: 'ES256K' as 'ES256', key }] }),
    )
    expect(complaint).toMatch(
      /^ConfigurationError: Expected `verifying\[0\]\.alg` to be one of HS256, .*EdDSA/,
    )
  })

  it('takes the key of ES256K for no other algorithm', async () => {
    const key = keys['ES256K']!.public
    expect(await complaintOf(() => createKeyRing({ verifying: [{ alg: 'ES256', key }] }))).toContain(
      "to be 'P-256' for ES256",
    )
  })
})

describe('our tokens in the eyes of the Python libraries', () => {
  const HEADER = /^[A-Za-z0-9_-]+$/
  it.each(['HS256', 'RS256', 'ES256', 'PS256'] as const)(
    '%s: every constraint of theirs is kept',
    async (alg) => {
      const { auth } = setUp({
        secret: undefined as never,
        keys: createKeyRing({ signing: generateKey(alg) }),
      })
      const data = { role: 'admin', n: 1, nested: { a: [1, 2] } }
      const options = { scopes: ['users:read'], data, fresh: true }
      const { access_token, refresh_token } = await auth.createTokenPair('user-1', options)
      for (const token of [access_token, refresh_token]) {
        const claims = read(token)
        expect(token.split('.').every((part) => HEADER.test(part))).toBe(true)
        expect(claims['iat']).toBe(NOW)
        expect(Number.isInteger(claims['exp'])).toBe(true)
        expect([typeof claims['sub'], typeof claims['jti'], typeof claims['csrf']]).toEqual([
          'string',
          'string',
          'undefined',
        ])
        expect(claims['scopes']).toEqual(['users:read'])
        // Without a configured audience there is none: all three refuse a token with an audience that they do not expect.
        expect(claims).not.toHaveProperty('aud')
        expect(claims).not.toHaveProperty('nbf')
        expect(claims).toMatchObject(data)
      }
      expect(read(access_token)).toMatchObject({ type: 'access', fresh: true })
      expect(read(refresh_token)).toMatchObject({ type: 'refresh' })
      expect(read(refresh_token)).not.toHaveProperty('fresh')
    },
  )

  it('iat is never in the future, whatever the fraction of the second', async () => {
    const { auth, clock } = setUp()
    clock.now = NOW + 0.999
    expect(read(await auth.createAccessToken('user-1'))['iat']).toBe(NOW)
  })

  it('csrf is text where cookies are in use, and the same in both tokens', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const { access_token, refresh_token } = await auth.createTokenPair('user-1')
    const { csrf } = read(access_token)
    expect(csrf).toMatch(/^[\w-]{22}$/)
    expect(read(refresh_token)['csrf']).toBe(csrf)
  })

  it('fresh is a boolean in every access token', async () => {
    const { auth } = setUp()
    expect(read(await auth.createAccessToken('user-1'))['fresh']).toBe(false)
  })
})
