/**
 * What AuthX 1.7.1, FastJWT 0.4.1, flask-jwt-extended 4.7.1 and TypeScript libraries get wrong, each held against us.
 * `docs/invariants.md` says what each D and O stands for. Requests go through the fetch adapter and the routes.
 */
import { describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { type Auth, createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions, Requirement } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import {
  claimsOf,
  codeOf,
  complaintOf,
  forge,
  NOW,
  read,
  SECRET,
  setUp,
  stoppedClock,
} from '../token/forge.ts'

const ACCESS = '__Host-access_token'
const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } })
const cookie = (token: string, headers: object = {}): RequestInit => ({
  headers: { cookie: `${ACCESS}=${token}`, ...headers },
})

/** A guarded route; it answers what the payload says. */
function route(
  auth: Auth,
  requirement: Requirement = {},
): (init?: RequestInit, query?: string) => Promise<Response> {
  const handler = guards(auth).token(requirement)((_, payload) => Response.json({ sub: payload?.sub }))
  return (init, query = '') => handler(new Request(`https://app.example/x${query}`, init))
}

/** Login, refresh and logout for the user `test`. */
function routes(auth: Auth): (path: string, init?: RequestInit) => Promise<Response> {
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) =>
      username === 'test' && password === 'test' ? { subject: 'test' } : null,
  })
  return (path, init) => handle(new Request(`https://app.example/auth${path}`, { method: 'POST', ...init }))
}

async function answerOf(response: Response): Promise<[number, string]> {
  return [response.status, ((await response.json()) as { code: string }).code]
}

const DUE = {
  csrf: 'c',
  auth_time: NOW - 800,
  iat: NOW - 800,
  exp: NOW + 100,
  scopes: ['a'],
  aud: 'api',
  tenant: 't',
}
const COOKIES: AuthOptions = { locations: ['header', 'cookie'], audience: 'api' }

describe('options that are declared and never read (D1, O21, O32)', () => {
  it('the leeway is carried out: an expiry of 10 s ago passes with 60 s of it', async () => {
    const token = forge(claimsOf({ exp: NOW - 10 }))
    expect(await codeOf(() => setUp({ leeway: '60s' }).auth.verifyToken(token))).toBe('accepted')
    expect(await codeOf(() => setUp({ leeway: 5 }).auth.verifyToken(token))).toBe('token_expired')
  })

  it('nbf is written when it is asked for', async () => {
    const token = await setUp().auth.createAccessToken('u', { notBefore: NOW })
    expect(read(token)['nbf']).toBe(NOW)
  })

  it.each(['JWT_DECODE_LEEWAY', 'JWT_SESSION_TRACKING', 'leeeway', 'decodeAlgorithms', 'identityClaim'])(
    'an option that is never read is refused at start: %s',
    async (name) => {
      expect(await complaintOf(() => createAuth({ secret: SECRET, [name]: 1 } as AuthOptions))).toMatch(
        /^ConfigurationError: Unknown option/,
      )
    },
  )

  it('a bad setting is refused at start and not at the first request', async () => {
    expect(await complaintOf(() => createAuth({ secret: 'short' }))).toMatch(/^ConfigurationError/)
    expect(await complaintOf(() => createAuth({ secret: SECRET, access: { expiresIn: -5 } }))).toMatch(
      /^ConfigurationError/,
    )
  })
})

describe('custom data', () => {
  it('is what was put in, and not always empty (D2, O9)', async () => {
    const { auth } = setUp()
    const payload = await auth.verifyToken(
      await auth.createAccessToken('u', { data: { email: 'a@b.c', n: 1 } }),
    )
    expect(payload.data['email']).toBe('a@b.c')
    expect(payload.data).toEqual({ email: 'a@b.c', n: 1 })
  })

  it.each(['sub', 'exp', 'jti', 'iat', 'login_type', 'scopes', 'fresh', 'type'])(
    'cannot override %s in silence (O28)',
    async (name) => {
      expect(await complaintOf(() => setUp().auth.createAccessToken('u', { data: { [name]: 'x' } }))).toMatch(
        /^TypeError: .* is reserved$/,
      )
    },
  )
})

