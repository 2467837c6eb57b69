/** `createAuth` as its users meet it: options that are refused, tokens that are issued and carried over, keys, schemas, events. */
import { spawnSync } from 'node:child_process'
import * as valibot from 'valibot'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { type Auth, createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import type { StandardSchema } from '../../src/internal/schema.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import {
  claimsOf,
  codeOf,
  complaintOf,
  errorOf,
  forge,
  NOW,
  read,
  SECRET,
  setUp,
  stoppedClock,
} from '../token/forge.ts'

const ring = createKeyRing({ signing: { alg: 'HS256', key: SECRET } })

/** Options that are refused, and what the complaint says. Most do not compile. */
const REFUSALS: readonly (readonly [string, unknown, RegExp])[] = [
  ['no object', 'secret', /`createAuth\(options\)` to be an object/],
  ['a list', [], /`createAuth\(options\)` to be an object, got array/],
  ['null', null, /`createAuth\(options\)` to be an object, got null/],
  ['a misspelt name', { secert: SECRET }, /Unknown option `secert`; did you mean `secret`\?/],
  ['another case', { Issuer: 'x' }, /Unknown option `Issuer`; did you mean `issuer`\?/],
  [
    'a name of AuthX',
    { JWT_SECRET_KEY: SECRET },
    /^Unknown option `JWT_SECRET_KEY`; did you mean `secret`\? Known: .*secret, keys,/,
  ],
  [
    'a misspelt member',
    { access: { expiresin: '5m' } },
    /Unknown option `access\.expiresin`; did you mean `expiresIn`\?/,
  ],
  [
    'a section that is no object',
    { access: '15m' },
    /`access` to be an object of options, got 15m \(string\)/,
  ],
  ['secret and keys', { secret: SECRET, keys: ring }, /`secret` or `keys`, got both/],
  [
    'keys that are no ring',
    { keys: { alg: 'HS256', key: SECRET } },
    /`keys` to be a key ring made by createKeyRing/,
  ],
  ['a secret that is a number', { secret: 5 }, /`secret` to be a string or bytes .*make one with: node -p/],
  [
    'a secret of 31 bytes',
    { secret: 'Xy7!'.repeat(8).slice(1) },
    /`secret` to be at least 32 bytes for HS256, got 31; make one with: node -p/,
  ],
  ['an empty secret', { secret: '' }, /`secret` to be at least 32 bytes for HS256, got 0/],
  ['a secret of one character', { secret: 'a'.repeat(40) }, /`secret` to be random: it can be guessed/],
  [
    'a sample secret',
    { secret: 'a-string-secret-at-least-256-bits-long' },
    /`secret` to be random: it can be guessed/,
  ],
  [
    'a public key for a secret',
    { secret: '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0B' },
    /`secret` to be a random secret for HS256, got a key of another kind/,
  ],
  ['an empty issuer', { issuer: '' }, /`issuer` to be a non-empty string/],
  ['an issuer that is a list', { issuer: ['a'] }, /`issuer` to be a non-empty string, got array/],
  ['an issuer that is a pattern (ISS-04)', { issuer: /a/ }, /`issuer` to be a non-empty string, got object/],
  ['a group that is still a promise', { cookies: Promise.resolve({}) }, /`cookies` .*a promise: `await` it/],
  ['a group that is a Map', { csrf: new Map([['mode', 'both']]) }, /`csrf` to be an object of options/],
  ['a leeway of null', { leeway: null }, /`leeway`/],
  ['an origin that is a symbol', { origin: Symbol('x') }, /`origin` to be an origin/],
  ['the secret as issuer', { secret: SECRET, issuer: SECRET }, /`issuer` .*got a key$/],
  ['a key as realm', { realm: '-----BEGIN PRIVATE KEY-----' }, /`realm` .*got a key$/],
  ['the secret as audience', { secret: SECRET, audience: ['api', SECRET] }, /`audience` .*got a key$/],
  ['an empty audience', { audience: '' }, /`audience`/],
  ['an audience of none', { audience: [] }, /`audience`/],
  ['an audience that is a pattern', { audience: [/a/] }, /`audience`/],
  [
    'a bare numeric string',
    { access: { expiresIn: '120' } },
    /`access\.expiresIn` to be a duration such as '15m'.* got 120 \(string\)/,
  ],
  ['a life of nothing', { access: { expiresIn: 0 } }, /`access\.expiresIn` to be a duration/],
  ['a negative life', { refresh: { expiresIn: -1 } }, /`refresh\.expiresIn` to be a duration/],
  [
    'a life beyond the limit',
    { refresh: { expiresIn: '401d' } },
    /`refresh\.expiresIn` .* between 1 and 34560000 seconds/,
  ],
  ['a life that never ends', { access: { expiresIn: Number.POSITIVE_INFINITY } }, /`access\.expiresIn`/],
  ['no life (never expires elsewhere)', { access: { expiresIn: null } }, /`access\.expiresIn`/],
  ['a freshness window under 5 s', { freshness: { window: '4s' } }, /`freshness\.window` .* between 5 and/],
  ['a freshness window of 0, which elsewhere means off', { freshness: { window: 0 } }, /`freshness\.window`/],
  ['a leeway over 60 s', { leeway: '61s' }, /`leeway` .* between 0 and 60 seconds, got 61s/],
  ['a negative leeway', { leeway: -1 }, /`leeway`/],
  ['a leeway as a bare numeric string', { leeway: '5' }, /`leeway`/],
  ['interop as text', { interop: 'yes' }, /`interop` to be true or false/],
  ['an empty realm', { realm: '' }, /`realm` to be a non-empty string/],
  ['claims that are no schema', { claims: { tenant: 'string' } }, /`claims` to be a Standard Schema/],
  ['claims that are null', { claims: null }, /`claims` to be a Standard Schema, got null/],
  ['cache: true', { cache: true }, /`cache`/],
  ['a cache of no entry', { cache: { entries: 0 } }, /`cache\.entries` to be a whole number between 1 and/],
  ['a cache of a fraction', { cache: { entries: 1.5 } }, /`cache\.entries`/],
  [
    'a cache of few bytes',
    { cache: { bytes: 1000 } },
    /`cache\.bytes` to be a whole number between 65536 and/,
  ],
  [
    'tokens of 255 characters',
    { limits: { tokenLength: 255 } },
    /`limits\.tokenLength` .* between 256 and 65536/,
  ],
  ['tokens of 65 537 characters', { limits: { tokenLength: 65_537 } }, /`limits\.tokenLength`/],
  ['a limit of no life', { limits: { lifetime: 0 } }, /`limits\.lifetime`/],
  ['a clock that is a number', { clock: NOW }, /`clock` to be a function/],
  ['a clock that is Date', { clock: {} }, /`clock` to be a function/],
  ['isRevoked that is a list', { isRevoked: ['jti'] }, /`isRevoked` to be a function, got array/],
  ['subject that is text', { subject: 'u' }, /`subject` to be a function/],
  [
    'an event that does not exist',
    { on: { refuse: () => 0 } },
    /Unknown option `on\.refuse`; did you mean `refused`\?/,
  ],
  ['a listener that is no function', { on: { issued: true } }, /`on\.issued` to be a function/],
  ...['issuer', 'audience', 'realm', 'origin', 'claims', 'sessions', 'isRevoked'].map(
    (name) =>
      [
        `${name} of a variable that is not set`,
        { [name]: undefined },
        /to have a value, got undefined/,
      ] as const,
  ),
  [
    'rights of a name that does not exist',
    { sessions: { store: memoryStore(), rights: undefined } },
    /`sessions\.rights` to have a value/,
  ],
  [
    'a store in place of { store }',
    { sessions: memoryStore() },
    /`sessions` to be \{ store \}, got the store/,
  ],
  ...Object.entries({
    jwksUrl: 'issuers: ',
    jwksUri: 'issuers: ',
    jwtSecret: 'secret',
    secretKey: 'secret',
    expiresIn: 'access.expiresIn',
    store: 'sessions.store',
    getUser: 'subject',
    blacklist: 'isRevoked',
  }).map(([name, here]) => {
    const message = new RegExp(`Unknown option \`${name}\`; did you mean \`${here.replace('.', '\\.')}`)
    return [`${name} of another library`, { [name]: 'x' }, message] as const
  }),
  ['locations of none', { locations: [] }, /`locations`/],
  ['a location that does not exist', { locations: ['headers'] }, /`locations`/],
  ['a location twice', { locations: ['header', 'header'] }, /`locations` to hold each word once/],
  ['a csrf mode that does not exist', { csrf: true }, /`csrf\.mode`/],
  [
    'SameSite=None without CSRF',
    { locations: ['cookie'], cookies: { sameSite: 'None' }, csrf: false },
    /`csrf` to be on with `cookies\.sameSite: 'None'`/,
  ],
]

