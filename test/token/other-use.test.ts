/** Tokens that are bound to a key, and tokens for another use, are no bearer access tokens. */
import { describe, expect, it } from 'vitest'
import { claimsOf, codeOf, forge, NOW, setUp } from './forge.ts'

const OWN = { header: { alg: 'HS256', typ: 'at+jwt' } }
const UNTYPED = { header: { alg: 'HS256', typ: 'JWT' } }

describe('a token that is bound to a key', () => {
  it.each<[string, unknown]>([
    ['DPoP (RFC 9449)', { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' }],
    ['mutual TLS (RFC 8705)', { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' }],
    ['a key of its own (RFC 7800)', { jwk: { kty: 'EC' } }],
    ['nothing at all', {}],
    ['what is no object', 'x'],
  ])('is refused as a bearer token: %s', async (_, cnf) => {
    for (const options of [{}, { interop: true }, { interop: { untyped: true } }]) {
      const { auth } = setUp(options)
      expect(await codeOf(() => auth.verifyToken(forge({ ...claimsOf(), cnf }, OWN)))).toBe('token_malformed')
      const foreign = forge({ sub: 'u', exp: NOW + 600, cnf }, UNTYPED)
      expect(await codeOf(() => auth.verifyToken(foreign))).toBe('token_malformed')
    }
  })

  it('is not issued, as no one here could use it', async () => {
    const { auth } = setUp({})
    await expect(auth.createAccessToken('u', { data: { cnf: {} } })).rejects.toThrow(/`cnf` is reserved/)
  })
})

describe('an untyped token for another use', () => {
  const { auth } = setUp({ interop: { untyped: true } })
  const verdict = (claims: object): Promise<unknown> =>
    codeOf(() => auth.verifyToken(forge({ sub: 'u', exp: NOW + 600, ...claims }, UNTYPED)))

  it.each([
    { nonce: 'n' },
    { at_hash: 'h' },
    { c_hash: 'h' },
    { s_hash: 'h' },
    { typ: 'ID' },
    { typ: 'Refresh' },
    { typ: 'Offline' },
    { typ: 'Logout' },
    { token_use: 'id' },
    { typ: 'ID', nonce: 'n' },
    { typ: 'Bearer', at_hash: 'h' },
    { typ: 'id_token' },
    { typ: ['ID'] },
    { token_use: 'dpop' },
    { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
  ])('is no access token: %j', async (claims) => {
    expect(await verdict(claims)).toBe('token_malformed')
  })

  it.each([
    {},
    { typ: 'Bearer', nonce: 'n' },
    { token_use: 'access' },
    { typ: 'JWT' },
    { azp: 'app', gty: 'client-credentials' },
    // No text, and not even one that could be made of it.
    { typ: { toString: 1, valueOf: 1 } },
    { token_use: [] },
  ])('is not this one: %j', async (claims) => {
    expect(await verdict(claims)).toBe('accepted')
  })
})
