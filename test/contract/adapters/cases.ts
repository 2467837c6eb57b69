/** The table of requests, and what the fetch door must answer: 200, another status, or the code of a refusal. */
import { gzipSync } from 'node:zlib'
import { claimsOf, forge, NOW } from '../../token/forge.ts'
import { BROKEN, GHOST, REVOKED, UNSURE } from './routes.ts'
import type { WireRequest } from './wire.ts'

/** One request and its answer. */
export interface Case {
  readonly name: string
  readonly request: WireRequest
  /** The status, or the `code` of the answer's body. */
  readonly expected: number | string
  /** The members of the answer's body. */
  readonly body?: Readonly<Record<string, unknown>>
  /** The names of the cookies that are set. */
  readonly cookies?: readonly string[]
  /** Headers of the answer, in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether frameworks that parse bodies first answer it in their own way. */
  readonly unparsed?: boolean
}

type Header = readonly [string, string]

const ours = { login_type: 'us', csrf: 'c' }
const CSRF: Header = ['X-CSRF-Token', 'c']
const ACCESS = '__Host-access_token'
const REFRESH = '__Host-refresh_token'
const JSON_TYPE: Header = ['Content-Type', 'application/json']
const FORM_TYPE: Header = ['Content-Type', 'application/x-www-form-urlencoded']

function access(claims: object = {}): string {
  return forge(claimsOf({ ...ours, jti: 'j-1', ...claims }))
}

const good = access()
const refresh = forge(claimsOf({ ...ours, jti: 'r-1', type: 'refresh' }), {
  header: { alg: 'HS256', typ: 'rt+jwt' },
})
const due = access({ auth_time: NOW - 800, iat: NOW - 800, exp: NOW + 100, scopes: ['a'] })

function bearer(token: string): Header {
  return ['Authorization', `Bearer ${token}`]
}

function cookie(token: string, name = ACCESS): Header {
  return ['Cookie', `${name}=${token}`]
}

function get(target: string, ...headers: readonly Header[]): WireRequest {
  return { target, headers }
}

function post(target: string, ...headers: readonly Header[]): WireRequest {
  return { method: 'POST', target, headers }
}

function json(target: string, value: unknown, ...headers: readonly Header[]): WireRequest {
  const body = typeof value === 'string' ? value : JSON.stringify(value)
  return { method: 'POST', target, headers: [JSON_TYPE, ...headers], body }
}

function form(target: string, body: string, ...headers: readonly Header[]): WireRequest {
  return { method: 'POST', target, headers: [FORM_TYPE, ...headers], body }
}

const WHO = { sub: 'user-1', type: 'access', frozen: true, subject: null }
const NOBODY = { sub: null, type: null, frozen: true, subject: null }
const USER = { ...WHO, subject: { name: 'user user-1' } }

type Row = readonly [name: string, request: WireRequest, expected: number | string, more?: Partial<Case>]

