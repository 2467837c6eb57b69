/** Opaque tokens: what their issuer says of them, how long that counts, and what an issuer may not say. */
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createAuth, type IntrospectionOptions, type IssuerOptions } from '../../src/index.ts'
import { codeOf, complaintOf, errorOf, NOW, SECRET, stoppedClock } from '../token/forge.ts'
import { makeKey, readForm, signWith, startProvider } from './provider.ts'

const rsa = makeKey('RS256', 'rsa-1')
type Response = Readonly<Record<string, unknown>>

/** An application, and an issuer that knows these tokens. Every other token is inactive. */
async function start(
  known: Readonly<Record<string, Response | string>>,
  options: Partial<IssuerOptions> = {},
  introspection: IntrospectionOptions = {},
) {
  const provider = await startProvider([rsa])
  const asked: { token: string; authorization: string | undefined; hint: string | null }[] = []
  provider.routes.set('/introspect', async (request, response) => {
    const form = await readForm(request)
    const token = form.get('token') ?? ''
    asked.push({ token, authorization: request.headers.authorization, hint: form.get('token_type_hint') })
    const said = known[token] ?? { active: false }
    response.end(typeof said === 'string' ? said : JSON.stringify(said))
  })
  const clock = stoppedClock()
  const credentials = 'headers' in introspection ? {} : { clientId: 'api', clientSecret: 'secret of api' }
  const auth = createAuth({
    clock,
    issuers: [
      {
        issuer: provider.issuer,
        audience: 'api',
        introspection: { endpoint: `${provider.issuer}/introspect`, ...credentials, ...introspection },
        ...options,
      },
    ],
  })
  return { provider, clock, auth, asked, verify: (token: string) => auth.verifyToken(token) }
}

const ACTIVE = { active: true, sub: 'user-1', scope: 'orders:read', exp: NOW + 3600, token_type: 'Bearer' }

describe('an opaque token', () => {
  it('is what its issuer says of it, asked with the credentials of the application', async () => {
    const { verify, asked, auth } = await start({
      'opaque.token': { ...ACTIVE, client_id: 'app', username: 'alice' },
    })
    expect(auth.issuers()).toMatchObject([{ introspection: 'unused' }])
    expect(await verify('opaque.token')).toMatchObject({
      sub: 'user-1',
      scopes: ['orders:read'],
      client_id: 'app',
      exp: NOW + 3600,
      data: { username: 'alice' },
    })
    expect(asked).toEqual([
      {
        token: 'opaque.token',
        authorization: `Basic ${Buffer.from('api:secret+of+api').toString('base64')}`,
        hint: 'access_token',
      },
    ])
    expect(auth.issuers()).toMatchObject([{ introspection: 'current' }])
  })

  it('is asked about once a minute, and never later than it ends', async () => {
    const { verify, asked, clock } = await start({ a: ACTIVE, b: { ...ACTIVE, exp: NOW + 20 } })
    for (let i = 0; i < 3; i++) await verify('a')
    await verify('b')
    clock.now += 19
    await verify('b')
    expect(asked).toHaveLength(2)
    clock.now += 2
    await codeOf(() => verify('b'))
    expect(asked).toHaveLength(3)
    clock.now += 40
    await verify('a')
    expect(asked).toHaveLength(4)
  })

  it('that is not active is refused, and remembered as such for ten seconds', async () => {
    const known: Record<string, Response> = {}
    const { verify, asked, clock } = await start(known)
    for (let i = 0; i < 3; i++) expect(await codeOf(() => verify('a'))).toBe('token_revoked')
    expect(asked).toHaveLength(1)
    known['a'] = ACTIVE
    clock.now += 10
    expect(await codeOf(() => verify('a'))).toBe('accepted')
  })

  it('is asked about once by a thousand requests at once', async () => {
    const { verify, asked } = await start({ a: ACTIVE })
    await Promise.all(Array.from({ length: 1000 }, () => verify('a')))
    expect(asked).toHaveLength(1)
  })

  it('is never taken for another one: not by a prefix, not by an end, not by what is remembered', async () => {
    const { verify } = await start({ abcdefgh12345: ACTIVE })
    await verify('abcdefgh12345')
    for (const token of ['abcdefgh1234', 'Xabcdefgh12345', 'Xbcdefgh12345', 'abcdefgh12345=', '12345'])
      expect(await codeOf(() => verify(token))).toBe('token_revoked')
    expect(await codeOf(() => verify('abcdefgh12345'))).toBe('accepted')
  })

  it('without an end is good until its issuer is asked again', async () => {
    const { verify } = await start({ a: { active: true, sub: 'user-1' } })
    expect(await verify('a')).toMatchObject({ exp: NOW + 60 })
  })

  it('may be mapped, with the members of the response as claims', async () => {
    const toUser: IssuerOptions['toUser'] = ({ username, scope }) => ({
      sub: String(username),
      scopes: [`from:${scope}`],
    })
    const { verify } = await start({ a: { ...ACTIVE, username: 'alice' } }, { toUser })
    expect(await verify('a')).toMatchObject({ sub: 'alice', scopes: ['from:orders:read'] })
  })

  it.each<[string, Response, string]>([
    ['of another issuer', { iss: 'https://evil.example' }, 'issuer_invalid'],
    ['of another audience', { aud: 'billing' }, 'audience_invalid'],
    ['that has ended', { exp: NOW - 10 }, 'token_expired'],
    ['that is not active yet', { nbf: NOW + 100 }, 'token_not_active'],
    ['of another type', { token_type: 'DPoP' }, 'token_malformed'],
    ['that is a refresh token', { token_use: 'refresh_token' }, 'token_malformed'],
    ['that is bound to a key', { cnf: { jkt: 'x' } }, 'token_malformed'],
    ['without a subject', { sub: undefined }, 'token_malformed'],
  ])('is refused though active: one %s', async (_, changes, code) => {
    const { verify } = await start({ a: { ...ACTIVE, ...changes } })
    expect(await codeOf(() => verify('a'))).toBe(code)
  })

  it.each<[string, Response | string]>([
    ['a text', { ...ACTIVE, active: 'true' }],
    ['a number', { ...ACTIVE, active: 1 }],
    ['missing', { sub: 'user-1' }],
    ['no JSON', 'active'],
  ])('is not accepted where `active` is %s', async (_, said) => {
    const { verify } = await start({ a: said })
    expect(await codeOf(() => verify('a'))).toBe('issuer_unavailable')
  })

  it('of a form that no bearer token has is not shown to the issuer', async () => {
    const { verify, asked } = await start({})
    for (const token of ['a b', 'a\nb', 'ü', '', 'x'.repeat(9000), 'a,b', '"a"'])
      expect(await codeOf(() => verify(token))).toBe('token_malformed')
    expect(asked).toEqual([])
  })
})