describe('an option that is missing, unknown, of the wrong shape or unsafe', () => {
  it('options that are still a promise are refused at start', () => {
    expect(() => createAuth(Promise.resolve({ secret: SECRET }) as never)).toThrow(
      /got a promise: `await` it/,
    )
  })

  it.each(REFUSALS)('%s is refused at start', async (_, options, message) => {
    const withSecret =
      typeof options === 'object' &&
      options !== null &&
      !Array.isArray(options) &&
      !('secret' in options) &&
      !('keys' in options)
    const given = withSecret ? { secret: SECRET, ...options } : options
    const error = (await errorOf(() => createAuth(given as AuthOptions))) as Error
    expect(error?.name, String(error)).toBe('ConfigurationError')
    expect(error.message).toMatch(message)
  })

  it('no secret is printed in any complaint, not even in part', async () => {
    const secrets = [
      'hunter2',
      'Tr0ub4dor&3-correct-horse',
      'a-string-secret-at-least-256-bits-long',
      `-----BEGIN RSA ${'K'.repeat(60)}`,
    ]
    for (const secret of secrets) {
      const { message, cause } = (await errorOf(() => createAuth({ secret }))) as Error
      for (const text of [message, String(cause)]) {
        for (let i = 0; i + Math.min(8, secret.length) <= Math.min(secret.length, 40); i++) {
          expect(text).not.toContain(secret.slice(i, i + 8))
        }
      }
    }
  })

  it('a bad option is refused before any key is imported or listener called', async () => {
    expect(await complaintOf(() => createAuth({ secret: 'short', isuer: 'x' } as AuthOptions))).toContain(
      '`isuer`',
    )
  })
})

