import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isAuthError } from '../../src/errors.ts'
import { type CookieOptions, resolveCookies } from '../../src/http/cookie-options.ts'
import { clearCookies, readCookie, setCookies, setsAnyOf, toSetCookie } from '../../src/http/cookies.ts'

const REFRESH_TTL = 1_728_000
const NOW = 1_000_000

function prepare(options?: CookieOptions) {
  return resolveCookies(options, REFRESH_TTL)
}

function namesOf(options?: CookieOptions): string[] {
  const { access, refresh, csrf } = prepare(options)
  return [access.name, refresh.name, csrf.name]
}

const access = { token: 'a.a.a', exp: NOW + 900, csrf: 'value' }
const refresh = { token: 'r.r.r', exp: NOW + 1_728_000, csrf: 'value' }

afterEach(() => vi.unstubAllEnvs())

describe('names', () => {
  it.each<[string, CookieOptions | undefined, string[]]>([
    [
      'are bound to the host by default',
      undefined,
      ['__Host-access_token', '__Host-refresh_token', '__Host-csrf_token'],
    ],
    [
      'lose the binding with a domain',
      { domain: 'example.com' },
      ['__Secure-access_token', '__Secure-refresh_token', '__Secure-csrf_token'],
    ],
    [
      'lose the binding with a path, each for itself',
      { refresh: { path: '/auth' } },
      ['__Host-access_token', '__Secure-refresh_token', '__Host-csrf_token'],
    ],
    [
      'get their prefix when they are given',
      { access: { name: 'at' }, refresh: { name: 'rt', path: '/r' }, csrf: { name: 'xsrf' } },
      ['__Host-at', '__Secure-rt', '__Host-xsrf'],
    ],
    [
      'keep a prefix that they bring along',
      { access: { name: '__Host-at' }, refresh: { name: '__Secure-rt' } },
      ['__Host-at', '__Secure-rt', '__Host-csrf_token'],
    ],
    ['are bare without Secure', { secure: false }, ['access_token', 'refresh_token', 'csrf_token']],
  ])('%s', (_, options, expected) => {
    vi.spyOn(process, 'emitWarning').mockReturnValue()
    expect(namesOf(options)).toEqual(expected)
  })
})

describe('options that are refused', () => {
  it.each<[string, unknown, RegExp]>([
    ['a name that is empty', { access: { name: '' } }, /`cookies\.access\.name`/],
    ['a name with a space', { access: { name: 'a b' } }, /`cookies\.access\.name`/],
    ['a name with an equals sign', { csrf: { name: 'a=b' } }, /`cookies\.csrf\.name`/],
    ['a name with a line break (CKI-05)', { refresh: { name: 'a\r\nb' } }, /`cookies\.refresh\.name`/],
    ['a name beyond ASCII', { access: { name: 'é' } }, /`cookies\.access\.name`/],
    ['__Host- with a path', { refresh: { name: '__Host-r', path: '/auth' } }, /__Host-/],
    ['__Host- with a domain', { domain: 'example.com', access: { name: '__Host-a' } }, /__Host-/],
    [
      '__host- with a domain, as browsers ignore case',
      { domain: 'a.b', access: { name: '__host-a' } },
      /__Host-/,
    ],
    ['__Host- without Secure', { secure: false, access: { name: '__Host-a' } }, /without Secure/],
    ['__Secure- without Secure', { secure: false, access: { name: '__Secure-a' } }, /without Secure/],
    ['two cookies of one name', { access: { name: 't' }, refresh: { name: 't' } }, /three names/],
    ['a path without a slash', { access: { path: 'auth' } }, /`cookies\.access\.path`/],
    ['a path with a semicolon', { access: { path: '/; Domain=evil' } }, /`cookies\.access\.path`/],
    [
      'a path with a line break (CKI-05)',
      { access: { path: '/\r\nSet-Cookie: x' } },
      /`cookies\.access\.path`/,
    ],
    ['a path that is a number', { access: { path: 1 } }, /`cookies\.access\.path`/],
    ['a domain with a semicolon', { domain: 'a;b' }, /`cookies\.domain`/],
    ['a domain with a line break (CKI-05)', { domain: 'a\nb' }, /`cookies\.domain`/],
    ['a domain that is empty', { domain: '' }, /`cookies\.domain`/],
    ['a domain that is a URL', { domain: 'https://example.com' }, /`cookies\.domain`/],
    ['SameSite in lower case', { sameSite: 'lax' }, /`cookies\.sameSite`.*got lax/],
    ['SameSite=None without Secure (CKI-01)', { sameSite: 'None', secure: false }, /needs `cookies\.secure`/],
    ['Secure as a text', { secure: 'false' }, /`cookies\.secure`/],
    ['nothing to carry', { carry: [] }, /`cookies\.carry`.*empty/],
    ['one type as a text', { carry: 'refresh' }, /`cookies\.carry`/],
    ['an unknown type', { carry: ['csrf'] }, /`cookies\.carry`/],
    ['a misspelt option', { samesite: 'Lax' }, /did you mean `sameSite`/],
    ['a misspelt option of a row', { access: { nmae: 'a' } }, /Unknown option `cookies\.access\.nmae`/],
    ['a section that is a list', [], /`cookies` to be an object/],
    ['a row that is a text', { access: 'a' }, /`cookies\.access` to be an object/],
  ])('%s', (_, options, message) => {
    vi.spyOn(process, 'emitWarning').mockReturnValue()
    expect(() => prepare(options as CookieOptions)).toThrow(message)
    expect(() => prepare(options as CookieOptions)).toThrow(
      expect.objectContaining({ name: 'ConfigurationError' }),
    )
  })
})

