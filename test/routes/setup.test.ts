/** What `authRoutes` is given: arguments, paths of cookies, and the names that users log in with. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AuthOptions, ConfigurationError } from '../../src/index.ts'
import { type AuthRoutesOptions, authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { complaintOf, setUp } from '../token/forge.ts'

const verifyCredentials = (): null => null

afterEach(() => {
  vi.restoreAllMocks()
})

describe('arguments', () => {
  const { auth } = setUp()
  const call = authRoutes as (...given: readonly unknown[]) => unknown

  it.each([
    ['no arguments', [], '`auth`'],
    ['the options alone', [{ verifyCredentials }], '`auth`'],
    ['options before the application', [{ verifyCredentials }, auth], '`auth`'],
    ['no options', [auth], '`options`'],
    ['null', [auth, null], '`options`'],
    ['a function', [auth, verifyCredentials], '`options`'],
    ['no `verifyCredentials`', [auth, {}], '`verifyCredentials`'],
    ['a name for `usernameOf`', [auth, { verifyCredentials, usernameOf: 'email' }], '`usernameOf`'],
    ['a header for `address`', [auth, { verifyCredentials, address: 'x-real-ip' }], '`address`'],
    ['a list for `verifyClient`', [auth, { verifyCredentials, verifyClient: [] }], '`verifyClient`'],
  ])('%s: refused by name', async (_, given, name) => {
    const complaint = await complaintOf(() => call(...given))
    expect(complaint).toMatch(/^ConfigurationError: Expected /)
    expect(complaint).toContain(name)
  })
})

describe('the paths of cookies', () => {
  function mount(cookies: AuthOptions['cookies'], basePath?: string, isStateful = true): void {
    const { auth } = setUp({
      locations: ['cookie'],
      ...(cookies && { cookies }),
      ...(isStateful && { sessions: { store: memoryStore() } }),
    })
    authRoutes(auth, { verifyCredentials, ...(basePath !== undefined && { basePath }) })
  }

  it.each([
    ['/auth/refresh', undefined, 'a logout'],
    ['/auth/refresh/', '/auth', 'a logout'],
    ['/api/auth/refresh', '/auth', 'a logout'],
    ['/refresh', '', 'a logout'],
    ['/auth', '/api/auth', 'no route'],
    ['/auth/', '/api/auth', 'no route'],
  ])('are refused where a route misses the refresh cookie: %s below %s', (path, basePath, reason) => {
    expect(() => mount({ refresh: { path } }, basePath)).toThrow(reason)
    expect(() => mount({ refresh: { path } }, basePath)).toThrow(ConfigurationError)
  })

  it('are refused if a route would not get the access cookie', () => {
    expect(() => mount({ access: { path: '/auth' } }, '/api/auth')).toThrow('`cookies.access.path`')
  })

  it.each([
    ['/', undefined],
    ['/auth', undefined],
    ['/auth/', undefined],
    ['/api', '/api/auth'],
    ['/api/auth', '/auth'],
    ['/a', '/a/a'],
    ['/auth', ''],
  ])('are taken: %s below %s, also behind a proxy that removes a prefix', (path, basePath) => {
    expect(() => mount({ refresh: { path }, access: { path } }, basePath)).not.toThrow()
  })

  it('are accepted if no logout needs the cookie', () => {
    expect(() => mount({ refresh: { path: '/auth/refresh' } }, undefined, false)).not.toThrow()
    expect(() => mount({ refresh: { path: '/auth/refresh' }, carry: ['access'] })).not.toThrow()
  })
})

describe('the name that a user logs in with', () => {
  /** Logs in, and authenticates again with the token. */
  async function stepUp(
    username: string,
    subject: string,
    options: Partial<AuthRoutesOptions<object>> = {},
  ): Promise<{ response: Response; names: string[]; warn: ReturnType<typeof vi.spyOn> }> {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const names: string[] = []
    const handle = authRoutes(setUp().auth, {
      verifyCredentials: (given) => {
        names.push(given.username)
        return given.username === username ? { subject } : null
      },
      address: () => '192.0.2.1',
      ...options,
    })
    const post = (path: string, body: object, headers = {}): Promise<Response> =>
      handle(
        new Request(`http://localhost/auth/${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        }),
      )
    await post('login', { username, password: 'x' })
    const login = await post('login', { username, password: 'x' })
    const { access_token } = (await login.json()) as { access_token: string }
    const authorization = `Bearer ${access_token}`
    return { response: await post('verify-password', { password: 'x' }, { authorization }), names, warn }
  }

  it('is the subject, unless `usernameOf` returns another name', async () => {
    expect((await stepUp('alice', 'alice')).response.status).toBe(200)
    const { response, names } = await stepUp('alice', 'user-1', { usernameOf: async () => 'alice' })
    expect(response.status).toBe(200)
    expect(names).toEqual(['alice', 'alice', 'alice'])
  })

  it('is kept in the token where it differs and there is no `usernameOf`', async () => {
    const { response, names, warn } = await stepUp('alice', 'user-1')
    expect(response.status).toBe(200)
    expect(names).toEqual(['alice', 'alice', 'alice'])
    expect(warn).not.toHaveBeenCalled()
  })

  it.each([undefined, null, '', 7])('is a mistake of the application if it is %j', async (name) => {
    const { response, names, warn } = await stepUp('alice', 'user-1', { usernameOf: () => name as never })
    expect(response.status).toBe(500)
    expect(names).toEqual(['alice', 'alice'])
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('`usernameOf`'),
      expect.objectContaining({ code: 'TOKENWRIGHT_MISCONFIGURED' }),
    )
  })
})

describe('a setup that cannot work is warned of once', () => {
  function open(options: AuthOptions, basePath?: string) {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const handle = authRoutes(setUp({ locations: ['header', 'cookie'], ...options }).auth, {
      verifyCredentials: ({ username }) => ({ subject: username }),
      address: () => '192.0.2.1',
      ...(basePath !== undefined && { basePath }),
    })
    const post = (url: string, headers = {}, body: object = {}): Promise<Response> =>
      handle(
        new Request(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify({ username: 'alice', password: 'x', ...body }),
        }),
      )
    return { warn, post }
  }

  it('routes at another path than `basePath`', async () => {
    const { warn, post } = open({})
    for (const path of ['/auth/none', '/', '/api/users', '/auth/login']) await post(`http://localhost${path}`)
    expect(warn).not.toHaveBeenCalled()
    for (const path of ['/api/auth/login', '/api/auth/refresh'])
      expect((await post(`http://localhost${path}`)).status).toBe(404)
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining("not below '/auth'"),
      expect.objectContaining({ code: 'TOKENWRIGHT_BASE_PATH' }),
    )
  })

  it.each(['login', 'logout', 'refresh', 'step-up', 'verify-password'])(
    'a request for %s at another path',
    async (name) => {
      const { warn, post } = open({})
      expect((await post(`http://localhost/api/auth/${name}`)).status).toBe(404)
      expect(warn).toHaveBeenCalledOnce()
    },
  )

  it('cookies that browsers drop, as the page has no TLS', async () => {
    const { warn, post } = open({})
    for (const origin of [
      'https://app.example',
      'http://localhost:3000',
      'http://app.localhost',
      'http://127.0.0.1:8000',
      'http://[::1]:8000',
    ])
      expect((await post(`${origin}/auth/login`, { origin, host: new URL(origin).host })).status).toBe(200)
    const origin = 'http://192.0.2.2:8000'
    const lan = { origin, host: '192.0.2.2:8000' }
    await post(`${origin}/auth/login`, lan, { delivery: 'body' })
    expect(warn).not.toHaveBeenCalled()
    await post(`${origin}/auth/login`, lan)
    await post(`${origin}/auth/login`, lan)
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('browsers drop Secure cookies'),
      expect.objectContaining({ code: 'TOKENWRIGHT_COOKIES_WITHOUT_TLS' }),
    )
    const insecure = open({ cookies: { secure: false } })
    insecure.warn.mockClear()
    await insecure.post(`${origin}/auth/login`, lan)
    expect(insecure.warn).not.toHaveBeenCalled()
  })
})
