import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAuthError } from '../../src/errors.ts'
import { resolveCookies } from '../../src/http/cookie-options.ts'
import { prepareExtractToken } from '../../src/http/extract-token.ts'
import {
  type ExtractedToken,
  type Location,
  resolveLocations,
  resolveTokenSources,
  type TokenSourceOptions,
  type TokenSourceSettings,
  type WantedType,
} from '../../src/http/token-sources.ts'
import { codeOf, type Sketch, toPort } from './port.ts'

const T = 'aaaa.bbbb.cccc'
const ALL: readonly Location[] = ['header', 'cookie', 'query', 'body']

function prepare(options: TokenSourceOptions = {}): TokenSourceSettings {
  return resolveTokenSources(options, resolveCookies(undefined, 1_728_000))
}

function find(
  sketch: Sketch,
  options: TokenSourceOptions = {},
  type: WantedType = 'access',
): Promise<ExtractedToken | null> {
  const settings = prepare(options)
  return Promise.resolve(prepareExtractToken(settings, type, settings.locations)(toPort(sketch)))
}

/** The token itself. */
function tokenOf({ text, start }: ExtractedToken): string {
  return text.slice(start)
}

/** `location:token`, `none`, or the error's code. */
async function outcome(sketch: Sketch, options?: TokenSourceOptions, type?: WantedType): Promise<string> {
  let found: ExtractedToken | null = null
  const code = await codeOf(async () => {
    found = await find(sketch, options, type)
  })
  if (code !== 'nothing') return code
  return found === null ? 'none' : `${(found as ExtractedToken).location}:${tokenOf(found)}`
}

describe('the Authorization header', () => {
  it.each<[string, string | readonly string[] | undefined, string]>([
    ['is found', `Bearer ${T}`, `header:${T}`],
    ['leaves a comma in one word to the decoder (ENC-11)', 'Bearer {"a":1,"b":2}', 'header:{"a":1,"b":2}'],
    ['may be absent', undefined, 'none'],
    ['may be empty', '', 'none'],
    ['may be only spaces (TRN-01)', '   ', 'none'],
    ['may be only tabs', '\t', 'none'],
    ['has its scheme in lower case (TRN-03)', `bearer ${T}`, `header:${T}`],
    ['has its scheme in upper case (TRN-03)', `BEARER ${T}`, `header:${T}`],
    ['has several spaces, as RFC 9110 section 11.4 allows', `Bearer   ${T}`, `header:${T}`],
    ['has blanks around it', ` \tBearer ${T} \t`, `header:${T}`],
    ['came as a list of one', [`Bearer ${T}`], `header:${T}`],
    ['came as an empty list', [], 'none'],
    ['has a scheme only (TRN-01)', 'Bearer', 'none'],
    ['has a scheme and a space only (TRN-01)', 'Bearer ', 'none'],
    ['has a comma for a token (TRN-01)', 'Bearer,', 'request_invalid'],
    ['has a tab after the scheme', `Bearer\t${T}`, 'request_invalid'],
    ['has two words', `Bearer ${T} ${T}`, 'request_invalid'],
    ['repeats the scheme', `Bearer Bearer ${T}`, 'request_invalid'],
    ['is two headers joined by the platform', `Bearer ${T}, Bearer ${T}`, 'request_invalid'],
    ['is two headers joined without a space', `Bearer ${T},Bearer ${T}`, 'request_invalid'],
    ['is another scheme joined with ours', `Basic YTpi, Bearer ${T}`, 'request_invalid'],
    ['came twice', [`Bearer ${T}`, `Bearer ${T}`], 'request_invalid'],
    ['came twice, once with another scheme', ['Basic YTpi', `Bearer ${T}`], 'request_invalid'],
    ['is Basic (TRN-02)', `Basic ${T}`, 'none'],
    ['is Token (TRN-02)', `Token ${T}`, 'none'],
    ['is JWT (TRN-02)', `JWT ${T}`, 'none'],
    ['is a longer word (TRN-02)', `Bearerx ${T}`, 'none'],
    ['is a Digest with commas', 'Digest username="Mufasa", realm="x", nonce="bearer"', 'none'],
    ['is the bare token', T, 'none'],
    ['has the scheme in the middle', `aaaa.Bearer ${T}`, 'none'],
    ['has a percent sign (TRN-05)', 'Bearer %', 'header:%'],
    ['has letters beyond ASCII (TRN-05)', 'Bearer é.é.é', 'header:é.é.é'],
    ['has a control character (TRN-05)', 'Bearer \u0001', 'header:\u0001'],
  ])('%s', async (_, value, expected) => {
    expect(await outcome({ headers: value === undefined ? {} : { authorization: value } })).toBe(expected)
  })

  it('serves both types and any', async () => {
    for (const type of ['access', 'refresh', 'any'] as const) {
      expect(await outcome({ headers: { authorization: `Bearer ${T}` } }, {}, type)).toBe(`header:${T}`)
    }
  })

  it('leaves the token in the value of the header', async () => {
    const settings = prepare()
    const request = toPort({ headers: { authorization: `Bearer ${T}` } })
    expect(await prepareExtractToken(settings, 'access', settings.locations)(request)).toEqual({
      text: `Bearer ${T}`,
      start: 7,
      location: 'header',
    })
  })

  it('stays linear for a hostile header of 64 KB', async () => {
    const runs = [' '.repeat(65_536), ','.repeat(65_536), 'Bearer'.repeat(10_000), ', '.repeat(30_000)]
    const began = process.cpuUsage()
    for (const run of runs) await outcome({ headers: { authorization: `x${run}x` } })
    for (const run of runs) await outcome({ headers: { authorization: `Bearer ${run}x` } })
    // In this process's own time, which other work on the machine does not prolong.
    const { user, system } = process.cpuUsage(began)
    expect((user + system) / 1000).toBeLessThan(200)
  })
})

