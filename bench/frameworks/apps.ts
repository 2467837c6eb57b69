/**
 * The applications: for each framework one with a middleware that does nothing, and the same one behind each library. All
 * answer the same JSON to `GET /`, and all that guard check signature, exp, nbf, iss and aud of an HS256 token in the header.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import fastifyJwt from '@fastify/jwt'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { type FastifyInstance, fastify, type onRequestHookHandler } from 'fastify'
import { Hono, type MiddlewareHandler } from 'hono'
import { jwt as honoJwt } from 'hono/jwt'
import Koa from 'koa'
import koaJwt from 'koa-jwt'
import { type Auth, createAuth } from 'tokenwright'
import { guards as expressGuards } from 'tokenwright/express'
import { guards as fastifyGuards } from 'tokenwright/fastify'
import { guards as honoGuards } from 'tokenwright/hono'
import { guards as koaGuards } from 'tokenwright/koa'
import { guards as nestGuards } from 'tokenwright/nest'
import { toJwtGuard, toNest, toPassport } from './nest.ts'

/** What every token says of its origin. */
const issuer = 'https://auth.example.com'
const audience = 'https://api.example.com'

/** Our application. */
export function createApplication(secret: string, cached = true): Auth {
  return createAuth({ secret, issuer, audience, ...(cached ? {} : { cache: false }) })
}

/** One application under measurement. */
export interface App {
  readonly framework: string
  /** What guards it; `BARE` for nothing. */
  readonly guard: string
  create(secret: string): RequestListener | Promise<RequestListener>
}

/** The application whose middleware does nothing. */
export const BARE = 'nothing'

const OURS = 'tokenwright'
const UNCACHED = 'tokenwright, no cache'
const ANSWER = { hello: 'world' }

async function toFastify(
  hook: (app: FastifyInstance) => onRequestHookHandler | Promise<onRequestHookHandler>,
): Promise<RequestListener> {
  const app = fastify()
  const onRequest = await hook(app)
  app.get('/', { onRequest }, async () => ANSWER)
  await app.ready()
  return (request: IncomingMessage, response: ServerResponse) => app.routing(request, response)
}

function fastifyPeer(cache: boolean): App['create'] {
  return (secret) =>
    toFastify(async (app) => {
      const verify = { algorithms: ['HS256' as const], allowedIss: issuer, allowedAud: audience, cache }
      await app.register(fastifyJwt, { secret, verify })
      return async (request) => {
        await request.jwtVerify()
      }
    })
}

/** The middleware of Express that does nothing. */
const pass: express.RequestHandler = (_request, _response, next) => next()

function toExpress(
  middleware: express.RequestHandler | ReturnType<ReturnType<typeof expressGuards>['scopes']>,
): RequestListener {
  const app = express()
  app.get('/', middleware, (_request, response) => {
    response.json(ANSWER)
  })
  return app
}

function toHono(middleware: MiddlewareHandler): RequestListener {
  const app = new Hono().get('/', middleware, (c) => c.json(ANSWER))
  return getRequestListener(app.fetch)
}

function toKoa(middleware: Koa.Middleware): RequestListener {
  const app = new Koa()
  app.use(middleware).use((ctx) => {
    ctx.body = ANSWER
  })
  return app.callback()
}

/** Rows of one framework: nothing, ours with and without its cache, and the framework's own. */
function rows(
  framework: string,
  bare: App['create'],
  ours: (auth: Auth) => ReturnType<App['create']>,
  peers: Readonly<Record<string, App['create']>>,
): readonly App[] {
  const all: Readonly<Record<string, App['create']>> = {
    [BARE]: bare,
    [OURS]: (secret) => ours(createApplication(secret)),
    [UNCACHED]: (secret) => ours(createApplication(secret, false)),
    ...peers,
  }
  return Object.entries(all).map(([guard, create]) => ({ framework, guard, create }))
}

/** Every application; the first row of each framework is the bare one. */
export const APPS: readonly App[] = [
  ...rows(
    'fastify',
    () => toFastify(() => (_request, _reply, done) => done()),
    (auth) => toFastify(() => fastifyGuards(auth).access()),
    { '@fastify/jwt, cached': fastifyPeer(true), '@fastify/jwt': fastifyPeer(false) },
  ),
  ...rows(
    'hono',
    () => toHono((_c, next) => next()),
    (auth) => toHono(honoGuards(auth).access()),
    {
      'hono/jwt': (secret) =>
        toHono(honoJwt({ secret, alg: 'HS256', verification: { iss: issuer, aud: audience } })),
    },
  ),
  ...rows(
    'express',
    () => toExpress(pass),
    (auth) => toExpress(expressGuards(auth).access()),
    { 'express-jwt': (secret) => toExpress(expressjwt({ secret, algorithms: ['HS256'], issuer, audience })) },
  ),
  ...rows(
    'koa',
    () => toKoa((_ctx, next) => next()),
    (auth) => toKoa(koaGuards(auth).access()),
    { 'koa-jwt': (secret) => toKoa(koaJwt({ secret, algorithms: ['HS256'], issuer, audience })) },
  ),
  ...rows(
    'nest',
    () => toNest({ canActivate: () => true }, ANSWER),
    (auth) => toNest(nestGuards(auth).access(), ANSWER),
    {
      '@nestjs/jwt': (secret) => toNest(toJwtGuard({ secret, issuer, audience }), ANSWER),
      '@nestjs/passport': (secret) => {
        const { guard, strategy } = toPassport({ secret, issuer, audience })
        return toNest(guard, ANSWER, [strategy])
      },
    },
  ),
]

/** Serves one application on a port of its own. */
export async function serveApp(app: App, secret: string): Promise<ReturnType<typeof createServer>> {
  const server = createServer(await app.create(secret))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