const HEADERS: readonly Row[] = [
  ['a good token', get('/access', bearer(good)), 200, { body: WHO }],
  ['the scheme in another case', get('/access', ['AUTHORIZATION', `bEaReR   ${good}`]), 200],
  ['no token', get('/access'), 'token_missing'],
  ['another scheme', get('/access', ['Authorization', 'Basic dXNlcjpwYXNz']), 'token_missing'],
  ['an empty header', get('/access', ['Authorization', '']), 'token_missing'],
  ['the scheme alone', get('/access', ['Authorization', 'Bearer']), 'token_missing'],
  ['the scheme alone, optional', get('/optional', ['Authorization', 'Bearer ']), 200, { body: NOBODY }],
  ['two words', get('/access', ['Authorization', 'Bearer a b']), 'request_invalid'],
  ['the header twice', get('/access', bearer(good), bearer(good)), 'request_invalid'],
  ['twice, in two cases', get('/access', bearer(good), ['authorization', 'Bearer x']), 'request_invalid'],
  [
    'twice, another scheme first',
    get('/access', ['Authorization', 'Basic x'], bearer(good)),
    'request_invalid',
  ],
  [
    'twice, another scheme last',
    get('/access', bearer(good), ['Authorization', 'Basic x']),
    'request_invalid',
  ],
  ['twice, first empty', get('/access', ['Authorization', ''], bearer(good)), 'request_invalid'],
  ['twice, last empty', get('/access', bearer(good), ['Authorization', '']), 'signature_invalid'],
  ['three times', get('/access', bearer('x'), bearer('y'), bearer(good)), 'request_invalid'],
  ['no token at all', get('/access', bearer('garbage')), 'token_malformed'],
  ['bytes beyond ASCII', get('/access', bearer('\u00e9\u00ff')), 'token_malformed'],
  ['a huge token', get('/access', bearer(`a.${'b'.repeat(9_000)}.c`)), 'token_malformed'],
  ['a wrong signature', get('/access', bearer(`${good.slice(0, -3)}AAA`)), 'signature_invalid'],
  ['an expired token', get('/access', bearer(access({ iat: NOW - 99, exp: NOW - 9 }))), 'token_expired'],
  ['a token of tomorrow', get('/access', bearer(access({ nbf: NOW + 60 }))), 'token_not_active'],
  ['a token for others', get('/access', bearer(access({ aud: 'them' }))), 'audience_invalid'],
  ['a token of another realm', get('/access', bearer(access({ login_type: 'them' }))), 'realm_mismatch'],
  ['a revoked token', get('/access', bearer(access({ sub: REVOKED }))), 'token_revoked'],
  ['a blocklist that is down', get('/access', bearer(access({ sub: UNSURE }))), 'store_unavailable'],
  ['a refresh token', get('/access', bearer(refresh)), 'access_token_required'],
  ['an access token for a refresh', get('/refresh', bearer(good)), 'refresh_token_required'],
  ['a refresh', get('/refresh', bearer(refresh)), 200, { body: { ...WHO, type: 'refresh' } }],
  ['any type', get('/any', bearer(refresh)), 200],
]

const REQUIREMENTS: readonly Row[] = [
  ['a stale token', get('/fresh', bearer(good)), 'fresh_token_required'],
  ['a fresh token', get('/fresh', bearer(access({ fresh: true, auth_time: NOW }))), 200],
  ['no scope', get('/scopes', bearer(good)), 'scope_missing'],
  ['one scope of two', get('/scopes', bearer(access({ scopes: ['admin'] }))), 'scope_missing'],
  ['all scopes', get('/scopes', bearer(access({ scopes: ['admin', 'users:*'] }))), 200],
  ['no step-up', get('/step-up', bearer(good)), 'fresh_token_required'],
  ['a step-up', get('/step-up', bearer(access({ auth_time: NOW - 9, acr: 'gold' }))), 200],
  ['optional without a token', get('/optional'), 200, { body: NOBODY }],
  ['optional with one', get('/optional', bearer(good)), 200, { body: WHO }],
  ['optional with a bad one', get('/optional', bearer('x.y.z')), 'token_malformed'],
  ['optional with two', get('/optional', bearer(good), bearer(good)), 'request_invalid'],
  ['a user', get('/subject', bearer(good)), 200, { body: USER }],
  ['a user who is gone', get('/subject', bearer(access({ sub: GHOST }))), 'subject_unknown'],
  ['users who cannot be loaded', get('/subject', bearer(access({ sub: BROKEN }))), 'store_unavailable'],
  ['two guards, the second refuses', get('/two', bearer(good)), 'fresh_token_required'],
  ['two guards, nobody', get('/two'), 'token_missing'],
  ['two guards, both pass', get('/two', bearer(access({ fresh: true, auth_time: NOW }))), 200, { body: WHO }],
  ['a user, then scopes', get('/two-users', bearer(access({ scopes: ['admin'] }))), 200, { body: USER }],
  ['a user, then no scopes', get('/two-users', bearer(good)), 'scope_missing'],
  [
    'a handler that fails',
    get('/handler-fails', bearer(good)),
    418,
    { body: { caught: 'Error', code: null } },
  ],
]

const THROWN: readonly Row[] = [
  [
    'thrown: no token',
    get('/throws/access'),
    'token_missing',
    { body: { caught: 'MissingTokenError', code: 'token_missing' } },
  ],
  ['thrown: accepted', get('/throws/access', bearer(good)), 200, { body: WHO }],
  ['thrown: two tokens', get('/throws/access', bearer('x'), bearer('y')), 'request_invalid'],
  ['thrown: scopes', get('/throws/scopes', bearer(good)), 'scope_missing'],
  ['thrown: a user who is gone', get('/throws/subject', bearer(access({ sub: GHOST }))), 'subject_unknown'],
  [
    'thrown: users who cannot be loaded',
    get('/throws/subject', bearer(access({ sub: BROKEN }))),
    'store_unavailable',
  ],
  ['thrown: a bad body', json('/throws/access', '{'), 'request_invalid', { unparsed: true }],
]

