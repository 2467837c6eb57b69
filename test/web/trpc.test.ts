/** The tRPC recipes of docs/guide/graphql-trpc.md, with the server and the client themselves. */
import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { createAuthClient } from '../../src/client.ts'
import { type Auth, createAuth, type Requirement } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { HAS_WEB } from './packages.ts'
import { importModule, readRecipes } from './recipe-files.ts'

const RECIPES = readRecipes('graphql-trpc.md')

type Resolver = (options: { ctx: { payload: { sub: string } }; input: string }) => unknown
interface Procedure {
  input(parse: (value: unknown) => string): Procedure
  query(resolve: Resolver): object
  mutation(resolve: Resolver): object
}
interface ServerRecipe {
  router(procedures: object): object
  guarded(requirement?: Requirement): Procedure
  createHandler(auth: Auth, router: object): (request: Request) => Promise<Response>
}
interface Trpc {
  me: { query(): Promise<string> }
  secret: { query(): Promise<string> }
  transfer: { mutate(input: string): Promise<string> }
  note: { mutate(input: string): Promise<string> }
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function setUp() {
  let now = Date.now() / 1000
  const clock = () => now
  const auth = createAuth({
    secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu',
    clock,
    sessions: { store: memoryStore({ clock }) },
  })
  const { router, guarded, createHandler } = await RECIPES.load<ServerRecipe>('trpc-server.ts')
  const done: string[] = []
  const text = (value: unknown) => String(value)
  const act: Resolver = ({ ctx, input }) => {
    done.push(input)
    return `${ctx.payload.sub}: ${input}`
  }
  const trpc = createHandler(
    auth,
    router({
      me: guarded().query(({ ctx }) => ctx.payload.sub),
      secret: guarded({ fresh: true }).query(({ ctx }) => ctx.payload.sub),
      transfer: guarded({ fresh: true }).input(text).mutation(act),
      note: guarded().input(text).mutation(act),
    }),
  )
  const routes = authRoutes(auth, {
    verifyCredentials: ({ username, password }) => (password === 'x' ? { subject: username } : null),
  })
  const requests: string[] = []
  const server = createServer(
    toNodeHandler((request, info) => {
      const { pathname } = new URL(request.url)
      requests.push(pathname)
      return pathname.startsWith('/trpc/') ? trpc(request) : routes(request, info)
    }),
  ).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  let stepUps = 0
  const client = createAuthClient({
    baseUrl: url,
    onStepUp: () => {
      stepUps++
      return client.stepUp('x')
    },
  })
  closing.push(
    () => client.close(),
    () => auth.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  )
  const { createApi } = await RECIPES.load<{ createApi(auth: object, url: string): Trpc }>('trpc.ts')
  await client.login({ username: 'alice', password: 'x' })
  const count = (path: string) => requests.filter((other) => other === path).length
  const move = (seconds: number) => (now += seconds)
  return {
    client,
    url,
    done,
    requests,
    count,
    move,
    trpc: createApi(client, `${url}/trpc`),
    stepUps: () => stepUps,
  }
}

describe.skipIf(!HAS_WEB)('tRPC', () => {
  it('refreshes once for a batch of queries and for mutations', async () => {
    const { trpc, move, count, done } = await setUp()
    expect(await trpc.me.query()).toBe('alice')
    move(2000)
    const queries = [trpc.me.query(), trpc.me.query(), trpc.me.query()]
    const results = await Promise.all([...queries, trpc.note.mutate('a'), trpc.note.mutate('b')])
    expect(results).toEqual(['alice', 'alice', 'alice', 'alice: a', 'alice: b'])
    expect([count('/auth/refresh'), done.sort()]).toEqual([1, ['a', 'b']])
  })

  it('asks once for a step-up, also where only one of a batch requires it', async () => {
    const { trpc, client, stepUps, done, requests } = await setUp()
    await client.refresh()
    const work = [trpc.me.query(), trpc.secret.query(), trpc.transfer.mutate('a'), trpc.transfer.mutate('b')]
    expect(await Promise.all(work)).toEqual(['alice', 'alice', 'alice: a', 'alice: b'])
    expect([stepUps(), done.sort()]).toEqual([1, ['a', 'b']])
    expect(requests).toContain('/trpc/me,secret')
  })

  it('does no mutation twice, whatever link sends them together', async () => {
    const { client, url, stepUps, done } = await setUp()
    const { createTRPCClient, httpBatchLink } = await importModule('@trpc/client')
    const batching: Trpc = createTRPCClient({
      links: [httpBatchLink({ url: `${url}/trpc`, fetch: client.fetch })],
    })
    await client.refresh()
    const [note, transfer] = await Promise.allSettled([
      batching.note.mutate('a'),
      batching.transfer.mutate('b'),
    ])
    expect([note?.status, transfer?.status]).toEqual(['fulfilled', 'rejected'])
    expect([stepUps(), done]).toEqual([0, ['a']])
  })

  it('tells a caller without a user what is wrong', async () => {
    const { trpc, client } = await setUp()
    await client.logout()
    await expect(trpc.me.query()).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED', httpStatus: 401 } })
  })
})
