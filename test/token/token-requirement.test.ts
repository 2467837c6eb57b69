import { describe, expect, it } from 'vitest'
import type { TokenRequirement } from '../../src/token/token-requirement.ts'
import { claimsOf, codeOf, complaintOf, errorOf, forge, NOW, setUp } from './forge.ts'

/** A token's claims, what is asked, how many seconds after NOW, and how it ends. */
type Row = readonly [string, Record<string, unknown>, TokenRequirement, number, string]
const ALIVE = { exp: NOW + 90_000 }
const FRESH = { fresh: true, auth_time: NOW, ...ALIVE }

const FRESHNESS: readonly Row[] = [
  ['fresh and just authenticated', FRESH, { fresh: true }, 0, 'accepted'],
  ['the window to its last moment', FRESH, { fresh: true }, 900, 'accepted'],
  ['a millisecond after the window', FRESH, { fresh: true }, 900.001, 'fresh_token_required'],
  ['the leeway does not widen the window', FRESH, { fresh: true }, 904, 'fresh_token_required'],
  ['not fresh, just authenticated', { ...FRESH, fresh: false }, { fresh: true }, 0, 'fresh_token_required'],
  ['fresh is missing', { ...FRESH, fresh: undefined }, { fresh: true }, 0, 'fresh_token_required'],
  ['fresh is null', { ...FRESH, fresh: null }, { fresh: true }, 0, 'fresh_token_required'],
  [
    'fresh is the text true (AuthX takes it)',
    { ...FRESH, fresh: 'true' },
    { fresh: true },
    0,
    'fresh_token_required',
  ],
  [
    'fresh is the number 1 (AuthX takes it)',
    { ...FRESH, fresh: 1 },
    { fresh: true },
    0,
    'fresh_token_required',
  ],
  ['fresh is a list', { ...FRESH, fresh: [true] }, { fresh: true }, 0, 'fresh_token_required'],
  ['fresh without auth_time counts from iat', { fresh: true, ...ALIVE }, { fresh: true }, 900, 'accepted'],
  ['and no longer', { fresh: true, ...ALIVE }, { fresh: true }, 901, 'fresh_token_required'],
  [
    'auth_time decides and not a later iat',
    { ...FRESH, auth_time: NOW - 901 },
    { fresh: true },
    0,
    'fresh_token_required',
  ],
  ['a narrower window to its last moment', FRESH, { fresh: '5m' }, 300, 'accepted'],
  ['a narrower window, after it', FRESH, { fresh: '5m' }, 300.5, 'fresh_token_required'],
  ['a wider window does not widen', FRESH, { fresh: '1h' }, 901, 'fresh_token_required'],
  ['a window as a number', FRESH, { fresh: 10 }, 10.5, 'fresh_token_required'],
  ['a deadline, before it', { fresh: NOW + 50, ...ALIVE }, { fresh: true }, 49.9, 'accepted'],
  ['a deadline, at it', { fresh: NOW + 50, ...ALIVE }, { fresh: true }, 50, 'fresh_token_required'],
  ['a deadline beyond the window holds', { fresh: NOW + 5000, ...ALIVE }, { fresh: true }, 4999, 'accepted'],
  [
    'a narrowed window bounds a deadline',
    { fresh: NOW + 5000, ...ALIVE },
    { fresh: '5m' },
    301,
    'fresh_token_required',
  ],
  [
    'a deadline that is infinite is none',
    { fresh: 1e308 * 10, ...ALIVE },
    { fresh: true },
    0,
    'fresh_token_required',
  ],
  ['fresh: false asks for nothing', { fresh: false, ...ALIVE }, { fresh: false }, 0, 'accepted'],
]