describe('another header', () => {
  it.each<[string, TokenSourceOptions['header'], Record<string, string>, string]>([
    ['takes the place of Authorization', { name: 'X-Auth' }, { 'x-auth': `Bearer ${T}` }, `header:${T}`],
    ['silences Authorization', { name: 'X-Auth' }, { authorization: `Bearer ${T}` }, 'none'],
    ['has another scheme', { scheme: 'JWT' }, { authorization: `jwt ${T}` }, `header:${T}`],
    ['silences Bearer by another scheme', { scheme: 'JWT' }, { authorization: `Bearer ${T}` }, 'none'],
    [
      'has a scheme with letters special to patterns',
      { scheme: 'a.b*' },
      { authorization: `A.B* ${T}` },
      `header:${T}`,
    ],
    ['is the token when the scheme is empty', { scheme: '' }, { authorization: T }, `header:${T}`],
    ['is the token with blanks around', { scheme: '' }, { authorization: ` ${T} ` }, `header:${T}`],
    [
      'has one word when the scheme is empty',
      { scheme: '' },
      { authorization: `Bearer ${T}` },
      'request_invalid',
    ],
    [
      'came twice when the scheme is empty',
      { scheme: '' },
      { authorization: `${T}, ${T}` },
      'request_invalid',
    ],
    ['is empty when the scheme is empty', { scheme: '' }, { authorization: '' }, 'none'],
  ])('%s', async (_, header, headers, expected) => {
    expect(await outcome({ headers }, { header: header ?? {} })).toBe(expected)
  })
})