describe('an issuer that is asked', () => {
  it('and does not respond is 503, and the tokens that are remembered go on', async () => {
    const { verify, provider, auth, clock } = await start({ a: ACTIVE })
    await verify('a')
    await provider.stop()
    expect(await errorOf(() => verify('b'))).toMatchObject({ code: 'issuer_unavailable', status: 503 })
    expect(await codeOf(() => verify('a'))).toBe('accepted')
    expect(auth.issuers()).toMatchObject([{ introspection: 'down' }])
    clock.now += 61
    expect(await codeOf(() => verify('a'))).toBe('issuer_unavailable')
    await provider.restart()
    expect(await codeOf(() => verify('a'))).toBe('accepted')
    expect(auth.issuers()).toMatchObject([{ introspection: 'current' }])
  })

  it('and redirects, or knows other credentials, is 503: the token goes nowhere else', async () => {
    const { verify, provider } = await start({})
    for (const [status, reason] of [
      [307, 'not followed'],
      [401, 'credentials'],
    ] as const) {
      provider.routes.set('/introspect', (_, response) =>
        response.writeHead(status, { location: '/other' }).end(),
      )
      const error = (await errorOf(() => verify(`t${status}`))) as Error & { cause: Error }
      expect((error.cause.cause as Error).message).toContain(reason)
    }
    expect(provider.hits.get('/other')).toBeUndefined()
  })

  it('is asked about so many tokens at once and no more', async () => {
    const { verify, provider } = await start({}, {}, { concurrency: 2 })
    const held: (() => void)[] = []
    provider.routes.set('/introspect', (_, response) => held.push(() => response.end('{"active":false}')))
    const two = ['a', 'b'].map((token) => codeOf(() => verify(token)))
    await expect.poll(() => held.length).toBe(2)
    expect(await codeOf(() => verify('c'))).toBe('issuer_unavailable')
    for (const release of held) release()
    expect(await Promise.all(two)).toEqual(['token_revoked', 'token_revoked'])
  })

  it('is not asked about its JWTs, unless it has no keys here', async () => {
    const { verify, provider, asked } = await start({})
    expect(await codeOf(() => verify(signWith(rsa, provider.claims())))).toBe('accepted')
    const forged = signWith(makeKey('RS256', 'rsa-1'), provider.claims())
    expect(await codeOf(() => verify(forged))).toBe('signature_invalid')
    expect(asked).toEqual([])
    const known: Record<string, Response> = {}
    const without = await start(known, { jwks: false })
    const token = signWith(rsa, without.provider.claims())
    expect(await codeOf(() => without.verify(token))).toBe('token_revoked')
    known[token] = ACTIVE
    without.clock.now += 10
    expect(await codeOf(() => without.verify(token))).toBe('accepted')
  })

  it('is not asked with a header of two lines, and no error repeats it', async () => {
    const causes: unknown[] = []
    const secret = 'Bearer of the\nservice'
    const { auth, asked, verify } = await start(
      { good: ACTIVE },
      {},
      { headers: () => ({ authorization: secret }) },
    )
    const error = await errorOf(() => verify('good'))
    causes.push(error, auth.issuers())
    expect(error).toMatchObject({ code: 'issuer_unavailable' })
    expect(inspect(causes, { depth: 12, showHidden: true })).toContain(
      'a header of the request has a character',
    )
    expect(inspect(causes, { depth: 12, showHidden: true })).not.toMatch(/of the\\?n?service/)
    expect(asked).toEqual([])
  })

  it('is found by its metadata, and knows the application by headers of its own', async () => {
    const { auth, provider, asked } = await start(
      { a: ACTIVE },
      {
        introspection: { headers: async () => ({ authorization: 'Bearer of the service' }) },
      },
    )
    provider.routes.set('/.well-known/openid-configuration', (_, response) =>
      response.end(
        JSON.stringify({ issuer: provider.issuer, introspection_endpoint: `${provider.issuer}/introspect` }),
      ),
    )
    expect(await codeOf(() => auth.verifyToken('a'))).toBe('accepted')
    expect(asked[0]?.authorization).toBe('Bearer of the service')
  })
})

