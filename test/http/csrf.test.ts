import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAuthError } from '../../src/errors.ts'
import {
  type CsrfMode,
  type CsrfOptions,
  checkCsrfToken,
  checkOrigin,
  checkRequestCsrf,
  checkRequestOrigin,
  isUnsafe,
  resolveCsrf,
  withMode,
} from '../../src/http/csrf.ts'
import { createAuth } from '../../src/index.ts'
import { SECRET } from '../token/forge.ts'
import { codeOf, type Sketch, toPort } from './port.ts'

const HOST = { host: 'app.example.com' }
const APP = 'https://app.example.com'
const SPA = 'https://spa.example.com'

describe('the origin check', () => {
  const settings = resolveCsrf({ origins: [SPA] })
  it.each<[string, 'passes' | 'refused', Sketch]>([
    ['neither header, which no browser sends', 'passes', {}],
    ['Sec-Fetch-Site same-origin', 'passes', { headers: { 'sec-fetch-site': 'same-origin' } }],
    ['Sec-Fetch-Site none', 'passes', { headers: { 'sec-fetch-site': 'none' } }],
    ['Sec-Fetch-Site cross-site (CSR-08)', 'refused', { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['Sec-Fetch-Site same-site (CSR-08)', 'refused', { headers: { 'sec-fetch-site': 'same-site' } }],
    ['Sec-Fetch-Site of an unknown value', 'refused', { headers: { 'sec-fetch-site': 'SAME-ORIGIN' } }],
    ['Sec-Fetch-Site that is empty', 'refused', { headers: { 'sec-fetch-site': '' } }],
    ['Sec-Fetch-Site twice', 'refused', { headers: { 'sec-fetch-site': ['same-origin', 'cross-site'] } }],
    ['Sec-Fetch-Site twice, joined', 'refused', { headers: { 'sec-fetch-site': 'same-origin, cross-site' } }],
    ['a welcome origin', 'passes', { headers: { origin: SPA } }],
    ['a welcome origin, cross-site', 'passes', { headers: { origin: SPA, 'sec-fetch-site': 'cross-site' } }],
    [
      'a foreign origin that claims the right host, cross-site',
      'refused',
      { headers: { ...HOST, origin: APP, 'sec-fetch-site': 'cross-site' } },
    ],
    [
      'an origin that only starts like a welcome one',
      'refused',
      { headers: { ...HOST, origin: `${SPA}.evil.example` } },
    ],
    ['a welcome host on another port', 'refused', { headers: { ...HOST, origin: `${SPA}:8443` } }],
    [
      'a welcome host on another scheme',
      'refused',
      { headers: { ...HOST, origin: SPA.replace('https', 'http') } },
    ],
    ['the own origin', 'passes', { headers: { ...HOST, origin: APP } }],
    [
      'the own origin over plain HTTP, behind a proxy',
      'passes',
      { headers: { ...HOST, origin: 'http://app.example.com' } },
    ],
    [
      'the own origin with the port in Host',
      'passes',
      { headers: { host: 'app.example.com:443', origin: APP } },
    ],
    [
      'the own origin with an upper-case Host',
      'passes',
      { headers: { host: 'App.Example.COM', origin: APP } },
    ],
    [
      'the own origin on a port',
      'passes',
      { headers: { host: 'localhost:8000', origin: 'http://localhost:8000' } },
    ],
    [
      'the own origin as an IPv6 address',
      'passes',
      { headers: { host: '[::1]:8000', origin: 'http://[::1]:8000' } },
    ],
    [
      'another port of the own host',
      'refused',
      { headers: { host: 'localhost:8000', origin: 'http://localhost:3000' } },
    ],
    [
      'the default port of the other scheme',
      'refused',
      { headers: { host: 'app.example.com:80', origin: APP } },
    ],
    ['a foreign origin (CSR-10)', 'refused', { headers: { ...HOST, origin: 'https://evil.example' } }],
    ['a subdomain of the own host', 'refused', { headers: { ...HOST, origin: 'https://x.app.example.com' } }],
    ['Origin: null', 'refused', { headers: { ...HOST, origin: 'null' } }],
    ['Origin: null where Host is null', 'refused', { headers: { host: 'null', origin: 'null' } }],
    [
      'Origin: null, same-origin',
      'passes',
      { headers: { ...HOST, origin: 'null', 'sec-fetch-site': 'same-origin' } },
    ],
    ['an empty Origin', 'refused', { headers: { ...HOST, origin: '' } }],
    ['an Origin with a path', 'refused', { headers: { ...HOST, origin: `${APP}/` } }],
    ['an Origin with a user', 'refused', { headers: { ...HOST, origin: 'https://u@app.example.com' } }],
    ['an Origin without a scheme', 'refused', { headers: { ...HOST, origin: 'app.example.com' } }],
    ['an Origin of an extension', 'refused', { headers: { host: 'abc', origin: 'chrome-extension://abc' } }],
    ['Origin twice', 'refused', { headers: { ...HOST, origin: [APP, APP] } }],
    ['Origin twice, joined', 'refused', { headers: { ...HOST, origin: `${APP}, ${APP}` } }],
    ['Host twice', 'refused', { headers: { host: ['app.example.com', 'evil.example'], origin: APP } }],
    [
      'Host twice, the own host in the URL',
      'refused',
      { headers: { host: ['app.example.com', 'evil.example'], origin: APP }, url: `${APP}/x` },
    ],
    ['no Host and a path for a URL', 'refused', { headers: { origin: APP } }],
    ['no Host and the own host in the URL', 'passes', { headers: { origin: APP }, url: `${APP}/x` }],
    [
      'no Host and another host in the URL',
      'refused',
      { headers: { origin: 'https://evil.example' }, url: `${APP}/x` },
    ],
    [
      'another Host than in the URL',
      'refused',
      { headers: { host: 'evil.example', origin: APP }, url: `${APP}/x` },
    ],
  ])('%s: %s', async (_, expected, sketch) => {
    const code = await codeOf(() => checkOrigin(toPort(sketch), settings))
    expect(code).toBe(expected === 'passes' ? 'nothing' : 'csrf_mismatch')
  })

  it('says what was wrong', () => {
    const request = toPort({ headers: { 'sec-fetch-site': 'cross-site' } })
    expect(() => checkOrigin(request, settings)).toThrow('Request origin is not allowed')
  })
})

describe('the origin of a server that knows its own', () => {
  const settings = resolveCsrf({ origins: [SPA] }, APP)
  const code = (headers: Record<string, string>): Promise<string> =>
    codeOf(() => checkOrigin(toPort({ method: 'POST', headers }), settings))

  it.each<[string, Record<string, string>]>([
    ['its own', { origin: APP }],
    ['its own, behind a proxy that changes Host', { host: 'backend:8080', origin: APP }],
    ['one that is listed', { host: 'app.example.com', origin: SPA }],
    ['none', { host: 'app.example.com' }],
    ['what the browser calls its own', { origin: 'null', 'sec-fetch-site': 'same-origin' }],
  ])('passes: %s', async (_, headers) => {
    expect(await code(headers)).toBe('nothing')
  })

  it.each<[string, Record<string, string>]>([
    ['the other scheme', { host: 'app.example.com', origin: 'http://app.example.com' }],
    ['another port', { host: 'app.example.com:8443', origin: 'https://app.example.com:8443' }],
    ['another name of the server', { host: 'alias.example.com', origin: 'https://alias.example.com' }],
    ['its own, which the browser calls another site', { origin: APP, 'sec-fetch-site': 'cross-site' }],
  ])('is refused: %s', async (_, headers) => {
    expect(await code(headers)).toBe('csrf_mismatch')
  })

  it('is an origin as browsers send it', () => {
    for (const origin of [
      'app.example.com',
      `${APP}/`,
      'capacitor://localhost',
      '*',
      5,
      null,
      [APP],
    ] as never[])
      expect(() => resolveCsrf(undefined, origin)).toThrow(/^Expected `origin` to be an origin/)
    expect(() => createAuth({ secret: SECRET, origin: `${APP}/path` })).toThrow(/`origin`/)
  })
})

describe('the double submit', () => {
  const settings = resolveCsrf(undefined)
  const CSRF = 'Vq3x-k8_ZbQ'
  it.each<[string, string, string | readonly string[] | undefined, string | undefined]>([
    ['the right value', 'nothing', CSRF, CSRF],
    ['the right value as a list of one', 'nothing', [CSRF], CSRF],
    ['no header (CSR-01)', 'csrf_missing', undefined, CSRF],
    ['an empty header (CSR-02)', 'csrf_missing', '', CSRF],
    ['a wrong value (CSR-02, CSR-04)', 'csrf_mismatch', 'X', CSRF],
    ['the value of another session (CSR-05, CSR-06)', 'csrf_mismatch', 'Vq3x-k8_ZbR', CSRF],
    ['the value in upper case (CSR-02)', 'csrf_mismatch', CSRF.toUpperCase(), CSRF],
    ['the value cut short (CSR-02)', 'csrf_mismatch', CSRF.slice(0, -1), CSRF],
    ['5000 characters (CSR-02)', 'csrf_mismatch', 'a'.repeat(5000), CSRF],
    ['NUL (CSR-02)', 'csrf_mismatch', '\u0000', CSRF],
    ['letters beyond ASCII (CSR-03)', 'csrf_mismatch', 'é'.repeat(CSRF.length), CSRF],
    ['a lone surrogate', 'csrf_mismatch', '\ud800', CSRF],
    ['the header twice', 'csrf_mismatch', [CSRF, CSRF], CSRF],
    ['the header twice, joined', 'csrf_mismatch', `${CSRF}, ${CSRF}`, CSRF],
    ['a token without a value', 'csrf_mismatch', CSRF, undefined],
    ['a token with an empty value', 'csrf_mismatch', CSRF, ''],
    ['a token and a header without a value', 'csrf_missing', '', ''],
    ['the word undefined for a token without a value', 'csrf_mismatch', 'undefined', undefined],
  ])('%s: %s', async (_, expected, value, csrf) => {
    const request = toPort({ headers: value === undefined ? {} : { 'x-csrf-token': value } })
    expect(await codeOf(() => checkCsrfToken(request, settings, csrf))).toBe(expected)
  })

  it('reads the header of the options', async () => {
    const request = toPort({ headers: { 'x-xsrf-token': CSRF } })
    expect(await codeOf(() => checkCsrfToken(request, resolveCsrf({ header: 'X-XSRF-Token' }), CSRF))).toBe(
      'nothing',
    )
    expect(await codeOf(() => checkCsrfToken(request, settings, CSRF))).toBe('csrf_missing')
  })

  it('never throws anything but an AuthError, and passes equal values only', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.string(), { maxLength: 3 }))
    fc.assert(
      fc.property(
        value,
        fc.option(fc.string({ unit: 'binary-ascii' }), { nil: undefined }),
        (header, csrf) => {
          try {
            checkCsrfToken(toPort({ headers: { 'x-csrf-token': header } }), settings, csrf)
            expect([header].flat()).toEqual([csrf])
          } catch (error) {
            expect(isAuthError(error) && error.status).toBe(403)
          }
        },
      ),
    )
  })
})