describe('keys', () => {
  it('with a previous key, an expired token is reported as expired (D3, O33)', async () => {
    const [now, previous] = [generateKey('HS256'), generateKey('HS256')]
    const clock = stoppedClock()
    const auth = createAuth({ keys: createKeyRing({ signing: now, verifying: [previous] }), clock })
    const old = createAuth({ keys: createKeyRing({ signing: previous }), clock })
    const tokens = [await auth.createAccessToken('u'), await old.createAccessToken('u')]
    clock.now = NOW + 1000
    for (const token of tokens)
      expect(await answerOf(await route(auth)(bearer(token)))).toEqual([401, 'token_expired'])
  })

  it('rotate by kid, with a date of retirement and a JWKS (D12)', () => {
    const ring = createKeyRing({
      signing: generateKey('ES256', 'b'),
      verifying: [{ alg: 'ES256', key: generateKey('ES256'), kid: 'a', notAfter: NOW }],
    })
    expect(ring.jwks.keys.map(({ kid }) => kid)).toEqual(['b', 'a'])
    expect(ring.keys.map(({ notAfter }) => notAfter)).toEqual([Number.POSITIVE_INFINITY, NOW])
  })

  it('have a least length: a secret of one byte is no secret (O16)', async () => {
    for (const secret of ['', 'x'])
      expect(await complaintOf(() => createAuth({ secret }))).toMatch(/at least 32 bytes/)
  })

  it('that are RSA are never taken for an HMAC secret, whatever stands before the PEM (fast-jwt #589)', async () => {
    const pem = '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----'
    for (const prefix of ['', ' ', '\n', '\0', '\u200b', '# a comment\n']) {
      expect(await complaintOf(() => createAuth({ secret: prefix + pem }))).toContain(
        'got a key of another kind',
      )
    }
  })
})

describe('implicit refresh', () => {
  const pass = (claims: object = {}, options: AuthOptions = {}, init?: RequestInit): Promise<Response> =>
    route(setUp({ ...COOKIES, ...options }).auth, { renew: true })(
      init ?? cookie(forge(claimsOf({ ...DUE, ...claims }))),
    )
  const renewed = (response: Response): Record<string, unknown> | undefined => {
    const line = response.headers.getSetCookie().find((text) => text.startsWith(`${ACCESS}=`))
    return line === undefined ? undefined : read(line.slice(ACCESS.length + 1))
  }

  it('keeps scopes, audience and custom data (D4, O6)', async () => {
    expect(renewed(await pass())).toMatchObject({ scopes: ['a'], aud: 'api', tenant: 't' })
  })

  it('does not renew a revoked token (D5, O3)', async () => {
    const response = await pass({}, { isRevoked: () => true })
    expect([response.status, renewed(response)]).toEqual([401, undefined])
  })

  it('ends: it has an absolute cap (D5, O5)', async () => {
    expect(renewed(await pass({ auth_time: NOW - 43_300 }))).toBeUndefined()
  })

  it('gives no fresh token to a request whose CSRF check failed (O5)', async () => {
    const init = { ...cookie(forge(claimsOf(DUE))), method: 'POST' }
    const response = await pass({}, {}, init)
    expect([response.status, renewed(response)]).toEqual([403, undefined])
  })

  it('does not undo a logout (O4)', async () => {
    const { auth } = setUp(COOKIES)
    const handler = guards(auth).token({ renew: true })(() => {
      const response = new Response('bye')
      for (const line of auth.clearCookies()) response.headers.append('Set-Cookie', line)
      return response
    })
    const response = await handler(new Request('https://app.example/', cookie(forge(claimsOf(DUE)))))
    expect(response.headers.getSetCookie()).toEqual(auth.clearCookies())
  })

  it('is on where the route says so and nowhere else (D6, O22)', async () => {
    const { auth } = setUp(COOKIES)
    const init = cookie(forge(claimsOf(DUE)))
    expect(renewed(await route(auth, { renew: true })(init))).toBeDefined()
    expect(renewed(await route(auth)(init))).toBeUndefined()
  })

  it('sees no token without exp, since it issues no such token (O7)', async () => {
    const response = await pass({ exp: undefined })
    expect(await answerOf(response)).toEqual([401, 'token_malformed'])
  })
})