describe('the secret of the environment', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })
  it('is used when neither secret nor keys are given', async () => {
    vi.stubEnv('TOKENWRIGHT_SECRET', SECRET)
    const auth = createAuth({ clock: stoppedClock() })
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf())))).toBe('accepted')
    expect(await codeOf(() => createAuth({ secret: undefined as never }))).toBe('accepted')
  })

  it('gives way to a secret and to keys', async () => {
    vi.stubEnv('TOKENWRIGHT_SECRET', 'another-secret-QWERTZUIOPASDFGHJKLYXCVBNM-0987')
    for (const options of [{ secret: SECRET }, { keys: ring }]) {
      const auth = createAuth({ ...options, clock: stoppedClock() })
      expect(await codeOf(() => auth.verifyToken(forge(claimsOf())))).toBe('accepted')
    }
  })

  it('is named when it is weak, and asked for when it is absent', async () => {
    vi.stubEnv('TOKENWRIGHT_SECRET', 'short')
    expect(await complaintOf(() => createAuth())).toMatch(
      /^ConfigurationError: Expected `TOKENWRIGHT_SECRET` to be at least 32 bytes for HS256, got 5; make one with/,
    )
    vi.stubEnv('TOKENWRIGHT_SECRET', undefined)
    expect(await complaintOf(() => createAuth())).toMatch(
      /^ConfigurationError: Expected `secret` to be a string or bytes \(or set TOKENWRIGHT_SECRET, or give `keys`\)/,
    )
  })

  it('bytes are a secret as well', async () => {
    const auth = createAuth({ secret: Buffer.from(SECRET), clock: stoppedClock() })
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf())))).toBe('accepted')
  })
})

describe('createAuth draws no randomness, starts no timer, reads no clock', () => {
  // In a process of its own, so that what is replaced is replaced before our modules take hold of it.
  const SCRIPT = `
    import crypto from 'node:crypto'
    import { syncBuiltinESMExports } from 'node:module'
    const touched = []
    const spy = (object, name) => {
      const real = object[name]
      object[name] = function (...args) { touched.push(name); return real.apply(this, args) }
    }
    const { createAuth, createKeyRing, generateKey } = await import('SRC')
    const { guards } = await import('FETCH')
    const key = generateKey('ES256')
    for (const name of ['randomBytes', 'randomUUID', 'randomInt', 'randomFillSync', 'randomFill', 'generateKeySync', 'generateKeyPairSync']) spy(crypto, name)
    spy(crypto.webcrypto, 'getRandomValues')
    syncBuiltinESMExports()
    for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch']) spy(globalThis, name)
    spy(Date, 'now'); spy(Math, 'random'); spy(performance, 'now'); spy(process, 'hrtime'); spy(process, 'nextTick')
    const RealDate = Date
    globalThis.Date = class extends RealDate { constructor(...a) { if (a.length === 0) touched.push('new Date()'); super(...a) } }
    const spies = Object.freeze([...touched]); touched.length = 0
    for (const options of [{ secret: 'SECRET' }, { secret: 'SECRET', locations: ['header', 'cookie', 'query', 'body'] }, { keys: createKeyRing({ signing: key }) }]) {
      const auth = createAuth(options)
      const guard = guards(auth)
      guard.fresh(); guard.token({ maxAge: '5m', renew: true }); auth.jwks(); auth.clearCookies()
    }
    const atStart = [...touched]
    touched.length = 0
    await createAuth({ secret: 'SECRET' }).createAccessToken('u')
    console.log(JSON.stringify({ atStart, whenIssuing: [...new Set(touched)].filter((n) => n !== 'nextTick') }))
  `
  it('at start; issuing a token draws an identifier and reads the clock, as it must', () => {
    const door = (path: string): string => new URL(`../../dist/esm/${path}`, import.meta.url).href
    const script = SCRIPT.replace('SRC', door('index.js'))
      .replace('FETCH', door('adapters/fetch.js'))
      .replaceAll('SECRET', SECRET)
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    const { atStart, whenIssuing } = JSON.parse(stdout)
    expect(atStart).toEqual([])
    // Which proves that the spies see what the library does.
    expect(whenIssuing).toContain('randomUUID')
    expect(whenIssuing.some((name: string) => name === 'now' || name === 'new Date()')).toBe(true)
  })

  it('the configured clock is not read before a token is', async () => {
    const clock = vi.fn(() => NOW)
    const auth = createAuth({ secret: SECRET, clock })
    expect(clock).not.toHaveBeenCalled()
    await auth.createAccessToken('u')
    expect(clock).toHaveBeenCalled()
  })
})

