/**
 * The frameworks: `src/app.ts` and `src/server.ts` of a project, how it is started, and how its
 * tests reach it.
 */
import type { Choices } from '../choices.ts'
import { nestPart } from './nest.ts'
import { nextPart } from './next.ts'
import type { FrameworkPart } from './part.ts'
import { LOG, type Server, serverPart } from './server.ts'

/** The part of a framework. `guard` is that of a sensitive route. */
export function frameworkPart(choices: Choices, guard: string): FrameworkPart {
  const { framework } = choices
  if (framework === 'next') return nextPart(choices, guard)
  if (framework === 'nest') return nestPart(guard)
  return serverPart(SERVERS[framework](guard))
}

const SERVERS: Readonly<Record<Exclude<Choices['framework'], 'nest' | 'next'>, (guard: string) => Server>> = {
  hono: (guard) => ({
    dependencies: ['@hono/node-server', 'hono'],
    app: `import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { guards } from 'tokenwright/hono'
import type { Authentication } from './auth.ts'

export function createApp({ auth, routes }: Authentication) {
  const guard = guards(auth)
  const app = new Hono()
  app.all('/auth/*', (c) => routes(c.req.raw, { address: getConnInfo(c).remote.address }))
  app.get('/me', guard.access(), (c) => c.json({ sub: c.var.auth.sub }))
  app.post('/change-email', ${guard}, (c) => c.json({ message: 'Changed' }))
  return app
}
`,
    imports: "import { serve } from '@hono/node-server'",
    listen: `serve({ fetch: app.fetch, port }, () => ${LOG})`,
    test: 'const server = serve({ fetch: createApp(authentication).fetch, port: 0 })',
  }),

  express: (guard) => ({
    dependencies: ['express'],
    devDependencies: ['@types/express'],
    app: `import express from 'express'
import { guards } from 'tokenwright/express'
import { toNodeHandler } from 'tokenwright/node'
import type { Authentication } from './auth.ts'

export function createApp({ auth, routes }: Authentication) {
  const guard = guards(auth)
  const app = express()
  app.use('/auth', toNodeHandler(routes))
  app.get('/me', guard.access(), (req, res) => {
    res.json({ sub: guard.payload(req).sub })
  })
  app.post('/change-email', ${guard}, (_req, res) => {
    res.json({ message: 'Changed' })
  })
  return app
}
`,
    listen: `app.listen(port, (error) => {
  if (error) throw error
  ${LOG}
})`,
    test: 'const server = createApp(authentication).listen(0)',
  }),

  fastify: (guard) => ({
    dependencies: ['fastify'],
    app: `import { fastify } from 'fastify'
import { guards } from 'tokenwright/fastify'
import { toNodeHandler } from 'tokenwright/node'
import type { Authentication } from './auth.ts'

export function createApp({ auth, routes }: Authentication) {
  const guard = guards(auth)
  const handle = toNodeHandler(routes)
  const app = fastify()
  app.register(async (scope) => {
    // The routes read the bodies themselves.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    scope.all('/auth/*', (request, reply) => {
      reply.hijack()
      handle(request.raw, reply.raw)
    })
  })
  app.get('/me', { onRequest: guard.access() }, async (request) => ({ sub: guard.payload(request).sub }))
  app.post('/change-email', { onRequest: ${guard} }, async () => ({ message: 'Changed' }))
  return app
}
`,
    listen: `await app.listen({ port })\n${LOG}`,
    test: `const app = createApp(authentication)
await app.listen({ port: 0 })
const { server } = app`,
  }),

  koa: (guard) => ({
    dependencies: ['@koa/router', 'koa'],
    devDependencies: ['@types/koa'],
    app: `import Router from '@koa/router'
import Koa from 'koa'
import { guards } from 'tokenwright/koa'
import { toNodeHandler } from 'tokenwright/node'
import type { Authentication } from './auth.ts'

export function createApp({ auth, routes }: Authentication) {
  const guard = guards(auth)
  const handle = toNodeHandler(routes)
  const router = new Router()
  router.all('/auth/{*rest}', (ctx) => {
    // The routes write to Node's response themselves.
    ctx.respond = false
    handle(ctx.req, ctx.res)
  })
  router.get('/me', guard.access(), (ctx) => {
    ctx.body = { sub: ctx.state.auth.sub }
  })
  router.post('/change-email', ${guard}, (ctx) => {
    ctx.body = { message: 'Changed' }
  })
  return new Koa().use(router.routes())
}
`,
    listen: `app.listen(port, () => ${LOG})`,
    test: 'const server = createApp(authentication).listen(0)',
  }),
}
