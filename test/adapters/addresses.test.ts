/** Events of guards say where a refused request came from, as the framework's settings on proxies have it. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import express5 from 'express'
import { fastify } from 'fastify'
import { type Context, Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { type Auth, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { SECRET } from '../token/forge.ts'

type Open = (auth: Auth, trustsProxy: boolean) => Server | Promise<Server>

const openExpress =
  (framework: typeof express5): Open =>
  (auth, trustsProxy) => {
    const app = framework()
    app.set('trust proxy', trustsProxy)
    app.get('/', expressGuards(auth).access())
    return createServer(app as unknown as RequestListener)
  }

const FRAMEWORKS: readonly (readonly [string, Open])[] = [
  ['Express 5', openExpress(express5)],
  ['Express 4', openExpress(createRequire(import.meta.url)('express4') as typeof express5)],
  [
    'Fastify',
    async (auth, trustProxy) => {
      const app = fastify({ trustProxy })
      app.get('/', { onRequest: fastifyGuards(auth).access() }, async () => 'passed')
      await app.ready()
      return app.server
    },
  ],
  [
    'Koa',
    (auth, proxy) => {
      const app = new Koa({ proxy })
      app.use(koaGuards(auth).access())
      return createServer(app.callback() as RequestListener)
    },
  ],
  [
    'Hono',
    (auth, trustsProxy) => {
      const app = new Hono()
      const address = (c: Context) => c.req.header('x-forwarded-for')
      app.get('/', honoGuards(auth, trustsProxy ? { address } : {}).access(), (c) => c.text('passed'))
      return createAdaptorServer({ fetch: app.fetch }) as Server
    },
  ],
  [
    'fetch',
    (auth, trustsProxy) => {
      const address = (request: Request) => request.headers.get('x-forwarded-for')
      const guard = fetchGuards(auth, trustsProxy ? { address } : {})
      return createServer(toNodeHandler(guard.access()(() => new Response('passed'))))
    },
  ],
]

describe.each(FRAMEWORKS)('the event of a guard on %s', (_, open) => {
  it.each([
    ['of the connection', false, '127.0.0.1'],
    ['that a trusted proxy names', true, '203.0.113.9'],
  ])('has the address %s', async (_, trustsProxy, expected) => {
    const addresses: (string | null)[] = []
    const auth = createAuth({ secret: SECRET, on: { refused: ({ address }) => addresses.push(address) } })
    const server = await open(auth, trustsProxy)
    onTestFinished(() => void server.close())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const headers = { authorization: 'Bearer x.y.z', 'x-forwarded-for': '203.0.113.9' }
    expect((await fetch(`http://127.0.0.1:${port}/`, { headers })).status).toBe(401)
    expect(addresses).toEqual([expected])
  })
})

describe('the address of a client', () => {
  const toRequest = () => new Request('http://localhost/', { headers: { authorization: 'Bearer x.y.z' } })
  const listen = (): { auth: Auth; addresses: (string | null)[] } => {
    const addresses: (string | null)[] = []
    return {
      auth: createAuth({ secret: SECRET, on: { refused: ({ address }) => addresses.push(address) } }),
      addresses,
    }
  }
  const INFOS: readonly (readonly [string, unknown, string | null])[] = [
    ['Node, by toNodeHandler', { address: '192.0.2.1' }, '192.0.2.1'],
    ['Node, by Hono', { incoming: { socket: { remoteAddress: '192.0.2.2' } }, outgoing: {} }, '192.0.2.2'],
    ['Deno', { remoteAddr: { transport: 'tcp', hostname: '192.0.2.3', port: 1 } }, '192.0.2.3'],
    [
      'Bun',
      { requestIP: (given: Request) => (given.url.endsWith('/') ? { address: '2001:db8::1' } : null) },
      '2001:db8::1',
    ],
    ['Bun, whose client is gone', { requestIP: () => null }, null],
    ['Workers, which have variables there', { address: { fetch: () => undefined }, KV: {} }, null],
    ['nothing', undefined, null],
  ]

  it.each(INFOS)('is what the platform says, to guards and routes: %s', async (_, info, expected) => {
    const { auth, addresses } = listen()
    const handler = (_request: Request, _payload: unknown, _info: unknown) => new Response()
    await fetchGuards(auth).access()(handler)(toRequest(), info)
    const app = new Hono()
    app.get('/', honoGuards(auth).access(), (c) => c.text(''))
    await app.request(toRequest(), undefined, info as object)
    await vi.waitFor(() => expect(addresses).toEqual([expected, expected]))
    const seen: (string | undefined)[] = []
    const handle = authRoutes(auth, {
      throttle: false,
      verifyCredentials: (_credentials, { address }) => {
        seen.push(address)
        return null
      },
    })
    const login = new Request('http://localhost/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"username":"u","password":"p"}',
    })
    const own =
      info === undefined || !('requestIP' in Object(info))
        ? info
        : { requestIP: () => ({ address: expected }) }
    await handle(login.clone(), own)
    expect(seen).toEqual([expected ?? undefined])
    const told: unknown[] = []
    const asking = authRoutes(auth, {
      throttle: false,
      verifyCredentials: () => null,
      address: (_request, known) => void told.push(known?.address),
    })
    await asking(login, own)
    expect(told).toEqual([expected ?? undefined])
  })

  it('that cannot be told costs the event its address, and no response', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    onTestFinished(() => warn.mockRestore())
    const { auth, addresses } = listen()
    const failing = [
      () => {
        throw new Error('no proxy')
      },
      (() => Promise.reject(new Error('late'))) as never,
      (() => 5) as never,
      () => '',
    ]
    for (const address of failing) {
      const response = await fetchGuards(auth, { address }).access()(() => new Response())(toRequest())
      expect(response.status).toBe(401)
    }
    await vi.waitFor(() => expect(addresses).toEqual([null, null, null, null]))
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[1]).toMatchObject({ code: 'TOKENWRIGHT_ADDRESS' })
    expect(() => fetchGuards(auth, { address: '192.0.2.1' as never })).toThrow(/`address` to be a function/)
    expect(() => expressGuards(auth, { address: () => '' } as never)).toThrow(/address/)
  })
})