describe('tokens', () => {
  it('a subject without more: auth_time only with fresh', async () => {
    const { auth } = setUp()
    const plain = read(await auth.createAccessToken('u'))
    expect(plain).toEqual({
      sub: 'u',
      jti: expect.stringMatching(/^[\da-f-]{36}$/),
      type: 'access',
      fresh: false,
      iat: NOW,
      exp: NOW + 900,
    })
    const fresh = read(await auth.createAccessToken('u', { fresh: true }))
    expect(fresh).toMatchObject({ fresh: true, auth_time: NOW })
    const refresh = read(await auth.createRefreshToken('u'))
    expect(refresh).toEqual({
      sub: 'u',
      jti: expect.any(String),
      type: 'refresh',
      iat: NOW,
      exp: NOW + 20 * 86_400,
    })
  })

  it('an identifier of its own for each', async () => {
    const { auth } = setUp()
    const tokens = await Promise.all(Array.from({ length: 200 }, () => auth.createAccessToken('u')))
    expect(new Set(tokens.map((token) => read(token)['jti'])).size).toBe(200)
  })

  it('headers say typ, alg and kid, and what is given beside', async () => {
    const { auth } = setUp()
    const headerOf = (token: string): object => auth.decodeUnverified(token).header
    const { access_token, refresh_token } = await auth.createTokenPair('u', { headers: { app: 'shop' } })
    expect(headerOf(access_token)).toEqual({
      alg: 'HS256',
      app: 'shop',
      typ: 'access+jwt',
      kid: expect.any(String),
    })
    expect(headerOf(refresh_token)).toMatchObject({ typ: 'rt+jwt', app: 'shop' })
  })

  it('issuer and audience are written as configured; an audience may be given instead', async () => {
    const { auth } = setUp({ issuer: 'https://us', audience: ['api', 'web'] })
    expect(read(await auth.createAccessToken('u'))).toMatchObject({ iss: 'https://us', aud: ['api', 'web'] })
    expect(read(await auth.createAccessToken('u', { audience: 'web' }))['aud']).toBe('web')
    expect(
      await codeOf(async () => auth.verifyToken(await auth.createAccessToken('u', { audience: 'else' }))),
    ).toBe('audience_invalid')
    const single = setUp({ audience: 'api' }).auth
    expect(read(await single.createAccessToken('u'))['aud']).toBe('api')
  })

  it('lives are as configured', async () => {
    const { auth } = setUp({ access: { expiresIn: { minutes: 5 } }, refresh: { expiresIn: '7d' } })
    const pair = await auth.createTokenPair('u')
    expect(pair).toMatchObject({ token_type: 'bearer', expires_in: 300 })
    expect(read(pair.access_token)['exp']).toBe(NOW + 300)
    expect(read(pair.refresh_token)['exp']).toBe(NOW + 7 * 86_400)
    expect(auth.lifetimes).toEqual({ access: 300, refresh: 604_800, freshness: 900 })
  })

  it('the leeway is as configured, for exp, nbf and iat', async () => {
    for (const leeway of [0, 60] as const) {
      const { auth } = setUp({ leeway })
      const judge = (changes: object): Promise<string> =>
        codeOf(() => auth.verifyToken(forge(claimsOf({ ...changes }))))
      expect(await judge({ exp: NOW - leeway })).toBe('token_expired')
      expect(await judge({ exp: NOW - leeway + 0.5 })).toBe('accepted')
      expect(await judge({ nbf: NOW + leeway })).toBe('accepted')
      expect(await judge({ nbf: NOW + leeway + 0.5 })).toBe('token_not_active')
      expect(await judge({ iat: NOW + leeway + 0.5 })).toBe('token_not_active')
      expect(
        await codeOf(() =>
          auth.verifyToken(forge(claimsOf({ fresh: true, auth_time: NOW - 901, exp: NOW + 9 })), {
            fresh: true,
          }),
        ),
      ).toBe('fresh_token_required')
    }
  })

  it('limits.lifetime bounds what is issued and what is accepted', async () => {
    const { auth } = setUp({ limits: { lifetime: '1d' }, refresh: { expiresIn: '1d' } })
    expect(await complaintOf(() => auth.createAccessToken('u', { expiresIn: '25h' }))).toContain(
      'at most 86400 seconds',
    )
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ exp: NOW + 86_401 }))))).toBe(
      'token_malformed',
    )
  })
})

