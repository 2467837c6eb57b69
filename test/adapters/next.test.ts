/** `tokenwright/next` with the request, the response and the cookies of Next.js itself. */
import { describe, expect, it } from 'vitest'
import { guards, lazyAuth, routeHandlers } from '../../src/adapters/next.ts'
import { AuthError, type AuthOptions, ConfigurationError, createAuth, isAuthError } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { HAS_WEB, load } from '../web/packages.ts'

interface Cookies {
  get(name: string): { value: string } | undefined
  set(name: string, value: string, options?: object): unknown
  delete(name: string): unknown
}
interface NextRequest extends Request {
  readonly cookies: Cookies
  readonly nextUrl: URL & { basePath: string }
}
interface NextServer {
  NextRequest: new (url: string, init: object) => NextRequest
  NextResponse: {
    new (): Response & { cookies: Cookies }
    next(init?: object): Response & { cookies: Cookies }
    rewrite(url: URL): Response
    redirect(url: URL): Response
  }
}
interface Adapter {
  /** The class of the request that a proxy gets: its constructor is not that of `Request`. */
  NextRequestHint: new (parts: {
    page: string
    input: string
    init: object
  }) => NextRequest
}

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const ACCESS = '__Host-access_token'

async function setUp(options: AuthOptions = {}) {
  let now = 1_700_000_000
  const clock = () => now
  const auth = createAuth({
    secret: SECRET,
    clock,
    locations: ['cookie'],
    sessions: { store: memoryStore({ clock }) },
    ...options,
  })
  const pair = await auth.createTokenPair('alice', { fresh: true, scopes: ['a'] })
  const cookie = `theme=a%20b; ${auth
    .cookies(pair)
    .map((line) => line.split(';', 1)[0])
    .join('; ')}`
  return { auth, guard: guards(auth), pair, cookie, move: (seconds: number) => (now += seconds) }
}

const readCookies = (header: string | null): Record<string, string> =>
  Object.fromEntries((header ?? '').split('; ').map((pair) => pair.split(/=(.*)/s).slice(0, 2)))

describe.skipIf(!HAS_WEB)('the proxy', () => {
  const { NextResponse, NextRequest } = HAS_WEB ? load<NextServer>('next/server') : ({} as NextServer)
  const adapter = HAS_WEB ? load<Adapter>('next/dist/server/web/adapter') : ({} as Adapter)
  const URL_ = 'http://localhost/base/dash?x=1'

  /** The two ways in which a request of Next.js is made. */
  const ways: [string, (headers: object, method?: string) => NextRequest][] = [
    [
      'NextRequest',
      (headers, method) => new NextRequest(URL_, { headers, method, nextConfig: { basePath: '/base' } }),
    ],
    [
      'NextRequestHint',
      (headers, method) =>
        new adapter.NextRequestHint({
          page: '/proxy',
          input: URL_,
          init: { headers, method: method ?? 'GET', nextConfig: { basePath: '/base' } },
        }),
    ],
  ]

  describe.each(ways)('%s', (_, make) => {
    it.each([0, 850, 2000])(
      'hands the handler its own object, with nextUrl and cookies, after %i s',
      async (age) => {
        const { auth, guard, cookie, move } = await setUp()
        move(age)
        const request = make({ cookie })
        let token = ''
        const handler = (given: NextRequest, extra: string) => {
          expect(given).toBe(request)
          expect(extra).toBe('event')
          expect(given.nextUrl.pathname).toBe('/dash')
          expect(given.nextUrl.basePath).toBe('/base')
          expect(given.cookies.get('theme')?.value).toBe('a b')
          token = given.cookies.get(ACCESS)?.value ?? ''
          return NextResponse.next({ request: { headers: given.headers } })
        }
        for (const wrapped of [guard.proxy(handler), guard.refreshing(handler)]) {
          const response = await wrapped(request, 'event')
          expect(await auth.verifyToken(token)).toMatchObject({ sub: 'alice', fresh: age === 0 })
          expect(readCookies(response.headers.get('x-middleware-request-cookie'))).toMatchObject({
            [ACCESS]: token,
            theme: 'a%20b',
          })
        }
      },
    )

    it('shows the page the new token, however the handler continues', async () => {
      const handlers: ((request: NextRequest) => Response | undefined | Promise<Response | undefined>)[] = [
        () => undefined,
        async () => undefined,
        () => NextResponse.next(),
        ({ headers }) => NextResponse.next({ request: { headers } }),
        (request) => NextResponse.rewrite(new URL('/other', request.nextUrl)),
        () => {
          const response = NextResponse.next()
          response.cookies.set('theme', 'dark')
          return response
        },
      ]
      for (const handler of handlers) {
        const { auth, guard, cookie, move } = await setUp()
        move(2000)
        const { headers } = await guard.proxy(handler)(make({ cookie, accept: 'text/html' }))
        const page = readCookies(headers.get('x-middleware-request-cookie'))
        expect((await auth.verifyToken(page[ACCESS] ?? '')).sub).toBe('alice')
        expect(headers.get('x-middleware-override-headers')?.split(',').sort()).toEqual(['accept', 'cookie'])
        expect(headers.get('x-middleware-request-accept')).toBe('text/html')
        expect(headers.getSetCookie().some((line) => line.startsWith(`${ACCESS}=${page[ACCESS]}; `))).toBe(
          true,
        )
        expect(headers.get('cache-control')).toBe('private, no-store')
        expect((await guard.currentToken({ get: (name) => ({ value: page[name] ?? '' }) }))?.sub).toBe(
          'alice',
        )
      }
    })

    it('changes no response where nothing was refreshed, and continues', async () => {
      for (const [age, init, method] of [
        [0, {}, 'GET'],
        [2000, {}, 'POST'],
        [100 * 86_400, {}, 'GET'],
        [0, { cookie: 'theme=dark' }, 'GET'],
        [0, { cookie: '' }, 'GET'],
      ] as const) {
        const { guard, cookie, move } = await setUp()
        move(age)
        const { headers } = await guard.proxy()(make({ cookie, ...init }, method))
        expect([...headers]).toEqual([['x-middleware-next', '1']])
      }
    })

    it('gives a redirect the cookies, and no headers for a page', async () => {
      const { guard, cookie, move } = await setUp()
      move(2000)
      const proxy = guard.proxy((request: NextRequest) =>
        NextResponse.redirect(new URL('/login', request.nextUrl)),
      )
      const { status, headers } = await proxy(make({ cookie }))
      expect(status).toBe(307)
      expect(headers.get('x-middleware-override-headers')).toBeNull()
      expect(headers.getSetCookie().length).toBeGreaterThan(0)
    })

    it('leaves headers alone that the handler replaced', async () => {
      const { guard, cookie, move } = await setUp()
      move(2000)
      const proxy = guard.proxy(() => NextResponse.next({ request: { headers: new Headers({ a: 'b' }) } }))
      const { headers } = await proxy(make({ cookie }))
      expect(headers.get('x-middleware-override-headers')).toBe('a')
      expect(headers.get('x-middleware-request-cookie')).toBeNull()
    })
  })
})