const STEP_UP: readonly Row[] = [
  ['maxAge to its last moment', { auth_time: NOW, ...ALIVE }, { maxAge: '5m' }, 300, 'accepted'],
  ['maxAge, after it', { auth_time: NOW, ...ALIVE }, { maxAge: '5m' }, 300.5, 'fresh_token_required'],
  ['maxAge knows no leeway', { auth_time: NOW, ...ALIVE }, { maxAge: '5m' }, 304, 'fresh_token_required'],
  [
    'maxAge wider than the freshness window',
    { auth_time: NOW, ...ALIVE },
    { maxAge: '1h' },
    3600,
    'accepted',
  ],
  [
    'maxAge needs no fresh token: it survives a refresh',
    { fresh: false, auth_time: NOW - 100, ...ALIVE },
    { maxAge: '5m' },
    0,
    'accepted',
  ],
  ['maxAge without auth_time, although iat is now', ALIVE, { maxAge: '5m' }, 0, 'fresh_token_required'],
  [
    'maxAge without auth_time, although fresh',
    { fresh: true, ...ALIVE },
    { maxAge: '5m' },
    0,
    'fresh_token_required',
  ],
  ['maxAge: false', ALIVE, { maxAge: false }, 0, 'accepted'],
  ['the acr that is asked', { acr: 'gold', ...ALIVE }, { acr: 'gold' }, 0, 'accepted'],
  ['one of several acr', { acr: 'gold', ...ALIVE }, { acr: ['silver', 'gold'] }, 0, 'accepted'],
  ['another acr', { acr: 'bronze', ...ALIVE }, { acr: ['silver', 'gold'] }, 0, 'fresh_token_required'],
  ['acr in another case', { acr: 'Gold', ...ALIVE }, { acr: 'gold' }, 0, 'fresh_token_required'],
  ['no acr', ALIVE, { acr: 'gold' }, 0, 'fresh_token_required'],
  ['the amr that is asked', { amr: ['pwd', 'otp'], ...ALIVE }, { amr: 'otp' }, 0, 'accepted'],
  ['every amr that is asked', { amr: ['otp', 'pwd'], ...ALIVE }, { amr: ['pwd', 'otp'] }, 0, 'accepted'],
  ['one amr of two', { amr: ['pwd'], ...ALIVE }, { amr: ['pwd', 'otp'] }, 0, 'fresh_token_required'],
  ['no amr', ALIVE, { amr: ['pwd'] }, 0, 'fresh_token_required'],
]

const SCOPES: readonly Row[] = [
  ['all of them', { scopes: ['a', 'b:*'] }, { scopes: ['a', 'b:c'] }, 0, 'accepted'],
  ['one missing', { scopes: ['a'] }, { scopes: ['a', 'b'] }, 0, 'scope_missing'],
  ['none in the token', {}, { scopes: ['a'] }, 0, 'scope_missing'],
  ['* alone', { scopes: ['*'] }, { scopes: ['a'] }, 0, 'scope_missing'],
  ['none asked', {}, { scopes: [] }, 0, 'accepted'],
  ['any of them', { scopes: ['b'] }, { anyScope: ['a', 'b'] }, 0, 'accepted'],
  ['any of others', { scopes: ['c'] }, { anyScope: ['a', 'b'] }, 0, 'scope_missing'],
  ['all and any together', { scopes: ['a', 'c'] }, { scopes: ['a'], anyScope: ['b', 'c'] }, 0, 'accepted'],
  ['all but not any', { scopes: ['a'] }, { scopes: ['a'], anyScope: ['b', 'c'] }, 0, 'scope_missing'],
]

describe.each([
  ['freshness', FRESHNESS],
  ['step-up', STEP_UP],
  ['scopes', SCOPES],
])('%s', (_, rows) => {
  it.each(rows)('%s', async (...[, claims, requirement, later, code]) => {
    const { auth, clock } = setUp()
    clock.now = NOW + later
    // As text, so that a number beyond the range of doubles can be written.
    const json = JSON.stringify(claimsOf(claims)).replace(
      '"fresh":null',
      claims['fresh'] === null ? '"fresh":null' : '"fresh":1e400',
    )
    expect(await codeOf(() => auth.verifyToken(forge(json), requirement))).toBe(code)
  })
})

describe('the challenge', () => {
  it.each<[string, TokenRequirement, object]>([
    ['the window of freshness', { fresh: true }, { maxAge: 900 }],
    ['a narrower window', { fresh: '5m' }, { maxAge: 300 }],
    ['maxAge', { maxAge: '10m' }, { maxAge: 600 }],
    ['the narrower of both', { fresh: true, maxAge: '10m' }, { maxAge: 600 }],
    ['acr', { acr: ['silver', 'gold'] }, { acrValues: ['silver', 'gold'] }],
    ['acr as one text', { acr: 'gold' }, { acrValues: ['gold'] }],
    ['everything', { fresh: true, acr: 'gold', amr: 'otp' }, { maxAge: 900, acrValues: ['gold'] }],
    ['amr, which RFC 9470 has no word for', { amr: 'otp' }, {}],
  ])('of %s', async (_, requirement, detail) => {
    const { auth } = setUp()
    const error = await errorOf(() => auth.verifyToken(forge(claimsOf()), requirement))
    expect(error).toMatchObject({
      code: 'fresh_token_required',
      message: 'Fresh token required',
      status: 401,
      detail,
    })
  })

  it('of scopes names those that were asked', async () => {
    const { auth } = setUp()
    const refused = (requirement: TokenRequirement): Promise<unknown> =>
      errorOf(() => auth.verifyToken(forge(claimsOf({ scopes: ['mine'] })), requirement))
    expect(await refused({ scopes: ['a', 'b'] })).toMatchObject({
      code: 'scope_missing',
      status: 403,
      detail: { scopes: ['a', 'b'] },
    })
    expect(await refused({ anyScope: ['c'] })).toMatchObject({ detail: { scopes: ['c'] } })
  })
})

