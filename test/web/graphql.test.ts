/** The GraphQL recipes of docs/guide/graphql-trpc.md, with the servers and clients themselves. */
import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { AuthClientError, type AuthClientOptions, createAuthClient } from '../../src/client.ts'
import { type Auth, type AuthOptions, createAuth, type Requirement } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { find, HAS_WEB } from './packages.ts'
import { importModule, readRecipes } from './recipe-files.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const RECIPES = readRecipes('graphql-trpc.md')

/** What GraphQL Yoga gives a resolver: the parent, the arguments, the context and the information. */
type Resolver = (
  parent: unknown,
  args: { text: string },
  context: { request: Request },
  info: object,
) => unknown
type Authorize = (auth: Auth, request: Request, info: object, needs?: Requirement) => Promise<{ sub: string }>
interface Socket {
  dispose(): unknown
}
interface Clients {
  createSocket(auth: object, url: string, options?: object): Socket
  createApollo(auth: object, url: string, socket: Socket): Apollo
  createUrql(auth: object, url: string, socket: Socket): Urql
}
interface Observable {
  subscribe(sink: object): { unsubscribe(): void }
}
interface Apollo {
  query(options: object): Promise<{ data: Record<string, unknown> }>
  mutate(options: object): Promise<{ data: Record<string, unknown> }>
  subscribe(options: object): Observable
  extract(): object
}
interface Urql {
  query(document: string, variables: object): { toPromise(): Promise<UrqlResult> }
  mutation(document: string, variables: object): { toPromise(): Promise<UrqlResult> }
  subscription(document: string, variables: object): Observable
}
interface UrqlResult {
  data?: Record<string, unknown>
  error?: { networkError?: Error; graphQLErrors: { extensions: Record<string, unknown> }[] }
}

