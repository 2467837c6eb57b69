/** `interop` takes tokens that say their type; those that say none only when asked. */
import { describe, expect, it } from 'vitest'
import { claimsOf, codeOf, complaintOf, forge, NOW, setUp } from './forge.ts'

const JWT = { header: { alg: 'HS256', typ: 'JWT' } }
const OTHERS: readonly (readonly [string, Record<string, unknown>])[] = [
  ['a link to reset a password', { sub: 'u', exp: NOW + 600, purpose: 'reset' }],
  ['a link in a mail, for ten years', { sub: 'u', iat: NOW, exp: NOW + 315_360_000, email: 'a@example' }],
  ['an ID token', { sub: 'u', exp: NOW + 600, nonce: 'n', at_hash: 'h' }],
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