const QUERIES: readonly Row[] = [
  ['a token in the query', get(`/access?access_token=${good}`), 200],
  ['an empty one', get('/access?access_token='), 'request_invalid'],
  ['twice', get(`/access?access_token=${good}&access_token=${good}`), 'request_invalid'],
  ['twice, one name encoded', get(`/access?access_token=${good}&access%5Ftoken=x`), 'request_invalid'],
  ['query and header', get(`/access?access_token=${good}`, bearer(good)), 'request_invalid'],
  ['broken percent signs', get(`/access?a=%&b=%zz&access_token=${good}`), 200],
  ['broken bytes', get('/access?access_token=%ff%fe'), 'token_malformed'],
  ['behind a fragment', get(`/access?a=b#&access_token=${good}`), 'token_missing'],
  ['of another type', get(`/refresh?refresh_token=${refresh}&access_token=${good}`), 200],
  ['where the route looks at headers', get(`/header-only?access_token=${good}`), 'token_missing'],
]

const COOKIES: readonly Row[] = [
  ['a cookie on GET', get('/access', cookie(good)), 200],
  ['a refresh cookie', get('/refresh', cookie(refresh, REFRESH)), 200],
  ['the other cookie', get('/refresh', cookie(good)), 'token_missing'],
  ['a header beats it', get('/access', cookie('x'), bearer(good)), 200],
  ['it rescues no bad header', get('/access', cookie(good), bearer('x.y.z')), 'token_malformed'],
  [
    'the cookie twice in a line',
    get('/access', ['Cookie', `${ACCESS}=${good}; ${ACCESS}=${good}`]),
    'request_invalid',
    { cookies: [ACCESS], headers: { 'cache-control': 'private, no-store' } },
  ],
  [
    'the cookie twice in two lines',
    get('/access', cookie(good), cookie('x')),
    'request_invalid',
    { cookies: [ACCESS] },
  ],
  [
    'the CSRF cookie twice',
    post(
      '/access',
      cookie(good),
      ['Cookie', '__Host-csrf_token=a; __Host-csrf_token=b'],
      ['X-CSRF-Token', 'a'],
    ),
    'csrf_mismatch',
    { cookies: ['__Host-csrf_token'] },
  ],
  ['in the second of two lines', get('/access', ['Cookie', 'a=b'], cookie(good)), 200],
  ['a name that ends alike', get('/access', ['Cookie', `x${ACCESS}=${good}`]), 'token_missing'],
  ['an empty cookie', get('/access', cookie('')), 'token_missing'],
  ['POST without CSRF', post('/access', cookie(good)), 'csrf_missing'],
  ['a form with CSRF', form('/header-or-cookie', 'csrf_token=c&a=b', cookie(good)), 200],
  ['a form with the wrong one', form('/header-or-cookie', 'csrf_token=d', cookie(good)), 'csrf_mismatch'],
  ['a form without', form('/header-or-cookie', 'a=b', cookie(good)), 'csrf_missing'],
  ['POST with CSRF', post('/access', cookie(good), CSRF), 200],
  ['with the wrong one', post('/access', cookie(good), ['X-CSRF-Token', 'd']), 'csrf_mismatch'],
  ['with an empty one', post('/access', cookie(good), ['X-CSRF-Token', '']), 'csrf_missing'],
  ['with two', post('/access', cookie(good), CSRF, CSRF), 'csrf_mismatch'],
  [
    'from a foreign page',
    post('/access', cookie(good), CSRF, ['Sec-Fetch-Site', 'cross-site']),
    'csrf_mismatch',
  ],
  [
    'from a sibling page',
    post('/access', cookie(good), CSRF, ['Sec-Fetch-Site', 'same-site']),
    'csrf_mismatch',
  ],
  ['from our own page', post('/access', cookie(good), CSRF, ['Sec-Fetch-Site', 'same-origin']), 200],
  ['from our own origin', post('/access', cookie(good), CSRF, ['Origin', 'http://app.example']), 200],
  [
    'from another origin',
    post('/access', cookie(good), CSRF, ['Origin', 'http://evil.example']),
    'csrf_mismatch',
  ],
  [
    'from two origins',
    post('/access', cookie(good), CSRF, ['Origin', 'http://app.example'], ['Origin', 'http://app.example']),
    'csrf_mismatch',
  ],
  ['from nowhere', post('/access', cookie(good), CSRF, ['Origin', 'null']), 'csrf_mismatch'],
  [
    'from a friend',
    post(
      '/access',
      cookie(good),
      CSRF,
      ['Origin', 'https://friend.example'],
      ['Sec-Fetch-Site', 'cross-site'],
    ),
    200,
  ],
  ['a header needs no CSRF', post('/access', bearer(good), ['Sec-Fetch-Site', 'cross-site']), 200],
  ['CSRF that the route has switched off', post('/no-csrf', cookie(good)), 200],
]