/** The cookies of a server action: those of Next.js where it is installed. */
function createCookieStore(cookie: string) {
  const values = new Map(Object.entries(readCookies(cookie)))
  const set: [name: string, value: string, options: object][] = []
  const store = {
    get: (name: string) => (values.has(name) ? { value: values.get(name) ?? '' } : undefined),
    set(name: string, value: string, options: object) {
      set.push([name, value, options])
      values.set(name, value)
    },
  }
  return { store, set, cookies: async () => store }
}

describe('a server component', () => {
  it('reads who is signed in, from a store or its promise, and writes nothing', async () => {
    const { guard, cookie, move } = await setUp()
    const { store, set, cookies } = createCookieStore(cookie)
    expect((await guard.currentToken(store))?.sub).toBe('alice')
    expect((await guard.currentToken(cookies()))?.sub).toBe('alice')
    expect((await guard.currentToken(cookies(), { fresh: true, scopes: ['a'] }))?.sub).toBe('alice')
    expect(await guard.currentToken(cookies(), { scopes: ['b'] })).toBeNull()
    expect(await guard.currentToken(createCookieStore('a=b').store)).toBeNull()
    move(2000)
    expect(await guard.currentToken(cookies())).toBeNull()
    expect(set).toEqual([])
  })

  it('says what it expects', async () => {
    const { guard } = await setUp()
    await expect(guard.currentToken({} as never)).rejects.toThrow(ConfigurationError)
    await expect(guard.currentToken(undefined as never)).rejects.toThrow('what `await cookies()` returns')
  })
})

