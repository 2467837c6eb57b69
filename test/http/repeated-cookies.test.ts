/**
 * Cookies whose name comes twice, with a jar that keeps one for each domain and path as browsers do
 * (RFC 6265 sections 5.3 and 5.4): no one stays locked out, whoever put the second one there.
 */
import { describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { resolveCookies } from '../../src/http/cookie-options.ts'
import { deleteRepeated } from '../../src/http/repeated-cookies.ts'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'
import { toPort } from './port.ts'

const HOST = 'shop.example.com'

interface Kept {
  readonly name: string
  readonly value: string
  /** The domain of the cookie; with a dot in front where it is for hosts below, too. */
  readonly domain: string
  readonly path: string
}

/** A browser on one host: what it keeps, and what it sends. */
class Jar {
  readonly kept = new Map<string, Kept>()

  take(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split('; ')
      const at = pair.indexOf('=')
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)]
      const read = (wanted: string) =>
        attributes.find((attribute) => attribute.startsWith(`${wanted}=`))?.slice(wanted.length + 1)
      const [given, path = '/'] = [read('Domain'), read('Path')]
      const hostPrefixed = name.startsWith('__Host-')
      if (hostPrefixed && (given !== undefined || path !== '/')) continue
      if (name.startsWith('__') && !attributes.includes('Secure')) continue
      if (given !== undefined && given !== HOST && !HOST.endsWith(`.${given}`)) continue
      // Public suffixes.
      if (given === 'com') continue
      const domain = given === undefined ? HOST : `.${given}`
      const key = `${name} ${domain} ${path}`
      if (read('Max-Age') === '0') this.kept.delete(key)
      else this.kept.set(key, { name, value, domain, path })
    }
  }

  plant(name: string, value: string, domain: string, path: string): void {
    // A browser takes such a cookie from its own host only, for all paths.
    if (name.startsWith('__Host-')) return
    this.kept.set(`${name} ${domain} ${path}`, { name, value, domain, path })
  }

  header(path: string): string {
    return [...this.kept.values()]
      .filter((cookie) => cookie.path === '/' || path === cookie.path || path.startsWith(`${cookie.path}/`))
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }
}

/** An application and a browser that uses it. */
function open(options: AuthOptions, jar = new Jar(), store = memoryStore()) {
  const auth = createAuth({
    secret: SECRET,
    locations: ['header', 'cookie'],
    sessions: { store },
    ...options,
  })
  const routes = authRoutes(auth, {
    verifyCredentials: ({ username }) => ({ subject: username }),
    address: () => '192.0.2.1',
  })
  const page = guards(auth).access()((_request, { sub }) => new Response(sub))
  async function go(method: string, path: string, body?: object): Promise<number> {
    const headers = new Headers({
      host: HOST,
      origin: `https://${HOST}`,
      'sec-fetch-site': 'same-origin',
      ...(body && { 'content-type': 'application/json' }),
    })
    const cookie = jar.header(path)
    if (cookie !== '') headers.set('cookie', cookie)
    // As the client does: the first cookie of that name, which is what `document.cookie` has first.
    const csrf = new RegExp(`(?:^|; )${auth.http.cookies.csrf.name}=([^;]*)`).exec(cookie)?.[1]
    if (csrf !== undefined) headers.set('x-csrf-token', csrf)
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
    const request = new Request(`https://${HOST}${path}`, init)
    const response = await (path.startsWith('/auth/') ? routes : page)(request)
    jar.take(response.headers.getSetCookie())
    return response.status
  }
  const login = () => go('POST', '/auth/login', { username: 'alice', password: 'right' })
  return { jar, store, go, login, auth }
}