const METHODS: readonly Row[] = [
  ['HEAD, accepted', { ...get('/access', bearer(good)), method: 'HEAD' }, 200],
  ['HEAD, refused', { ...get('/access'), method: 'HEAD' }, 401],
  ['HEAD by cookie is safe', { ...get('/access', cookie(good)), method: 'HEAD' }, 200],
  ['OPTIONS, refused', { ...get('/access'), method: 'OPTIONS' }, 'token_missing'],
  ['OPTIONS, accepted', { ...get('/access', bearer(good)), method: 'OPTIONS' }, 200],
  ['OPTIONS by cookie is safe', { ...get('/access', cookie(good)), method: 'OPTIONS' }, 200],
  ['PUT by cookie is not', { ...get('/access', cookie(good)), method: 'PUT' }, 'csrf_missing'],
  ['DELETE by cookie is not', { ...get('/access', cookie(good)), method: 'DELETE' }, 'csrf_missing'],
]

const CSRF_COOKIE = '__Host-csrf_token'
const RENEWALS: readonly Row[] = [
  [
    'a token that is due',
    get('/renew', cookie(due)),
    200,
    {
      cookies: [ACCESS, CSRF_COOKIE],
      headers: { 'cache-control': 'private, no-store', vary: 'Cookie, Authorization' },
    },
  ],
  ['one that is not', get('/renew', cookie(good)), 200, { cookies: [] }],
  ['one that came by header', get('/renew', bearer(due)), 200, { cookies: [] }],
  ['a route that does not renew', get('/access', cookie(due)), 200, { cookies: [] }],
  ['a guard behind it', get('/renew-twice', cookie(due)), 200, { cookies: [ACCESS, CSRF_COOKIE] }],
  [
    'beside cookies of the handler',
    get('/renew-and-theme', cookie(due)),
    200,
    { cookies: ['theme', 'lang', ACCESS, CSRF_COOKIE] },
  ],
  [
    'a logout has the last word',
    get('/logout', cookie(due)),
    200,
    { cookies: [ACCESS, REFRESH, CSRF_COOKIE] },
  ],
  ['a login sets cookies', get('/login', bearer(good)), 200, { cookies: [ACCESS, CSRF_COOKIE] }],
  ['HEAD', { ...get('/renew', cookie(due)), method: 'HEAD' }, 200, { cookies: [ACCESS, CSRF_COOKIE] }],
]