/** What both clients do here. An error is thrown: of the network itself, or of GraphQL with its `code`. */
interface Operations {
  query(document: string): Promise<Record<string, unknown>>
  mutate(document: string): Promise<Record<string, unknown>>
  subscribe(
    document: string,
    next: (data: Record<string, string>) => void,
    fail: (error: unknown) => void,
  ): () => void
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const TYPES = /* GraphQL */ `
  type Query { me: String! secret: String! }
  type Note { text: String! secret: String! }
  type Mutation { transfer(text: String!): String! note(text: String!): Note! }
  type Subscription { ticks: String! }
`

async function serve(options: AuthOptions) {
  const { clock = () => Date.now() / 1000 } = options
  const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore({ clock }) }, ...options })
  // Node gets this half of the package everywhere; Vite would give the recipe the other one.
  const aliases = { graphql: find('graphql') }
  const { authorize } = await RECIPES.load<{ authorize: Authorize }>('graphql-server.ts', aliases)
  const { serveSubscriptions } = await RECIPES.load<{
    serveSubscriptions(auth: Auth, schema: object, server: Server): void
  }>('graphql-socket.ts')
  const { createSchema, createYoga } = await importModule('graphql-yoga')
  const done: string[] = []
  const act =
    (needs?: Requirement): Resolver =>
    async (_, { text }, { request }, info) => {
      const { sub } = await authorize(auth, request, info, needs)
      done.push(text)
      return `${sub}: ${text}`
    }
  const read =
    (needs?: Requirement): Resolver =>
    async (_, _args, { request }, info) =>
      (await authorize(auth, request, info, needs)).sub
  const schema = createSchema({
    typeDefs: TYPES,
    resolvers: {
      Query: { me: read(), secret: read({ fresh: true }) },
      Note: { text: (text: string) => text, secret: read({ fresh: true }) },
      Mutation: { transfer: act({ fresh: true }), note: act() },
      Subscription: {
        ticks: {
          async *subscribe(
            _: unknown,
            _args: unknown,
            { payload }: { payload: { sub: string; exp: number } },
          ) {
            yield { ticks: `${payload.sub} ${payload.exp}` }
            await new Promise(() => undefined)
          },
        },
      },
    },
  })
  const requests: string[] = []
  const yoga = createYoga({ schema, logging: false })
  const routes = toNodeHandler(
    authRoutes(auth, {
      verifyCredentials: ({ username, password }) => (password === 'x' ? { subject: username } : null),
    }),
  )
  const server = createServer((req, res) => {
    requests.push(`${req.url}`.split('?', 1)[0] ?? '')
    return `${req.url}`.startsWith('/graphql') ? yoga(req, res) : routes(req, res)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  serveSubscriptions(auth, schema, server)
  closing.push(
    () => auth.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  )
  const { port } = server.address() as { port: number }
  return {
    auth,
    done,
    requests,
    url: `http://127.0.0.1:${port}`,
    socketUrl: `ws://127.0.0.1:${port}/graphql`,
  }
}

async function setUp(
  kind: 'Apollo Client' | 'urql',
  options: AuthOptions = {},
  more: AuthClientOptions = {},
) {
  let now = Date.now() / 1000
  const clock = () => now
  const server = await serve({ clock, ...options })
  let stepUps = 0
  const auth = createAuthClient({
    baseUrl: server.url,
    platform: { now: clock },
    onStepUp: () => {
      stepUps++
      return auth.stepUp('x')
    },
    ...more,
  })
  const clients = await RECIPES.load<Clients>('graphql.ts')
  const socket = clients.createSocket(auth, server.socketUrl, { webSocketImpl: WebSocket })
  closing.push(
    () => auth.close(),
    () => socket.dispose(),
  )
  const { gql } = await importModule('@apollo/client')
  const apollo = clients.createApollo(auth, `${server.url}/graphql`, socket)
  const urql = clients.createUrql(auth, `${server.url}/graphql`, socket)
  const operations = kind === 'urql' ? ofUrql(urql) : ofApollo(apollo, gql)
  const login = (username = 'alice') => auth.login({ username, password: 'x' })
  await login()
  const count = (path: string) => server.requests.filter((other) => other === path).length
  const move = (seconds: number) => (now += seconds)
  return { ...server, ...operations, auth, apollo, login, move, count, stepUps: () => stepUps }
}

function ofApollo(client: Apollo, gql: (text: string) => object): Operations {
  const toError = (error: { errors?: { extensions: object }[] }) => error.errors?.[0]?.extensions ?? error
  return {
    query: (document) =>
      client.query({ query: gql(document), fetchPolicy: 'network-only' }).then(
        ({ data }) => data,
        (error) => Promise.reject(toError(error)),
      ),
    mutate: (document) =>
      client.mutate({ mutation: gql(document) }).then(
        ({ data }) => data,
        (error) => Promise.reject(toError(error)),
      ),
    subscribe(document, next, fail) {
      const observable = client.subscribe({ query: gql(document) })
      const sink = {
        next: ({ data, error }: { data: never; error?: unknown }) => (error ? fail(error) : next(data)),
      }
      const subscription = observable.subscribe(sink)
      return () => subscription.unsubscribe()
    },
  }
}

function ofUrql(client: Urql): Operations {
  const read = async (result: Promise<UrqlResult>) => {
    const { data, error } = await result
    if (error) throw error.networkError ?? error.graphQLErrors[0]?.extensions
    return data ?? {}
  }
  return {
    query: (document) => read(client.query(document, {}).toPromise()),
    mutate: (document) => read(client.mutation(document, {}).toPromise()),
    subscribe(document, next, fail) {
      const source = client.subscription(document, {})
      const subscription = source.subscribe(({ data, error }: { data: never; error?: unknown }) =>
        error ? fail(error) : next(data),
      )
      return () => subscription.unsubscribe()
    },
  }
}

describe.skipIf(!HAS_WEB)('the recipes', () => {
  it('compile, with the types of the packages', async () => {
    expect(await RECIPES.compile()).toBe('')
  })
})

describe.skipIf(!HAS_WEB).each(['Apollo Client', 'urql'] as const)('%s', (kind) => {
  it('refreshes once for all operations that are under way', async () => {
    // The client's clock stands still: the server's refusals tell it.
    const { query, mutate, move, count } = await setUp(kind, {}, { platform: {} })
    expect(await query('{ me }')).toMatchObject({ me: 'alice' })
    move(2000)
    const documents = ['{ me }', '{ a: me }', '{ b: me }', '{ c: me }'].map(query)
    const note = mutate('mutation { note(text: "n") { text } }')
    expect(await Promise.all(documents)).toHaveLength(4)
    expect(await note).toMatchObject({ note: { text: 'alice: n' } })
    expect(count('/auth/refresh')).toBe(1)
  })

  it('asks once for a step-up, and does each mutation once', async () => {
    const { query, mutate, move, stepUps, done } = await setUp(kind)
    move(1000)
    const transfers = ['a', 'b', 'c'].map((text) => mutate(`mutation { transfer(text: "${text}") }`))
    const results = await Promise.all([...transfers, query('{ secret me }')])
    expect(results.at(-1)).toMatchObject({ secret: 'alice', me: 'alice' })
    expect([stepUps(), done.sort()]).toEqual([1, ['a', 'b', 'c']])
  })

  it('repeats no mutation of which a part was done', async () => {
    const { auth, mutate, stepUps, done } = await setUp(kind)
    await auth.refresh()
    await expect(mutate('mutation { note(text: "1") { text } transfer(text: "2") }')).rejects.toMatchObject({
      code: 'fresh_token_required',
    })
    await expect(mutate('mutation { note(text: "3") { secret } }')).rejects.toMatchObject({
      code: 'fresh_token_required',
    })
    expect([stepUps(), done]).toEqual([0, ['1', '3']])
  })

  it('tells of a step-up that the user cancels, and of a session that is over', async () => {
    const setup = await setUp(kind, {}, { onStepUp: () => false })
    setup.move(1000)
    await expect(setup.mutate('mutation { transfer(text: "a") }')).rejects.toSatisfy(
      (error) => error instanceof AuthClientError && error.code === 'step_up_cancelled',
    )
    await setup.auth.logout()
    await expect(setup.query('{ me }')).rejects.toBeDefined()
    expect(setup.done).toEqual([])
  })

  it('goes on with a subscription by another socket, before the token of the first one ends', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    closing.push(() => vi.useRealTimers())
    const { subscribe, count, move } = await setUp(kind)
    const seen: string[] = []
    const errors: unknown[] = []
    const leave = subscribe(
      'subscription { ticks }',
      ({ ticks = '' }) => seen.push(ticks),
      (error) => errors.push(error),
    )
    await vi.waitUntil(() => seen.length === 1)
    move(856)
    vi.advanceTimersByTime(856_000)
    await vi.waitUntil(() => seen.length === 2 || errors.length > 0)
    leave()
    expect([errors, count('/auth/ticket')]).toEqual([[], 2])
    const ends = seen.map((tick) => /^alice (\d+)$/.exec(tick)?.[1])
    expect(Number(ends[1])).toBeGreaterThan(Number(ends[0]))
  })

  it('tells a subscription of a user who has signed out, and connects no more', async () => {
    const { subscribe, auth, count } = await setUp(kind)
    const errors: unknown[] = []
    const seen: string[] = []
    subscribe(
      'subscription { ticks }',
      ({ ticks = '' }) => seen.push(ticks),
      (error) => errors.push(error),
    )
    await vi.waitUntil(() => seen.length === 1)
    await auth.logout()
    await vi.waitUntil(() => errors.length === 1)
    expect(count('/auth/ticket')).toBe(1)
  })
})

describe.skipIf(!HAS_WEB)('Apollo Client', () => {
  it('forgets what a user saw who has signed out, or was replaced by another', async () => {
    const { query, apollo, login, auth } = await setUp('Apollo Client')
    await query('{ me }')
    expect(JSON.stringify(apollo.extract())).toContain('alice')
    await login('bob')
    expect(JSON.stringify(apollo.extract())).not.toContain('alice')
    await query('{ me }')
    await auth.logout()
    expect(JSON.stringify(apollo.extract())).not.toContain('bob')
  })
})