describe('a cookie that another site of the domain has planted', () => {
  const DOMAINS: readonly AuthOptions[] = [
    { cookies: { domain: 'example.com' } },
    { cookies: { domain: HOST } },
    { cookies: { access: { path: '/api' }, refresh: { path: '/auth' } } },
  ]
  it.each(DOMAINS)('is deleted by the first refusal, and the user goes on: %j', async (options) => {
    for (const domain of ['.example.com', `.${HOST}`, HOST])
      for (const path of ['/', '/api', '/api/me', '/auth', '/auth/refresh']) {
        const { jar, go, login, auth } = open(options)
        expect(await login()).toBe(200)
        const { access, refresh, csrf } = auth.http.cookies
        for (const { name } of [access, refresh, csrf]) {
          const own = [...jar.kept.values()].find((cookie) => cookie.name === name)
          if (own?.domain === domain && own.path === path) continue
          jar.plant(name, 'planted', domain, path)
        }
        const statuses = [await go('GET', '/api/me'), await go('GET', '/api/me')]
        expect([domain, path, statuses.at(-1)]).toEqual([domain, path, 200])
        await go('POST', '/api/me')
        expect([domain, path, await go('POST', '/api/me')]).toEqual([domain, path, 200])
        await go('POST', '/auth/refresh')
        expect([domain, path, await go('POST', '/auth/refresh')]).toEqual([domain, path, 200])
      }
  })

  it('does not outlive a login or a logout', async () => {
    const { jar, go, login, auth } = open({ cookies: { domain: HOST } })
    await login()
    const { access } = auth.http.cookies
    jar.plant(access.name, 'planted', '.example.com', '/')
    expect(await login()).toBe(200)
    expect(await go('GET', '/api/me')).toBe(200)
    jar.plant(access.name, 'planted', '.example.com', '/auth')
    expect(await go('POST', '/auth/logout')).toBe(204)
    expect([...jar.kept.keys()]).toEqual([])
  })
})

describe('cookies of earlier settings that are not named', () => {
  it.each([
    [{ domain: 'example.com' }, { domain: HOST }],
    [{ domain: HOST }, { domain: 'example.com' }],
    [{ domain: 'example.com', access: { path: '/api' } }, { domain: 'example.com' }],
  ])('lock no one out: from %j to %j', async (before, after) => {
    const old = open({ cookies: before })
    expect(await old.login()).toBe(200)
    const now = open({ cookies: after }, old.jar, old.store)
    expect(await now.login()).toBe(200)
    await now.go('GET', '/api/me')
    expect(await now.go('GET', '/api/me')).toBe(200)
    await now.go('POST', '/auth/refresh')
    expect(await now.go('POST', '/auth/refresh')).toBe(200)
  })
})

describe('the lines', () => {
  const lines = (cookie: string | undefined, options: object = {}, url = '/a/b?c', host = HOST) =>
    deleteRepeated(
      toPort({ method: 'GET', url, headers: { host, ...(cookie !== undefined && { cookie }) } }),
      resolveCookies(options, 1000),
    )

  it('are none where no name comes twice', () => {
    for (const cookie of [
      undefined,
      '',
      'a=b; a=c',
      '__Host-access_token=a',
      '__Host-access_token=a; __Host-csrf_token=b',
    ])
      expect(lines(cookie)).toEqual([])
  })

  it('of a name that has one place delete that', () => {
    const twice = '__Host-access_token=a; b=c; __Host-access_token=d'
    expect(lines(twice)).toEqual(['__Host-access_token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax'])
  })

  it('name each place but the present one, former settings first', () => {
    const options = { domain: 'example.com', former: [{ name: '__Secure-access_token', path: '/old' }] }
    expect(lines('__Secure-access_token=a;__Secure-access_token=b', options)).toEqual([
      '__Secure-access_token=; Max-Age=0; Path=/old; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/; Domain=shop.example.com; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/a; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/a; Domain=shop.example.com; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/a; Domain=example.com; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/a/b; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/a/b; Domain=shop.example.com; Secure',
      '__Secure-access_token=; Max-Age=0; Path=/a/b; Domain=example.com; Secure',
    ])
  })

  it.each(['127.0.0.1:80', '[::1]:80', 'localhost:80', 'a_b.example', 'a;b.example.com', ''])(
    'name no domain for a host that has none: %s',
    (host) => {
      const options = { access: { path: '/a' } }
      for (const line of lines('__Secure-access_token=a; __Secure-access_token=b', options, '/a', host))
        expect(line).not.toContain('Domain')
    },
  )

  it('are few, however long the request', () => {
    const options = { domain: 'example.com' }
    const twice = '__Secure-access_token=a; __Secure-access_token=b'
    const host = `${'a.'.repeat(100)}example.com`
    const all = lines(twice, options, `/${'b;/c\r\n/d/'.repeat(100)}`, host)
    expect(all.length).toBeLessThan(50)
    for (const line of all) expect(line).toMatch(/^[\x20-\x7e]+$/)
  })
})
