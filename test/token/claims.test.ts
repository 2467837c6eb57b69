import { describe, expect, it } from 'vitest'
import { CLAIMS } from '../../src/token/claim-shapes.ts'
import { claimsOf, codeOf, forge, NOW, setUp } from './forge.ts'

const nested = (depth: number): unknown => (depth === 1 ? {} : { x: nested(depth - 1) })
const members = (count: number): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, i]))

/** Changes to the claims of a sound access token, and how the token ends. */
const TABLE: readonly (readonly [string, Record<string, unknown>, string])[] = [
  ['nothing', {}, 'accepted'],
  ['no sub', { sub: undefined }, 'token_malformed'],
  ['sub empty', { sub: '' }, 'token_malformed'],
  ['sub null', { sub: null }, 'token_malformed'],
  ['sub a number', { sub: 1 }, 'token_malformed'],
  ['sub a list', { sub: ['user-1'] }, 'token_malformed'],
  ['sub with a lone surrogate', { sub: 'a\ud800' }, 'token_malformed'],
  ['no jti', { jti: undefined }, 'token_malformed'],
  ['jti a number', { jti: 7 }, 'token_malformed'],
  ['no iat', { iat: undefined }, 'token_malformed'],
  ['iat text', { iat: String(NOW) }, 'token_malformed'],
  ['iat null', { iat: null }, 'token_malformed'],
  ['iat within the leeway', { iat: NOW + 5 }, 'accepted'],
  ['iat beyond the leeway', { iat: NOW + 5.001 }, 'token_not_active'],
  ['no exp (TIM-01)', { exp: undefined }, 'token_malformed'],
  ['exp null (TIM-02)', { exp: null }, 'token_malformed'],
  ['exp false', { exp: false }, 'token_malformed'],
  ['exp text (TIM-03)', { exp: '9999999999' }, 'token_malformed'],
  ['exp a list', { exp: [NOW + 9] }, 'token_malformed'],
  ['exp zero', { exp: 0 }, 'token_expired'],
  ['exp negative', { exp: -1 }, 'token_expired'],
  ['exp beyond all dates', { exp: 1e300 }, 'token_malformed'],
  ['exp in milliseconds', { exp: (NOW + 900) * 1000 }, 'token_malformed'],
  ['exp 400 days from iat', { exp: NOW + 400 * 86_400 }, 'accepted'],
  ['exp 400 days and a second from iat', { exp: NOW + 400 * 86_400 + 1 }, 'token_malformed'],
  ['exp now', { exp: NOW }, 'accepted'],
  ['exp within the leeway', { exp: NOW - 4.999 }, 'accepted'],
  ['exp at the end of the leeway', { exp: NOW - 5 }, 'token_expired'],
  ['nbf now', { nbf: NOW }, 'accepted'],
  ['nbf within the leeway', { nbf: NOW + 5 }, 'accepted'],
  ['nbf beyond the leeway', { nbf: NOW + 6 }, 'token_not_active'],
  ['nbf text', { nbf: '0' }, 'token_malformed'],
  ['nbf null', { nbf: null }, 'token_malformed'],
  ['nbf beyond all dates', { nbf: 1e300 }, 'token_malformed'],
  ['auth_time within the leeway', { auth_time: NOW + 5 }, 'accepted'],
  ['auth_time in the future', { auth_time: NOW + 6 }, 'token_not_active'],
  ['auth_time text', { auth_time: 'now' }, 'token_malformed'],
  ['no type', { type: undefined }, 'token_malformed'],
  ['type null', { type: null }, 'token_malformed'],
  ['type of another kind', { type: 'id' }, 'token_malformed'],
  ['type of a prototype', { type: 'constructor' }, 'token_malformed'],
  ['type against typ', { type: 'refresh' }, 'token_malformed'],
  ['iss where none is configured', { iss: 'https://a' }, 'accepted'],
  ['iss empty', { iss: '' }, 'issuer_invalid'],
  ['iss a list (ISS-02)', { iss: ['https://a'] }, 'issuer_invalid'],
  ['iss null', { iss: null }, 'issuer_invalid'],
  ['aud where none is configured', { aud: 'api' }, 'audience_invalid'],
  ['an empty aud (AUD-02)', { aud: [] }, 'audience_invalid'],
  ['aud null', { aud: null }, 'audience_invalid'],
  ['fresh as the number 1', { fresh: 1 }, 'accepted'],
  ['fresh as text', { fresh: 'true' }, 'accepted'],
  ['csrf a number', { csrf: 1 }, 'token_malformed'],
  ['scopes as text', { scopes: 'users:read' }, 'token_malformed'],
  ['scopes with a blank in one', { scopes: ['users read'] }, 'token_malformed'],
  ['scopes with a number', { scopes: ['a', 1] }, 'token_malformed'],
  ['scopes null', { scopes: null }, 'token_malformed'],
  ['no scope in a list', { scopes: [] }, 'accepted'],
  ['sid empty', { sid: '' }, 'token_malformed'],
  ['amr as text', { amr: 'pwd' }, 'token_malformed'],
  ['amr with an empty name', { amr: [''] }, 'token_malformed'],
  ['acr a number', { acr: 2 }, 'token_malformed'],
  ['gen a fraction', { gen: 1.5 }, 'token_malformed'],
  ['gen', { gen: 3 }, 'accepted'],
  ['login_type where none is configured', { login_type: 'staff' }, 'realm_mismatch'],
  ['custom claims of every kind', { a: null, b: [1, { c: 'd' }], e: false, f: 1.5 }, 'accepted'],
  ['16 levels', { x: nested(15) }, 'accepted'],
  ['17 levels', { x: nested(16) }, 'token_malformed'],
  ['256 members', members(250), 'accepted'],
  ['257 members', members(251), 'token_malformed'],
  ['512 scopes beside them', { ...members(249), scopes: Array(512).fill('s') }, 'accepted'],
  ['513 scopes', { scopes: Array(513).fill('s') }, 'token_malformed'],
  ['257 members beside scopes', { ...members(250), scopes: ['s'] }, 'token_malformed'],
  ['a scope that is a list', { scopes: [Array(300).fill('s')] }, 'token_malformed'],
  ['512 scopes under another name', { roles: Array(512).fill('s') }, 'token_malformed'],
]

