/** Tokens of other issuers: whose they are, which keys verify them, and what happens while an issuer is away. */
import { describe, expect, it } from 'vitest'
import {
  type AuthOptions,
  createAuth,
  createKeyRing,
  generateKey,
  type IssuerOptions,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf, errorOf, NOW, SECRET, stoppedClock } from '../token/forge.ts'
import { makeKey, type Provider, type ProviderKey, signWith, startProvider } from './provider.ts'

const rsa = makeKey('RS256', 'rsa-1')
const ec = makeKey('ES256', 'ec-1')

/** An application that trusts one issuer, and the issuer. */
async function start(
  options: Partial<IssuerOptions> = {},
  { keys = [rsa], auth: more = {} }: { keys?: readonly ProviderKey[]; auth?: AuthOptions } = {},
) {
  const provider = await startProvider(keys)
  const clock = stoppedClock()
  const auth = createAuth({
    issuers: [{ issuer: provider.issuer, audience: 'api', ...options }],
    clock,
    ...more,
  } as AuthOptions)
  const verify = (token: string) => auth.verifyToken(token)
  return { provider, clock, auth, verify }
}

const countFetches = ({ hits }: Provider) => hits.get('/jwks') ?? 0

describe('a token of a trusted issuer', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const)('is accepted with %s', async (alg) => {
    const key = makeKey(alg)
    const { provider, auth } = await start({ algorithms: [alg] }, { keys: [key] })
    const token = signWith(key, provider.claims({ scope: 'orders:read orders:write', email: 'a@b.example' }))
    const payload = await auth.verifyToken(token, { scopes: ['orders:read'] })
    expect(payload).toMatchObject({
      sub: 'user-1',
      iss: provider.issuer,
      aud: 'api',
      type: 'access',
      scopes: ['orders:read', 'orders:write'],
      client_id: 'app',
      data: { email: 'a@b.example' },
    })
    expect(Object.isFrozen(payload.data)).toBe(true)
    // From the cache, and through the shorter path of the header.
    const request = new Request('https://app.example/', { headers: { authorization: `Bearer ${token}` } })
    expect(await auth.authenticate(request)).toBe(payload)
    expect(countFetches(provider)).toBe(1)
  })

  it('is accepted beside own tokens, by its `iss` alone', async () => {
    const provider = await startProvider([rsa])
    const clock = stoppedClock()
    const auth = createAuth({
      secret: SECRET,
      clock,
      issuers: [{ issuer: provider.issuer, audience: 'api', toUser: ({ sub }) => ({ sub: `idp|${sub}` }) }],
    })
    const own = await auth.createAccessToken('user-1', { scopes: ['a'] })
    expect(await auth.verifyToken(own)).toMatchObject({ sub: 'user-1', scopes: ['a'] })
    expect(countFetches(provider)).toBe(0)
    const token = signWith(rsa, provider.claims())
    expect(await auth.verifyToken(token)).toMatchObject({ sub: 'idp|user-1', iss: provider.issuer })
    expect(await codeOf(() => auth.verifyToken(signWith(rsa, provider.claims({ iss: undefined }))))).toBe(
      'signature_invalid',
    )
  })

  it('keeps what is ours to the own keys: type, realm, session, freshness by a claim, scopes as a list', async () => {
    const { provider, verify } = await start()
    const payload = await verify(
      signWith(
        rsa,
        provider.claims({
          type: 'admin',
          login_type: 'admin',
          sid: 'a-session',
          fresh: true,
          csrf: 'value',
          remember: false,
          login_name: 'root',
          scopes: ['admin:*'],
        }),
      ),
    )
    expect(payload).toMatchObject({ type: 'access', fresh: false, scopes: [] })
    const { login_type, sid, csrf, remember, login_name } = payload
    expect([login_type, sid, csrf, remember, login_name]).toEqual(Array(5).fill(undefined))
    expect(payload.data).toEqual({})
  })

  it('is fresh and steps up by `auth_time`, `acr` and `amr`', async () => {
    const { provider, auth, clock } = await start()
    const token = signWith(rsa, provider.claims({ auth_time: NOW - 60, acr: 'gold', amr: ['pwd', 'otp'] }))
    for (const requirement of [{ fresh: true }, { maxAge: '2m' }, { acr: 'gold' }, { amr: ['otp'] }] as const)
      expect(await codeOf(() => auth.verifyToken(token, requirement))).toBe('accepted')
    clock.now += 900
    for (const requirement of [
      { fresh: true },
      { maxAge: '2m' },
      { acr: 'platinum' },
      { amr: ['hwk'] },
    ] as const)
      expect(await codeOf(() => auth.verifyToken(token, requirement))).toBe('fresh_token_required')
    const without = signWith(rsa, provider.claims({ iat: NOW + 900 }))
    expect(await codeOf(() => auth.verifyToken(without, { fresh: true }))).toBe('fresh_token_required')
  })

  it('is of the realm of the application, or of the one that its issuer has there', async () => {
    const { provider, auth } = await start({ realm: 'partners' }, { auth: { realm: 'staff' } })
    const token = signWith(rsa, provider.claims({ login_type: 'staff' }))
    expect(await codeOf(() => auth.verifyToken(token))).toBe('realm_mismatch')
    expect(await auth.verifyToken(token, { realm: 'partners' })).toMatchObject({ login_type: 'partners' })
    const usual = await start({}, { auth: { realm: 'staff' } })
    expect(await usual.verify(signWith(rsa, usual.provider.claims()))).toMatchObject({ login_type: 'staff' })
  })

  it('is refused by the own blocklist, and with its subject', async () => {
    const blocked = new Set<string | undefined>()
    const { provider, verify, auth } = await start(
      {},
      { auth: { isRevoked: ({ jti }) => blocked.has(jti), sessions: { store: memoryStore() } } },
    )
    const token = signWith(rsa, provider.claims({ jti: 'one' }))
    expect(await codeOf(() => verify(token))).toBe('accepted')
    blocked.add('one')
    expect(await codeOf(() => verify(token))).toBe('token_revoked')
    const other = signWith(rsa, provider.claims({ exp: NOW + 600 }))
    expect(await codeOf(() => verify(other))).toBe('accepted')
    await auth.revokeSubject('user-1')
    expect(await codeOf(() => verify(other))).toBe('token_revoked')
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['of another audience', { aud: 'billing' }, 'audience_invalid'],
    ['of no audience', { aud: undefined }, 'audience_invalid'],
    ['with an audience that is no text', { aud: ['api', 5] }, 'audience_invalid'],
    ['that has expired', { exp: NOW - 10 }, 'token_expired'],
    ['that is not active yet', { nbf: NOW + 10 }, 'token_not_active'],
    ['issued in the future', { iat: NOW + 10 }, 'token_not_active'],
    ['without an end', { exp: undefined }, 'token_malformed'],
    ['with an end in milliseconds', { exp: NOW * 1000 }, 'token_malformed'],
    ['that lives for ten years', { exp: NOW + 10 * 366 * 86_400 }, 'token_malformed'],
    [
      'that lives so long and does not say since when',
      { exp: NOW + 10 * 366 * 86_400, iat: undefined },
      'token_malformed',
    ],
    ['without a subject', { sub: undefined }, 'token_malformed'],
    ['with a number as its subject', { sub: 5 }, 'token_malformed'],
    ['bound to a key', { cnf: { jkt: 'x' } }, 'token_malformed'],
    [
      'for logging out',
      { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
      'token_malformed',
    ],
    ['that is a refresh token by its words', { typ: 'Refresh' }, 'token_malformed'],
    ['that is an ID token by its words', { token_use: 'id' }, 'token_malformed'],
    ['that is a refresh token of ours', { type: 'refresh' }, 'token_malformed'],
    ['with a deep claim', { deep: JSON.parse('['.repeat(20) + ']'.repeat(20)) }, 'token_malformed'],
  ])('is refused: one %s', async (_, changes, code) => {
    const { provider, verify } = await start()
    expect(await codeOf(() => verify(signWith(rsa, provider.claims(changes))))).toBe(code)
  })

  it.each<[string, Record<string, unknown>]>([
    ['a hash of an access token', { at_hash: 'x' }],
    ['a hash of an access token, which says that it is one,', { at_hash: 'x', typ: 'Bearer' }],
    ['a nonce', { nonce: 'x' }],
    ['the words of Cognito', { token_use: 'id' }],
    ['the words of Keycloak', { typ: 'ID' }],
  ])('is refused where it is an ID token by %s, unless `idTokens` says otherwise', async (_, changes) => {
    const { provider, verify } = await start()
    const token = (issuer: Provider) => signWith(rsa, issuer.claims(changes), { typ: 'JWT' })
    expect(await codeOf(() => verify(token(provider)))).toBe('token_malformed')
    const lenient = await start({ idTokens: true })
    expect(await codeOf(() => lenient.verify(token(lenient.provider)))).toBe('accepted')
  })

  it.each(['id+jwt', 'logout+jwt', 'secevent+jwt', 'rt+jwt', 'dpop+jwt', 'entity-statement+jwt'])(
    'is refused where its header says %s',
    async (typ) => {
      const { provider, verify } = await start()
      expect(await codeOf(() => verify(signWith(rsa, provider.claims(), { typ })))).toBe('token_malformed')
    },
  )

  it('of another application with this library grants and is fresh as there', async () => {
    const keys = createKeyRing({ signing: generateKey('ES256', 'own') })
    const clock = stoppedClock()
    const issuer = 'https://auth.example'
    const theirs = createAuth({ keys, issuer, audience: 'api', clock })
    const jwks = theirs.jwks()
    const auth = createAuth({ issuers: [{ issuer, audience: 'api', jwks }], clock })
    const { access_token, refresh_token } = await theirs.createTokenPair('user-1', {
      fresh: true,
      scopes: ['a'],
    })
    expect(await auth.verifyToken(access_token, { fresh: true, scopes: ['a'] })).toMatchObject({
      sub: 'user-1',
    })
    expect(await codeOf(() => auth.verifyToken(refresh_token ?? ''))).toBe('token_malformed')
    const stale = await theirs.createAccessToken('user-1', { authTime: clock() - 1 })
    expect(await codeOf(() => auth.verifyToken(stale, { fresh: true }))).toBe('fresh_token_required')
  })

  it('must keep RFC 9068 where the profile says so', async () => {
    const { provider, verify } = await start({ profile: 'rfc9068' })
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
    expect(await codeOf(() => verify(signWith(rsa, provider.claims(), { typ: 'JWT' })))).toBe(
      'token_malformed',
    )
    for (const name of ['jti', 'iat', 'client_id', 'sub'])
      expect(await codeOf(() => verify(signWith(rsa, provider.claims({ [name]: undefined }))))).toBe(
        'token_malformed',
      )
  })

  it('must come from a known client where `clients` says so', async () => {
    const { provider, verify } = await start({ clients: ['app'] })
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
    expect(await codeOf(() => verify(signWith(rsa, provider.claims({ client_id: 'other' }))))).toBe(
      'audience_invalid',
    )
    const azp = { client_id: undefined, azp: 'app' }
    expect(await codeOf(() => verify(signWith(rsa, provider.claims(azp))))).toBe('accepted')
  })
})

