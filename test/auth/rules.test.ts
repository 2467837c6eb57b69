/** A route's own rule, tokens that may have expired, and what the application adds to every token. */

import type { MongoAbility } from '@casl/ability'
import { createMongoAbility, type RawRuleOf } from '@casl/ability'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { guards } from '../../src/adapters/fetch.ts'
import { AuthError } from '../../src/errors.ts'
import type { AuthOptions, Requirement, TokenPayload } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf, complaintOf, errorOf, read, setUp } from '../token/forge.ts'

const withToken = (token: string) =>
  new Request('https://app.example/', { headers: { authorization: `Bearer ${token}` } })

describe('the rule `check` of a route', () => {
  const { auth, clock } = setUp()
  const isAlice = ({ sub }: { sub: string }) => sub === 'alice'

  it.each<[string, NonNullable<Requirement['check']>]>([
    ['at once', isAlice],
    ['later', async (payload) => isAlice(payload)],
  ])('that returns %s passes by true, and refuses by false', async (_, check) => {
    const handler = vi.fn(() => new Response('done'))
    const route = guards(auth).token({ check })(handler)
    for (let i = 0; i < 2; i++) {
      expect((await route(withToken(await auth.createAccessToken('alice')))).status).toBe(200)
      const refused = await route(withToken(await auth.createAccessToken('bob')))
      expect(refused.status).toBe(403)
      expect(await refused.json()).toMatchObject({
        code: 'access_denied',
        error_type: 'AccessDeniedError',
        error: 'insufficient_scope',
      })
      expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope')
    }
    expect(handler).toHaveBeenCalledTimes(2)
  })

  it('is asked for a cached token, too, and by `verifyToken`, `authenticate` and `recheck`', async () => {
    const token = await auth.createAccessToken('bob')
    const payload = await auth.verifyToken(token)
    const requirement = { check: isAlice }
    for (const act of [
      () => auth.verifyToken(token, requirement),
      () => auth.authenticate(withToken(token), requirement),
      () => auth.recheck(payload, requirement),
    ])
      expect(await codeOf(act)).toBe('access_denied')
  })

  it('comes last: no other refusal is hidden by it, and it sees no bad token', async () => {
    const check = vi.fn(() => true)
    const token = await auth.createAccessToken('alice')
    expect(await codeOf(() => auth.verifyToken(token, { scopes: ['a'], check }))).toBe('scope_missing')
    expect(await codeOf(() => auth.verifyToken(token, { fresh: true, check }))).toBe('fresh_token_required')
    expect(await codeOf(() => auth.verifyToken(`${token}x`, { check }))).toBe('signature_invalid')
    expect(check).not.toHaveBeenCalled()
    const request = new Request('https://app.example/')
    expect(await auth.authenticate(request, { optional: true, check })).toBeNull()
    expect(check).not.toHaveBeenCalled()
  })

  it.each<[string, () => unknown, unknown]>([
    [
      'an `AuthError`',
      () => Promise.reject(new AuthError('fresh_token_required')),
      { code: 'fresh_token_required' },
    ],
    ['an outage', () => Promise.reject(new Error('connect ECONNREFUSED')), { code: 'store_unavailable' }],
    ['a defect', () => (undefined as unknown as { x: () => boolean }).x(), { name: 'TypeError' }],
    ['nothing', () => undefined, { name: 'ConfigurationError' }],
    ['text', () => 'yes', { name: 'ConfigurationError' }],
  ])('that ends with %s never passes', async (_, check, error) => {
    const token = await auth.createAccessToken('alice')
    expect(await errorOf(() => auth.verifyToken(token, { check: check as () => boolean }))).toMatchObject(
      error as object,
    )
  })

  it('that is no function is refused when the route is made', async () => {
    expect(await complaintOf(() => guards(auth).token({ check: true } as never))).toMatch(/`check`/)
  })

  it('takes the abilities of @casl/ability from custom claims', async () => {
    type Rules = RawRuleOf<MongoAbility>[]
    const can = (action: string, subject: string) => ({
      check: ({ data }: TokenPayload<Readonly<Record<string, unknown>>>) =>
        createMongoAbility((data['rules'] ?? []) as Rules).can(action, subject),
    })
    const rules: Rules = [
      { action: 'read', subject: 'Order' },
      { action: 'delete', subject: 'Order', inverted: true },
    ]
    const token = await auth.createAccessToken('alice', { data: { rules } })
    expect((await auth.verifyToken(token, can('read', 'Order'))).sub).toBe('alice')
    expect(await codeOf(() => auth.verifyToken(token, can('delete', 'Order')))).toBe('access_denied')
    expect(await codeOf(() => auth.verifyToken(token, can('read', 'Invoice')))).toBe('access_denied')
    expect(clock.now).toBeGreaterThan(0)
  })
})

