/** Why a token is refused, in words: in the cause of the error, for the log and never for the response. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { AuthError } from '../../src/errors.ts'
import { type AuthOptions, createAuth, createKeyRing } from '../../src/index.ts'
import { claimsOf, encode, errorOf, forge, NOW, SECRET, setUp, stoppedClock } from './forge.ts'

const OURS = { alg: 'HS256', typ: 'at+jwt' }
const JWT = { alg: 'HS256', typ: 'JWT' }

/** What a token says, its header, the options, and how it is refused. */
type Row = readonly [string, unknown, object, AuthOptions, string, string]

const TABLE: readonly Row[] = [
  [
    'a claim that is missing',
    claimsOf({ jti: undefined }),
    OURS,
    {},
    'token_malformed',
    'claim `jti` is missing',
  ],
  [
    'a claim of another form',
    claimsOf({ amr: 'pwd' }),
    OURS,
    {},
    'token_malformed',
    '`amr` has another form, got a string of 3 characters',
  ],
  [
    'another issuer',
    claimsOf({ iss: 'https://a.example/' }),
    OURS,
    { issuer: 'https://a.example' },
    'issuer_invalid',
    'Expected `iss` to be https://a.example, got https://a.example/',
  ],
  ['no audience', claimsOf(), OURS, { audience: 'api' }, 'audience_invalid', '`aud` is missing'],
  [
    'another audience',
    claimsOf({ aud: 'web' }),
    OURS,
    { audience: 'api' },
    'audience_invalid',
    'No `aud` is in `audience`',
  ],
  ['an audience for no one', claimsOf({ aud: 'web' }), OURS, {}, 'audience_invalid', '`audience` is not set'],
  ['a long life', claimsOf({ exp: NOW + 401 * 86_400 }), OURS, {}, 'token_malformed', '`limits.lifetime`'],
  ['many members', claimsOf({ groups: Array(300).fill('g') }), OURS, {}, 'token_malformed', '256 members'],
  ['a list', [], OURS, {}, 'token_malformed', 'not a JSON object'],
  ['a type of another library', claimsOf(), JWT, {}, 'token_malformed', '`typ`'],
  [
    'no type at all',
    claimsOf({ type: undefined }),
    JWT,
    { interop: true },
    'token_malformed',
    '{ untyped: true }',
  ],
  ['two types', claimsOf({ type: 'refresh' }), OURS, {}, 'token_malformed', '`typ`'],
  ['the address of a key', claimsOf(), { ...OURS, jku: 'https://a.example' }, {}, 'token_malformed', '`jku`'],
  ['no algorithm', claimsOf(), { ...OURS, alg: 'none' }, {}, 'token_malformed', 'no algorithm'],
  ['a long text', claimsOf({ x: 'x'.repeat(9000) }), OURS, {}, 'token_malformed', '`limits.tokenLength`'],
]

describe('a token is refused for', () => {
  it.each(TABLE)('%s', async (...row) => {
    const [, claims, header, options, code, words] = row
    const { auth } = setUp(options)
    const error = (await errorOf(() => auth.verifyToken(forge(claims, { header })))) as AuthError
    expect(error).toMatchObject({ code, cause: { message: expect.stringContaining(words) } })
    expect(auth.errorResponse(error).body).not.toContain(words)
    expect((error.cause as Error).stack).not.toContain('\n')
  })

  it('a scheme before it, or a value that is no text', async () => {
    const { auth } = setUp()
    const reasons = await Promise.all(
      [`Bearer ${forge(claimsOf())}`, undefined, 7].map((token) =>
        errorOf(() => auth.verifyToken(token as string)),
      ),
    )
    expect(reasons.map((error) => ((error as AuthError).cause as Error).message)).toEqual([
      'The text begins with `Bearer`: give the token alone',
      'Expected `token` to be a string, got a value of type undefined',
      'Expected `token` to be a string, got a value of type number',
    ])
  })

  it('a key that the ring does not have, or that retired', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const token = (kid: string): string => {
      const input = `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid })}.${encode(claimsOf())}`
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
    }
    const reasonOf = async (kid: string, options: object): Promise<unknown> => {
      const keys = createKeyRing({ verifying: [{ alg: 'EdDSA', key: publicKey, ...options }] })
      const auth = createAuth({ keys, clock: stoppedClock() })
      const error = (await errorOf(() => auth.verifyToken(token(kid)))) as AuthError
      expect(error?.code ?? 'signature_invalid').toBe('signature_invalid')
      return (error?.cause as Error | undefined)?.message
    }
    expect(await reasonOf('idp-2026', { kid: 'mine' })).toMatch(/^No key .* known: mine \(EdDSA\)$/)
    expect(await reasonOf('mine', { kid: 'mine', notAfter: NOW - 1 })).toMatch(/retired/)
    expect(await reasonOf('idp-2026', {})).toBeUndefined()
  })

  it('a signature that is wrong, of which nothing else is known', async () => {
    const token = forge(claimsOf(), { secret: `${SECRET}x` })
    const { code, cause } = (await errorOf(() => setUp().auth.verifyToken(token))) as AuthError
    expect([code, cause]).toEqual(['signature_invalid', undefined])
  })
})

it('an error of no code is a TypeError', () => {
  expect(() => new AuthError('password_wrong' as never)).toThrow(/^Expected `code` /)
})