describe('toUser', () => {
  it('maps the claims once for each token, and its outcome is remembered with it', async () => {
    const calls: unknown[] = []
    const { provider, auth } = await start({
      async toUser(claims) {
        calls.push(claims['sub'])
        const { roles } = claims['realm_access'] as { roles: string[] }
        return { sub: `kc|${claims['sub']}`, scopes: roles, data: { tenant: 'acme' }, loginName: 'alice' }
      },
    })
    const token = signWith(rsa, provider.claims({ realm_access: { roles: ['admin', 'Domain Admins'] } }))
    for (let i = 0; i < 3; i++)
      expect(await auth.verifyToken(token, { scopes: ['admin'] })).toMatchObject({
        sub: 'kc|user-1',
        scopes: ['admin'],
        data: { tenant: 'acme' },
        login_name: 'alice',
      })
    expect(calls).toEqual(['user-1'])
  })

  it.each<[string, () => unknown, string]>([
    ['null', () => null, 'subject_unknown'],
    ['undefined', () => undefined, 'subject_unknown'],
    ['a failure', () => Promise.reject(new Error('database is down')), 'store_unavailable'],
    ['a defect', () => (undefined as unknown as { x: () => void }).x(), 'TypeError: Cannot read'],
    ['no object', () => 'alice', 'ConfigurationError: Expected `issuers\\[0\\].toUser\\(\\)`'],
    ['a misspelt member', () => ({ scope: 'a' }), 'did you mean `scopes`'],
    [
      'a subject that is a number',
      () => ({ sub: 5 }),
      '`issuers\\[0\\].toUser\\(\\).sub` to be a non-empty string',
    ],
    ['reserved data', () => ({ data: { sid: 'x' } }), '`sid` is reserved'],
    ['data that is no JSON', () => ({ data: { at: new Date() } }), 'plain JSON'],
  ])('may say: %s', async (_, toUser, outcome) => {
    const { provider, verify } = await start({ toUser: toUser as never })
    const error = await errorOf(() => verify(signWith(rsa, provider.claims())))
    const { code = String(error) } = error as { code?: string }
    expect(code).toMatch(new RegExp(outcome))
  })

  it('is checked by the schema of the custom claims', async () => {
    const { z } = await import('zod')
    const clock = stoppedClock()
    const provider = await startProvider([rsa])
    const auth = createAuth({
      issuers: [
        {
          issuer: provider.issuer,
          audience: 'api',
          toUser: ({ tenant }) => ({ data: { tenant: tenant as string } }),
        },
      ],
      claims: z.object({ tenant: z.string() }),
      clock,
    })
    const payload = await auth.verifyToken(signWith(rsa, provider.claims({ tenant: 'acme' })))
    expect(payload.data.tenant).toBe('acme')
    expect(await codeOf(() => auth.verifyToken(signWith(rsa, provider.claims({ tenant: 5 }))))).toBe(
      'token_malformed',
    )
  })
})

