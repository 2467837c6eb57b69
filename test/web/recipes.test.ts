/** The recipes of docs/guide/client-frameworks.md, as they stand there, with the frameworks themselves. */
import { createServer } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { type AuthClient, createAuthClient } from '../../src/client.ts'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { find, HAS_WEB } from './packages.ts'
import { importPackage, readRecipes } from './recipe-files.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const RECIPES = readRecipes('client-frameworks.md')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** An API, and a client that answers each step-up with the password. */
async function setUp() {
  let now = Date.now() / 1000
  const clock = () => now
  const server = createAuth({ secret: SECRET, clock, sessions: { store: memoryStore({ clock }) } })
  const guard = guards(server)
  const routes = authRoutes(server, {
    verifyCredentials: ({ username, password }) => (password === 'test' ? { subject: username } : null),
  })
  const me = guard.access()((_request, { sub }) => Response.json({ sub }))
  const echo = guard.fresh()(async (request, { sub }) => Response.json({ sub, body: await request.json() }))
  const requests: string[] = []
  const count = (path: string) => requests.filter((other) => other === path).length
  const http = createServer(
    toNodeHandler(async (request, info) => {
      const { pathname, search } = new URL(request.url)
      if (search === '?slow') await vi.waitUntil(() => count('/auth/refresh') > 0)
      requests.push(pathname)
      if (pathname === '/me') return me(request)
      if (pathname === '/echo') return echo(request)
      return routes(request, info)
    }),
  ).listen(0, '127.0.0.1')
  await new Promise((resolve) => http.once('listening', resolve))
  const url = `http://127.0.0.1:${(http.address() as { port: number }).port}`
  let stepUps = 0
  const auth: AuthClient = createAuthClient({
    baseUrl: url,
    onStepUp: () => {
      stepUps++
      return auth.stepUp('test')
    },
  })
  closing.push(
    () => auth.close(),
    () => http.close(),
    () => http.closeAllConnections(),
  )
  return {
    auth,
    url,
    login: (username = 'alice') => auth.login({ username, password: 'test' }),
    move: (seconds: number) => (now += seconds),
    stepUps: () => stepUps,
    count,
    requests,
  }
}

/** What a binding shows before and after a login and a logout, and after it was left. */
async function follow(
  { auth, login }: { auth: AuthClient; login: () => Promise<unknown> },
  read: () => string,
  leave: () => unknown,
) {
  const seen = [read()]
  await login()
  seen.push(read())
  await auth.logout()
  seen.push(read())
  await leave()
  await login()
  seen.push(read())
  return seen
}

describe.skipIf(!HAS_WEB)('the recipes', () => {
  it('compile, with the types of the frameworks', async () => {
    expect(await RECIPES.compile()).toBe('')
  })
})

const EXPECTED = ['signed-out', 'signed-in', 'signed-out', 'signed-out']

describe.skipIf(!HAS_WEB)('bindings', () => {
  it('Vue', async () => {
    const setup = await setUp()
    await setup.auth.ready
    const { useAuthState } = await RECIPES.load<{
      useAuthState(auth: AuthClient): { value: { status: string } }
    }>('vue.ts')
    const { effectScope, computed } = await importPackage('vue')
    const scope = effectScope()
    const status = scope.run(() => {
      const state = useAuthState(setup.auth)
      return computed(() => state.value.status)
    })
    const rendered: string[] = []
    expect(
      await follow(
        setup,
        () => rendered[rendered.push(status.value) - 1] ?? '',
        () => scope.stop(),
      ),
    ).toEqual(EXPECTED)
  })

  it('Svelte', async () => {
    const setup = await setUp()
    await setup.auth.ready
    const { createAuthStore } = await RECIPES.load<{
      createAuthStore(auth: AuthClient): { subscribe(run: (state: { status: string }) => void): () => void }
    }>('svelte.ts')
    let status = ''
    const store = createAuthStore(setup.auth)
    const leave = store.subscribe((state) => {
      status = state.status
    })
    expect(await follow(setup, () => status, leave)).toEqual(EXPECTED)
    // A late subscriber sees what happened meanwhile.
    store.subscribe((state) => {
      status = state.status
    })()
    expect(status).toBe('signed-in')
  })

  it('Solid', async () => {
    const setup = await setUp()
    await setup.auth.ready
    // Node gets Solid's build for servers, whose signals do not react.
    const browser = find('solid-js').replace('server.cjs', 'solid.js')
    const { createAuthState } = await RECIPES.load<{
      createAuthState(auth: AuthClient): () => { status: string }
    }>('solid.ts', { 'solid-js': browser })
    const { createRoot, createMemo } = await import(/* @vite-ignore */ browser)
    const [status, dispose] = createRoot((end: () => void) => {
      const state = createAuthState(setup.auth)
      return [createMemo(() => state().status), end]
    })
    expect(await follow(setup, status, dispose)).toEqual(EXPECTED)
  })

  it('Angular', async () => {
    const setup = await setUp()
    await setup.auth.ready
    const { state, http, destroy } = await openAngular(setup)
    await setup.login()
    expect(state().status).toBe('signed-in')
    expect(await http.get('/me')).toEqual({ sub: 'alice' })
    await setup.auth.logout()
    expect(state().status).toBe('signed-out')
    destroy()
    await setup.login()
    expect(state().status).toBe('signed-out')
  })
})