describe('a requirement of another shape is refused when the route is made', () => {
  it.each<[string, unknown, RegExp]>([
    ['an unknown member', { scope: ['a'] }, /Unknown option `scope`; did you mean `scopes`\?/],
    ['a type that does not exist', { type: 'id' }, /`type` to be 'access', 'refresh' or 'any'/],
    ['a type of a prototype', { type: 'constructor' }, /`type` to be/],
    ['fresh as a number of text', { fresh: '120' }, /`fresh` to be a duration.*got 120 \(string\)/],
    ['a window under 5 s', { fresh: '4s' }, /`fresh` to be a duration .* between 5 and/],
    ['fresh null', { fresh: null }, /`fresh` to be a duration/],
    ['maxAge under 5 s', { maxAge: 4.9 }, /`maxAge` to be a duration .* between 5 and/],
    ['maxAge true', { maxAge: true }, /`maxAge` to be a duration/],
    ['maxAge 0, which elsewhere means off', { maxAge: 0 }, /`maxAge`/],
    ['an empty acr', { acr: '' }, /`acr` to be a non-empty string or a non-empty list of them/],
    ['acr of none', { acr: [] }, /`acr`/],
    ['amr with a number', { amr: [1] }, /`amr`/],
    ['scopes as text', { scopes: 'a b' }, /`scopes` to be a list of scopes such as \['users:read'\]/],
    ['scopes in a list in a list', { scopes: [['admin']] }, /`scopes`/],
    ['a scope with a blank', { scopes: ['a b'] }, /`scopes`/],
    ['any of no scope', { anyScope: [] }, /`anyScope`/],
    ['an empty realm', { realm: '' }, /`realm` to be a non-empty string/],
    ['optional as text', { optional: 'yes' }, /`optional` to be true or false/],
    ['locations of none', { locations: [] }, /`locations`/],
    ['a location that does not exist', { locations: ['headers'] }, /`locations`/],
    ['a csrf mode that does not exist', { csrf: true }, /`csrf\.mode`/],
    ['renew as text', { renew: '5m' }, /`renew` to be true, false or \{ within, maxAge \}/],
    ['renew with an unknown member', { renew: { before: '5m' } }, /Unknown option `renew\.before`/],
    ['renew within nothing', { renew: { within: 0 } }, /`renew\.within` to be a duration/],
  ])('%s', async (_, requirement, message) => {
    const { auth } = setUp()
    const complaint = await complaintOf(() => auth.prepare(requirement as TokenRequirement))
    expect(complaint).toMatch(/^ConfigurationError/)
    expect(complaint).toMatch(message)
  })
})

it.each(
  'type fresh maxAge acr amr scopes anyScope realm locations csrf revocation optional renew'.split(' '),
)('a requirement whose `%s` is undefined is refused', async (name) => {
  const { auth } = setUp()
  for (const take of [
    () => auth.prepare({ [name]: undefined }),
    () => auth.verifyToken(forge(claimsOf()), { [name]: undefined }),
  ])
    expect(await complaintOf(take)).toBe(
      `ConfigurationError: Expected \`${name}\` to have a value, got undefined; leave it out to check less`,
    )
})

describe('a requirement that is no object', () => {
  const NONE: readonly (readonly [string, unknown])[] = [
    ['a list', []],
    ['null', null],
    ['a function', () => true],
  ]
  it.each(NONE)('%s is refused by verifyToken', async (_, requirement) => {
    const { auth } = setUp()
    const complaint = await complaintOf(() => auth.verifyToken(forge(claimsOf()), requirement as object))
    expect(complaint).toMatch(/^ConfigurationError: Expected `requirement` to be an object/)
  })

  // FINDING F11: `prepare`, and so `guard.token(...)`, spreads it first: it becomes the requirement that asks for nothing.
  it.each(NONE)('%s is refused by prepare', async (_, requirement) => {
    const { auth } = setUp()
    expect(await complaintOf(() => auth.prepare(requirement as object))).toMatch(/^ConfigurationError/)
  })
})