const note = 'n\u00f6te'
const BODIES: readonly Row[] = [
  [
    'JSON',
    json('/body', { access_token: good, note }),
    200,
    { body: { body: { access_token: good, note } } },
  ],
  ['JSON in chunks', { ...json('/body', { access_token: good, note }), chunked: true }, 200],
  [
    'JSON with parameters',
    {
      ...json('/body', { access_token: good }),
      headers: [['Content-Type', 'Application/JSON; charset=utf-8']],
    },
    200,
  ],
  [
    'a form',
    form('/body', `access_token=${good}&note=a+b`),
    200,
    { body: { body: { access_token: good, note: 'a b' } } },
  ],
  ['a large body', json('/body', { access_token: good, filler: 'x'.repeat(900_000) }), 200],
  [
    'a large body in chunks',
    { ...json('/body', { access_token: good, filler: 'x'.repeat(900_000) }), chunked: true },
    200,
  ],
  ['two guards', json('/body-twice', { access_token: good, note }), 200],
  ['two guards, a form', form('/body-twice', `access_token=${good}`), 200],
  ['no token in it', json('/body', { note }), 'token_missing'],
  ['no text', json('/body', { access_token: 7 }), 'request_invalid'],
  ['empty text', json('/body', { access_token: '' }), 'request_invalid'],
  ['beside a header, unread', json('/body', { access_token: 'ghp_x' }, bearer(good)), 200],
  ['a list beside a header', json('/body', [{ op: 1 }], bearer(good)), 200],
  ['a list beside a cookie', json('/body', [{ op: 1 }], cookie(good), CSRF), 200, { unparsed: true }],
  ['a field that comes twice beside a cookie', form('/access', 'tags=a&tags=b', cookie(good), CSRF), 200],
  ['a byte order mark', json('/access', `\ufeff{"access_token":"${good}"}`), 200, { unparsed: true }],
  [
    'compressed',
    {
      ...json('/access', ''),
      headers: [JSON_TYPE, ['Content-Encoding', 'gzip'], cookie(good), CSRF],
      body: gzipSync('{"a":1}'),
    },
    200,
    { unparsed: true },
  ],
  ['beside a cookie, which it beats', json('/body', { access_token: good }, cookie('x')), 200],
  [
    'a bad one beside a good cookie',
    json('/body', { access_token: 'x' }, cookie(good), CSRF),
    'token_malformed',
  ],
  ['a list', json('/body', [good]), 'token_missing'],
  ['null', json('/body', 'null'), 'token_missing', { unparsed: true }],
  ['no JSON', json('/body', '{"access_token":'), 'request_invalid', { unparsed: true }],
  [
    'no UTF-8',
    { ...json('/body', ''), body: Buffer.from('{"access_token":"\xff"}', 'latin1') },
    'request_invalid',
    { unparsed: true },
  ],
  [
    'a form whose token comes twice',
    form('/body', `access_token=${good}&access_token=${good}`),
    'request_invalid',
    { unparsed: true },
  ],
  [
    'a prototype',
    json('/body', `{"__proto__":{"access_token":"${good}"}}`),
    'token_missing',
    { unparsed: true },
  ],
  [
    'too large, announced',
    json('/body', { access_token: good, filler: 'x'.repeat(1_100_000) }),
    'token_missing',
  ],
  [
    'too large, in chunks',
    { ...json('/body', { access_token: good, filler: 'x'.repeat(1_100_000) }), chunked: true },
    'request_invalid',
    { unparsed: true },
  ],
  ['no body', json('/body', ''), 'token_missing', { unparsed: true }],
  ['no body, in chunks', { ...json('/body', ''), chunked: true }, 'token_missing', { unparsed: true }],
  ['a header and no body', post('/access', bearer(good)), 200],
  ['a media type and no body', post('/access', JSON_TYPE), 'token_missing', { unparsed: true }],
  [
    'of another media type, untouched',
    {
      ...json('/body', ''),
      headers: [['Content-Type', 'application/octet-stream'], bearer(good)],
      body: 'x'.repeat(5_000_000),
      chunked: true,
    },
    200,
  ],
  [
    'of another media type, unread',
    {
      ...json('/body', ''),
      headers: [['Content-Type', 'text/plain']],
      body: JSON.stringify({ access_token: good }),
    },
    'token_missing',
  ],
  [
    'two media types',
    {
      ...json('/access', ''),
      headers: [JSON_TYPE, ['Content-Type', 'text/plain']],
      body: JSON.stringify({ access_token: good }),
    },
    'token_missing',
    { unparsed: true },
  ],
  ['GET with a body', { ...json('/access', { access_token: good }), method: 'GET' }, 'token_missing'],
  ['where the route looks at headers', json('/header-only', { access_token: good }), 'token_missing'],
]

function toCases(group: string, rows: readonly Row[]): readonly Case[] {
  return rows.map(([name, request, expected, more]) => ({
    name: `${group}: ${name}`,
    request,
    expected,
    ...more,
  }))
}

/** Every request. */
export const CASES: readonly Case[] = [
  ...toCases('header', HEADERS),
  ...toCases('requirement', REQUIREMENTS),
  ...toCases('errors', THROWN),
  ...toCases('query', QUERIES),
  ...toCases('cookie', COOKIES),
  ...toCases('method', METHODS),
  ...toCases('renewal', RENEWALS),
  ...toCases('body', BODIES),
]
