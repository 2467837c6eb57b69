/** The tokens of a session: generations, what is inherited, and when they end. */
import { describe, expect, it } from 'vitest'
import { mintPair, toSessionClaims, toTimes, toTokenGeneration } from '../../src/session/mint.ts'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { TokenClaims } from '../../src/token/sign-token.ts'
import type { PayloadMembers, TokenPayload } from '../../src/token/token-payload.ts'

const ROW: SessionRow = {
  sid: 'session-1',
  sub: 'alice',
  realm: null,
  gen: 3,
  rotatedAt: 1000.9,
  late: 0,
  lateBefore: 0,
  authTime: 900,
  acr: null,
  amr: null,
  scopes: [],
  data: {},
  brief: false,
  idleFor: null,
  metadata: {},
  label: null,
  lastIp: null,
  lastUserAgent: null,
  createdAt: 900,
  lastUsedAt: 1000.9,
  idleExpiresAt: 2000.9,
  absoluteExpiresAt: 3000.9,
  revokedAt: null,
  revokeReason: null,
  ip: null,
  userAgent: null,
}

const payload = (members: Partial<PayloadMembers<unknown>>): TokenPayload<unknown> =>
  members as TokenPayload<unknown>
const refresh = (jti: string, sid: string | undefined = 'session-1'): TokenPayload<unknown> =>
  payload({ type: 'refresh', jti, sid })

const issue = (claims: TokenClaims) => ({ text: `${claims.type} token`, claims })

describe('toTokenGeneration', () => {
  it.each([
    ['session-1.0', 0],
    ['session-1.7', 7],
    ['session-1.999999999', 999_999_999],
  ])('reads %s', (jti, gen) => {
    expect(toTokenGeneration(refresh(jti))).toEqual({ sid: 'session-1', gen })
  })

  it.each(['session-1', 'session-1.', 'session-1.01', 'session-1.-1', 'session-1.1e3', 'session-1.1.2'])(
    'refuses %s',
    (jti) => {
      expect(() => toTokenGeneration(refresh(jti))).toThrow(
        expect.objectContaining({ code: 'session_revoked' }),
      )
    },
  )

  it.each([
    ['of another session', refresh('session-2.1')],
    ['without a session', payload({ type: 'refresh', jti: 'undefined.1', sid: undefined })],
    ['without an identifier', payload({ type: 'refresh', jti: undefined, sid: 'session-1' })],
    ['of ten digits', refresh('session-1.1000000000')],
  ])('refuses one %s', (_, token) => {
    expect(() => toTokenGeneration(token)).toThrow(expect.objectContaining({ code: 'session_revoked' }))
  })

  it('asks for a refresh token', () => {
    expect(() =>
      toTokenGeneration(payload({ type: 'access', jti: 'session-1.1', sid: 'session-1' })),
    ).toThrow(expect.objectContaining({ code: 'refresh_token_required' }))
  })
})

describe('toTimes', () => {
  it('are the times of the row in whole seconds', () => {
    expect(toTimes(ROW)).toEqual({ iat: 1000, exp: 2000 })
  })

  it('end after they begin in the last second of a session', () => {
    expect(toTimes({ ...ROW, idleExpiresAt: 1000.95 })).toEqual({ iat: 1000, exp: 1001 })
  })
})

describe('toSessionClaims', () => {
  it('inherits what was said at the authentication, and nothing else', () => {
    const said = { csrf: 'c', aud: 'api', auth_time: 9, acr: 'gold', amr: ['pwd'] }
    expect(toSessionClaims(payload({ ...said, sub: 'alice', jti: 'j', scopes: ['a'], fresh: true }))).toEqual(
      said,
    )
  })
})

describe('mintPair', () => {
  const claims = (access: Partial<TokenClaims> = {}) => ({
    access: { iat: 1100, exp: 1500, ...access },
    refresh: { ...toTimes(ROW), csrf: 'c' },
  })

  it('names the session, its subject and the generation', async () => {
    const pair = await mintPair(issue, ROW, claims({ scopes: ['read'] }))
    expect(pair.refresh.claims).toEqual({
      type: 'refresh',
      sub: 'alice',
      sid: 'session-1',
      gen: 3,
      jti: 'session-1.3',
      iat: 1000,
      exp: 2000,
      csrf: 'c',
    })
    expect(pair.access).toEqual({
      text: 'access token',
      claims: { type: 'access', sub: 'alice', sid: 'session-1', iat: 1100, exp: 1500, scopes: ['read'] },
    })
    expect(pair.isRefreshKept).toBe(false)
    expect((await mintPair(issue, ROW, claims(), true)).isRefreshKept).toBe(true)
  })

  it.each([
    ['the idle end', { idleExpiresAt: 1400.7 }, 1400],
    ['the absolute end', { absoluteExpiresAt: 1300.7 }, 1300],
    ['the next second, where the session is over', { idleExpiresAt: 1000 }, 1101],
  ])('ends the access token at %s', async (_, changes, exp) => {
    expect((await mintPair(issue, { ...ROW, ...changes }, claims())).access.claims.exp).toBe(exp)
  })

  it('makes no access token that was authenticated in the future', async () => {
    const ofAuthTime = async (auth_time: number): Promise<unknown> =>
      (await mintPair(issue, ROW, claims({ auth_time }))).access.claims.auth_time
    expect([await ofAuthTime(1099), await ofAuthTime(1101)]).toEqual([1099, 1100])
  })
})