describe('the query', () => {
  it.each<[string, string, WantedType, string]>([
    ['holds an access token', `/a?x=1&access_token=${T}`, 'access', `query:${T}`],
    ['holds a refresh token', `/a?refresh_token=${T}`, 'refresh', `query:${T}`],
    ['of an access token serves no refresh route', `/a?access_token=${T}`, 'refresh', 'none'],
    ['of a refresh token serves no access route', `/a?refresh_token=${T}`, 'access', 'none'],
    ['of either type serves any', `/a?refresh_token=${T}`, 'any', `query:${T}`],
    ['prefers the access token for any', `/a?refresh_token=r&access_token=${T}`, 'any', `query:${T}`],
    ['stands in a whole URL', `https://a.example/b?access_token=${T}`, 'access', `query:${T}`],
    ['ends at the fragment', `/a?access_token=${T}#access_token=x`, 'access', `query:${T}`],
    ['is not the fragment', `/a#?access_token=${T}`, 'access', 'none'],
    ['may be absent', '/a', 'access', 'none'],
    ['may lack the parameter', '/a?b=c', 'access', 'none'],
    ['matches names exactly', `/a?xaccess_token=${T}&access_tokenx=${T}&Access_Token=${T}`, 'access', 'none'],
    ['decodes names', `/a?access%5Ftoken=${T}`, 'access', `query:${T}`],
    ['came twice', `/a?access_token=${T}&access_token=${T}`, 'access', 'request_invalid'],
    ['came twice, spelt differently', `/a?access_token=${T}&access%5Ftoken=x`, 'access', 'request_invalid'],
    ['has an empty value', '/a?access_token=', 'access', 'request_invalid'],
    ['has no value', '/a?access_token', 'access', 'request_invalid'],
    ['has a bad percent sign (TRN-05)', '/a?access_token=%&b=%E0%A4%A', 'access', 'query:%'],
  ])('%s', async (_, url, type, expected) => {
    expect(await outcome({ url }, { locations: ['query'] }, type)).toBe(expected)
  })

  it('takes the names of the options', async () => {
    const options: TokenSourceOptions = { locations: ['query'], query: { access: 'jwt', refresh: 'jwt' } }
    expect(await outcome({ url: `/?jwt=${T}` }, options, 'refresh')).toBe(`query:${T}`)
    expect(await outcome({ url: `/?access_token=${T}` }, options)).toBe('none')
  })

  it('is not looked at unless it is a location', async () => {
    expect(await outcome({ url: `/?access_token=${T}` })).toBe('none')
  })
})

describe('the body', () => {
  it.each<[string, unknown, WantedType, string]>([
    ['holds an access token', { access_token: T }, 'access', `body:${T}`],
    ['holds a refresh token', { refresh_token: T }, 'refresh', `body:${T}`],
    ['of a refresh token serves no access route', { refresh_token: T }, 'access', 'none'],
    ['of either type serves any', { refresh_token: T }, 'any', `body:${T}`],
    ['may be absent', undefined, 'access', 'none'],
    ['may be null', null, 'access', 'none'],
    ['may be a text', T, 'access', 'none'],
    ['may be a list', [T], 'access', 'none'],
    ['may lack the member', {}, 'access', 'none'],
    ['holds a number', { access_token: 1 }, 'access', 'request_invalid'],
    ['holds null', { access_token: null }, 'access', 'request_invalid'],
    ['holds an object', { access_token: { $ne: null } }, 'access', 'request_invalid'],
    ['holds a list', { access_token: [T] }, 'access', 'request_invalid'],
    ['holds an empty text', { access_token: '' }, 'access', 'request_invalid'],
    ['inherits the member', Object.create({ access_token: T }), 'access', 'none'],
  ])('%s', async (_, body, type, expected) => {
    expect(await outcome({ body }, { locations: ['body'] }, type)).toBe(expected)
  })

  it('is read only when it is a location', async () => {
    const settings = prepare({ locations: ['header', 'query', 'cookie'] })
    const request = { ...toPort({}), body: () => expect.unreachable() }
    expect(await prepareExtractToken(settings, 'access', settings.locations)(request)).toBeNull()
  })

  it('may be missing from the port', async () => {
    const settings = prepare({ locations: ['body'] })
    const { body: _, ...request } = toPort({})
    expect(await prepareExtractToken(settings, 'access', settings.locations)(request)).toBeNull()
  })

  it('is awaited', async () => {
    const settings = prepare({ locations: ['body'] })
    const request = { ...toPort({}), body: async () => ({ access_token: T }) }
    const found = await prepareExtractToken(settings, 'access', settings.locations)(request)
    expect(found).toEqual({ text: T, start: 0, location: 'body' })
  })
})

