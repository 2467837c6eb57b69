/** Events of guards say where a refused request came from, as the framework's settings on proxies have it. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express5 from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import { type Auth, createAuth } from '../../src/index.ts'
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
