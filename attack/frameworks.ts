/**
 * The application under attack in frameworks with their own servers: Express 4 and 5, Fastify, Koa
 * and Nest. Each does what an application in that framework does, and nothing special for the
 * attack.
 */
import { createRequire } from 'node:module'
import express5, { type Request as ExpressRequest } from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import type { Requirement } from 'tokenwright'
import { guards as expressGuards } from 'tokenwright/express'
import { guards as fastifyGuards } from 'tokenwright/fastify'
import { guards as koaGuards } from 'tokenwright/koa'
import { toNodeHandler } from 'tokenwright/node'
import {
  type Adapter,
  type Application,
  CLAIMS_PATH,
  isLoginPath,
  ONE_TIME_PATH,
  type ProtectedRoute,
  toLoginHandler,
  toRequirement,
  VERIFY_PATH,
} from './adapters.ts'
import { createNest } from './nest.ts'

/** The guards that routes need, in any framework. */
interface Guards<G> {
  access(): G
  fresh(): G
  scopes(...scopes: readonly string[]): G
  token(requirement: Requirement): G
}

/** Returns a route's guard: with a scope, the one for that scope. */
function toGuard<G>(guard: Guards<G>, route: ProtectedRoute): (scope: unknown) => G {
  const requirement = toRequirement(route)
  const plain = requirement ? guard.token(requirement) : route.fresh ? guard.fresh() : guard.access()
  return (scope) => (typeof scope === 'string' && scope !== '' ? guard.scopes(scope) : plain)
}

/** The scope that the route's query parameter names. */
function toScope({ scopeParameter }: ProtectedRoute, url: string): string | null {
  return scopeParameter === undefined
    ? null
    : new URL(url, 'http://localhost').searchParams.get(scopeParameter)
}

const NOT_FOUND = { message: 'Not found' } as const

/** Express 4 or 5. */
function toExpress(express: typeof express5): Adapter {
  return (app: Application) => {
    const server = express()
    const guard = expressGuards(app.auth)
    const login = toNodeHandler(toLoginHandler(app))
    for (const route of app.routes) {
      const find = toGuard(guard as unknown as Guards<ReturnType<typeof guard.scopes>>, route)
      server[route.method === 'GET' ? 'get' : 'post'](
        route.path,
        (req: ExpressRequest, res, next) => find(toScope(route, req.originalUrl))(req, res, next),
        (req, res) => void res.set(route.headers ?? {}).json(route.handle(guard.payload(req))),
      )
    }
    server.use((req, res, next) => (isLoginPath(req.path) ? login(req, res, next) : next()))
    server.use((_req, res) => void res.status(404).json(NOT_FOUND))
    return (request, response) => server(request as never, response as never)
  }
}

const createFastify: Adapter = (app) => {
  const server = fastify()
  const guard = fastifyGuards(app.auth)
  const login = toNodeHandler(toLoginHandler(app))
  for (const route of app.routes) {
    const find = toGuard(guard as unknown as Guards<ReturnType<typeof guard.access>>, route)
    server.route({
      method: route.method,
      url: route.path,
      onRequest: (request, reply, done) => find(toScope(route, request.originalUrl))(request, reply, done),
      handler: async (request, reply) => {
        reply.headers(route.headers ?? {})
        return route.handle(guard.payload(request))
      },
    })
  }
  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const url of [
      '/auth/*',
      '/.well-known/*',
      CLAIMS_PATH,
      ONE_TIME_PATH,
      VERIFY_PATH,
      `${VERIFY_PATH}/*`,
    ]) {
      scope.all(url, (request, reply) => {
        reply.hijack()
        login(request.raw, reply.raw)
      })
    }
  })
  server.setNotFoundHandler((_request, reply) => void reply.code(404).send(NOT_FOUND))
  const ready = server.ready()
  return (request, response) => void ready.then(() => server.routing(request, response))
}

const createKoa: Adapter = (app) => {
  const server = new Koa()
  const guard = koaGuards(app.auth)
  const login = toNodeHandler(toLoginHandler(app))
  const routes = new Map(
    app.routes.map((route) => {
      const find = toGuard(guard as unknown as Guards<Koa.Middleware>, route)
      return [`${route.method} ${route.path}`, { route, find }]
    }),
  )
  server.use(async (ctx, next) => {
    if (!isLoginPath(ctx.path)) return next()
    ctx.respond = false
    login(ctx.req, ctx.res)
  })
  server.use(async (ctx) => {
    // Koa's routers let a GET route respond to HEAD, too.
    const found = routes.get(`${ctx.method === 'HEAD' ? 'GET' : ctx.method} ${ctx.path}`)
    if (found === undefined) {
      ctx.status = 404
      ctx.body = NOT_FOUND
      return
    }
    await found.find(toScope(found.route, ctx.originalUrl))(ctx, async () => {
      ctx.set(found.route.headers ?? {})
      ctx.body = found.route.handle(ctx.state['auth'])
    })
  })
  const handle = server.callback()
  return (request, response) => void handle(request, response)
}

/** Express 4. The alias has no types. */
const express4 = createRequire(import.meta.url)('express4') as typeof express5

/** The adapters of this file, by name. */
export const FRAMEWORKS: Readonly<Record<string, Adapter>> = {
  express: toExpress(express5),
  express4: toExpress(express4),
  fastify: createFastify,
  koa: createKoa,
  nest: createNest,
}
