/** `actingAs` in every framework: one line makes a request as somebody, with nothing bypassed. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import { createAuth, createKeyRing, generateKey } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { actingAs } from '../../src/testing.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
const alice = actingAs(auth, 'alice', { fresh: true, scopes: ['posts:read'] })

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('refuses what no `createAuth` made', () => {
  for (const given of [undefined, null, {}, setTimeout])
    expect(() => actingAs(given as never, 'alice')).toThrow(/^Expected `auth` /)
})

describe('in every framework', () => {
  it('Hono', async () => {
    const app = new Hono().get('/me', honoGuards(auth).fresh(), (c) => c.json({ sub: c.var.auth.sub }))
    expect(await (await app.request(await alice.request('/me'))).json()).toEqual({ sub: 'alice' })
    expect(await (await app.request('/me', { headers: await alice.headers() })).json()).toEqual({
      sub: 'alice',
    })
  })

  it('fetch', async () => {
    const handle = fetchGuards(auth).scopes('posts:read')((_request, { sub }) => new Response(sub))
    expect(await (await handle(await alice.request('/posts?page=2'))).text()).toBe('alice')
  })

  it('Express', async () => {
    const app = express().get(
      '/me',
      expressGuards(auth).fresh((req, res) => res.send(req.auth.sub)),
    )
    const url = await listen(app as RequestListener)
    expect(await (await fetch(await alice.request(`${url}/me`))).text()).toBe('alice')
  })

  it('Fastify', async () => {
    const guard = fastifyGuards(auth)
    const app = fastify().get(
      '/me',
      { onRequest: guard.fresh() },
      async (request) => guard.payload(request).sub,
    )
    const { body } = await app.inject({ url: '/me', headers: await alice.headers() })
    expect(body).toBe('alice')
  })

  it('Koa', async () => {
    const app = new Koa().use(koaGuards(auth).fresh()).use((ctx) => {
      ctx.body = ctx.state.auth.sub
    })
    expect(await (await fetch(await listen(app.callback()), { headers: await alice.headers() })).text()).toBe(
      'alice',
    )
  })
})

describe('what is known of them', () => {
  const verify = async (options: Parameters<typeof actingAs>[2], requirement: object): Promise<string> =>
    auth.verifyToken(await actingAs(auth, 'bob', options).token(), requirement).then(
      () => 'ok',
      ({ code }) => code,
    )

  it.each([
    [{}, {}, 'ok'],
    [{}, { fresh: true }, 'fresh_token_required'],
    [{ fresh: true }, { fresh: true }, 'ok'],
    [{ fresh: true, age: '14m' }, { fresh: true }, 'ok'],
    [{ fresh: true, age: '16m' }, { fresh: true }, 'fresh_token_required'],
    [{ fresh: true, age: '6m' }, { fresh: '5m' }, 'fresh_token_required'],
    [{ age: '1h' }, { maxAge: '2h' }, 'ok'],
    [{ age: '3h' }, { maxAge: '2h' }, 'fresh_token_required'],
    [{}, { maxAge: '2h' }, 'fresh_token_required'],
    [{ acr: 'gold' }, { acr: 'gold' }, 'ok'],
    [{ amr: ['otp'] }, { amr: 'pwd' }, 'fresh_token_required'],
    [{ scopes: ['a:*'] }, { scopes: ['a:b'] }, 'ok'],
    [{ scopes: ['a'] }, { scopes: ['b'] }, 'scope_missing'],
  ] as const)('%j before %j: %s', async (options, requirement, outcome) => {
    expect(await verify(options as never, requirement)).toBe(outcome)
  })

  it('is a real session, which can be refreshed, ended and revoked', async () => {
    const carol = actingAs(auth, 'carol')
    const { sid = '' } = await auth.verifyToken(await carol.token())
    expect((await auth.sessions.list('carol')).map((row) => row.sid)).toEqual([sid])
    await auth.sessions.refresh(await auth.verifyToken(await carol.refreshToken(), { type: 'refresh' }))
    await auth.sessions.end(sid)
    await expect(auth.verifyToken(await carol.token())).rejects.toMatchObject({ code: 'token_revoked' })
  })

  it('authenticated when the application says so, never in the future', async () => {
    const then = auth.now() - 100
    for (const authTime of [then, new Date(then * 1000)]) {
      const { access_token, refresh_token } = await auth.createTokenPair('grace', { authTime })
      expect((await auth.verifyToken(access_token)).auth_time).toBe(Math.floor(then))
      const { auth_time } = await auth.verifyToken(refresh_token, { type: 'refresh' })
      expect(auth_time).toBe(Math.floor(then))
      expect((await auth.verifyToken(await auth.createAccessToken('grace', { authTime }))).auth_time).toBe(
        Math.floor(then),
      )
    }
    for (const authTime of [auth.now() + 60, Number.NaN, '1' as never])
      await expect(auth.createTokenPair('grace', { authTime })).rejects.toThrow(TypeError)
  })

  it('is of one login, however often it is asked', async () => {
    const dora = actingAs(auth, 'dora')
    const tokens = await Promise.all([dora.token(), dora.token(), dora.token()])
    expect(new Set(tokens).size).toBe(1)
    expect(await auth.sessions.list('dora')).toHaveLength(1)
  })
})

describe('an application with other options', () => {
  it('takes its tokens by cookie, with CSRF', async () => {
    const byCookie = createAuth({ secret: SECRET, locations: ['cookie'] })
    const handle = fetchGuards(byCookie).access()((_request, { sub }) => new Response(sub))
    const erin = actingAs(byCookie, 'erin')
    expect((await handle(await erin.request('/x', { method: 'POST' }))).status).toBe(200)
    const { cookie = '' } = await erin.cookies()
    const bare = new Request('http://localhost/x', { method: 'POST', headers: { cookie } })
    expect((await handle(bare)).status).toBe(403)
  })

  it('with keys, issuer, audience, realm, another header and typed claims', async () => {
    const strict = createAuth({
      keys: createKeyRing({ signing: generateKey('ES256') }),
      issuer: 'https://us',
      audience: ['api', 'web'],
      realm: 'customers',
      header: { name: 'X-Auth', scheme: '' },
      claims: z.object({ tenant: z.string() }),
    })
    const handle = fetchGuards(strict).access()((_request, { data }) => new Response(data.tenant))
    const frank = actingAs(strict, 'frank', { data: { tenant: 't1' } })
    expect(await (await handle(await frank.request('/'))).text()).toBe('t1')
    // @ts-expect-error no such claim
    await expect(actingAs(strict, 'frank', { data: { tenants: 't1' } }).token()).rejects.toThrow(TypeError)
  })

  it('keeps the headers that the test gives', async () => {
    const request = await alice.request('/x', {
      method: 'PUT',
      headers: { authorization: 'Bearer x', 'x-a': 'b' },
      body: '{}',
    })
    expect([request.method, request.headers.get('authorization'), request.headers.get('x-a')]).toEqual([
      'PUT',
      'Bearer x',
      'b',
    ])
    expect(await request.text()).toBe('{}')
  })

  it.each([{ age: 'soon' }, { age: -5 }, { scope: ['a'] }, { fresh: 'yes' }])(
    'refuses %j',
    async (options) => {
      await expect(actingAs(auth, 'alice', options as never).token()).rejects.toThrow(
        /^(Expected|Unknown option)/,
      )
    },
  )
})