it('the origin check never throws anything but an AuthError', () => {
  const settings = resolveCsrf(undefined)
  const value = fc.option(
    fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.array(fc.string(), { maxLength: 3 })),
    { nil: undefined },
  )
  fc.assert(
    fc.property(value, value, value, fc.string(), (origin, host, site, url) => {
      const headers = { origin, host, 'sec-fetch-site': site }
      const request = { ...toPort({ url }), header: (name: string) => headers[name as keyof typeof headers] }
      try {
        checkOrigin(request, settings)
      } catch (error) {
        expect(isAuthError(error) && error.code).toBe('csrf_mismatch')
      }
    }),
  )
})

describe('which requests are checked', () => {
  it.each([
    ['GET', false],
    ['HEAD', false],
    ['OPTIONS', false],
    ['POST', true],
    ['PUT', true],
    ['PATCH', true],
    ['DELETE', true],
    ['CONNECT', true],
    ['PURGE', true],
  ])('%s is unsafe: %s', (method, unsafe) => {
    expect(isUnsafe(method)).toBe(unsafe)
  })

  it.each([
    { mode: 'both', method: 'POST', foreign: 'csrf_mismatch', forged: 'csrf_missing' },
    { mode: 'origin', method: 'POST', foreign: 'csrf_mismatch', forged: 'nothing' },
    { mode: 'token', method: 'POST', foreign: 'nothing', forged: 'csrf_missing' },
    { mode: false, method: 'POST', foreign: 'nothing', forged: 'nothing' },
    { mode: 'both', method: 'GET', foreign: 'nothing', forged: 'nothing' },
  ] as const)('mode $mode, $method by cookie: foreign $foreign, forged $forged', async (row) => {
    const settings = resolveCsrf(row.mode)
    const request = toPort({ method: row.method, headers: { 'sec-fetch-site': 'cross-site' } })
    expect(await codeOf(() => checkRequestOrigin(request, settings))).toBe(row.foreign)
    expect(await codeOf(() => checkRequestCsrf(request, settings, 'v'))).toBe(row.forged)
  })
})

