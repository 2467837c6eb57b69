/**
 * `errors: 'throw'` where no one has an error handler: the default one of each framework still sends
 * the status and the challenge (RFC 9110 section 15.5.2).
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import express5 from 'express'
import { fastify } from 'fastify'
import { Hono, type MiddlewareHandler } from 'hono'
import Koa from 'koa'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { type FastifyGuard, guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import type { Auth } from '../../src/index.ts'
import { createApplication, type Platform, toController, toModule } from '../nest/application.ts'
import { loadNest, PLATFORMS } from '../nest/versions.ts'
import { claimsOf, forge, setUp } from '../token/forge.ts'

const express4 = createRequire(import.meta.url)('express4') as typeof express5

/** The guards that are asked, each at a path of its name. */
const NAMES = ['access', 'fresh', 'scopes', 'subject'] as const
type Name = (typeof NAMES)[number]

/** A guard by its name. */
function make<G>(table: object, name: Name): G {
  const guard = (table as Record<Name, (...args: readonly string[]) => G>)[name]
  return name === 'scopes' ? guard('admin') : guard()
}

type Open = (auth: Auth) => Server | Promise<Server>

/** A handler that rejects with nothing, which callback protocols take for success. */
const rejectWithNothing = (): Promise<never> => Promise.reject(undefined)

function openExpress(framework: typeof express5): Open {
  return (auth) => {
    const app = framework()
    for (const name of NAMES)
      app.get(
        `/${name}`,
        make<express5.RequestHandler>(expressGuards(auth, { errors: 'throw' }), name),
        (_req, res) => res.send('passed'),
      )
    const table = expressGuards(auth, { errors: 'throw' })
    app.get('/nothing', table.access(rejectWithNothing))
    app.get('/nothing', (_req, res) => void res.send('passed'))
    return createServer(app as unknown as RequestListener)
  }
}

function openNest(version: 11 | 12, platform: Platform): Open {
  return async (auth) => {
    const nest = await loadNest(version)
    const guard = nest.door.guards(auth, { errors: 'throw' })
    const handlers = NAMES.map((name) => ({
      route: `GET /${name}`,
      guards: [make<never>(guard, name)],
      handle: () => 'passed' as unknown,
    }))
    handlers.push({
      route: 'GET /nothing',
      guards: [make<never>(guard, 'access')],
      handle: rejectWithNothing,
    })
    const module = toModule(nest, { controllers: [toController(nest, handlers)] })
    const app = await createApplication(nest, platform, module)
    return app.getHttpServer() as Server
  }
}

const FRAMEWORKS: Readonly<Record<string, Open>> = {
  'express 5': openExpress(express5),
  'express 4': openExpress(express4),
  async fastify(auth) {
    const app = fastify()
    const table = fastifyGuards(auth, { errors: 'throw' })
    for (const name of NAMES)
      app.get(`/${name}`, { onRequest: make<FastifyGuard>(table, name) }, async () => 'passed')
    app.get('/nothing', { onRequest: table.access() }, rejectWithNothing)
    await app.ready()
    return app.server
  },
  koa(auth) {
    const app = new Koa()
    const table = koaGuards(auth, { errors: 'throw' })
    const made = new Map(NAMES.map((name) => [`/${name}`, make<Koa.Middleware>(table, name)]))
    app.use((ctx, next) => made.get(ctx.path)?.(ctx, next) ?? next())
    app.use((ctx, next) => (ctx.path === '/nothing' ? table.access()(ctx, rejectWithNothing) : next()))
    return createServer(app.callback())
  },
  hono(auth) {
    const app = new Hono()
    const table = honoGuards(auth, { errors: 'throw' })
    for (const name of NAMES)
      app.get(`/${name}`, make<MiddlewareHandler>(table, name), (c) => c.text('passed'))
    app.get('/nothing', table.access(), rejectWithNothing)
    return createAdaptorServer({ fetch: app.fetch }) as Server
  },
  'fetch, behind toNodeHandler'(auth) {
    const table = fetchGuards(auth, { errors: 'throw' })
    const wrap = (name: Name) =>
      make<(handler: () => Response) => (request: Request) => Promise<Response>>(table, name)
    const handlers = new Map<string, (request: Request) => Promise<Response>>(
      NAMES.map((name) => [`/${name}`, wrap(name)(() => new Response('passed'))]),
    )
    handlers.set('/nothing', table.access()(rejectWithNothing))
    return createServer(
      toNodeHandler(async (request) => {
        const response = await handlers.get(new URL(request.url).pathname)?.(request)
        return response ?? new Response(null, { status: 404 })
      }),
    )
  },
  ...Object.fromEntries(
    ([12, 11] as const).flatMap((version) =>
      PLATFORMS.map((platform) => [
        `nest ${version} on ${platform}`,
        openNest(version, platform as Platform),
      ]),
    ),
  ),
}

const GOOD = forge(claimsOf())

beforeEach(() => {
  // Express and Koa write what they are not asked to handle.
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

describe.each(Object.entries(FRAMEWORKS))('%s', (_, open) => {
  it.each([
    { of: 'no token', path: '/access', status: 401, challenge: /^Bearer$/ },
    {
      of: 'a bad token',
      path: '/access',
      token: 'x.y.z',
      status: 401,
      challenge: /^Bearer error="invalid_token", error_description="Invalid Token"$/,
    },
    {
      of: 'a token that is not fresh',
      path: '/fresh',
      token: GOOD,
      status: 401,
      challenge: /^Bearer error="insufficient_user_authentication".*max_age="900"/,
    },
    {
      of: 'too few scopes',
      path: '/scopes',
      token: GOOD,
      status: 403,
      challenge: /^Bearer error="insufficient_scope".*scope="admin"/,
    },
  ])('sends the status and the challenge for $of', async ({ path, token, status, challenge }) => {
    const response = await ask(path, token)
    expect(response.status).toBe(status)
    expect(response.headers.get('www-authenticate')).toMatch(challenge)
  })

  it('sends 503 and when to try again', async () => {
    const { status, headers } = await ask('/subject', GOOD)
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
  })

  it('sends 500 for a handler that rejects with nothing, and runs no other', async () => {
    expect((await ask('/nothing', GOOD)).status).toBe(500)
  })

  it('shows no cause and no stack', async () => {
    const { body } = await ask('/subject', GOOD)
    expect(body).not.toMatch(/the database is down|node_modules|src\/|at /)
  })

  async function ask(path: string, token?: string) {
    const { auth } = setUp({ subject: () => Promise.reject(new Error('the database is down')) })
    const server = await open(auth)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => server.close().closeAllConnections())
    const { port } = server.address() as AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5_000),
    })
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
})
