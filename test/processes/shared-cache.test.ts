/**
 * A public page behind a shared cache that keeps responses with `Set-Cookie`, as RFC 9111 section
 * 7.3 allows: Apache's `mod_cache` with its defaults. Whoever asks second gets no cookie of whoever
 * asked first, whatever added it.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterEach, describe, expect, it } from 'vitest'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { type Auth, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'
import { HAS_APACHE, startApache } from './apache.ts'

const PUBLIC = 'public, max-age=600'
const RENEW = { optional: true, renew: { within: '15m' } } as const

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

function application(): Auth {
  const sessions = { store: memoryStore() }
  return createAuth({ secret: SECRET, locations: ['header', 'cookie'], sessions })
}

/** One page that its handler declares public, in each framework. */
const PAGES: Readonly<Record<string, (auth: Auth) => Server | Promise<Server>>> = {
  'fetch, refreshing': (auth) => toServer(fetchGuards(auth).refreshing(toPage)),
  async 'fetch, refreshing a page of another server'(auth) {
    // What comes from `fetch` has headers that cannot be changed.
    const origin = await listen(toServer(toPage))
    return toServer(fetchGuards(auth).refreshing(() => fetch(origin)))
  },
  'fetch, renew': (auth) => toServer(fetchGuards(auth).token(RENEW)(toPage)),
  'hono, renew'(auth) {
    const app = new Hono()
    app.get('/', honoGuards(auth).token(RENEW), toPage)
    return createAdaptorServer({ fetch: app.fetch }) as Server
  },
  'express, renew'(auth) {
    const app = express()
    app.get('/', expressGuards(auth).token(RENEW), (_req, res) => {
      res.set('Cache-Control', PUBLIC).send('public')
    })
    return createServer(app as unknown as RequestListener)
  },
  async 'fastify, renew'(auth) {
    const app = fastify()
    app.get('/', { onRequest: fastifyGuards(auth).token(RENEW) }, (_request, reply) => {
      void reply.header('Cache-Control', PUBLIC).send('public')
    })
    await app.ready()
    return app.server
  },
  'koa, renew'(auth) {
    const app = new Koa()
    app.use(koaGuards(auth).token(RENEW)).use((ctx) => {
      ctx.set('Cache-Control', PUBLIC)
      ctx.body = 'public'
    })
    return createServer(app.callback())
  },
}

function toPage(): Response {
  return new Response('public', { headers: { 'Cache-Control': PUBLIC } })
}

function toServer(handler: (request: Request) => Response | Promise<Response>): Server {
  return createServer(toNodeHandler(handler))
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUps.push(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Starts a server and the cache before it. */
async function serve(server: Server): Promise<string> {
  const apache = await startApache(await listen(server))
  cleanUps.push(apache.close)
  return apache.origin
}

async function visit(origin: string, headers: Record<string, string> = {}) {
  const response = await fetch(origin, { headers })
  return {
    status: response.status,
    body: await response.text(),
    cookies: response.headers.getSetCookie(),
    wasStored: response.headers.get('x-cache')?.startsWith('HIT') ?? false,
  }
}

/** The cookies of somebody whose access token is over. */
async function toCookie(auth: Auth): Promise<string> {
  const lines = auth.cookies(await auth.createTokenPair('alice', { fresh: true }))
  return lines.map((line) => line.split(';', 1)[0]).join('; ')
}

describe.skipIf(!HAS_APACHE)('a shared cache', () => {
  it('would hand one visitor the cookies of another', async () => {
    let visits = 0
    const origin = await serve(
      createServer((_req, res) => {
        visits += 1
        const headers = { 'Cache-Control': PUBLIC, 'Set-Cookie': `visitor=${visits}; HttpOnly` }
        res.writeHead(200, headers).end('public')
      }),
    )
    await visit(`${origin}/page`)
    // The page of whoever came first, although it sets a cookie: the tests below can fail.
    expect(await visit(`${origin}/page`)).toMatchObject({
      wasStored: true,
      cookies: ['visitor=2; HttpOnly'],
    })
  })

  it.each(Object.entries(PAGES))('keeps no token: %s', async (name, open) => {
    const auth = application()
    const origin = await serve(await open(auth))
    const cookie = (await toCookie(auth))
      .split('; ')
      .filter((pair) => !(name.includes('refreshing') && pair.startsWith('__Host-access_token')))
      .join('; ')
    // Another query is another page to the cache: the visit that woke Apache up is none of these.
    const page = `${origin}/?page=1`
    const alice = await visit(page, { cookie })
    expect(alice).toMatchObject({ status: 200, body: 'public', wasStored: false })
    expect(alice.cookies.length).toBeGreaterThan(0)
    expect(await visit(page)).toMatchObject({ status: 200, body: 'public', cookies: [], wasStored: false })
    // What was made without a cookie is for every visitor.
    expect(await visit(page)).toMatchObject({ cookies: [], wasStored: true })
  })

  it('keeps no response of the routes', async () => {
    const auth = application()
    const handle = authRoutes(auth, { verifyCredentials: ({ username }) => ({ subject: username }) })
    const origin = await serve(toServer((request) => handle(request, { address: '192.0.2.1' })))
    const login = (username: string) =>
      fetch(`${origin}/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ username, password: 'right', delivery: 'body' }),
      })
    const tokens = await Promise.all(
      ['alice', 'bob'].map(async (name) => (await login(name)).json() as Promise<{ access_token: string }>),
    )
    for (const [index, { access_token }] of tokens.entries()) {
      const response = await fetch(`${origin}/auth/sessions`, {
        headers: { Authorization: `Bearer ${access_token}` },
      })
      expect(response.headers.get('x-cache') ?? 'MISS').not.toMatch(/^HIT/)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const payload = await auth.verifyToken(access_token)
      expect(payload.sub).toBe(['alice', 'bob'][index])
      const { sessions } = (await response.json()) as { sessions: { id: string }[] }
      expect(sessions.map(({ id }) => id)).toEqual([payload.sid])
    }
  })
})