describe('the keys of an issuer', () => {
  it('rotate without a restart: a new key is fetched when a token names it', async () => {
    const { provider, verify, clock } = await start()
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
    clock.now += 30
    const next = makeKey('RS256', 'rsa-2')
    provider.keys = [next.jwk]
    expect(await codeOf(() => verify(signWith(next, provider.claims())))).toBe('accepted')
    expect(countFetches(provider)).toBe(2)
    // The former one is not good any more, also where no token was remembered.
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('signature_invalid')
  })

  it('are withdrawn within their life, from remembered tokens, too', async () => {
    const { provider, verify, clock } = await start()
    const token = signWith(rsa, provider.claims())
    expect(await codeOf(() => verify(token))).toBe('accepted')
    provider.keys = [makeKey('RS256', 'rsa-2').jwk]
    clock.now += 601
    expect(await codeOf(() => verify(token))).toBe('signature_invalid')
  })

  it('are fetched once for 10,000 made-up names, at once and one after the other', async () => {
    const { provider, verify, clock } = await start()
    const signed = signWith(rsa, provider.claims())
    await verify(signed)
    clock.now += 30
    const forged = (i: number) => {
      const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: `made-up-${i}` })).toString('base64url')
      return `${header}.${signed.split('.').slice(1).join('.')}`
    }
    const before = countFetches(provider)
    const codes = await Promise.all(Array.from({ length: 5000 }, (_, i) => codeOf(() => verify(forged(i)))))
    for (let i = 5000; i < 10_000; i++) codes.push(await codeOf(() => verify(forged(i))))
    expect(new Set(codes)).toEqual(new Set(['signature_invalid']))
    expect(countFetches(provider) - before).toBe(1)
  })

  it('are fetched once by a thousand first requests', async () => {
    const { provider, verify } = await start()
    const tokens = Array.from({ length: 1000 }, (_, i) => signWith(ec, provider.claims({ sub: `user-${i}` })))
    provider.keys = [ec.jwk]
    const codes = await Promise.all(tokens.map((token) => codeOf(() => verify(token))))
    expect(new Set(codes)).toEqual(new Set(['accepted']))
    expect(countFetches(provider)).toBe(1)
  })

  it('are refreshed ahead of time, behind requests that do not wait', async () => {
    const { provider, auth, verify, clock } = await start()
    await verify(signWith(rsa, provider.claims()))
    let release: () => void = () => undefined
    provider.routes.set('/jwks', (_, response) => {
      release = () => response.end(JSON.stringify({ keys: provider.keys }))
    })
    clock.now += 500
    for (let i = 0; i < 3; i++)
      expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
    await expect.poll(() => countFetches(provider)).toBe(2)
    expect(auth.issuers()).toMatchObject([{ status: 'current', age: 500 }])
    release()
    await expect.poll(() => auth.issuers()).toMatchObject([{ age: 0 }])
    clock.now += 400
    await verify(signWith(rsa, provider.claims()))
    expect(countFetches(provider)).toBe(2)
  })

  it.each<[string, string, number]>([
    ['max-age=15 is at least five minutes', 'public, max-age=15, stale-while-revalidate=15', 300],
    ['no-store likewise', 'no-store', 300],
    ['max-age=86400 is at most an hour', 'max-age=86400', 3600],
    ['max-age=1200 is kept', 'max-age=1200', 1200],
  ])('are kept as long as `Cache-Control` says, within bounds: %s', async (_, control, life) => {
    const { provider, verify, clock } = await start()
    provider.headers = { 'cache-control': control }
    await verify(signWith(rsa, provider.claims({ exp: NOW + 9000 })))
    clock.now += life * 0.75 - 1
    await verify(signWith(rsa, provider.claims({ exp: NOW + 9000 })))
    expect(countFetches(provider)).toBe(1)
    clock.now += life * 0.25 + 1
    await verify(signWith(rsa, provider.claims({ exp: NOW + 9000 })))
    expect(countFetches(provider)).toBe(2)
  })

  it('may be given, and then nothing is fetched', async () => {
    const clock = stoppedClock()
    const issuer = 'https://idp.example'
    const auth = createAuth({
      issuers: [{ issuer, audience: 'api', jwks: { keys: [rsa.jwk as never] } }],
      clock,
    })
    const claims = { iss: issuer, aud: 'api', sub: 'user-1', exp: NOW + 60 }
    expect(await auth.verifyToken(signWith(rsa, claims))).toMatchObject({ sub: 'user-1' })
    await auth.ready()
    expect(auth.issuers()).toEqual([{ issuer, status: 'current', age: null, keys: 1, introspection: null }])
  })

  it('may lie elsewhere than their issuer, and be named by RFC 8414 metadata', async () => {
    const provider = await startProvider([rsa], '/realms/acme')
    provider.routes.set('/realms/acme/.well-known/openid-configuration', (_, response) =>
      response.writeHead(404).end(),
    )
    provider.routes.set('/.well-known/oauth-authorization-server/realms/acme', (_, response) =>
      response.end(
        JSON.stringify({ issuer: provider.issuer, jwks_uri: `${new URL(provider.issuer).origin}/jwks` }),
      ),
    )
    const auth = createAuth({
      issuers: [{ issuer: provider.issuer, audience: 'api' }],
      clock: stoppedClock(),
    })
    expect(await codeOf(() => auth.verifyToken(signWith(rsa, provider.claims())))).toBe('accepted')
  })
})