/** An Angular application: the recipe's interceptor and signal, and its client for HTTP. */
async function openAngular(
  { auth, url }: { auth: AuthClient; url: string },
  ask = async () => auth.stepUp('test'),
) {
  await importPackage('@angular/compiler')
  const { createEnvironmentInjector, Injector, provideZonelessChangeDetection, ...core } =
    await importPackage('@angular/core')
  const { HttpClient, provideHttpClient, withFetch, withInterceptors } =
    await importPackage('@angular/common/http')
  const { firstValueFrom } = await importPackage('rxjs')
  const recipe = await RECIPES.load<{
    injectAuthState(auth: AuthClient): () => { status: string }
    createAuthInterceptor(auth: AuthClient, baseUrl: string, ask: () => Promise<unknown>): unknown
  }>('angular.ts')
  let asked = 0
  const open = () => {
    asked++
    return ask()
  }
  const providers = [
    // As bootstrapping an application does, without a document.
    { provide: core.ɵINJECTOR_SCOPE, useValue: 'root' },
    provideZonelessChangeDetection(),
    provideHttpClient(withFetch(), withInterceptors([recipe.createAuthInterceptor(auth, url, open)])),
  ]
  const injector = createEnvironmentInjector(providers, Injector.NULL)
  const client = injector.get(HttpClient)
  return {
    state: core.runInInjectionContext(injector, () => recipe.injectAuthState(auth)),
    http: {
      get: (path: string, options?: object) => firstValueFrom(client.get(new URL(path, url).href, options)),
      post: (path: string, body: object) => firstValueFrom(client.post(url + path, body)),
    },
    destroy: () => injector.destroy(),
    asked: () => asked,
  }
}

describe.skipIf(!HAS_WEB)('the interceptor of Angular', () => {
  it('refreshes once for all requests that the server refuses, also where they come late', async () => {
    const setup = await setUp()
    const { http } = await openAngular(setup)
    await setup.login()
    setup.move(2000) // for the server; the client's clock stands still
    const texts = { responseType: 'text' }
    const results = await Promise.all([
      http.get('/me'),
      http.get('/me'),
      http.get('/me', texts),
      http.get('/me?slow'),
    ])
    expect(results).toEqual([{ sub: 'alice' }, { sub: 'alice' }, '{"sub":"alice"}', { sub: 'alice' }])
    expect(setup.count('/auth/refresh')).toBe(1)
  })

  it('asks once for all that require a step-up, and goes on with their bodies', async () => {
    const setup = await setUp()
    const { http, asked } = await openAngular(setup)
    await setup.login()
    setup.move(2000)
    const results = await Promise.all([
      http.post('/echo', { a: 1 }),
      http.post('/echo', { b: 'ü' }),
      http.get('/me'),
    ])
    expect(results).toEqual([
      { sub: 'alice', body: { a: 1 } },
      { sub: 'alice', body: { b: 'ü' } },
      { sub: 'alice' },
    ])
    expect([asked(), setup.count('/auth/refresh')]).toEqual([1, 1])
  })

  it('hands on what the user cancels, and other errors', async () => {
    const setup = await setUp()
    const cancelled = new Error('cancelled')
    const { http, asked } = await openAngular(setup, () => Promise.reject(cancelled))
    await setup.login()
    await setup.auth.refresh()
    const results = await Promise.allSettled([http.post('/echo', {}), http.post('/echo', {})])
    expect(results).toEqual(Array(2).fill({ status: 'rejected', reason: cancelled }))
    expect(asked()).toBe(1)
    await expect(http.get('/nowhere')).rejects.toMatchObject({ status: 404 })
    await setup.auth.logout()
    await expect(http.get('/me')).rejects.toMatchObject({ code: 'signed_out' })
  })

  it('sends nothing of a user to other servers', async () => {
    const setup = await setUp()
    const { http } = await openAngular(setup)
    await setup.login()
    const other = await setUp()
    await expect(http.get(`${other.url}/me`)).rejects.toMatchObject({ error: { code: 'token_missing' } })
    expect(other.requests).toEqual(['/me'])
  })
})