describe('cookies without Secure', () => {
  it('are refused in production', () => {
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => prepare({ secure: false })).toThrow(/refused in production/)
    expect(() => prepare()).not.toThrow()
  })

  it('are warned of once', async () => {
    vi.resetModules()
    const { resolveCookies: resolveAnew } = await import('../../src/http/cookie-options.ts')
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue()
    resolveAnew(undefined, 1)
    expect(warn).not.toHaveBeenCalled()
    resolveAnew({ secure: false }, 1)
    resolveAnew({ secure: false }, 1)
    expect(warn).toHaveBeenCalledOnce()
  })

  it('need no process', () => {
    vi.stubGlobal('process', undefined)
    const names = namesOf({ secure: false })
    vi.unstubAllGlobals()
    expect(names[0]).toBe('access_token')
  })
})

describe('setting cookies', () => {
  it('writes the attributes of the contract (CKI-01)', () => {
    expect(setCookies({ access, refresh }, prepare(), NOW)).toEqual([
      '__Host-access_token=a.a.a; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax',
      '__Host-refresh_token=r.r.r; Max-Age=1728000; Path=/; HttpOnly; Secure; SameSite=Lax',
      '__Host-csrf_token=value; Max-Age=1728000; Path=/; Secure; SameSite=Lax',
    ])
  })

  it('writes a path, a domain and SameSite where they are given', () => {
    const settings = prepare({ refresh: { path: '/auth' }, domain: 'example.com', sameSite: 'Strict' })
    expect(setCookies({ refresh }, settings, NOW)).toEqual([
      '__Secure-refresh_token=r.r.r; Max-Age=1728000; Path=/auth; Domain=example.com; HttpOnly; Secure; SameSite=Strict',
      '__Secure-csrf_token=value; Max-Age=1728000; Path=/; Domain=example.com; Secure; SameSite=Strict',
    ])
  })

  it('leaves Secure out for development', () => {
    vi.spyOn(process, 'emitWarning').mockReturnValue()
    expect(setCookies({ access: { ...access, csrf: undefined } }, prepare({ secure: false }), NOW)).toEqual([
      'access_token=a.a.a; Max-Age=900; Path=/; HttpOnly; SameSite=Lax',
    ])
  })

  it('writes no CSRF cookie for tokens without a CSRF value', () => {
    expect(setCookies({ access: { ...access, csrf: undefined } }, prepare(), NOW)).toHaveLength(1)
    expect(setCookies({ access: { ...access, csrf: '' } }, prepare(), NOW)).toHaveLength(1)
  })

  it('keeps the access token out of cookies in the hybrid', () => {
    const lines = setCookies({ access, refresh }, prepare({ carry: ['refresh'] }), NOW)
    expect(lines.map((line) => line.split('=', 1)[0])).toEqual(['__Host-refresh_token', '__Host-csrf_token'])
    expect(lines.join()).not.toContain(access.token)
    expect(setCookies({ access }, prepare({ carry: ['refresh'] }), NOW)).toEqual([])
  })

  it('does not cut the CSRF cookie short when only the access token is new', () => {
    expect(setCookies({ access }, prepare(), NOW)[1]).toContain(`Max-Age=${REFRESH_TTL};`)
    expect(setCookies({ access }, prepare({ carry: ['access'] }), NOW)[1]).toContain('Max-Age=900;')
  })

  it.each([
    [0.9, 0],
    [900.9, 900],
    [-5, 0],
  ])('counts a life of %d s as Max-Age=%d', (life, maxAge) => {
    const [line] = setCookies({ access: { ...access, exp: NOW + life } }, prepare(), NOW)
    expect(line).toContain(`; Max-Age=${maxAge};`)
  })

  it('writes nothing for no tokens', () => {
    expect(setCookies({}, prepare(), NOW)).toEqual([])
  })

  it('refuses a cookie that browsers would drop, without printing it (CKI-01)', () => {
    const row = prepare().access
    const longest = 'x'.repeat(4096 - row.name.length)
    expect(toSetCookie(row, longest, 1)).toContain(longest)
    expect(() => toSetCookie(row, `${longest}x`, 1)).toThrow(TypeError)
    expect(() => toSetCookie(row, `${longest}x`, 1)).toThrow(/4097 bytes/)
    expect(() => toSetCookie(row, `${longest}x`, 1)).not.toThrow(/xxx/)
  })

  it.each(['a;b', 'a b', 'a,b', 'a"b', 'a\\b', 'a\r\nSet-Cookie: x=y', 'é', '\u0000'])(
    'refuses the value %j, without printing it (CKI-05)',
    (value) => {
      expect(() => toSetCookie(prepare().csrf, value, 1)).toThrow(
        'The value for the cookie __Host-csrf_token is not a cookie value',
      )
    },
  )
})

