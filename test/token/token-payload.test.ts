import { describe, expect, it } from 'vitest'
import { toAccessAudience } from '../../src/token/token-payload.ts'
import { claimsOf, forge, NOW, setUp } from './forge.ts'

describe('the payload', () => {
  it('has every member of the contract, those that the token lacks as undefined', async () => {
    const { auth } = setUp()
    const payload = await auth.verifyToken(forge(claimsOf({ jti: 'j' })))
    expect({ ...payload }).toEqual({
      sub: 'user-1',
      jti: 'j',
      iat: NOW,
      exp: NOW + 900,
      nbf: undefined,
      iss: undefined,
      aud: undefined,
      type: 'access',
      fresh: false,
      csrf: undefined,
      scopes: [],
      sid: undefined,
      auth_time: undefined,
      amr: undefined,
      acr: undefined,
      login_type: undefined,
      data: {},
    })
  })

  it('keeps registered claims apart from data, also the generation of a session', async () => {
    const { auth } = setUp()
    const all = {
      sid: 's',
      gen: 3,
      auth_time: NOW,
      amr: ['pwd'],
      acr: 'a',
      csrf: 'c',
      nbf: NOW,
      scopes: ['x'],
    }
    const payload = await auth.verifyToken(forge(claimsOf({ ...all, role: 'admin', exp_: 1 })))
    expect(payload.data).toEqual({ role: 'admin', exp_: 1 })
    expect(payload).toMatchObject({
      sid: 's',
      auth_time: NOW,
      amr: ['pwd'],
      acr: 'a',
      csrf: 'c',
      nbf: NOW,
      scopes: ['x'],
    })
  })

  it('computes relative times by the configured clock, in seconds, never negative', async () => {
    const { auth, clock } = setUp()
    const payload = await auth.verifyToken(forge(claimsOf()))
    expect([payload.issuedAt, payload.expiresAt]).toEqual([
      new Date(NOW * 1000),
      new Date((NOW + 900) * 1000),
    ])
    clock.now = NOW + 100
    expect([payload.timeUntilExpiry, payload.timeSinceIssued]).toEqual([800, 100])
    clock.now = NOW + 2000
    expect([payload.timeUntilExpiry, payload.timeSinceIssued]).toEqual([0, 2000])
    clock.now = NOW - 100
    expect(payload.timeSinceIssued).toBe(0)
  })

  it('of another library that lacks iat says so', async () => {
    const { auth } = setUp({ interop: { untyped: true } })
    const payload = await auth.verifyToken(forge({ sub: 'u', exp: NOW + 9 }))
    expect([payload.issuedAt, payload.timeSinceIssued, payload.jti]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('becomes JSON as its members, without clock or key', async () => {
    const { auth } = setUp()
    const payload = await auth.verifyToken(forge(claimsOf({ jti: 'j', role: 'x' })))
    expect(JSON.parse(JSON.stringify(payload))).toEqual({
      sub: 'user-1',
      jti: 'j',
      iat: NOW,
      exp: NOW + 900,
      type: 'access',
      fresh: false,
      scopes: [],
      data: { role: 'x' },
    })
  })

  it('keeps for whom its access tokens are, without showing it as a member', async () => {
    const { auth } = setUp({ audience: 'api', issuer: 'https://auth.example' })
    const token = await auth.createRefreshToken('u', { audience: ['api', 'other'] })
    const payload = await auth.verifyToken(token, { type: 'refresh' })
    expect([payload.aud, toAccessAudience(payload)]).toEqual(['https://auth.example', ['api', 'other']])
  })
})