describe('a pair', () => {
  it('shares one CSRF value, scopes, data and audience; the refresh token is never fresh and knows auth_time', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const options = {
      fresh: true,
      scopes: ['a'],
      data: { tenant: 't' },
      audience: 'x',
      amr: ['pwd'],
      acr: 'gold',
    }
    const pair = await auth.createTokenPair('u', options)
    const [access, refresh] = [read(pair.access_token), read(pair.refresh_token)]
    expect(Object.keys(pair)).toEqual(['access_token', 'refresh_token', 'token_type', 'expires_in'])
    for (const claims of [access, refresh]) {
      expect(claims).toMatchObject({
        sub: 'u',
        scopes: ['a'],
        tenant: 't',
        amr: ['pwd'],
        acr: 'gold',
        auth_time: NOW,
        csrf: access['csrf'],
      })
    }
    expect([access['aud'], refresh['access_aud']]).toEqual(['x', 'x'])
    expect([access['fresh'], 'fresh' in refresh]).toEqual([true, false])
    expect(access['jti']).not.toBe(refresh['jti'])
    expect(access['csrf']).toMatch(/^[\w-]{22}$/)
  })

  it('has a CSRF value of its own each time, and none where no cookie is used', async () => {
    const { auth } = setUp({ locations: ['cookie'] })
    const values = await Promise.all(
      Array.from({ length: 50 }, async () => read((await auth.createTokenPair('u')).access_token)['csrf']),
    )
    expect(new Set(values).size).toBe(50)
    expect(read((await setUp().auth.createTokenPair('u')).access_token)).not.toHaveProperty('csrf')
    const origin = setUp({ locations: ['cookie'], csrf: 'origin' }).auth
    expect(read((await origin.createTokenPair('u')).access_token)).not.toHaveProperty('csrf')
  })

  it('may have scopes and lives for each half', async () => {
    const { auth } = setUp()
    const pair = await auth.createTokenPair('u', {
      scopes: ['a'],
      access: { expiresIn: '1m' },
      refresh: { expiresIn: '1h', scopes: ['b'] },
    })
    expect(read(pair.access_token)).toMatchObject({ scopes: ['a'], exp: NOW + 60 })
    expect(read(pair.refresh_token)).toMatchObject({ scopes: ['b'], exp: NOW + 3600 })
    expect(pair.expires_in).toBe(60)
  })

  it('without fresh has no auth_time at all', async () => {
    const { auth } = setUp()
    const pair = await auth.createTokenPair('u')
    expect(read(pair.access_token)).not.toHaveProperty('auth_time')
    expect(read(pair.refresh_token)).not.toHaveProperty('auth_time')
  })
})

describe('a token issued for a verified payload inherits', () => {
  const CLAIMS = {
    type: 'refresh',
    sid: 's-1',
    scopes: ['a'],
    aud: 'api',
    csrf: 'c',
    auth_time: NOW - 50,
    amr: ['pwd'],
    acr: 'gold',
    tenant: 't',
    fresh: undefined,
  }
  const present = (auth: Auth): ReturnType<typeof auth.verifyToken> =>
    auth.verifyToken(forge(claimsOf(CLAIMS), { header: { alg: 'HS256', typ: 'rt+jwt' } }), {
      type: 'refresh',
    })

  it('sub, sid, scopes, data, aud, csrf, auth_time, amr and acr; jti, times and freshness are new', async () => {
    const { auth, clock } = setUp({ audience: 'api' })
    const payload = await present(auth)
    clock.now = NOW + 100
    const claims = read(await auth.createAccessToken(payload))
    expect(claims).toEqual({
      sub: 'user-1',
      jti: expect.any(String),
      type: 'access',
      fresh: false,
      csrf: 'c',
      iat: NOW + 100,
      exp: NOW + 1000,
      aud: 'api',
      sid: 's-1',
      auth_time: NOW - 50,
      amr: ['pwd'],
      acr: 'gold',
      scopes: ['a'],
      tenant: 't',
    })
    expect(claims['jti']).not.toBe(payload.jti)
  })

  it('what is said with the call takes its place', async () => {
    const { auth } = setUp({ audience: 'api' })
    const payload = await present(auth)
    const claims = read(
      await auth.createAccessToken(payload, {
        scopes: [],
        data: { x: 1 },
        audience: ['api', 'b'],
        amr: ['otp'],
        acr: 'iron',
      }),
    )
    expect(claims).toMatchObject({ x: 1, aud: ['api', 'b'], amr: ['otp'], acr: 'iron', auth_time: NOW - 50 })
    expect(claims).not.toHaveProperty('scopes')
    expect(claims).not.toHaveProperty('tenant')
  })

  it('is fresh only when the call says that the user has just authenticated', async () => {
    const { auth } = setUp({ audience: 'api' })
    const fresh = await auth.verifyToken(await auth.createAccessToken(await present(auth), { fresh: true }), {
      fresh: true,
    })
    expect(fresh).toMatchObject({ fresh: true, auth_time: NOW })
    const again = await auth.createAccessToken(fresh)
    expect(read(again)).toMatchObject({ fresh: false, auth_time: NOW })
    expect(await codeOf(() => auth.verifyToken(again, { fresh: true }))).toBe('fresh_token_required')
    expect(await codeOf(() => auth.verifyToken(again, { maxAge: '5m' }))).toBe('accepted')
  })

  it('into a pair and a refresh token as well, which are not fresh', async () => {
    const { auth } = setUp({ audience: 'api' })
    const payload = await present(auth)
    const pair = await auth.createTokenPair(payload)
    for (const token of [pair.access_token, pair.refresh_token, await auth.createRefreshToken(payload)]) {
      expect(read(token)).toMatchObject({
        sub: 'user-1',
        sid: 's-1',
        csrf: 'c',
        auth_time: NOW - 50,
        tenant: 't',
      })
    }
    expect(read(pair.access_token)['fresh']).toBe(false)
  })

  // FINDING F9: a token that another library issued may have up to 256 members; the issuer takes 230. Refresh answers 500.
  it('of another library with many claims', async () => {
    const { auth } = setUp({ interop: true })
    const many = Object.fromEntries(Array.from({ length: 240 }, (_, i) => [`m${i}`, i]))
    const payload = await auth.verifyToken(forge(claimsOf(many), { header: { alg: 'HS256', typ: 'JWT' } }))
    expect(await complaintOf(() => auth.createAccessToken(payload))).toBe('accepted')
  })
})