describe('verifyToken with `allowExpired`', () => {
  it('takes a token until so long after its end, and not a second longer', async () => {
    const { auth, clock } = setUp({ leeway: 0 })
    const token = await auth.createAccessToken('alice', { expiresIn: 60, scopes: ['a'] })
    const start = clock.now
    clock.now = start + 59
    expect((await auth.verifyToken(token, { allowExpired: '1h' })).timeUntilExpiry).toBe(1)
    clock.now = start + 60 + 3599
    const payload = await auth.verifyToken(token, { allowExpired: '1h' })
    expect(payload).toMatchObject({ sub: 'alice', scopes: ['a'], timeUntilExpiry: 0 })
    expect(await codeOf(() => auth.verifyToken(token))).toBe('token_expired')
    clock.now += 1
    expect(await codeOf(() => auth.verifyToken(token, { allowExpired: '1h' }))).toBe('token_expired')
  })

  it('gives a payload that no method takes: nothing is issued, refreshed or followed by it', async () => {
    const { auth, clock } = setUp({ sessions: { store: memoryStore() } })
    const { access_token, refresh_token } = await auth.createTokenPair('alice')
    clock.now += 400 * 86_400
    const access = await auth.verifyToken(access_token, { allowExpired: { days: 1000 } })
    const refresh = await auth.verifyToken(refresh_token, { type: 'refresh', allowExpired: { days: 1000 } })
    for (const act of [
      () => auth.createAccessToken(access),
      () => auth.createTokenPair(access),
      () => auth.sessions.start(access),
      () => auth.sessions.refresh(refresh),
      () => auth.revoke(access),
      () => auth.recheck(access),
      () => auth.createTicket(access),
      () => auth.loadSubject(access),
    ])
      expect(await complaintOf(act)).toMatch(/one that has expired: pass its `sub` or `sid`/)
    await auth.sessions.end(access.sid ?? '')
    await auth.close()
  })

  it('still checks signature, type, realm and a token that has not expired in all', async () => {
    const { auth } = setUp({ sessions: { store: memoryStore() } })
    const allowExpired = '1h'
    const { access_token, refresh_token } = await auth.createTokenPair('alice')
    expect(await codeOf(() => auth.verifyToken(`${access_token}x`, { allowExpired }))).toBe(
      'signature_invalid',
    )
    expect(await codeOf(() => auth.verifyToken(refresh_token, { allowExpired }))).toBe(
      'access_token_required',
    )
    expect(await codeOf(() => auth.verifyToken(access_token, { allowExpired, scopes: ['a'] }))).toBe(
      'scope_missing',
    )
    await auth.revokeSubject('alice')
    expect(await codeOf(() => auth.verifyToken(access_token, { allowExpired }))).toBe('token_revoked')
    expect(await codeOf(() => auth.verifyToken(7 as never, { allowExpired }))).toBe('token_malformed')
    await auth.close()
  })

  it.each<[string, unknown, RegExp]>([
    [
      'a guard',
      { guard: '1d' },
      /Unknown option `allowExpired`; did you mean `verifyToken\(token, \{ allowExpired \}\)`/,
    ],
    ['no length', { verify: true }, /`allowExpired` to be a duration/],
    ['undefined', { verify: undefined }, /`allowExpired` to be a duration/],
    ['nothing', { verify: 0 }, /`allowExpired` to be a duration/],
  ])('is refused for %s', async (_, at, message) => {
    const { auth } = setUp()
    const { guard, verify } = at as { guard?: string; verify?: string }
    const token = await auth.createAccessToken('alice')
    const act =
      guard === undefined
        ? () => auth.verifyToken(token, { allowExpired: verify as '1d' })
        : () => guards(auth).token({ allowExpired: guard } as Requirement)
    expect(await complaintOf(act)).toMatch(message)
  })
})

describe('additionalClaims and additionalHeaders', () => {
  let count = 0
  const options: AuthOptions = {
    additionalClaims: ({ type, sub }) => ({ tenant: `${sub}-co`, kind: type, count: ++count }),
    additionalHeaders: ({ type }) => ({ env: 'test', kind: type }),
  }

  it('stand in every token: single ones, pairs, sessions, refreshes', async () => {
    const { auth } = setUp({ ...options, sessions: { store: memoryStore() } })
    const pair = await auth.sessions.start('alice', { data: { tenant: 'other', plan: 'free' } })
    const refreshed = await auth.sessions.refresh(
      await auth.verifyToken(pair.refresh_token, { type: 'refresh' }),
    )
    const single = await auth.createAccessToken('alice', { headers: { env: 'prod' } })
    for (const [token, kind] of [
      [pair.access_token, 'access'],
      [pair.refresh_token, 'refresh'],
      [refreshed.access_token, 'access'],
      [single, 'access'],
    ] as const) {
      expect(read(token)).toMatchObject({ tenant: 'alice-co', kind, count: expect.any(Number) })
      expect(auth.decodeUnverified(token).header).toMatchObject({
        kind,
        env: token === single ? 'prod' : 'test',
      })
    }
    expect((await auth.verifyToken(refreshed.access_token)).data).toMatchObject({
      plan: 'free',
      tenant: 'alice-co',
    })
    expect(read(refreshed.access_token)['count']).toBeGreaterThan(read(pair.access_token)['count'] as number)
    await auth.close()
  })

  it.each<[string, AuthOptions, RegExp]>([
    [
      'a promise',
      { additionalClaims: async () => ({}) },
      /ConfigurationError: .*`additionalClaims` .*at once/,
    ],
    [
      'nothing',
      { additionalHeaders: (() => undefined) as never },
      /`additionalHeaders` .*at once, got undefined/,
    ],
    ['a registered claim', { additionalClaims: () => ({ sub: 'root' }) }, /`sub` is reserved/],
    ['a reserved header', { additionalHeaders: () => ({ alg: 'none' }) }, /`headers` to leave `alg` alone/],
  ])('that return %s issue nothing', async (_, options, message) => {
    const { auth } = setUp(options)
    expect(await complaintOf(() => auth.createAccessToken('alice'))).toMatch(message)
  })

  it('are functions, which is checked at start', async () => {
    expect(await complaintOf(() => setUp({ additionalClaims: {} as never }))).toMatch(/`additionalClaims`/)
  })

  it('go with a schema that allows them', async () => {
    const { auth } = setUp({
      ...options,
      claims: z.object({ tenant: z.string(), kind: z.string() }).partial(),
    } as AuthOptions)
    const payload = await auth.verifyToken(await auth.createAccessToken('alice'))
    expect(payload.data).toEqual({ tenant: 'alice-co', kind: 'access' })
  })
})