describe('the cookie', () => {
  const name = '__Host-access_token'
  it.each<[string, string | readonly string[], WantedType, string]>([
    ['holds an access token', `a=b; ${name}=${T}; c=d`, 'access', `cookie:${T}`],
    ['holds a refresh token', `__Host-refresh_token=${T}`, 'refresh', `cookie:${T}`],
    ['of either type serves any', `__Host-refresh_token=${T}`, 'any', `cookie:${T}`],
    ['of the other type counts as none', `__Host-refresh_token=${T}`, 'access', 'none'],
    ['without the prefix counts as none', `access_token=${T}`, 'access', 'none'],
    ['that is empty counts as none', `${name}=`, 'access', 'none'],
    [
      'that is empty leaves any to the refresh token',
      `${name}=; __Host-refresh_token=${T}`,
      'any',
      `cookie:${T}`,
    ],
    ['that comes twice is refused (CKI-02)', `${name}=evil; ${name}=${T}`, 'access', 'request_invalid'],
    [
      'that comes twice the other way round is refused',
      `${name}=${T}; ${name}=evil`,
      'access',
      'request_invalid',
    ],
    ['that comes in two headers is refused', [`${name}=evil`, `${name}=${T}`], 'access', 'request_invalid'],
  ])('%s', async (_, cookie, type, expected) => {
    expect(await outcome({ headers: { cookie } }, { locations: ['cookie'] }, type)).toBe(expected)
  })

  it('is not read for a type that has no cookie', async () => {
    const settings = resolveTokenSources({ locations: ['cookie'] }, resolveCookies({ carry: ['refresh'] }, 1))
    const request = toPort({ headers: { cookie: `${name}=${T}; __Host-refresh_token=r` } })
    expect(await prepareExtractToken(settings, 'access', settings.locations)(request)).toBeNull()
    expect(await prepareExtractToken(settings, 'any', settings.locations)(request)).toEqual({
      text: 'r',
      start: 0,
      location: 'cookie',
    })
  })
})

describe('several locations', () => {
  const header = { authorization: 'Bearer h' }
  const cookie = { cookie: '__Host-access_token=c' }
  it.each<[string, Sketch, string]>([
    ['header and query are two tokens', { headers: header, url: '/?access_token=q' }, 'request_invalid'],
    ['a body is not looked at beside a header', { headers: header, body: { access_token: 'b' } }, 'header:h'],
    [
      'a body is not looked at beside a query',
      { url: '/?access_token=q', body: { access_token: 'b' } },
      'query:q',
    ],
    ['the same token twice is still two', { headers: header, url: '/?access_token=h' }, 'request_invalid'],
    ['a header beats a cookie', { headers: { ...header, ...cookie } }, 'header:h'],
    ['a query beats a cookie', { headers: cookie, url: '/?access_token=q' }, 'query:q'],
    ['a body beats a cookie', { headers: cookie, body: { access_token: 'b' } }, 'body:b'],
    ['a cookie is what is left', { headers: cookie }, 'cookie:c'],
    [
      'a header of another scheme does not hide a cookie',
      { headers: { ...cookie, authorization: 'Basic x' } },
      'cookie:c',
    ],
    ['an empty header does not hide a cookie', { headers: { ...cookie, authorization: '' } }, 'cookie:c'],
    [
      'a malformed header is not rescued by a cookie',
      { headers: { ...cookie, authorization: 'Bearer a b' } },
      'request_invalid',
    ],
    [
      'an empty parameter is not rescued by a cookie',
      { headers: cookie, url: '/?access_token=' },
      'request_invalid',
    ],
    [
      'a doubled cookie is overlooked beside a header',
      { headers: { ...header, cookie: `${cookie.cookie}; ${cookie.cookie}` } },
      'header:h',
    ],
  ])('%s', async (_, sketch, expected) => {
    expect(await outcome(sketch, { locations: ALL })).toBe(expected)
  })

  it('come in no order', async () => {
    const sketch = { headers: { ...header, ...cookie } }
    expect(await outcome(sketch, { locations: ['cookie', 'header'] })).toBe('header:h')
  })

  it('may be narrowed by a route', async () => {
    const settings = prepare({ locations: ['header', 'cookie'] })
    const request = toPort({ headers: { ...header, ...cookie } })
    expect(await prepareExtractToken(settings, 'access', new Set(['cookie'] as const))(request)).toEqual({
      text: 'c',
      start: 0,
      location: 'cookie',
    })
  })
})