describe('type and realm', () => {
  it.each<[string, string | undefined, TokenRequirement, string]>([
    ['an access token by default', 'access', {}, 'accepted'],
    ['a refresh token by default', 'refresh', {}, 'access_token_required'],
    ['an access token for a refresh', 'access', { type: 'refresh' }, 'refresh_token_required'],
    ['a refresh token for a refresh', 'refresh', { type: 'refresh' }, 'accepted'],
    ['either for any', 'refresh', { type: 'any' }, 'accepted'],
    ['type comes before freshness', 'refresh', { fresh: true }, 'access_token_required'],
    ['type comes before realm', 'refresh', { realm: 'staff' }, 'access_token_required'],
  ])('%s', async (_, type, requirement, code) => {
    const { auth } = setUp()
    const header = { alg: 'HS256', typ: type === 'refresh' ? 'rt+jwt' : 'at+jwt' }
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ type }), { header }), requirement))).toBe(
      code,
    )
  })

  it.each<[string, string | undefined, string | undefined, string | undefined, string]>([
    ['no realm anywhere', undefined, undefined, undefined, 'accepted'],
    ['the configured one', 'staff', undefined, 'staff', 'accepted'],
    ['another one', 'staff', undefined, 'guests', 'realm_mismatch'],
    ['none where one is configured', 'staff', undefined, undefined, 'realm_mismatch'],
    ['one where none is configured', undefined, undefined, 'staff', 'realm_mismatch'],
    ['the one that the route asks for', 'staff', 'guests', 'guests', 'accepted'],
    ['the configured one where the route asks for another', 'staff', 'guests', 'staff', 'realm_mismatch'],
    ['the same in another case', 'staff', undefined, 'Staff', 'realm_mismatch'],
  ])('%s', async (...[, realm, asked, login_type, code]) => {
    const { auth } = setUp(realm === undefined ? {} : { realm })
    const token = forge(claimsOf({ login_type }))
    expect(await codeOf(() => auth.verifyToken(token, asked === undefined ? {} : { realm: asked }))).toBe(
      code,
    )
  })

  it('the realm of the options is written into every token, as login_type', async () => {
    const { auth } = setUp({ realm: 'staff' })
    const { access_token, refresh_token } = await auth.createTokenPair('u')
    expect((await auth.verifyToken(access_token)).login_type).toBe('staff')
    expect((await auth.verifyToken(refresh_token, { type: 'refresh' })).login_type).toBe('staff')
  })
})

describe('issuer and audience are exact', () => {
  it.each<[string, string, unknown, string]>([
    ['the same', 'https://us', 'https://us', 'accepted'],
    ['none', 'https://us', undefined, 'issuer_invalid'],
    ['a part of it (ISS-03)', 'https://us', 'https://u', 'issuer_invalid'],
    ['more than it', 'https://us', 'https://us/', 'issuer_invalid'],
    ['another case', 'https://us', 'HTTPS://US', 'issuer_invalid'],
    ['a list with it (ISS-02)', 'https://us', ['https://us'], 'issuer_invalid'],
    ['what a pattern would match', '.*', 'https://evil', 'issuer_invalid'],
    ['null', 'https://us', null, 'issuer_invalid'],
  ])('issuer: %s', async (_, issuer, iss, code) => {
    const { auth } = setUp({ issuer })
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ iss }))))).toBe(code)
  })

  it.each<[string, string | string[], unknown, string]>([
    ['the same', 'api', 'api', 'accepted'],
    ['a list with it', 'api', ['x', 'api'], 'accepted'],
    ['one in common', ['api', 'web'], ['x', 'web'], 'accepted'],
    ['none in common', ['api', 'web'], ['x'], 'audience_invalid'],
    ['none', 'api', undefined, 'audience_invalid'],
    ['a part of it', 'api', 'ap', 'audience_invalid'],
    ['more than it', 'api', 'apis', 'audience_invalid'],
    ['an empty list', 'api', [], 'audience_invalid'],
    ['a list with something else than text', 'api', ['api', 1], 'audience_invalid'],
    ['an object', 'api', { 0: 'api' }, 'audience_invalid'],
  ])('audience: %s', async (_, audience, aud, code) => {
    const { auth } = setUp({ audience })
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf({ aud }))))).toBe(code)
  })
})