describe('while an issuer is away', () => {
  it('no request is refused for an hour, and its keys are current again once it is back', async () => {
    const events: string[] = []
    const { provider, verify, clock, auth } = await start(
      {},
      { auth: { on: { issuerDown: () => events.push('down'), issuerUp: () => events.push('up') } } },
    )
    const remembered = signWith(rsa, provider.claims({ exp: NOW + 20_000 }))
    expect(await codeOf(() => verify(remembered))).toBe('accepted')
    await provider.stop()
    for (let minute = 0; minute < 60; minute++) {
      clock.now += 60
      const fresh = signWith(rsa, provider.claims({ exp: NOW + 20_000, iat: clock.now }))
      expect([await codeOf(() => verify(remembered)), await codeOf(() => verify(fresh))]).toEqual([
        'accepted',
        'accepted',
      ])
    }
    expect(auth.issuers()).toMatchObject([{ status: 'stale', age: 3600, keys: 1 }])
    await expect.poll(() => events).toEqual(['down'])
    await provider.restart()
    const next = makeKey('RS256', 'rsa-2')
    provider.keys = [rsa.jwk, next.jwk]
    const renewed = signWith(next, provider.claims({ exp: NOW + 20_000 }))
    // The latest fetch of the time before may still be on its way.
    await expect
      .poll(() => {
        clock.now += 10
        return codeOf(() => verify(renewed))
      })
      .toBe('accepted')
    expect(auth.issuers()).toMatchObject([{ status: 'current', age: 0, keys: 2 }])
    expect(events).toEqual(['down', 'up'])
  })

  it('its tokens are refused with 503 after `maxStale`, the remembered ones too', async () => {
    const { provider, verify, clock, auth } = await start({ maxStale: '2h' })
    const token = signWith(rsa, provider.claims({ exp: NOW + 20_000 }))
    await verify(token)
    await provider.stop()
    clock.now += 7199
    expect(await codeOf(() => verify(token))).toBe('accepted')
    clock.now += 2
    const error = await errorOf(() => verify(token))
    expect(error).toMatchObject({ code: 'issuer_unavailable', status: 503, detail: { retryAfter: 10 } })
    expect(auth.issuers()).toMatchObject([{ status: 'down' }])
  })

  it('its tokens are refused with 503 from the start, and `ready` says who is down', async () => {
    const { provider, verify, auth, clock } = await start()
    await provider.stop()
    expect(auth.issuers()).toMatchObject([{ status: 'unused', age: null, keys: 0 }])
    const error = (await errorOf(() => auth.ready())) as { code: string; cause: Error & { cause: Error } }
    expect(error.code).toBe('issuer_unavailable')
    expect(error.cause.message).toContain(provider.issuer)
    expect(error.cause.cause.message).toContain('ECONNREFUSED')
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('issuer_unavailable')
    expect(auth.issuers()).toMatchObject([{ status: 'down' }])
    await provider.restart()
    clock.now += 10
    await auth.ready()
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
  })

  it('a name of a key that is unknown is 503: the key may be a new one', async () => {
    const { provider, verify, clock } = await start()
    await verify(signWith(rsa, provider.claims()))
    await provider.stop()
    clock.now += 30
    const unknown = signWith(makeKey('RS256', 'rsa-2'), provider.claims())
    expect(await codeOf(() => verify(unknown))).toBe('issuer_unavailable')
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
  })
})

