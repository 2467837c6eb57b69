/** Two services over real HTTP: one with the session store, and those that follow its revocations. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '../../src/adapters/node.ts'
import {
  type Auth,
  type AuthOptions,
  createAuth,
  createKeyRing,
  generateKey,
  type RemoteFeedOptions,
  type RevocationOptions,
  remoteFeed,
  type Store,
} from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

export const ISSUER = 'https://auth.example'
export const CREDENTIALS = { id: 'orders', secret: 's3cret: +%' }

export const KEY = generateKey('ES256')
const { d: _, ...PUBLISHED } = KEY

/** A server on a free port of this machine. */
export interface Listening {
  readonly origin: string
  readonly server: Server
  close(): Promise<void>
}

/** Starts a server. @param port 0 for a free one */
export async function listen(handler: RequestListener, port = 0): Promise<Listening> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: bound } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${bound}`,
    server,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

/** The service with the store. */
export interface Issuer extends Listening {
  readonly auth: Auth
  readonly store: Store
  readonly url: string
  /** The requests for the feed, as they came: the query. */
  readonly requests: URLSearchParams[]
  /** The handler of its routes. */
  readonly handle: (request: Request) => Promise<Response>
}

/** Starts the service that signs users in. */
export async function startIssuer(
  store: Store = memoryStore(),
  options: AuthOptions = {},
  port = 0,
): Promise<Issuer> {
  const auth: Auth = createAuth({
    keys: createKeyRing({ signing: KEY }),
    issuer: ISSUER,
    audience: 'api',
    sessions: { store },
    ...options,
  })
  const handle = authRoutes(auth, {
    verifyCredentials: () => null,
    throttle: false,
    verifyClient: ({ id, secret }) => id === CREDENTIALS.id && secret === CREDENTIALS.secret,
  })
  const requests: URLSearchParams[] = []
  const listening = await listen(
    toNodeHandler((request, info) => {
      const { searchParams, pathname } = new URL(request.url)
      if (pathname === '/auth/revocations' && request.method === 'GET') requests.push(searchParams)
      return handle(request, info)
    }),
    port,
  )
  return {
    ...listening,
    auth,
    store,
    requests,
    handle,
    url: `${listening.origin}/auth/revocations`,
    async close() {
      await auth.close()
      await listening.close()
    },
  }
}

/** A service without the store. */
export function createService(
  url: string,
  {
    feed = {},
    revocation = {},
    ...options
  }: Omit<AuthOptions, 'revocation'> & {
    readonly feed?: Partial<RemoteFeedOptions>
    readonly revocation?: Omit<RevocationOptions, 'source'>
  } = {},
): Auth {
  return createAuth({
    keys: createKeyRing({ verifying: [PUBLISHED] }),
    issuer: ISSUER,
    audience: 'api',
    ...options,
    revocation: { ...revocation, source: remoteFeed({ url, credentials: CREDENTIALS, ...feed }) },
  })
}

/** The code of what a call is refused with; `'accepted'` for nothing. */
export async function codeOf(call: () => Promise<unknown>): Promise<string> {
  return call().then(
    () => 'accepted',
    (error: { readonly code?: string }) => String(error.code ?? error),
  )
}

/** Waits until a call gives a value. @returns seconds since the begin */
export async function until(value: string, call: () => Promise<string>, seconds = 10): Promise<number> {
  const begun = performance.now()
  for (;;) {
    const found = await call()
    const elapsed = (performance.now() - begun) / 1000
    if (found === value) return elapsed
    if (elapsed > seconds) throw new Error(`Expected ${value} within ${seconds} s, got ${found}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
