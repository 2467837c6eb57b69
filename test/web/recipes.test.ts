/** The recipes of docs/guide/client-frameworks.md, as they stand there, with the frameworks themselves. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { type AuthClient, createAuthClient } from '../../src/client.ts'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { compile } from './apps.ts'
import { find, HAS_WEB } from './packages.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const PAGE = readFileSync(new URL('../../docs/guide/client-frameworks.md', import.meta.url), 'utf8')
const FOLDER = fileURLToPath(new URL('./.cache/recipes/', import.meta.url))

/** Imports the block of the page that begins with `// name`. */
async function importRecipe<T>(name: string, aliases: Record<string, string> = {}): Promise<T> {
  let [, code] = new RegExp(`\`\`\`ts framework\\n(// ${name}\\n[^]*?)\`\`\``).exec(PAGE) ?? []
  expect(code, name).toBeDefined()
  expect(code?.split('\n').length).toBeLessThan(100)
  for (const [from, to] of Object.entries(aliases)) code = code?.replaceAll(`'${from}'`, `'${to}'`)
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(FOLDER + name, code ?? '')
  return import(/* @vite-ignore */ FOLDER + name)
}

/** What a careful user compiles with. tRPC takes no `fetch` with exact optional properties. */
const SETTINGS = {
  target: 'es2023',
  lib: ['es2023', 'dom', 'dom.iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  types: ['node'],
  strict: true,
  skipLibCheck: true,
}

const importPackage = (specifier: string) => import(/* @vite-ignore */ pathToFileURL(find(specifier)).href)

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
  const trpc = guard.access()((_request, { sub }) => Response.json([{ result: { data: sub } }]))
  const http = createServer(
    toNodeHandler((request, info) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/me') return me(request)
      if (pathname === '/echo') return echo(request)
      return pathname.startsWith('/trpc/') ? trpc(request) : routes(request, info)
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
    login: () => auth.login({ username: 'alice', password: 'test' }),
    move: (seconds: number) => (now += seconds),
    stepUps: () => stepUps,
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
    const folder = fileURLToPath(new URL('./.cache/compiled/', import.meta.url))
    mkdirSync(folder, { recursive: true })
    const blocks = [...PAGE.matchAll(/```ts framework\n(\/\/ (\S+)\n[\s\S]*?)```/g)]
    expect(blocks.length).toBeGreaterThan(5)
    for (const [, code = '', name] of blocks) writeFileSync(`${folder}${name}`, code)
    writeFileSync(
      `${folder}tsconfig.json`,
      JSON.stringify({ include: blocks.map(([, , name]) => name), compilerOptions: SETTINGS }),
    )
    expect(await compile(folder)).toBe('')
  })
})

const EXPECTED = ['signed-out', 'signed-in', 'signed-out', 'signed-out']

describe.skipIf(!HAS_WEB)('bindings', () => {
  it('Vue', async () => {
    const setup = await setUp()
    await setup.auth.ready
    const { useAuthState } = await importRecipe<{
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
    const { createAuthStore } = await importRecipe<{
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
    const { createAuthState } = await importRecipe<{
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
    await importPackage('@angular/compiler')
    const {
      createEnvironmentInjector,
      Injector,
      provideZonelessChangeDetection,
      runInInjectionContext,
      ...core
    } = await importPackage('@angular/core')
    const { HttpClient, provideHttpClient, withFetch, withInterceptors } =
      await importPackage('@angular/common/http')
    const recipe = await importRecipe<{
      injectAuthState(auth: AuthClient): () => { status: string }
      createAuthInterceptor(auth: AuthClient, baseUrl: string): unknown
    }>('angular.ts')
    const providers = [
      // As bootstrapping an application does, without a document.
      { provide: core.ɵINJECTOR_SCOPE, useValue: 'root' },
      provideZonelessChangeDetection(),
      provideHttpClient(withFetch(), withInterceptors([recipe.createAuthInterceptor(setup.auth, setup.url)])),
    ]
    const injector = createEnvironmentInjector(providers, Injector.NULL)
    const state = runInInjectionContext(injector, () => recipe.injectAuthState(setup.auth))
    await setup.login()
    expect(state().status).toBe('signed-in')
    const { firstValueFrom } = await importPackage('rxjs')
    expect(await firstValueFrom(injector.get(HttpClient).get(`${setup.url}/me`))).toEqual({ sub: 'alice' })
    await setup.auth.logout()
    expect(state().status).toBe('signed-out')
    injector.destroy()
    await setup.login()
    expect(state().status).toBe('signed-out')
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
  withTrpc(auth: AuthClient, url: string): { me: { query(): unknown } }
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
    const [get, post] = make(await importRecipe<HttpRecipes>('http.ts'), auth, url)
    await login()
    expect(await get()).toEqual({ sub: 'alice' })
    expect(await post({ a: 1 })).toEqual({ sub: 'alice', body: { a: 1 } })
    expect(stepUps()).toBe(0)
    move(2000)
    expect(await get()).toEqual({ sub: 'alice' })
    expect(await post({ a: 'ü' })).toEqual({ sub: 'alice', body: { a: 'ü' } })
    expect(stepUps()).toBe(1)
  })

  it('tRPC', async () => {
    const { auth, url, login, move } = await setUp()
    const { withTrpc } = await importRecipe<HttpRecipes>('http.ts')
    const client = withTrpc(auth, url)
    await login()
    expect(await client.me.query()).toBe('alice')
    move(2000)
    expect(await client.me.query()).toBe('alice')
  })

  it('TanStack Query', async () => {
    const { auth, login } = await setUp()
    const { createQueryClient } = await importRecipe<{
      createQueryClient(auth: AuthClient): {
        fetchQuery(options: object): Promise<unknown>
        getQueryData(key: unknown): unknown
      }
    }>('query.ts')
    const client = createQueryClient(auth)
    await login()
    const queryFn = async () => (await auth.fetch('/me')).json()
    expect(await client.fetchQuery({ queryKey: ['me'], queryFn })).toEqual({ sub: 'alice' })
    await auth.logout()
    expect(client.getQueryData(['me'])).toBeUndefined()
  })
})