describe('the option `introspection`', () => {
  const issuer = 'https://idp.example'
  const issuers = (introspection: unknown, more = {}) => ({
    issuers: [{ issuer, audience: 'api', introspection, ...more }],
  })

  it.each<[string, unknown, RegExp]>([
    ['no object', 'https://idp.example', /`issuers\[0\]\.introspection` to be an object/],
    ['no credentials', {}, /to hold `clientId` and `clientSecret`, or `headers`/],
    ['half of them', { clientId: 'api' }, /to hold `clientId` and `clientSecret`/],
    ['both kinds', { clientId: 'a', clientSecret: 'b', headers: () => ({}) }, /in place of both/],
    [
      'http',
      { endpoint: 'http://idp.example/', headers: () => ({}) },
      /`issuers\[0\]\.introspection\.endpoint` to be an https URL/,
    ],
    ['a cache of an hour', { headers: () => ({}), cacheFor: '1h' }, /cacheFor`.*between 0 and 600/],
    ['a misspelt member', { client: 'api' }, /did you mean `clientId`/],
  ])('is refused: %s', async (_, introspection, complaint) => {
    expect(await complaintOf(() => createAuth(issuers(introspection) as never))).toMatch(complaint)
  })

  it('is refused for two issuers, and is what `jwks: false` needs', async () => {
    const one = { audience: 'api', sharesSubjects: true, introspection: { clientId: 'a', clientSecret: 'b' } }
    const two = [
      { issuer, ...one },
      { issuer: 'https://other.example', ...one },
    ]
    expect(await complaintOf(() => createAuth({ issuers: two }))).toMatch(
      /must not be shown to another issuer/,
    )
    expect(
      await complaintOf(() => createAuth({ issuers: [{ issuer, audience: 'api', jwks: false }] })),
    ).toMatch(/`issuers\[0\]\.introspection` beside `jwks: false`/)
  })

  it('leaves own tokens to the own keys', async () => {
    const clock = stoppedClock()
    const auth = createAuth({
      ...issuers({ clientId: 'a', clientSecret: 'b' }, { sharesSubjects: true }),
      secret: SECRET,
      clock,
    } as never)
    expect(await auth.verifyToken(await auth.createAccessToken('user-1'))).toMatchObject({ sub: 'user-1' })
  })
})