describe('options that are refused', () => {
  it.each<[string, unknown, RegExp]>([
    [
      'one location as a text',
      { locations: 'header' },
      /Expected `locations` to be a list out of 'header', .*got header \(string\)/,
    ],
    ['no location', { locations: [] }, /`locations`.*empty/],
    ['an unknown location', { locations: ['headers'] }, /`locations`.*got headers/],
    ['a location twice', { locations: ['header', 'header'] }, /'header' twice/],
    ['a location that is null', { locations: null }, /`locations`.*got null/],
    ['a header that is a text', { header: 'X-Auth' }, /`header` to be an object/],
    ['a header name with a space', { header: { name: 'X Auth' } }, /`header\.name`/],
    ['a header name that is empty', { header: { name: '' } }, /`header\.name`/],
    ['a scheme of two words', { header: { scheme: 'My Bearer' } }, /`header\.scheme`/],
    ['a scheme that is a number', { header: { scheme: 1 } }, /`header\.scheme`/],
    [
      'a misspelt option',
      { header: { shceme: 'JWT' } },
      /Unknown option `header\.shceme`; did you mean `scheme`/,
    ],
    ['an empty parameter name', { query: { access: '' } }, /`query\.access`/],
    ['a parameter name that is a list', { body: { refresh: ['a'] } }, /`body\.refresh`/],
    ['an unknown row', { body: { token: 'a' } }, /Unknown option `body\.token`/],
  ])('%s', (_, options, message) => {
    expect(() => prepare(options as TokenSourceOptions)).toThrow(message)
    expect(() => prepare(options as TokenSourceOptions)).toThrow(
      expect.objectContaining({ name: 'ConfigurationError' }),
    )
  })

  it('name the list of a route as the caller does', () => {
    expect(() => resolveLocations('requirement.locations', ['nowhere' as Location])).toThrow(
      /`requirement\.locations`/,
    )
  })
})

it('settings are frozen', () => {
  const settings = prepare()
  for (const part of [settings, settings.header, settings.query, settings.body, settings.cookies]) {
    expect(Object.isFrozen(part)).toBe(true)
  }
})

describe('whatever comes', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.stringMatching(
      /^(Bearer|bearer|Basic|, |;|=|&|\?|#|%| |\t|__Host-access_token|access_token|x){0,12}$/,
    ),
  )
  const header = fc.oneof(text, fc.array(text, { maxLength: 3 }))

  it('locate gives a result or an AuthError and nothing else', async () => {
    const settings = prepare({ locations: ALL })
    const sketches = fc.record({
      authorization: header,
      cookie: header,
      url: text,
      body: fc.anything(),
      value: fc.anything(),
    })
    await fc.assert(
      fc.asyncProperty(
        sketches,
        fc.subarray([...ALL]),
        async ({ authorization, cookie, url, body, value }, places) => {
          for (const member of [body, { access_token: value }]) {
            const request = toPort({ headers: { authorization, cookie }, url, body: member })
            try {
              const found = await prepareExtractToken(settings, 'any', new Set(places))(request)
              if (found === null) continue
              expect(places).toContain(found.location)
              expect(tokenOf(found)).not.toBe('')
            } catch (error) {
              if (!isAuthError(error)) throw error
              expect(error.code).toBe('request_invalid')
            }
          }
        },
      ),
    )
  })

  it('a token of the right form is found wherever it stands', async () => {
    const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}\.[A-Za-z0-9_-]{1,20}\.[A-Za-z0-9_-]{1,20}$/)
    await fc.assert(
      fc.asyncProperty(token, async (value) => {
        const sketches: Record<Location, Sketch> = {
          header: { headers: { authorization: `Bearer ${value}` } },
          cookie: { headers: { cookie: `__Host-access_token=${value}` } },
          query: { url: `/?access_token=${value}` },
          body: { body: { access_token: value } },
        }
        for (const place of ALL)
          expect(await outcome(sketches[place], { locations: ALL })).toBe(`${place}:${value}`)
      }),
    )
  })
})