describe('a server action', () => {
  it('gets the payload and its own arguments', async () => {
    const { guard, cookie } = await setUp()
    const { cookies, set } = createCookieStore(cookie)
    const rename = guard.action(cookies)(
      async ({ sub }, name: string, times: number) => `${sub} ${name} ${times}`,
    )
    expect(await rename('x', 2)).toBe('alice x 2')
    expect(set).toEqual([])
  })

  it('refreshes an expired token, sets the cookies with their options, and decides by the new token', async () => {
    const { auth, guard, cookie, move } = await setUp()
    const { cookies, set, store } = createCookieStore(cookie)
    move(2000)
    const read = guard.action(cookies, { scopes: ['a'] })(async ({ sub, fresh }) => [sub, fresh])
    expect(await read()).toEqual(['alice', false])
    expect(set.map(([name]) => name)).toContain(ACCESS)
    expect(set[0]?.[2]).toEqual({
      path: '/',
      maxAge: expect.any(Number),
      httpOnly: true,
      secure: true,
      sameSite: 'lax',
    })
    expect((await auth.verifyToken(store.get(ACCESS)?.value ?? '')).sub).toBe('alice')
    const change = guard.action(cookies, { fresh: true })(async () => 'changed')
    await expect(change()).rejects.toMatchObject({ code: 'fresh_token_required' })
  })

  it('refuses without running it, whatever the cookies are', async () => {
    const { auth, guard, cookie, pair } = await setUp()
    let ran = 0
    const run = (text: string) => guard.action(createCookieStore(text).cookies)(async () => ++ran)()
    await expect(run('')).rejects.toMatchObject({ code: 'token_missing' })
    await expect(run(`${ACCESS}=x`)).rejects.toSatisfy(isAuthError)
    await expect(run(`${ACCESS}=${pair.refresh_token}`)).rejects.toSatisfy(isAuthError)
    await auth.revokeSubject('alice')
    await expect(run(cookie)).rejects.toSatisfy(isAuthError)
    expect(ran).toBe(0)
  })

  it('does not treat an unreachable store as a missing user', async () => {
    let now = 1_700_000_000
    const clock = () => now
    const healthy = memoryStore({ clock })
    let isDown = false
    const store = {
      ...healthy,
      rotate: (...args: Parameters<typeof healthy.rotate>) => {
        if (isDown) return Promise.reject(new Error('down'))
        return healthy.rotate(...args)
      },
    }
    const { guard, cookie } = await setUp({ clock, sessions: { store } })
    now += 2000
    isDown = true
    const run = guard.action(createCookieStore(cookie).cookies)(async () => 'ran')
    await expect(run()).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('does not catch what the action throws', async () => {
    const { guard, cookie } = await setUp()
    const error = new AuthError('token_missing')
    const run = guard.action(createCookieStore(cookie).cookies)(async () => {
      throw error
    })
    await expect(run()).rejects.toBe(error)
  })
})

describe('modules that `next build` evaluates', () => {
  it('make guards, proxies, actions and routes without a secret', async () => {
    let made = 0
    const auth = lazyAuth(() => {
      made++
      return createAuth({ secret: process.env['TOKENWRIGHT_NOT_SET'] ?? '', locations: ['cookie'] })
    })
    const guard = guards(auth)
    const get = guard.fresh()(() => new Response('ok'))
    const proxy = guard.proxy()
    const action = guard.action(createCookieStore('').cookies)(async () => 'ok')
    const { POST } = routeHandlers(() => authRoutes(auth(), { verifyCredentials: () => null }))
    expect(made).toBe(0)
    const request = new Request('http://localhost/')
    await expect(get(request)).rejects.toThrow(ConfigurationError)
    await expect(proxy(request)).rejects.toThrow(ConfigurationError)
    await expect(action()).rejects.toThrow(ConfigurationError)
    await expect(POST(request)).rejects.toThrow(ConfigurationError)
    await expect(guard.peek(request)).rejects.toThrow(ConfigurationError)
    await expect(guard.currentToken(createCookieStore('').store)).rejects.toThrow(ConfigurationError)
  })

  it('serve with one `createAuth` for all of them', async () => {
    const { auth: real, cookie } = await setUp()
    let made = 0
    const auth = lazyAuth(() => {
      made++
      return real
    })
    const guard = guards(auth)
    const request = () => new Request('http://localhost/', { headers: { cookie } })
    const handlers = [
      guard.access()((_request, { sub }) => new Response(sub)),
      guard.fresh()((_request, { sub }) => new Response(sub)),
      guard.scopes('a')((_request, { sub }) => new Response(sub)),
      guard.optional()((_request, payload) => new Response(payload?.sub)),
      guard.token({ maxAge: '1h' })((_request, { sub }) => new Response(sub)),
    ]
    for (const handle of handlers) expect(await (await handle(request())).text()).toBe('alice')
    expect((await guard.scopes('b')(() => new Response('no'))(request())).status).toBe(403)
    expect(made).toBe(1)
  })

  it('are refused at once where `auth` is at hand, and what is no function is', async () => {
    const auth = createAuth({ secret: SECRET })
    expect(() => guards(auth).proxy()).toThrow('Expected `sessions.store`')
    expect(() => guards(auth).scopes()).toThrow(ConfigurationError)
    expect(() => guards({} as never)).toThrow(ConfigurationError)
    expect(() => lazyAuth(auth as never)).toThrow(ConfigurationError)
    expect(() => guards(auth, { errors: 'no' as never })).toThrow(ConfigurationError)
  })

  it('routes take no parameters of Next.js for options', async () => {
    const { auth } = await setUp()
    const { POST } = routeHandlers(() =>
      authRoutes(auth, { verifyCredentials: ({ username }) => ({ subject: username }) }),
    )
    const login = new Request('http://localhost/auth/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: 'http://localhost', Host: 'localhost' },
      body: JSON.stringify({ username: 'bob', password: 'x' }),
    })
    const handler = POST as (request: Request, context: object) => Promise<Response>
    const response = await handler(login, { params: Promise.resolve({ path: ['login'] }) })
    expect(response.status).toBe(200)
    expect(response.headers.getSetCookie().length).toBe(3)
  })
})
