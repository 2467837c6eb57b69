/**
 * A real server for the client to talk to: `authRoutes` and a few guarded routes over a socket, with a clock that the test sets,
 * a count of what came, and faults on demand: answers that are lost, refused or held back.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { type Auth, type AuthOptions, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

/** What happens to a request: nothing, its answer is lost after the work was done, it never arrives, or another answer comes. */
export type Fault = 'lost' | 'down' | Response | undefined

/** The server. */
export interface Origin {
  readonly url: string
  readonly auth: Auth
  /** What came, as `METHOD /path`. */
  readonly seen: string[]
  /** The orders that were carried out, by id. */
  readonly orders: string[]
  /** The headers of what came. */
  readonly headers: Headers[]
  /** The clock of the server and of the clients, in epoch seconds. */
  now: number
  /** Decides on each request; holds it back while the promise is open. */
  fault: (request: Request) => Fault | Promise<Fault>
  /** How many requests came for a path. */
  count(path: string): number
}

export const SECRET = 'mP8sW3kdQ6vZ1xTn5RbY9hJf2LgC7uEa0oKiV4wX'

/** Lifetimes that every test knows: access 100 s, fresh for 100 s. */
const OPTIONS: AuthOptions = {
  secret: SECRET,
  access: { expiresIn: 100 },
  freshness: { window: 100 },
  locations: ['header', 'cookie'],
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers of the routes that are no auth routes. */
function createDemo(auth: Auth, orders: string[]): (request: Request) => Promise<Response> {
  const guard = guards(auth)
  const takeOrder = async (request: Request) => {
    const id = new URL(request.url).searchParams.get('id') ?? ''
    if (request.method === 'POST') orders.push(id)
    return Response.json({ order: id })
  }
  const echo = async (request: Request) =>
    Response.json({ body: await request.text(), token: request.headers.get('authorization') })
  const routes = new Map<string, (request: Request) => Promise<Response>>([
    ['/protected', guard.access()(echo)],
    ['/sensitive', guard.fresh()(echo)],
    ['/narrow', guard.token({ fresh: '50s', acr: 'gold' })(echo)],
    ['/whoami', guard.access()(async (_, { sub }) => Response.json({ sub }))],
    ['/orders', guard.access()(takeOrder)],
    ['/fresh-orders', guard.fresh()(takeOrder)],
    ['/open', async (request) => echo(request)],
    ['/foreign-401', async () => Response.json({ message: 'no' }, { status: 401 })],
  ])
  return async (request) => {
    const route = routes.get(new URL(request.url).pathname)
    return (await route?.(request)) ?? new Response(null, { status: 404 })
  }
}

/** Starts one. */
export async function startOrigin(options: Partial<AuthOptions> = {}): Promise<Origin> {
  const origin = {
    now: 1_900_000_000,
    seen: [] as string[],
    headers: [] as Headers[],
    orders: [] as string[],
  }
  const auth = createAuth({
    ...OPTIONS,
    sessions: { store: memoryStore(), jitter: 0 },
    clock: () => origin.now,
    ...options,
  } as AuthOptions) as Auth
  const routes = authRoutes(auth, {
    delivery: 'body',
    verifyCredentials: ({ username, password, code }, { proved }) => {
      if (proved !== null) return code === '123456' ? { subject: proved.subject } : null
      if (password !== 'right') return null
      return username === 'careful'
        ? { next: { methods: ['totp'] }, subject: username }
        : { subject: username }
    },
    verifyStepUp: ({ code }) => (code === '123456' ? { amr: ['otp'] } : null),
  })
  const demo = createDemo(auth, origin.orders)
  const handle = toNodeHandler((request, info) =>
    new URL(request.url).pathname.startsWith('/auth/') ? routes(request, info) : demo(request),
  )
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    self.seen.push(`${request.method} ${pathname}`)
    const seen = new Request(`http://localhost${request.url}`, {
      headers: request.headers as never,
      method: request.method ?? 'GET',
    })
    self.headers.push(seen.headers)
    void (async () => {
      const fault = await self.fault(seen)
      if (fault === 'down') return request.destroy()
      if (fault === 'lost') {
        // The work is done and its answer goes nowhere.
        const end = response.end.bind(response)
        response.end = ((): unknown => {
          request.socket.destroy()
          return end()
        }) as never
        response.write = (() => true) as never
      }
      if (fault instanceof Response) {
        response.writeHead(fault.status, Object.fromEntries(fault.headers))
        return response.end(await fault.text())
      }
      return handle(request, response)
    })()
  })
  const self: Origin = {
    ...origin,
    auth,
    url: await listen(server),
    fault: () => undefined,
    count: (path) => self.seen.filter((line) => line.endsWith(` ${path}`)).length,
  }
  // The clock that createAuth was given reads the same object.
  Object.defineProperty(origin, 'now', { get: () => self.now })
  return self
}
