/** `interop` takes tokens that say their type; those that say none only when asked. */
import { describe, expect, it } from 'vitest'
import { claimsOf, codeOf, complaintOf, forge, NOW, setUp } from './forge.ts'

const JWT = { header: { alg: 'HS256', typ: 'JWT' } }
const OTHERS: readonly (readonly [string, Record<string, unknown>])[] = [
  ['a link to reset a password', { sub: 'u', exp: NOW + 600, purpose: 'reset' }],
  ['a link in a mail, for ten years', { sub: 'u', iat: NOW, exp: NOW + 315_360_000, email: 'a@example' }],
  ['a type of null', { sub: 'u', exp: NOW + 600, type: null }],
]

describe('a JWT of our key that says no type', () => {
  it.each(OTHERS)('%s: accepted with { untyped: true } only', async (_, claims) => {
    const token = forge(claims, JWT)
    const verdicts = [false, true, {}, { untyped: false }, { untyped: true }].map((interop) =>
      codeOf(() => setUp({ interop }).auth.verifyToken(token)),
    )
    const no = 'token_malformed'
    expect(await Promise.all(verdicts)).toEqual([no, no, no, no, 'accepted'])
  })

  it.each([
    { amr: [{ method: 'password', timestamp: NOW }] },
    { auth_time: '2026-11-28T12:00:00.000Z' },
    { acr: 1 },
    { sid: 123 },
    { scopes: 'a b' },
    { gen: 'male' },
    { csrf: 5 },
    { login_type: 'google' },
    { access_aud: 5, access_scopes: 'a' },
  ])('may use our names with another meaning: %j', async (others) => {
    const { auth } = setUp({ interop: { untyped: true } })
    const payload = await auth.verifyToken(forge({ sub: 'u', exp: NOW + 600, ...others, org: 7 }, JWT))
    expect(payload).toMatchObject({ sub: 'u', data: { org: 7 }, scopes: [] })
    for (const name of Object.keys(others))
      expect((payload as unknown as Record<string, unknown>)[name] ?? []).toEqual([])
    expect(await auth.verifyToken(await auth.createAccessToken(payload))).toMatchObject({ sub: 'u' })
    for (const requirement of [
      { acr: '1' },
      { amr: 'password' },
      { maxAge: '1h' },
      { scopes: ['a'] },
    ] as const)
      expect(await codeOf(() => auth.recheck(payload, requirement))).not.toBe('accepted')
  })

  it.each([{ sub: 7 }, { jti: 7 }, { iat: 'now' }, { nbf: 'now' }, { aud: 7 }, { type: 'user' }])(
    'may not mean something else by what every token means: %j',
    async (others) => {
      const { auth } = setUp({ interop: { untyped: true } })
      const token = forge({ sub: 'u', exp: NOW + 600, ...others }, JWT)
      expect(await codeOf(() => auth.verifyToken(token))).toMatch(/^(?:token_malformed|audience_invalid)$/)
    },
  )

  it('is of the realm that it names where there are realms', async () => {
    const { auth } = setUp({ interop: { untyped: true }, realm: 'staff' })
    const [other, own] = ['google', 'staff'].map((login_type) =>
      forge({ sub: 'u', exp: NOW + 600, login_type }, JWT),
    )
    expect(await codeOf(() => auth.verifyToken(other ?? ''))).toBe('realm_mismatch')
    expect(await codeOf(() => auth.verifyToken(own ?? ''))).toBe('accepted')
  })

  it('passes no CSRF check by a value of another form', async () => {
    const { auth } = setUp({ interop: { untyped: true }, locations: ['cookie'] })
    const token = forge({ sub: 'u', exp: NOW + 600, csrf: 5 }, JWT)
    const request = (csrf: string): Request =>
      new Request('http://localhost/', {
        method: 'POST',
        headers: { cookie: `__Host-access_token=${token}`, 'x-csrf-token': csrf },
      })
    for (const csrf of ['5', '', 'undefined'])
      expect(await codeOf(() => auth.authenticate(request(csrf)))).toMatch(/^csrf_/)
  })

  it('is never fresh by a deadline of its own', async () => {
    const { auth } = setUp({ interop: { untyped: true } })
    const token = forge({ sub: 'u', exp: NOW + 600, fresh: NOW + 315_360_000 }, JWT)
    expect(await codeOf(() => auth.verifyToken(token, { fresh: true }))).toBe('fresh_token_required')
  })
})

it.each(['x', [], { untype: true }, { untyped: 'yes' }])('interop: %j is refused', async (interop) => {
  expect(await complaintOf(() => setUp({ interop: interop as never }))).toMatch(
    /^ConfigurationError: .*interop/,
  )
})

it('a subject with U+0000 is neither issued nor accepted', async () => {
  const { auth } = setUp()
  expect(await complaintOf(() => auth.createAccessToken('a\0b'))).toMatch(
    /TypeError: Expected `subject` to be .*U\+0000/,
  )
  expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ sub: 'a\0b' }))))).toBe('token_malformed')
})