describe('options', () => {
  it('are both checks and no other origin by default', () => {
    const settings = resolveCsrf(undefined)
    expect(settings).toMatchObject({ checksOrigin: true, checksToken: true, header: 'x-csrf-token' })
    expect(settings.origins.size).toBe(0)
    expect(Object.isFrozen(settings)).toBe(true)
  })

  it('take a mode alone or in a section', () => {
    for (const mode of ['token', 'origin', 'both', false] as const) {
      expect(resolveCsrf(mode)).toEqual(resolveCsrf({ mode }))
    }
  })

  it('are narrowed or widened by a route, and keep their origins and header', () => {
    const settings = resolveCsrf({ origins: [SPA], header: 'X-XSRF' })
    expect(withMode(settings, 'origin')).toEqual(
      resolveCsrf({ mode: 'origin', origins: [SPA], header: 'X-XSRF' }),
    )
    expect(withMode(settings, false)).toMatchObject({ checksOrigin: false, checksToken: false })
    expect(() => withMode(settings, 'all' as CsrfMode)).toThrow(/`csrf\.mode`/)
  })

  it.each<[string, unknown, RegExp]>([
    ['true for a mode', true, /`csrf\.mode`.*got true/],
    ['an unknown mode', 'all', /`csrf\.mode`/],
    ['null', null, /`csrf` to be an object/],
    ['a list', [], /`csrf` to be an object/],
    ['a misspelt option', { origin: [] }, /did you mean `origins`/],
    ['one origin as a text', { origins: APP }, /`csrf\.origins` to be a list/],
    ['any origin', { origins: ['*'] }, /`csrf\.origins\[0\]`/],
    ['the opaque origin', { origins: [APP, 'null'] }, /`csrf\.origins\[1\]`/],
    ['an origin with a slash at its end', { origins: [`${APP}/`] }, /`csrf\.origins\[0\]`/],
    ['an origin with a default port', { origins: [`${APP}:443`] }, /`csrf\.origins\[0\]`/],
    ['an origin in upper case', { origins: [APP.toUpperCase()] }, /`csrf\.origins\[0\]`/],
    ['an origin without a scheme', { origins: ['app.example.com'] }, /`csrf\.origins\[0\]`/],
    ['an origin of another scheme', { origins: ['ftp://app.example.com'] }, /`csrf\.origins\[0\]`/],
    ['a wildcard in a host', { origins: ['https://*.example.com'] }, /no wildcard/],
    ['a path behind the origin of an application', { origins: ['capacitor://localhost/'] }, /no path/],
    ['an origin that browsers send as null', { origins: ['file://app'] }, /`csrf\.origins\[0\]`/],
    ['no field', { field: '' }, /`csrf\.field`/],
    ['an origin that is a number', { origins: [1] }, /`csrf\.origins\[0\]`/],
    ['a header name with a space', { header: 'X CSRF' }, /`csrf\.header`/],
  ])('refuse %s', (_, option, message) => {
    expect(() => resolveCsrf(option as CsrfOptions)).toThrow(message)
    expect(() => resolveCsrf(option as CsrfOptions)).toThrow(
      expect.objectContaining({ name: 'ConfigurationError' }),
    )
  })
})

it.each([
  'capacitor://localhost',
  'tauri://localhost',
  'app://.',
  'chrome-extension://abcdefgh',
  'moz-extension://0a-1b',
])('%s can be listed, and passes', async (origin) => {
  const settings = resolveCsrf({ origins: [origin] })
  const request = toPort({ method: 'POST', headers: { origin, 'sec-fetch-site': 'cross-site' } })
  expect(await codeOf(() => checkRequestOrigin(request, settings))).toBe('nothing')
  expect(await codeOf(() => checkRequestOrigin(request, resolveCsrf({})))).toBe('csrf_mismatch')
})