describe('a schema for custom claims', () => {
  const later = (schema: StandardSchema<{ tenant: string }>): StandardSchema<{ tenant: string }> => ({
    '~standard': { ...schema['~standard'], validate: async (value) => schema['~standard'].validate(value) },
  })
  const ZOD = z.object({ tenant: z.string(), level: z.number().default(1) })
  const VALIBOT = valibot.object({ tenant: valibot.string(), level: valibot.optional(valibot.number(), 1) })
  const SCHEMAS = [
    ['zod', ZOD],
    ['valibot', VALIBOT],
    ['an asynchronous one', later(ZOD as never)],
    ['zod, with an asynchronous refinement', ZOD.refine(async () => true)],
  ] as unknown as readonly [string, StandardSchema<{ tenant: string }>][]

  it.each(SCHEMAS)('%s: is asked when issuing', async (_, claims) => {
    const { auth } = setUp({ claims } as object)
    expect(read(await auth.createAccessToken('u', { data: { tenant: 't' } }))).toMatchObject({
      tenant: 't',
      level: 1,
    })
    for (const data of [undefined, {}, { tenant: 5 }]) {
      expect(await complaintOf(() => auth.createAccessToken('u', { ...(data && { data }) }))).toMatch(
        /^TypeError: Expected `data` to satisfy the schema given as `claims`: `data\.tenant`: Invalid /,
      )
    }
  })

  it.each(SCHEMAS)('%s: is asked when verifying, and its output is the data', async (_, claims) => {
    const { auth } = setUp({ claims } as object)
    const payload = await auth.verifyToken(forge(claimsOf({ tenant: 't', unknown: 1 })))
    expect(payload.data).toEqual({ tenant: 't', level: 1 })
    expect(Object.isFrozen(payload.data)).toBe(true)
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ tenant: 5 }))))).toBe('token_malformed')
    const error = (await errorOf(() => auth.verifyToken(forge(claimsOf())))) as Error
    expect(error).toMatchObject({ code: 'token_malformed', message: 'Invalid Token' })
    expect(String(error.cause)).toMatch(/`data\.tenant`: Invalid /)
  })

  it.each(SCHEMAS)('%s: its refusal is not remembered, its consent is', async (_, schema) => {
    const validate = vi.fn(schema['~standard'].validate)
    const { auth } = setUp({ claims: { '~standard': { ...schema['~standard'], validate } } } as object)
    const [good, bad] = [forge(claimsOf({ tenant: 't' })), forge(claimsOf({ tenant: 5 }))]
    for (const token of [good, good, good]) await auth.verifyToken(token)
    expect(validate).toHaveBeenCalledTimes(1)
    for (const token of [bad, bad])
      expect(await codeOf(() => auth.verifyToken(token))).toBe('token_malformed')
    expect(validate).toHaveBeenCalledTimes(3)
  })

  it.each([
    ['zod', z.object({ tenant: z.string() }).optional(), undefined],
    ['zod, with a default', z.object({ tenant: z.string() }).default({ tenant: 'none' }), { tenant: 'none' }],
    ['valibot', valibot.optional(valibot.object({ tenant: valibot.string() })), undefined],
  ])('may accept that there are none: %s', async (_, claims, none) => {
    const { auth } = setUp({ claims } as object)
    expect((await auth.verifyToken(await auth.createAccessToken('u'))).data).toEqual(none)
    const given = await auth.createAccessToken('u', { data: { tenant: 't' } })
    expect((await auth.verifyToken(given)).data).toEqual({ tenant: 't' })
    expect(await complaintOf(() => auth.createAccessToken('u', { data: { tenant: 5 } }))).toMatch(
      /`data\.tenant`/,
    )
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ tenant: 5 }))))).toBe('token_malformed')
  })

  it('is asked only after signature, origin and times', async () => {
    const validate = vi.fn(() => ({ value: {} }))
    const claims = { '~standard': { version: 1, vendor: 'test', validate } } as const
    const { auth } = setUp({ claims })
    const tokens = [
      forge(claimsOf(), { secret: 'x' }),
      forge(claimsOf({ aud: 'b' })),
      forge(claimsOf({ exp: NOW - 9 })),
    ]
    for (const token of tokens) await codeOf(() => auth.verifyToken(token))
    expect(validate).not.toHaveBeenCalled()
  })

  it('sees the custom claims and no registered one', async () => {
    const validate = vi.fn((value: unknown) => ({ value: value as Record<string, unknown> }))
    const { auth } = setUp({ claims: { '~standard': { version: 1, vendor: 'test', validate } } as const })
    await auth.verifyToken(forge(claimsOf({ sid: 's', gen: 1, tenant: 't' })))
    expect(validate).toHaveBeenCalledWith({ tenant: 't' })
  })

  // FINDING F2 (claims of one request reach the next): `deepFreeze` stops at an object that is frozen already, and zod's
  // `.readonly()` freezes only the outermost. What a handler pushes into `roles` is there for every later request of the token.
  it('whose output is frozen on the outside only is frozen to its depth', async () => {
    const claims = z.object({ roles: z.array(z.string()) }).readonly()
    const { auth } = setUp({ claims } as object)
    const token = forge(claimsOf({ roles: ['user'] }))
    const { roles } = (await auth.verifyToken(token)).data as { roles: string[] }
    try {
      roles.push('admin')
    } catch {}
    expect((await auth.verifyToken(token)).data).toEqual({ roles: ['user'] })
  })

  // FINDING F3: a schema hands on what it does not look into, and that is then frozen: the caller's own object.
  it.each([
    [
      'a schema that hands the value on',
      { '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => ({ value }) } },
    ],
    ['zod with a member that may be anything', z.object({ profile: z.any() })],
  ])('%s leaves the data of the caller as it was', async (_, claims) => {
    const { auth } = setUp({ claims } as object)
    const data = { profile: { name: 'a' } }
    await auth.createAccessToken('u', { data })
    expect([Object.isFrozen(data), Object.isFrozen(data.profile)]).toEqual([false, false])
  })
})