describe('clearing cookies', () => {
  it.each<[string, CookieOptions]>([
    ['by default', {}],
    ['with a path and a domain', { refresh: { path: '/auth' }, domain: 'example.com', sameSite: 'None' }],
    ['in the hybrid', { carry: ['refresh'] }],
  ])('repeats every name and attribute %s (CKI-06)', (_, options) => {
    const settings = prepare(options)
    const set = setCookies({ access, refresh }, settings, NOW)
    const cleared = set.map((line) => line.replace(/=[^;]*; Max-Age=\d+/, '=; Max-Age=0'))
    expect(clearCookies(settings)).toEqual(cleared)
  })
})

it('cookies that a handler set itself are recognised by their name', () => {
  const renewed = setCookies({ access }, prepare(), NOW)
  expect(setsAnyOf(clearCookies(prepare()), renewed)).toBe(true)
  expect(setsAnyOf(['__Host-access_token2=a; Path=/', 'theme=dark'], renewed)).toBe(false)
  expect(setsAnyOf([], renewed)).toBe(false)
})

describe('reading a cookie', () => {
  it.each<[string, string | readonly string[] | undefined, string | null]>([
    ['is found alone', 'n=v', 'v'],
    ['is found among others', 'a=b; n=v; c=d', 'v'],
    ['needs no space after the semicolon', 'a=b;n=v;c=d', 'v'],
    ['loses the blanks around its value', 'a=b; n= \tv\t ;c=d', 'v'],
    ['loses the blanks around its name', 'a=b;\t n \t=v', 'v'],
    ['may be empty', 'n=; a=b', ''],
    ['keeps its equals signs', 'n=a=b==', 'a=b=='],
    ['keeps its quotes', 'n="v"', '"v"'],
    ['is not percent-decoded', 'n=%76; %6e=x', '%76'],
    ['may be absent', 'a=b', null],
    ['may have no header', undefined, null],
    ['has no value without an equals sign', 'n; a=b', null],
    ['is not the value of another', 'a=n; b=n=v', null],
    ['is not the end of another name', 'xn=v', null],
    ['is not the start of another name', 'nx=v', null],
    ['minds case', 'N=v', null],
    ['is not a name after U+00A0 (CKI-03, CVE-2026-39410)', 'a=b; \u00a0n=v', null],
    ['is not a name before U+00A0', 'n\u00a0=v', null],
    ['is not a name after a vertical tab', '\u000bn=v', null],
    ['is not a nameless cookie', '=n=v', null],
    ['is found in the second of two headers', ['a=b', 'n=v'], 'v'],
    ['keeps U+00A0 in its value', 'n=\u00a0v', '\u00a0v'],
  ])('%s', (_, header, expected) => {
    expect(readCookie(header, 'n')).toBe(expected)
  })

  it.each<[string, string | readonly string[]]>([
    ['in one header', 'n=a; n=b'],
    ['with the same value', 'n=a; n=a'],
    ['empty and full', 'n=; n=b'],
    ['with blanks around one', 'n=a;  n =b'],
    ['in two headers', ['n=a', 'n=b']],
  ])('is refused when it comes twice %s (CKI-02)', (_, header) => {
    expect(() => readCookie(header, 'n')).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  })

  it('reads back what was set, between any other cookies', () => {
    const other = fc
      .tuple(fc.stringMatching(/^[a-m]{1,5}$/), fc.stringMatching(/^[a-z0-9=%"]{0,8}$/))
      .map((pair) => pair.join('='))
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9_.-]+$/),
        fc.array(other),
        fc.array(other),
        (value, before, after) => {
          const [pair = ''] = toSetCookie(prepare().access, value, 1).split(';', 1)
          expect(readCookie([...before, pair, ...after].join('; '), '__Host-access_token')).toBe(value)
        },
      ),
    )
  })

  it('gives a text, null or request_invalid for any header', () => {
    const noise = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[n=; \t\u00a0]{0,20}$/))
    fc.assert(
      fc.property(noise, (header) => {
        try {
          expect(readCookie(header, 'n')).toSatisfy((value) => value === null || typeof value === 'string')
        } catch (error) {
          expect(isAuthError(error) && error.code).toBe('request_invalid')
        }
      }),
    )
  })

  it('stays linear for hostile headers of 64 KB', () => {
    const began = process.cpuUsage()
    for (const part of [';', ' ', '=', 'n', 'n ', 'n;', ' ;n '])
      readCookie(part.repeat(65_536 / part.length), 'n')
    // In this process's own time, which other work on the machine does not prolong.
    const { user, system } = process.cpuUsage(began)
    expect((user + system) / 1000).toBeLessThan(200)
  })
})