describe('the type of a token', () => {
  it.each([
    ['query', '?refresh_token='],
    ['query', '?access_token='],
  ] as const)('from the %s is judged by what the token says: %s (D7, O2)', async (location, query) => {
    const { auth } = setUp({ locations: [location] })
    const { access_token, refresh_token } = await auth.createTokenPair('u')
    const refresh = route(auth, { type: 'refresh' })
    if (query === '?refresh_token=') {
      expect(await answerOf(await refresh({}, query + access_token))).toEqual([401, 'refresh_token_required'])
      expect((await refresh({}, query + refresh_token)).status).toBe(200)
    } else {
      expect(await answerOf(await refresh({}, query + access_token))).toEqual([401, 'token_missing'])
      expect(await answerOf(await route(auth)({}, query + refresh_token))).toEqual([
        401,
        'access_token_required',
      ])
    }
  })

  it('an access token is not traded for a new one at /refresh (AuthX documentation)', async () => {
    const { auth } = setUp()
    const response = await routes(auth)('/refresh', bearer(await auth.createAccessToken('u')))
    expect(await answerOf(response)).toEqual([401, 'refresh_token_required'])
  })

  it('that is neither access nor refresh is refused, and not taken for access (flask)', async () => {
    const token = forge(claimsOf({ type: 'id' }), { header: { alg: 'HS256', typ: 'JWT' } })
    expect(await codeOf(() => setUp({ interop: true }).auth.verifyToken(token))).toBe('token_malformed')
  })

  it('a refresh token in the header refreshes by default: the documented curl works (D11)', async () => {
    const { auth } = setUp()
    const call = routes(auth)
    const login = await call('/login', {
      body: JSON.stringify({ username: 'test', password: 'test' }),
      headers: { 'content-type': 'application/json' },
    })
    const pair = (await login.json()) as { refresh_token: string }
    const response = await call('/refresh', bearer(pair.refresh_token))
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(read(((await response.json()) as { access_token: string }).access_token)).toMatchObject({
      sub: 'test',
      fresh: false,
    })
  })
})