describe('without own keys', () => {
  it('nothing is issued, and a token of no known issuer is refused', async () => {
    const { auth, verify } = await start()
    expect(await codeOf(() => auth.createAccessToken('user-1'))).toMatch(/ConfigurationError.*signing/)
    const own = createAuth({ secret: SECRET, clock: stoppedClock() })
    expect(await codeOf(async () => verify(await own.createAccessToken('user-1')))).toBe('issuer_invalid')
    expect(await codeOf(() => verify('no-jws'))).toBe('token_malformed')
    expect(auth.jwks()).toEqual({ keys: [] })
  })

  it('the secret of the environment is not read', () => {
    process.env['TOKENWRIGHT_SECRET'] = SECRET
    try {
      const auth = createAuth({ issuers: [{ issuer: 'https://idp.example', audience: 'api' }] })
      expect(auth.internals).toBeDefined()
      return expect(codeOf(() => auth.createAccessToken('user-1'))).resolves.toMatch(/ConfigurationError/)
    } finally {
      delete process.env['TOKENWRIGHT_SECRET']
    }
  })
})

describe('keys of two issuers', () => {
  it('are never mixed up, whatever their names', async () => {
    const mine = makeKey('RS256', 'same')
    const theirs = makeKey('RS256', 'same')
    const [first, second] = [await startProvider([mine]), await startProvider([theirs])]
    const auth = createAuth({
      clock: stoppedClock(),
      keys: createKeyRing({ signing: generateKey('RS256', 'same') }),
      issuers: [first, second].map(({ issuer }) => ({ issuer, audience: 'api', sharesSubjects: true })),
    })
    expect(await codeOf(() => auth.verifyToken(signWith(mine, first.claims())))).toBe('accepted')
    expect(await codeOf(() => auth.verifyToken(signWith(theirs, second.claims())))).toBe('accepted')
    expect(await codeOf(() => auth.verifyToken(signWith(theirs, first.claims())))).toBe('signature_invalid')
    expect(await codeOf(() => auth.verifyToken(signWith(mine, second.claims())))).toBe('signature_invalid')
    expect(await codeOf(() => auth.verifyToken(signWith(mine, first.claims({ iss: undefined }))))).toBe(
      'signature_invalid',
    )
  })
})