describe('the claims of a token signed by us', () => {
  it.each(TABLE)('with %s: %#', async (_, changes, code) => {
    const { auth } = setUp()
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf(changes))))).toBe(code)
  })

  it.each(TABLE)('with %s: the same without a cache, and the second time', async (_, changes, code) => {
    const token = forge(claimsOf(changes))
    for (const cache of [false, undefined] as const) {
      const { auth } = setUp(cache === false ? { cache } : {})
      await codeOf(() => auth.verifyToken(token))
      expect(await codeOf(() => auth.verifyToken(token))).toBe(code)
    }
  })

  it.each([
    ['exp 1e400 (TIM-06)', '{"sub":"a","jti":"b","type":"access","iat":1800000000,"exp":1e400}'],
    ['nbf 1e400', '{"sub":"a","jti":"b","type":"access","iat":1800000000,"exp":1800000900,"nbf":1e400}'],
    ['iat -1e400', '{"sub":"a","jti":"b","type":"access","iat":-1e400,"exp":1800000900}'],
    [
      '__proto__ (JSN-04)',
      '{"sub":"a","jti":"b","type":"access","iat":1800000000,"exp":1800000900,"__proto__":{"admin":true}}',
    ],
    [
      '__proto__ deep inside',
      '{"sub":"a","jti":"b","type":"access","iat":1800000000,"exp":1800000900,"x":[{"__proto__":1}]}',
    ],
    ['a list', '[1]'],
    ['text', '"x"'],
    ['null', 'null'],
    ['nothing', ''],
    ['no JSON', 'sub=a'],
    ['a byte order mark', '\ufeff{}'],
    ['something behind the object', '{} {}'],
  ])('as raw JSON with %s: token_malformed', async (_, payload) => {
    const { auth } = setUp()
    expect(await codeOf(() => auth.verifyToken(forge(payload)))).toBe('token_malformed')
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('that are no UTF-8: token_malformed', async () => {
    const { auth } = setUp()
    const json = Buffer.from(JSON.stringify(claimsOf({ sub: 'user-?' })))
    json[json.indexOf('?')] = 0xff
    const token = forge(json)
    expect(await codeOf(() => auth.verifyToken(token))).toBe('token_malformed')
    expect(await codeOf(() => auth.decodeUnverified(token))).toBe('token_malformed')
  })

  it('give what the JSON says of __proto__-like names, and change no prototype', async () => {
    const { auth } = setUp()
    const payload = await auth.verifyToken(
      forge(claimsOf({ constructor: 'x', hasOwnProperty: 1, toString: null })),
    )
    expect(payload.data).toEqual({ constructor: 'x', hasOwnProperty: 1, toString: null })
  })
})