describe('responses', () => {
  it('expired and bad tokens are 401 with a challenge, never 422 or 500 (D8, D11, O19, O24)', async () => {
    const { auth } = setUp()
    const tokens = [
      forge(claimsOf({ exp: NOW - 60 })),
      'x.y.z',
      forge(claimsOf(), { secret: 'Wd0qvT4mSx8Kz2rJ9nLc6fYh1bGp3eUa7iRo' }),
    ]
    const codes = ['token_expired', 'token_malformed', 'signature_invalid']
    for (const [i, token] of tokens.entries()) {
      const response = await route(auth)(bearer(token))
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await answerOf(response)).toEqual([401, codes[i]])
    }
  })

  it.each<[string, string | undefined, number, string]>([
    ['another scheme is no token', 'Basic dXNlcjpwYXNz', 401, 'token_missing'],
    ['no scheme is no token', 'TOKEN', 401, 'token_missing'],
    ['the scheme twice', 'Bearer Bearer TOKEN', 400, 'request_invalid'],
    ['the scheme without a token', 'Bearer', 401, 'token_missing'],
    ['a scheme that only begins like it', 'Bearerx TOKEN', 401, 'token_missing'],
    ['two tokens', 'Bearer TOKEN, Bearer TOKEN', 400, 'request_invalid'],
  ])('%s (D8, O10)', async (...[, value, status, code]) => {
    const { auth } = setUp()
    const header = (value ?? '').replaceAll('TOKEN', await auth.createAccessToken('u'))
    expect(await answerOf(await route(auth)({ headers: { authorization: header } }))).toEqual([status, code])
  })

  it.each(['bearer', 'BEARER', 'Bearer'])(
    'the scheme %s is the scheme, in any case (O10)',
    async (scheme) => {
      const { auth } = setUp()
      expect(
        (await route(auth)({ headers: { authorization: `${scheme} ${await auth.createAccessToken('u')}` } }))
          .status,
      ).toBe(200)
    },
  )

  it('tell a missing CSRF header from a missing token and from a wrong value (O23)', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const { access_token } = await auth.createTokenPair('u')
    const post = (headers: object): Promise<Response> =>
      route(auth)({ ...cookie(access_token, headers), method: 'POST' })
    expect(await answerOf(await post({}))).toEqual([403, 'csrf_missing'])
    expect(await answerOf(await post({ 'x-csrf-token': 'wrong' }))).toEqual([403, 'csrf_mismatch'])
    expect((await post({ 'x-csrf-token': String(read(access_token)['csrf']) })).status).toBe(200)
    expect(await answerOf(await route(auth)({ method: 'POST' }))).toEqual([401, 'token_missing'])
  })

  it('a CSRF header that is not ASCII is a refusal and no 500 (O40)', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const { access_token } = await auth.createTokenPair('u')
    const response = await route(auth)({
      ...cookie(access_token, { 'x-csrf-token': '\u00e9\u00ff' }),
      method: 'POST',
    })
    expect(await answerOf(response)).toEqual([403, 'csrf_mismatch'])
  })

  it('name neither the scopes that the user has nor the realm that would do (O18)', async () => {
    const { auth } = setUp({ realm: 'staff' })
    const token = forge(claimsOf({ scopes: ['secret:scope'], login_type: 'staff' }))
    const response = await route(auth, { scopes: ['admin'] })(bearer(token))
    expect(`${await response.text()} ${response.headers.get('www-authenticate')}`).not.toContain(
      'secret:scope',
    )
    const foreign = await route(auth)(bearer(forge(claimsOf({ login_type: 'guests' }))))
    expect(await foreign.text()).not.toMatch(/staff|guests/)
  })

  it('are the same whatever was asked before (O25)', async () => {
    const { auth } = setUp()
    const first = await (await route(auth)()).text()
    await route(auth)(bearer(await auth.createAccessToken('u')))
    expect(await (await route(auth)()).text()).toBe(first)
  })

  it('hold no token (hono/jwt)', async () => {
    const { auth } = setUp()
    const token = forge(claimsOf({ exp: NOW - 60 }))
    const response = await route(auth)(bearer(token))
    expect(JSON.stringify([...response.headers]) + (await response.text())).not.toContain(token.slice(0, 20))
  })

  it('tell an expired token from a forged one (hono/jwt)', async () => {
    const { auth } = setUp()
    const expired = await (await route(auth)(bearer(forge(claimsOf({ exp: NOW - 60 }))))).text()
    const forged = await (
      await route(auth)(bearer(forge(claimsOf(), { secret: 'Wd0qvT4mSx8Kz2rJ9nLc6fYh1bGp3eUa7iRo' })))
    ).text()
    expect(expired).not.toBe(forged)
  })
})