interface HttpRecipes {
  withKy(
    auth: AuthClient,
    url: string,
  ): { get(path: string): { json(): unknown }; post(path: string, init: object): { json(): unknown } }
  withAxios(
    auth: AuthClient,
    url: string,
  ): {
    get(path: string): Promise<{ data: unknown }>
    post(path: string, body: object): Promise<{ data: unknown }>
  }
  withOfetch(auth: AuthClient, url: string): (path: string, init?: object) => unknown
  withOpenapiFetch(
    auth: AuthClient,
    url: string,
  ): {
    GET(path: string): Promise<{ data: unknown }>
    POST(path: string, init: object): Promise<{ data: unknown }>
  }
}

describe.skipIf(!HAS_WEB)('HTTP libraries refresh, step up and keep the body', () => {
  it.each<
    [
      string,
      (
        http: HttpRecipes,
        auth: AuthClient,
        url: string,
      ) => [get: () => unknown, post: (body: object) => unknown],
    ]
  >([
    [
      'ky',
      ({ withKy }, auth, url) => {
        const http = withKy(auth, url)
        return [() => http.get('me').json(), (json) => http.post('echo', { json }).json()]
      },
    ],
    [
      'axios',
      ({ withAxios }, auth, url) => {
        const http = withAxios(auth, url)
        return [
          async () => (await http.get('/me')).data,
          async (body) => (await http.post('/echo', body)).data,
        ]
      },
    ],
    [
      'ofetch',
      ({ withOfetch }, auth, url) => {
        const http = withOfetch(auth, url)
        return [() => http('/me'), (body) => http('/echo', { method: 'POST', body })]
      },
    ],
    [
      'openapi-fetch',
      ({ withOpenapiFetch }, auth, url) => {
        const http = withOpenapiFetch(auth, url)
        return [
          async () => (await http.GET('/me')).data,
          async (body) => (await http.POST('/echo', { body })).data,
        ]
      },
    ],
  ])('%s', async (_, make) => {
    const { auth, url, login, move, stepUps } = await setUp()
    const [get, post] = make(await RECIPES.load<HttpRecipes>('http.ts'), auth, url)
    await login()
    expect(await get()).toEqual({ sub: 'alice' })
    expect(await post({ a: 1 })).toEqual({ sub: 'alice', body: { a: 1 } })
    expect(stepUps()).toBe(0)
    move(2000)
    expect(await get()).toEqual({ sub: 'alice' })
    expect(await post({ a: 'ü' })).toEqual({ sub: 'alice', body: { a: 'ü' } })
    expect(stepUps()).toBe(1)
  })

  it('TanStack Query', async () => {
    const { auth, login } = await setUp()
    const { createQueryClient } = await RECIPES.load<{
      createQueryClient(auth: AuthClient): {
        fetchQuery(options: object): Promise<unknown>
        getQueryData(key: unknown): unknown
      }
    }>('query.ts')
    const client = createQueryClient(auth)
    await login()
    const queryFn = async () => (await auth.fetch('/me')).json()
    expect(await client.fetchQuery({ queryKey: ['me'], queryFn })).toEqual({ sub: 'alice' })
    await login('bob') // as in another tab: no one has signed out
    expect(client.getQueryData(['me'])).toBeUndefined()
    expect(await client.fetchQuery({ queryKey: ['me'], queryFn })).toEqual({ sub: 'bob' })
    await auth.logout()
    expect(client.getQueryData(['me'])).toBeUndefined()
  })
})
