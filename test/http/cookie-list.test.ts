/** Cookies as data: what a framework sets from the list is what the lines would have set. */
import { describe, expect, it } from 'vitest'
import { type AuthOptions, type CookieListItem, createAuth } from '../../src/index.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const NOW = 1_700_000_000
const make = (cookies: AuthOptions['cookies'] = {}) =>
  createAuth({ secret: SECRET, clock: () => NOW, locations: ['cookie'], ...(cookies && { cookies }) })

/** Writes an item as the packages `cookie`, `cookie-es` and Next's do: no default of their own. */
function toLine({ name, value, options }: CookieListItem): string {
  const { path, domain, maxAge, httpOnly, secure, sameSite, partitioned } = options
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
  return [
    `${name}=${encodeURIComponent(value)}`,
    `Max-Age=${maxAge}`,
    `Path=${path}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    ...(httpOnly ? ['HttpOnly'] : []),
    ...(secure ? ['Secure'] : []),
    ...(sameSite === undefined ? [] : [`SameSite=${capital(sameSite)}`]),
    ...(partitioned ? ['Partitioned'] : []),
  ].join('; ')
}

describe.each<[string, AuthOptions['cookies']]>([
  ['the defaults', {}],
  ['a domain and a path', { domain: 'example.com', refresh: { path: '/auth=x' }, sameSite: 'Strict' }],
  ['partitioned cookies', { partitioned: true, sameSite: 'None' }],
  ['plain HTTP', { secure: false }],
  ['only the refresh token', { carry: ['refresh'] }],
  [
    'former settings',
    { domain: 'example.com', former: [{ name: '__Host-old' }, { domain: 'a.example.com', path: '/x' }] },
  ],
])('%s', (_, cookies) => {
  it('loses nothing of the lines', async () => {
    const auth = make(cookies)
    const pair = await auth.createTokenPair('alice')
    expect(auth.cookieList(pair).map(toLine)).toEqual(auth.cookies(pair))
    expect(auth.clearCookieList().map(toLine)).toEqual(auth.clearCookies())
    expect(auth.clearCookieList().every(({ value, options }) => value === '' && options.maxAge === 0)).toBe(
      true,
    )
  })
})

it('states every attribute on which frameworks have defaults of their own', async () => {
  const auth = make()
  const { access_token } = await auth.createTokenPair('alice')
  expect(auth.cookieList({ access_token })).toEqual([
    {
      name: '__Host-access_token',
      value: access_token,
      options: { path: '/', maxAge: 900, httpOnly: true, secure: true, sameSite: 'lax' },
    },
    {
      name: '__Host-csrf_token',
      value: expect.any(String),
      options: { path: '/', maxAge: expect.any(Number), httpOnly: false, secure: true, sameSite: 'lax' },
    },
  ])
})

it('refuses what `cookies` refuses', () => {
  const auth = make()
  expect(() => auth.cookieList({ access_token: 'x' })).toThrow(TypeError)
  expect(() => auth.cookieList(null as never)).toThrow(TypeError)
  expect(() => auth.cookieList(Promise.resolve({}) as never)).toThrow(TypeError)
})