describe('cookies of former settings', () => {
  const former = [{ domain: 'example.com' }, { name: 'sid', path: '/old' }, {}]
  const settings = resolveCookies({ former }, 100)
  const place = '; Path=/; Domain=example.com; Secure'
  const deleted = [
    `__Host-access_token=; Max-Age=0${place}`,
    `__Host-refresh_token=; Max-Age=0${place}`,
    `__Host-csrf_token=; Max-Age=0${place}`,
    'sid=; Max-Age=0; Path=/old',
  ]
  const token = { token: 't', exp: 50, csrf: 'c' }

  it('are deleted by a login and a logout, and not those of today', () => {
    expect(setCookies({ access: token, refresh: token }, settings, 0).slice(0, 4)).toEqual(deleted)
    expect(setCookies({ access: token, refresh: token }, settings, 0)).toHaveLength(7)
    expect(clearCookies(settings).slice(0, 4)).toEqual(deleted)
    expect(setCookies({ access: token }, settings, 0)).toHaveLength(2)
  })

  it.each([
    [{ former: {} }, /`cookies\.former`/],
    [{ former: [{ domain: 'a b' }] }, /`cookies\.former\[0\]\.domain`/],
    [{ former: [{ path: 'x' }] }, /`cookies\.former\[0\]\.path`/],
    [{ former: [{ names: 'x' }] }, /did you mean/],
    [{ partitioned: true, secure: false }, /`cookies\.partitioned` needs `cookies\.secure`/],
    [{ domain: 'com' }, /browsers refuse a public suffix/],
    [{ domain: '127.0.0.1' }, /browsers refuse a public suffix/],
  ])('and other settings are checked: %j', (options, message) => {
    expect(() => resolveCookies(options as never, 100)).toThrow(message)
  })

  it('may be partitioned', () => {
    expect(resolveCookies({ partitioned: true }, 100).access.attributes).toMatch(
      /; SameSite=Lax; Partitioned$/,
    )
  })
})