describe('every registered claim', () => {
  const names = [...CLAIMS.keys()]

  it.each(names.filter((name) => !['iss', 'aud', 'fresh'].includes(name)))(
    '%s is refused in another form, also beside custom claims',
    async (name) => {
      const { auth } = setUp()
      const wrong = { [name]: { is: 'wrong' } }
      expect(await codeOf(() => auth.verifyToken(forge(claimsOf(wrong))))).toBe('token_malformed')
      expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ ...wrong, role: 'x' }))))).toBe(
        'token_malformed',
      )
    },
  )

  it.each(['aud', 'amr', 'access_aud'])('%s counts towards the bound of members', async (name) => {
    const { auth } = setUp({ audience: 'n0' })
    const list = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`)
    const claims = claimsOf({ aud: 'n0' })
    const free = 256 - Object.keys({ ...claims, [name]: 0 }).length
    expect(await codeOf(() => auth.verifyToken(forge({ ...claims, [name]: list(free) })))).toBe('accepted')
    expect(await codeOf(() => auth.verifyToken(forge({ ...claims, [name]: list(free + 1) })))).toBe(
      'token_malformed',
    )
  })

  it('is no custom claim, and a custom claim beside all of them is one', async () => {
    const { auth } = setUp({ interop: true, issuer: 'https://a', audience: 'b', realm: 'r' })
    const texts = Object.fromEntries(names.map((name) => [name, 'r']))
    const times = { iat: NOW, exp: NOW + 900, nbf: NOW, auth_time: NOW, gen: 1, fresh: true, remember: false }
    const lists = {
      scopes: ['r'],
      access_scopes: ['r'],
      amr: ['r'],
      type: 'access',
      iss: 'https://a',
      aud: 'b',
    }
    const claims = { ...texts, ...times, ...lists }
    expect((await auth.verifyToken(forge(claims))).data).toEqual({})
    expect((await auth.verifyToken(forge({ ...claims, role: 'x' }))).data).toEqual({ role: 'x' })
  })
})

describe('the header typ', () => {
  it.each<[string, unknown, Record<string, unknown>, string]>([
    ['at+jwt', 'at+jwt', {}, 'accepted'],
    ['AT+JWT, as media types fold case', 'AT+JWT', {}, 'accepted'],
    ['application/at+jwt (RFC 9068 section 4)', 'application/at+jwt', {}, 'accepted'],
    ['rt+jwt on an access token (TYP-04)', 'rt+jwt', {}, 'token_malformed'],
    ['JWT without interop', 'JWT', {}, 'token_malformed'],
    ['none without interop', undefined, {}, 'token_malformed'],
    ['of a logout token', 'logout+jwt', {}, 'token_malformed'],
    ['rt+jwt on a refresh token', 'rt+jwt', { type: 'refresh' }, 'access_token_required'],
    ['at+jwt on a refresh token', 'at+jwt', { type: 'refresh' }, 'token_malformed'],
  ])('%s', async (_, typ, changes, code) => {
    const { auth } = setUp()
    const token = forge(claimsOf(changes), { header: { alg: 'HS256', typ } })
    expect(await codeOf(() => auth.verifyToken(token))).toBe(code)
  })

  it.each<[string, unknown, Record<string, unknown>, string]>([
    ['JWT', 'JWT', {}, 'accepted'],
    ['jwt', 'jwt', {}, 'accepted'],
    ['none', undefined, {}, 'accepted'],
    ['none, and no type', undefined, { type: undefined }, 'accepted'],
    ['of another kind', 'logout+jwt', {}, 'token_malformed'],
    ['of ours, against the type', 'rt+jwt', {}, 'token_malformed'],
    ['of ours, and no type', 'rt+jwt', { type: undefined }, 'token_malformed'],
  ])('with interop: %s', async (_, typ, changes, code) => {
    const { auth } = setUp({ interop: { untyped: true } })
    const token = forge(claimsOf(changes), { header: { alg: 'HS256', typ } })
    expect(await codeOf(() => auth.verifyToken(token))).toBe(code)
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['sub missing', { sub: undefined }, 'token_malformed'],
    ['sub a number', { sub: 5 }, 'token_malformed'],
    ['sub null', { sub: null }, 'token_malformed'],
    ['exp missing', { exp: undefined }, 'token_malformed'],
    ['exp null', { exp: null }, 'token_malformed'],
    ['exp far away', { exp: 4_102_444_800.5 }, 'accepted'],
    [
      'nothing but sub and exp',
      { jti: undefined, iat: undefined, type: undefined, fresh: undefined },
      'accepted',
    ],
    [
      'every optional claim null',
      {
        jti: null,
        iat: null,
        type: null,
        fresh: null,
        csrf: null,
        scopes: null,
        nbf: null,
        iss: undefined,
        sid: null,
        auth_time: null,
        amr: null,
        acr: null,
        login_type: null,
      },
      'accepted',
    ],
    ['csrf empty, as AuthX writes it', { csrf: '' }, 'accepted'],
    ['scopes as text', { scopes: 'a b' }, 'token_malformed'],
    ['aud where none is configured', { aud: 'api' }, 'audience_invalid'],
    ['iat in the future', { iat: NOW + 60 }, 'token_not_active'],
  ])('with interop: %s', async (_, changes, code) => {
    const { auth } = setUp({ interop: { untyped: true } })
    const token = forge(claimsOf(changes), { header: { alg: 'HS256', typ: 'JWT' } })
    expect(await codeOf(() => auth.verifyToken(token))).toBe(code)
  })
})