describe('revocation', () => {
  it('is asked with the verified payload, never with a raw string (D9)', async () => {
    const asked: unknown[] = []
    const { auth } = setUp({ isRevoked: (payload) => asked.push(payload) === 0 })
    await route(auth)(bearer('x.y.z'))
    await route(auth)(
      bearer(forge(claimsOf({ jti: 'j' }), { secret: 'Wd0qvT4mSx8Kz2rJ9nLc6fYh1bGp3eUa7iRo' })),
    )
    expect(asked).toEqual([])
    await route(auth)(bearer(forge(claimsOf({ jti: 'j' }))))
    expect(asked).toMatchObject([{ jti: 'j', sub: 'user-1' }])
  })

  it('cannot be avoided by another spelling of the token (O1)', async () => {
    const { auth } = setUp({ isRevoked: ({ jti }) => jti === 'j' })
    const token = forge(claimsOf({ jti: 'j' }))
    expect(await codeOf(() => auth.verifyToken(token))).toBe('token_revoked')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spellings = [
      `${token}=`,
      `${token}==`,
      `${token}=x`,
      ...[...alphabet].map((last) => token.slice(0, -1) + last),
    ]
    for (const spelling of spellings.filter((text) => text !== token)) {
      expect(await codeOf(() => auth.verifyToken(spelling))).toBe('signature_invalid')
    }
  })

  it('holds for tokens that are verified by hand as well (O12)', async () => {
    const { auth } = setUp({ isRevoked: () => true })
    expect(await codeOf(async () => auth.verifyToken(await auth.createAccessToken('u')))).toBe(
      'token_revoked',
    )
  })

  it('understands a promise from whatever gives one, and takes none for a yes (O20)', async () => {
    const { auth } = setUp({ isRevoked: () => Promise.resolve(false) })
    expect(await codeOf(async () => auth.verifyToken(await auth.createAccessToken('u')))).toBe('accepted')
  })
})

describe('claims', () => {
  it('a signed token with only a sub is not an access token without end (O14, hono/jwt, jsonwebtoken)', async () => {
    for (const interop of [false, true]) {
      const { auth } = setUp({ interop })
      const token = forge({ sub: 'x' }, { header: { alg: 'HS256', typ: 'JWT' } })
      expect(await answerOf(await route(auth)(bearer(token)))).toEqual([401, 'token_malformed'])
    }
  })

  it.each([1, 1.0, 'true', 'yes', 'on', 'y'])('fresh as %j is not fresh (O15)', async (fresh) => {
    const { auth } = setUp()
    const token = forge(claimsOf({ fresh, auth_time: NOW }))
    expect(await answerOf(await route(auth, { fresh: true })(bearer(token)))).toEqual([
      401,
      'fresh_token_required',
    ])
  })

  it('freshness ends before the token does (O15)', async () => {
    const { auth, clock } = setUp({ access: { expiresIn: '1h' } })
    const token = await auth.createAccessToken('u', { fresh: true })
    clock.now = NOW + 901
    expect(await answerOf(await route(auth, { fresh: true })(bearer(token)))).toEqual([
      401,
      'fresh_token_required',
    ])
    expect((await route(auth)(bearer(token))).status).toBe(200)
  })

  it('exp is seconds and only seconds (O35)', async () => {
    const { auth } = setUp({ interop: true })
    const payload = await auth.verifyToken(forge(claimsOf({ exp: 3e10 })))
    expect(payload.expiresAt.getTime()).toBe(3e13)
  })

  it('no scope asked for is met by every token, also by one that has scopes (O26)', async () => {
    const { auth } = setUp()
    for (const scopes of [undefined, [], ['a']]) {
      expect((await route(auth, { scopes: [] })(bearer(forge(claimsOf({ scopes }))))).status).toBe(200)
    }
  })

  it('issuer and audience are verified (FastJWT), also of an expired token (express-jwt onExpired)', async () => {
    const { auth } = setUp({ issuer: 'us', audience: 'api' })
    const judge = (changes: Record<string, unknown>): Promise<string> =>
      codeOf(() => auth.verifyToken(forge(claimsOf(changes))))
    expect(await judge({ iss: 'evil', aud: 'api' })).toBe('issuer_invalid')
    expect(await judge({ iss: 'us' })).toBe('audience_invalid')
    // Whoever lets an expired token pass on its code must not let this one pass: its issuer is judged first.
    expect(await judge({ iss: 'evil', aud: 'api', exp: NOW - 60 })).toBe('issuer_invalid')
    expect(await judge({ iss: 'us', aud: 'evil', exp: NOW - 60 })).toBe('audience_invalid')
  })

  it('iat two seconds in the future is clock skew and no refusal (hono/jwt)', async () => {
    expect(await codeOf(() => setUp().auth.verifyToken(forge(claimsOf({ iat: NOW + 2 }))))).toBe('accepted')
  })

  it('a realm holds everywhere, not only in a manager (O37), and a foreign token says so (O36)', async () => {
    const staff = setUp({ realm: 'staff' }).auth
    const guests = setUp({ realm: 'guests' }).auth
    expect(await codeOf(async () => guests.verifyToken(await staff.createAccessToken('u')))).toBe(
      'realm_mismatch',
    )
  })

  it('the expiry of a token is in the future when it is issued (AuthX documentation)', async () => {
    for (const options of [{ expiresIn: 0 }, { expiresIn: -1 }, { expiresAt: NOW - 1 }]) {
      expect(await complaintOf(() => setUp().auth.createAccessToken('u', options))).toMatch(
        /^TypeError: Expected/,
      )
    }
  })
})