describe('events', () => {
  const hear = (): { heard: object[]; on: object } => {
    const heard: object[] = []
    const tell = (name: string) => (event: object) => heard.push({ name, ...event })
    return { heard, on: { issued: tell('issued'), refused: tell('refused'), renewed: tell('renewed') } }
  }

  it('say what was issued, and hold no token', async () => {
    const { heard, on } = hear()
    const { auth } = setUp({ on })
    const { access_token } = await auth.createTokenPair('u')
    expect(heard).toEqual([
      { name: 'issued', type: 'access', sub: 'u' },
      { name: 'issued', type: 'refresh', sub: 'u' },
    ])
    expect(JSON.stringify(heard)).not.toContain(access_token.slice(-20))
  })

  it('say why a request was refused', async () => {
    const { heard, on } = hear()
    const { auth } = setUp({ on })
    await codeOf(() => auth.authenticate(new Request('http://a/', { method: 'DELETE' })))
    expect(heard).toMatchObject([{ name: 'refused', code: 'token_missing', method: 'DELETE' }])
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('listener')
      },
    ],
    ['rejects', () => Promise.reject(new Error('listener'))],
    ['hangs', () => new Promise(() => undefined)],
    [
      'is asynchronous and throws',
      async () => {
        throw new Error('listener')
      },
    ],
  ])('a listener that %s neither delays nor fails anything', async (_, listener) => {
    const seen: unknown[] = []
    const note = (reason: unknown): unknown => seen.push(reason)
    process.on('unhandledRejection', note)
    const { auth } = setUp({ on: { issued: listener, refused: listener } })
    const token = await auth.createAccessToken('u')
    expect(await codeOf(() => auth.authenticate(new Request('http://a/')))).toBe('token_missing')
    expect(await codeOf(() => auth.verifyToken(token))).toBe('accepted')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(seen).toEqual([])
  })
})

