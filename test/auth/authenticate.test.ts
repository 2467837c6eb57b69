/** The journey of a request: the order of its checks, the blocklist, optional tokens, and renewal in passing by both doors. */
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import type { Auth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import type { Requirement } from '../../src/index.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { claimsOf, codeOf, complaintOf, errorOf, forge, NOW, read, SECRET, setUp } from '../token/forge.ts'

const ALL = ['header', 'cookie', 'query', 'body'] as const
const ACCESS = '__Host-access_token'

/** A request with cookies, a method and headers. */
function ask(
  token: string | null,
  init: { method?: string; headers?: Record<string, string>; url?: string } = {},
): Request {
  const { method = 'POST', headers = {}, url = 'https://app.example/x' } = init
  return new Request(url, {
    method,
    headers: { ...(token === null ? {} : { cookie: `${ACCESS}=${token}` }), ...headers },
  })
}

const FOREIGN = { 'sec-fetch-site': 'cross-site' }
const CSRF = { 'x-csrf-token': 'c' }

/**
 * A request with every fault from one on, in the order of the contract: each line mends one more fault than the one before, so
 * that the code of the next check shows only when it really comes next.
 */
const ORDER: readonly (readonly [string, string])[] = [
  ['two tokens', 'request_invalid'],
  ['a foreign origin', 'csrf_mismatch'],
  ['a wrong signature', 'signature_invalid'],
  ['an expired token', 'token_expired'],
  ['a token of another type', 'access_token_required'],
  ['a token of another realm', 'realm_mismatch'],
  ['no CSRF header', 'csrf_missing'],
  ['a revoked token', 'token_revoked'],
  ['a stale token', 'fresh_token_required'],
  ['a token without the scope', 'scope_missing'],
  ['nothing wrong', 'accepted'],
]

describe('what counts as forged', () => {
  it.each(['cookie', 'header', 'query', 'body'] as const)(
    'a foreign POST without a CSRF header passes with its token anywhere but in a cookie: %s',
    async (location) => {
      for (const mode of ['both', 'origin', 'token', false] as const) {
        const { auth } = setUp({ locations: [...ALL], csrf: mode })
        const token = forge(claimsOf({ csrf: 'c' }))
        const judge = (): Promise<string> => {
          const url = `https://app.example/x${location === 'query' ? `?access_token=${token}` : ''}`
          const request = new Request(url, {
            method: 'POST',
            headers: {
              ...FOREIGN,
              'content-type': 'application/x-www-form-urlencoded',
              ...(location === 'header' && { authorization: `Bearer ${token}` }),
              ...(location === 'cookie' && { cookie: `${ACCESS}=${token}` }),
            },
            body: location === 'body' ? `access_token=${token}` : '',
          })
          return codeOf(() => auth.authenticate(request))
        }
        const refused = mode === 'token' ? 'csrf_missing' : 'csrf_mismatch'
        const code = location === 'cookie' && mode !== false ? refused : 'accepted'
        // The second time it is remembered.
        for (const _ of [1, 2]) expect(await judge()).toBe(code)
      }
    },
  )
})

describe('the order of checks', () => {
  it.each(ORDER.map(([fault, code], mended) => [fault, code, mended] as const))(
    '%s: %s',
    async (_, code, mended) => {
      const has = (fault: number): boolean => mended <= fault
      const { auth } = setUp({
        locations: ['cookie', 'query', 'header'],
        realm: 'us',
        isRevoked: ({ sub }) => sub === 'revoked',
      })
      const type = has(4) ? 'refresh' : 'access'
      const claims = claimsOf({
        type,
        csrf: 'c',
        auth_time: NOW,
        sub: has(7) ? 'revoked' : 'user-1',
        exp: has(3) ? NOW - 60 : NOW + 60,
        iat: NOW - 120,
        login_type: has(5) ? 'them' : 'us',
        fresh: !has(8),
        scopes: has(9) ? [] : ['admin'],
      })
      const header = { alg: 'HS256', typ: has(4) ? 'rt+jwt' : 'at+jwt' }
      const token = forge(claims, {
        header,
        secret: has(2) ? 'Wd0qvT4mSx8Kz2rJ9nLc6fYh1bGp3eUa7iRo' : SECRET,
      })
      const request = ask(token, {
        url: has(0) ? 'https://app.example/?access_token=a&access_token=b' : 'https://app.example/',
        headers: { ...(has(1) ? FOREIGN : {}), ...(has(6) ? {} : CSRF) },
      })
      const judge = (): Promise<string> =>
        codeOf(() => auth.authenticate(request, { fresh: true, scopes: ['admin'] }))
      expect(await judge()).toBe(code)
      // Once more: what was verified is remembered now.
      expect(await judge()).toBe(code)
    },
  )

  it('issuer and audience come with the claims: after the signature, before the type', async () => {
    const { auth } = setUp({ issuer: 'us', audience: 'api' })
    const judge = (claims: object, secret = SECRET): Promise<string> =>
      codeOf(() =>
        auth.verifyToken(
          forge(claimsOf({ type: 'refresh', ...claims }), {
            secret,
            header: { alg: 'HS256', typ: 'rt+jwt' },
          }),
        ),
      )
    expect(await judge({ exp: 1 }, 'Wd0qvT4mSx8Kz2rJ9nLc6fYh1bGp3eUa7iRo')).toBe('signature_invalid')
    expect(await judge({})).toBe('issuer_invalid')
    expect(await judge({ iss: 'us' })).toBe('audience_invalid')
    expect(await judge({ iss: 'us', aud: 'api', iat: NOW - 60, exp: NOW - 30 })).toBe('token_expired')
    expect(await judge({ iss: 'us', aud: 'api' })).toBe('access_token_required')
  })

  it('a bad token is never rescued by a good one elsewhere', async () => {
    const { auth } = setUp({ locations: [...ALL] })
    const good = forge(claimsOf())
    const bad = { headers: { authorization: 'Bearer bad' }, method: 'GET' }
    expect(await codeOf(() => auth.authenticate(ask(good, bad)))).toBe('token_malformed')
    expect(await codeOf(() => auth.authenticate(ask('bad', { method: 'GET' })))).toBe('token_malformed')
  })
})

describe('the blocklist', () => {
  const token = (): string => forge(claimsOf())
  const judge = (isRevoked: unknown, requirement: Requirement = {}, text = token()): Promise<string> =>
    codeOf(() =>
      setUp({ isRevoked: isRevoked as NonNullable<AuthOptions['isRevoked']> }).auth.verifyToken(
        text,
        requirement,
      ),
    )
  // An object that answers a promise without being an async function: AuthX takes the promise itself for a yes.
  const callable = Object.assign(() => Promise.resolve(false), { list: [] })
  // biome-ignore lint/suspicious/noThenProperty: what a blocklist may answer
  const thenable = { then: (resolve: (value: boolean) => void) => resolve(false) }

  const ANSWERS: readonly (readonly [string, unknown, string])[] = [
    ['false', () => false, 'accepted'],
    ['a promise of false', async () => false, 'accepted'],
    ['a promise of false from a callable object', callable, 'accepted'],
    ['something to wait for, of false', () => thenable, 'accepted'],
    ['true', () => true, 'token_revoked'],
    ['a promise of true', async () => true, 'token_revoked'],
    ['undefined', () => undefined, 'token_revoked'],
    ['null', async () => null, 'token_revoked'],
    ['0', () => 0, 'token_revoked'],
    ['an empty text', () => '', 'token_revoked'],
    ['an object', () => ({ revoked: false }), 'token_revoked'],
    [
      'a throw',
      () => {
        throw new Error('down')
      },
      'store_unavailable',
    ],
    ['a rejection', () => Promise.reject(new Error('down')), 'store_unavailable'],
    ['a rejection with nothing', () => Promise.reject(undefined), 'store_unavailable'],
    [
      'an AuthError of its own',
      () => {
        throw Object.assign(new Error(), { code: 'token_expired', name: 'TokenExpiredError' })
      },
      'store_unavailable',
    ],
  ]
  it.each(ANSWERS.map(([answer, isRevoked, code]) => [answer, code, isRevoked] as const))(
    'that returns %s: %s',
    async (_, code, isRevoked) => {
      expect(await judge(isRevoked)).toBe(code)
    },
  )

  it('is a store that is down when it throws: 503, with the cause for the log and not for the response', async () => {
    const cause = new Error('redis://user:pass@host is down')
    const { auth } = setUp({ isRevoked: () => Promise.reject(cause) })
    const error = await errorOf(() => auth.verifyToken(token()))
    expect(error).toMatchObject({
      code: 'store_unavailable',
      status: 503,
      cause,
      message: 'Service temporarily unavailable',
    })
  })

  it('gets the verified payload, only of tokens that are valid, of the right type and realm', async () => {
    const isRevoked = vi.fn(() => false)
    await judge(isRevoked, {}, 'x.y.z')
    await judge(isRevoked, {}, forge(claimsOf(), { secret: 'Wd0qvT4mSx8Kz2rJ9nLc6fYh1bGp3eUa7iRo' }))
    await judge(isRevoked, {}, forge(claimsOf({ exp: NOW - 60 })))
    await judge(isRevoked, { type: 'refresh' })
    await judge(isRevoked, { realm: 'x' })
    expect(isRevoked).not.toHaveBeenCalled()
    await judge(isRevoked, {}, forge(claimsOf({ jti: 'j-1' })))
    expect(isRevoked).toHaveBeenCalledWith(expect.objectContaining({ sub: 'user-1', jti: 'j-1' }))
  })

  it('is asked before freshness and scopes', async () => {
    expect(await judge(() => true, { fresh: true, scopes: ['a'] })).toBe('token_revoked')
    expect(await judge(() => false, { fresh: true, scopes: ['a'] })).toBe('fresh_token_required')
  })
})

describe('optional', () => {
  const { auth } = setUp({ locations: ['header', 'cookie'] })
  const judge = (request: Request): Promise<unknown> => auth.authenticate(request, { optional: true })
  const bearer = (text: string): Request => ask(null, { headers: { authorization: text } })

  it('gives null for no token, and the payload for a good one', async () => {
    expect(await judge(ask(null))).toBeNull()
    expect(await judge(bearer('Basic dXNlcjpwYXNz'))).toBeNull()
    expect(await judge(bearer(`Bearer ${forge(claimsOf())}`))).toMatchObject({ sub: 'user-1' })
  })

  it.each([
    ['malformed', 'x.y.z', 'token_malformed'],
    ['expired', forge(claimsOf({ exp: NOW - 60 })), 'token_expired'],
    [
      'of another type',
      forge(claimsOf({ type: 'refresh' }), { header: { alg: 'HS256', typ: 'rt+jwt' } }),
      'access_token_required',
    ],
  ])('refuses a token that is %s all the same', async (_, token, code) => {
    expect(await codeOf(() => judge(bearer(`Bearer ${token}`)))).toBe(code)
  })

  it('refuses a foreign page that brings a cookie along', async () => {
    expect(await codeOf(() => judge(ask(forge(claimsOf({ csrf: 'c' })), { headers: FOREIGN })))).toBe(
      'csrf_mismatch',
    )
  })

  // FINDING F8: a requirement is remembered by its object as it was when it was first seen.
  it('a requirement that grew stricter is met as it is now', async () => {
    const need: { fresh?: boolean } = {}
    const request = (): Request => bearer(`Bearer ${forge(claimsOf())}`)
    expect(await codeOf(() => auth.authenticate(request(), need))).toBe('accepted')
    need.fresh = true
    expect(await codeOf(() => auth.authenticate(request(), need))).toBe('fresh_token_required')
  })
})

describe('findToken', () => {
  const { auth } = setUp({ locations: [...ALL] })
  const token = forge(claimsOf({ csrf: 'c-1' }))

  it('finds the token, its place and its unverified CSRF value', async () => {
    expect(await auth.findToken(ask(token))).toEqual({ token, location: 'cookie', csrf: 'c-1' })
    expect(await auth.findToken(ask(null, { headers: { authorization: `Bearer ${token}` } }))).toMatchObject({
      location: 'header',
    })
    expect(await auth.findToken(ask(null, { url: `https://a/?access_token=${token}` }))).toMatchObject({
      location: 'query',
    })
    expect(await auth.findToken(ask(null))).toBeNull()
  })

  it('finds what is no token at all, since it verifies nothing', async () => {
    expect(await auth.findToken(ask('garbage'))).toEqual({ token: 'garbage', location: 'cookie', csrf: null })
    expect(await auth.findToken(ask(forge({ csrf: 7 })))).toMatchObject({ csrf: null })
  })

  it('looks for the type and at the places that it is told', async () => {
    expect(await auth.findToken(ask(token), 'refresh')).toBeNull()
    expect(await auth.findToken(ask(token), 'any')).toMatchObject({ location: 'cookie' })
    expect(await auth.findToken(ask(token), 'access', ['header'])).toBeNull()
    expect(
      await codeOf(() => auth.findToken(ask(null, { url: 'https://a/?access_token=a&access_token=b' }))),
    ).toBe('request_invalid')
  })
})

type Handler = (auth: Auth, cookies: readonly string[]) => Response
/** Runs one request through a door with a requirement; the handler may set cookies of its own. */
const ENTRY_POINTS: readonly (readonly [
  string,
  (auth: Auth, need: Requirement, request: Request, own?: readonly string[]) => Promise<Response>,
])[] = [
  [
    'fetch',
    (auth, need, request, own = []) => {
      const answer: Handler = (_, cookies) =>
        new Response('ok', { headers: cookies.map((line) => ['Set-Cookie', line] as [string, string]) })
      return fetchGuards(auth).token(need)(() => answer(auth, own))(request)
    },
  ],
  [
    'hono',
    async (auth, need, request, own = []) => {
      const app = new Hono()
      app.onError((error, c) => c.text(String(error), 500))
      app.all('/x', honoGuards(auth).token(need), (c) => {
        for (const line of own) c.header('Set-Cookie', line, { append: true })
        return c.text('ok')
      })
      return app.request(request)
    },
  ],
]

/** An access token that is about to expire. */
const DUE = {
  csrf: 'c',
  auth_time: NOW - 800,
  iat: NOW - 800,
  exp: NOW + 100,
  fresh: true,
  scopes: ['a'],
  aud: 'api',
  sid: 's',
  tenant: 't',
  amr: ['pwd'],
  acr: 'g',
}
const OPTIONS: AuthOptions = { locations: ['header', 'cookie'], audience: 'api' }

describe.each(ENTRY_POINTS)('renewal during a request to %s', (_, pass) => {
  const renewalOf = (response: Response): string | undefined =>
    response.headers
      .getSetCookie()
      .find((line) => line.startsWith(`${ACCESS}=`))
      ?.slice(ACCESS.length + 1)
      .split(';')[0]
  const run = async (
    claims: object,
    requirement: Requirement = { renew: true },
    options = OPTIONS,
  ): Promise<Response> =>
    pass(setUp(options).auth, requirement, ask(forge(claimsOf({ ...DUE, ...claims })), { method: 'GET' }))

  it('a token that can never be renewed is told to the operator, once', async () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { auth } = setUp(OPTIONS)
    const token = forge(claimsOf({ ...DUE, auth_time: undefined }))
    for (let i = 0; i < 2; i++) {
      const response = await pass(auth, { renew: true }, ask(token, { method: 'GET' }))
      expect([response.status, renewalOf(response)]).toEqual([200, undefined])
    }
    expect(warning).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('auth_time'),
      expect.objectContaining({ code: 'TOKENWRIGHT_RENEW' }),
    )
    warning.mockRestore()
  })

  it('a token that is about to expire is renewed: not fresh, with scopes, data, audience and auth_time', async () => {
    const response = await run({ jti: 'old' })
    const { jti, ...claims } = read(renewalOf(response)!)
    expect(response.status).toBe(200)
    expect(jti).not.toBe('old')
    expect(claims).toEqual({
      sub: 'user-1',
      type: 'access',
      fresh: false,
      csrf: 'c',
      iat: NOW,
      exp: NOW + 900,
      auth_time: NOW - 800,
      scopes: ['a'],
      aud: 'api',
      sid: 's',
      tenant: 't',
      amr: ['pwd'],
      acr: 'g',
    })
    expect(response.headers.getSetCookie().map((line) => line.split('=')[0])).toEqual([
      ACCESS,
      '__Host-csrf_token',
    ])
  })

  it.each<[string, object, Requirement, boolean]>([
    ['it expires in 5 minutes', { exp: NOW + 300 }, { renew: true }, true],
    ['it expires in more than 5 minutes', { exp: NOW + 301 }, { renew: true }, false],
    ['the route asks for earlier', { exp: NOW + 500 }, { renew: { within: '10m' } }, true],
    ['the route does not ask', {}, {}, false],
    ['the route says no', {}, { renew: false }, false],
    ['it has no auth_time', { auth_time: undefined }, { renew: true }, false],
    ['the authentication was 12 hours ago', { auth_time: NOW - 43_200 }, { renew: true }, false],
    ['a little less than 12 hours ago', { auth_time: NOW - 43_200 + 200 }, { renew: true }, true],
    [
      'the cap would not let it live longer than it does',
      { auth_time: NOW - 43_200 + 100 },
      { renew: true },
      false,
    ],
    ['the route caps it at an hour', { auth_time: NOW - 3600 }, { renew: { maxAge: '1h' } }, false],
    ['it is not fresh', { fresh: false }, { renew: true }, true],
    ['it has expired within the leeway', { exp: NOW - 3 }, { renew: true }, true],
  ])('%s: %j %j %s', async (...[, claims, requirement, renewed]) => {
    const response = await run(claims, requirement)
    expect(response.status).toBe(200)
    expect(renewalOf(response) !== undefined).toBe(renewed)
  })

  it('never outlives the cap that is counted from auth_time, however often it is renewed', async () => {
    const { auth, clock } = setUp({ ...OPTIONS })
    let token = forge(claimsOf({ ...DUE, exp: NOW + 300 }))
    for (let renewals = 0; renewals < 400; renewals++) {
      clock.now += 250
      const response = await pass(auth, { renew: true }, ask(token, { method: 'GET' }))
      if (response.status === 401) break
      token = renewalOf(response) ?? token
      expect(read(token)['exp']).toBeLessThanOrEqual(DUE.auth_time + 43_200)
    }
    expect(clock.now).toBeGreaterThan(DUE.auth_time + 43_200)
    expect(clock.now).toBeLessThan(DUE.auth_time + 43_200 + 600)
  })

  it('only where the token came by cookie, and is an access token', async () => {
    const { auth } = setUp(OPTIONS)
    const byHeader = ask(null, { headers: { authorization: `Bearer ${forge(claimsOf(DUE))}` } })
    expect((await pass(auth, { renew: true }, byHeader)).headers.getSetCookie()).toEqual([])
    const refresh = forge(claimsOf({ ...DUE, type: 'refresh' }), { header: { alg: 'HS256', typ: 'rt+jwt' } })
    const request = new Request('https://app.example/x', {
      headers: { cookie: `__Host-refresh_token=${refresh}` },
    })
    const response = await pass(auth, { renew: true, type: 'refresh' }, request)
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []])
  })

  it.each<[string, object, Requirement, AuthOptions, number]>([
    ['revoked', {}, { renew: true }, { isRevoked: () => true }, 401],
    [
      'refused by a blocklist that is down',
      {},
      { renew: true },
      {
        isRevoked: () => {
          throw new Error()
        },
      },
      503,
    ],
    ['expired', { exp: NOW - 60 }, { renew: true }, {}, 401],
    ['without the scope', {}, { renew: true, scopes: ['z'] }, {}, 403],
    ['not fresh enough', { fresh: false }, { renew: true, fresh: true }, {}, 401],
  ])('never for a token that is %s', async (...[, claims, requirement, options, status]) => {
    const response = await run(claims, requirement, { ...OPTIONS, ...options })
    expect([response.status, response.headers.getSetCookie()]).toEqual([status, []])
  })

  it('never for a request that fails the CSRF check', async () => {
    const { auth } = setUp(OPTIONS)
    const response = await pass(auth, { renew: true }, ask(forge(claimsOf(DUE)), { method: 'POST' }))
    expect([response.status, response.headers.getSetCookie()]).toEqual([403, []])
  })

  it('never against a handler that clears or sets the cookies: logout has the last word', async () => {
    const { auth } = setUp(OPTIONS)
    const clearing = auth.clearCookies()
    const response = await pass(auth, { renew: true }, ask(forge(claimsOf(DUE)), { method: 'GET' }), clearing)
    expect(response.headers.getSetCookie()).toEqual(clearing)
    const other = await pass(auth, { renew: true }, ask(forge(claimsOf(DUE)), { method: 'GET' }), [
      'theme=dark; Path=/',
    ])
    expect(other.headers.getSetCookie().length).toBe(3)
  })

  // FINDING F5: renewal in passing must never fail the request that it passes. Each of these is a 500 or a throw.
  it('leaves a token alone whose cap ends within the leeway', async () => {
    const response = await run({ auth_time: NOW - 43_200 - 1, iat: NOW - 902, exp: NOW - 2 })
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []])
  })

  it('leaves a token alone that would grow beyond what browsers keep', async () => {
    const sized = (n: number): string => forge(claimsOf({ ...DUE, pad: 'x'.repeat(n) }))
    const n = Array.from({ length: 400 }, (__, i) => 2500 + i).findLast(
      (i) => sized(i).length + ACCESS.length <= 4096,
    )!
    const response = await pass(setUp(OPTIONS).auth, { renew: true }, ask(sized(n), { method: 'GET' }))
    expect(response.status).toBe(200)
  })

  it('a ring that only verifies is refused when the route is made, not when the first token is due', async () => {
    const key = generateKey('ES256')
    const signer = setUp({
      ...OPTIONS,
      secret: undefined as never,
      keys: createKeyRing({ signing: key }),
    }).auth
    const { d: ___, ...verifying } = key as typeof key & { d: string }
    const { auth } = setUp({
      ...OPTIONS,
      secret: undefined as never,
      keys: createKeyRing({ verifying: [verifying] }),
    })
    const complaint = await complaintOf(() => auth.prepare({ renew: true }))
    const token = await signer.createAccessToken('u', { fresh: true, expiresIn: '1m' })
    const status =
      complaint === 'accepted'
        ? (await pass(auth, { renew: true }, ask(token, { method: 'GET' }))).status
        : 200
    expect(status).toBe(200)
  })
})

describe('renewal in passing', () => {
  it('tells its listener, and happens only where cookies can be set', async () => {
    const renewed = vi.fn()
    const { auth } = setUp({ ...OPTIONS, on: { renewed } })
    const request = ask(forge(claimsOf(DUE)), { method: 'GET' })
    await auth.authenticate(request, { renew: true })
    expect(renewed).not.toHaveBeenCalled()
    await fetchGuards(auth).token({ renew: true })(() => new Response())(request)
    expect(renewed).toHaveBeenCalledExactlyOnceWith({ sub: 'user-1' })
  })
})