describe('the cache (fast-jwt)', () => {
  it('gives no handler what another handler changed', async () => {
    const { auth } = setUp()
    const token = forge(claimsOf({ role: 'user' }))
    const payload = await auth.verifyToken(token)
    expect(() => Object.assign(payload.data, { role: 'root' })).toThrow(TypeError)
    expect((await auth.verifyToken(token)).data).toEqual({ role: 'user' })
  })

  it('never returns an expired token', async () => {
    const { auth, clock } = setUp()
    const call = route(auth)
    const token = bearer(forge(claimsOf({ exp: NOW + 5 })))
    expect((await call(token)).status).toBe(200)
    clock.now = NOW + 20
    expect(await answerOf(await call(token))).toEqual([401, 'token_expired'])
  })

  it('never returns the claims of another token, even with an equal signature', async () => {
    const { auth } = setUp()
    const [alice, root] = [forge(claimsOf({ sub: 'alice' })), forge(claimsOf({ sub: 'root' }))]
    await auth.verifyToken(root)
    const crossed = [...alice.split('.').slice(0, 2), root.split('.')[2]].join('.')
    expect(await codeOf(() => auth.verifyToken(crossed))).toBe('signature_invalid')
  })
})

describe('cookies', () => {
  it('are deleted with the attributes that they were set with, prefix included (O31)', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const set = auth.cookies(await auth.createTokenPair('u'))
    const attributes = (line: string): string => line.replace(/=[^;]*; Max-Age=\d+/, '')
    expect(auth.clearCookies().map(attributes)).toEqual(set.map(attributes))
    for (const line of auth.clearCookies()) expect(line).toContain('; Max-Age=0;')
  })

  it('live as long as their token (O30)', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const lines = auth.cookies(await auth.createTokenPair('u'))
    expect(lines.map((line) => Number(/Max-Age=(\d+)/.exec(line)?.[1]))).toEqual([900, 1_728_000, 1_728_000])
  })

  it('take a token with its own audience (O29)', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const pair = await auth.createTokenPair('u', { audience: 'elsewhere' })
    expect(auth.cookies(pair).length).toBe(3)
  })
})

describe('instances', () => {
  it('share nothing: what one is told, the other does not know (O27)', async () => {
    const one = setUp({ issuer: 'one' }).auth
    const two = setUp().auth
    expect(read(await two.createAccessToken('u'))).not.toHaveProperty('iss')
    expect(read(await one.createAccessToken('u'))['iss']).toBe('one')
  })

  it('freshness of zero is refused, where better-auth takes it for off', async () => {
    expect(await complaintOf(() => createAuth({ secret: SECRET, freshness: { window: 0 } }))).toMatch(
      /^ConfigurationError: Expected `freshness\.window`/,
    )
  })
})