describe('a call that no type allows says what was expected', () => {
  it.each<readonly [string, (auth: Auth) => unknown, RegExp]>([
    ['cookies()', (auth) => auth.cookies(undefined as never), /^TypeError: Expected `cookies\(pair\)`/],
    [
      'errorResponse(another error)',
      (auth) => auth.errorResponse(new Error('x') as never),
      /^TypeError: Expected `error` to be an AuthError, got object; ask `isAuthError\(error\)` first$/,
    ],
  ])('%s', async (_, call, message) => {
    expect(await complaintOf(() => call(setUp().auth))).toMatch(message)
  })
})

describe('the rest of Auth', () => {
  it('decodeUnverified reads any compact JWS and says in its type that nothing was verified', async () => {
    const { auth } = setUp()
    const foreign = forge({ sub: 'x', exp: 1 }, { secret: 'Kd9vS4tBx2LqN7mWz5RcY1gHp8JfT6uEa3oQiV' })
    expect(auth.decodeUnverified(foreign)).toEqual({
      header: { alg: 'HS256', typ: 'at+jwt' },
      payload: { sub: 'x', exp: 1 },
    })
    for (const text of ['', 'x', 'a.b.c', 'e30.W10.', `${foreign}.x`, undefined as never]) {
      expect(await codeOf(() => auth.decodeUnverified(text))).toBe('token_malformed')
    }
  })

  it('jwks publishes public keys only', () => {
    expect(setUp().auth.jwks()).toEqual({ keys: [] })
    const auth = createAuth({ keys: createKeyRing({ signing: generateKey('EdDSA', 'k') }) })
    expect(auth.jwks().keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: 'k', alg: 'EdDSA', use: 'sig' },
    ])
  })

  it('jwks publishes no key that has retired', () => {
    let now = 1_700_000_000
    const retiring = { alg: 'EdDSA', key: generateKey('EdDSA'), kid: 'old', notAfter: now + 60 } as const
    const keys = createKeyRing({ signing: generateKey('EdDSA', 'new'), verifying: [retiring] })
    const auth = createAuth({ keys, clock: () => now })
    const kids = () => auth.jwks().keys.map(({ kid }) => kid)
    expect(kids()).toEqual(['new', 'old'])
    now += 61
    expect(kids()).toEqual(['new'])
  })

  it('is frozen, and holds no key where a handler could print it', () => {
    const { auth } = setUp()
    expect(Object.isFrozen(auth)).toBe(true)
    expect(JSON.stringify(auth)).not.toContain(SECRET)
  })

  it('loadSubject distinguishes an unknown user from a failure', async () => {
    const payloadOf = async (auth: Auth) => auth.verifyToken(forge(claimsOf()))
    const load = async (subject?: AuthOptions['subject']): Promise<unknown> => {
      const { auth } = setUp(subject === undefined ? {} : { subject })
      return auth.loadSubject(await payloadOf(auth))
    }
    expect(await load(({ sub }) => ({ name: sub }))).toEqual({ name: 'user-1' })
    expect(await load(async () => 0)).toBe(0)
    expect(await codeOf(() => load(() => null))).toBe('subject_unknown')
    expect(await codeOf(() => load(async () => undefined))).toBe('subject_unknown')
    expect(
      await codeOf(() =>
        load(() => {
          throw new Error('down')
        }),
      ),
    ).toBe('store_unavailable')
    expect(await complaintOf(() => load())).toMatch(/^ConfigurationError: Expected the option `subject`/)
  })

  it('now returns the time of the configured clock', () => {
    const { auth, clock } = setUp()
    clock.now = NOW + 5
    expect(auth.now()).toBe(NOW + 5)
  })

  // FINDING F10: what is no text (a query parser gives lists, a missing cookie undefined) ends in a raw TypeError, not in an
  // AuthError: the application answers 500. `decodeUnverified` says token_malformed.
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a list', ['a.b.c']],
    ['an object', {}],
  ])('verifyToken of %s is token_malformed', async (_, token) => {
    expect(await codeOf(() => setUp().auth.verifyToken(token as string))).toBe('token_malformed')
  })
})

describe('what is no object of options', () => {
  it.each([5, true, '', [], new Map(), Promise.resolve({}), () => 1])(
    'is refused by calls: %s',
    async (given) => {
      const { auth } = setUp()
      await expect(auth.createAccessToken('u', given as never)).rejects.toThrow(TypeError)
      await expect(auth.createTokenPair('u', given as never)).rejects.toThrow(
        /^Expected `options` to be an object/,
      )
    },
  )

  it('a pair of tokens that is still a promise makes no cookies', () => {
    const { auth } = setUp({ locations: ['cookie'] })
    expect(() => auth.cookies(auth.createTokenPair('u') as never)).toThrow(/a promise: `await` it/)
  })
})
