/**
 * The applications: for each framework one with a middleware that does nothing, and the same one
 * behind each guard. All respond to `GET /` with the same JSON. Each guard checks signature, exp,
 * nbf, iss and aud of an HS256 token in the header.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import fastifyJwt from '@fastify/jwt'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { type FastifyInstance, fastify, type onRequestHookHandler } from 'fastify'
import { Hono, type MiddlewareHandler } from 'hono'
import { jwt as honoJwt } from 'hono/jwt'
import jsonwebtoken, { type JwtPayload } from 'jsonwebtoken'
import Koa from 'koa'
import koaJwt from 'koa-jwt'
import { type Auth, createAuth } from 'tokenwright'
import { guards as expressGuards } from 'tokenwright/express'
import { guards as fastifyGuards } from 'tokenwright/fastify'
import { guards as honoGuards } from 'tokenwright/hono'
import { guards as koaGuards } from 'tokenwright/koa'
import { guards as nestGuards } from 'tokenwright/nest'
import { toJwtGuard, toNest, toPassport } from './nest.ts'

/** The issuer and the audience of all tokens. */
const issuer = 'https://auth.example.com'
const audience = 'https://api.example.com'

/** Our application. */
export function createApplication(secret: string, cached = true): Auth {
  return createAuth({ secret, issuer, audience, ...(cached ? {} : { cache: false }) })
}

/** One application under measurement. */
export interface App {
  readonly framework: string
  /** The guard's name; `BARE` for no guard. */
  readonly guard: string
  /** Whether its cost is close to the bare one, so that it needs many processes. */
  readonly close: boolean
  create(secret: string): RequestListener | Promise<RequestListener>
}

/** The application whose middleware does nothing. */
export const BARE = 'nothing'

/** The application whose middleware attaches the header to the request: the least a guard does. */
export const LEAST = 'reading and attaching'

/** The application with a handmade cache: a bare `Map` from header to payload, and `exp`. */
const BY_HAND = 'a Map by hand'

const OURS = 'tokenwright'
const UNCACHED = 'tokenwright, no cache'
const RESPONSE = { hello: 'world' }

async function toFastify(
  hook: (app: FastifyInstance) => onRequestHookHandler | Promise<onRequestHookHandler>,
): Promise<RequestListener> {
  const app = fastify()
  const onRequest = await hook(app)
  app.get('/', { onRequest }, async () => RESPONSE)
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

function toExpress(middleware: express.RequestHandler): RequestListener {
  const app = express()
  app.get('/', middleware, (_request, response) => {
    response.json(RESPONSE)
  })
  return app
}

function toHono(middleware: MiddlewareHandler): RequestListener {
  const app = new Hono().get('/', middleware, (c) => c.json(RESPONSE))
  return getRequestListener(app.fetch)
}

function toKoa(middleware: Koa.Middleware): RequestListener {
  const app = new Koa()
  app.use(middleware).use((ctx) => {
    ctx.body = RESPONSE
  })
  return app.callback()
}

/** What a middleware attaches for a header. @throws {Refusal} */
type Read = (header: string | undefined) => unknown

/** An error for which each of the frameworks responds with 401. */
class Refusal extends Error {
  readonly status = 401
  readonly statusCode = 401
  readonly expose = true

  getResponse(): Response {
    return new Response(null, { status: 401 })
  }
}

/** The application of one framework: bare, behind a reader of the header, and behind our guard. */
interface Plain {
  readonly bare: App['create']
  readonly reading: (read: Read) => ReturnType<App['create']>
  readonly ours: (auth: Auth) => ReturnType<App['create']>
}

/** Attaches a value to a request. */
function attach(target: object, auth: unknown): void {
  const attached: { auth?: unknown } = target
  attached.auth = auth
}

/** A handmade cache of verified tokens. */
function rememberByHand(secret: string): Read {
  const rules = { algorithms: ['HS256' as const], issuer, audience }
  const remembered = new Map<string, JwtPayload>()
  return (header = '') => {
    const known = remembered.get(header)
    if (known?.exp !== undefined && known.exp > Date.now() / 1000) return known
    try {
      const payload = jsonwebtoken.verify(header.slice('Bearer '.length), secret, rules) as JwtPayload
      remembered.set(header, payload)
      return payload
    } catch {
      throw new Refusal()
    }
  }
}

/** The rows of one framework: bare, the least, handmade, ours with and without cache, and peers. */
function rows(
  framework: string,
  { bare, reading, ours }: Plain,
  peers: Readonly<Record<string, App['create']>>,
): readonly App[] {
  const all: Readonly<Record<string, App['create']>> = {
    [BARE]: bare,
    [LEAST]: () => reading((header) => header),
    [BY_HAND]: (secret) => reading(rememberByHand(secret)),
    [OURS]: (secret) => ours(createApplication(secret)),
    [UNCACHED]: (secret) => ours(createApplication(secret, false)),
    ...peers,
  }
  return Object.entries(all).map(([guard, create]) => {
    const close = [BARE, LEAST, BY_HAND, OURS].includes(guard)
    return { framework, guard, close, create }
  })
}

/** All applications. The first row of each framework is the bare one. */
export const APPS: readonly App[] = [
  ...rows(
    'fastify',
    {
      bare: () => toFastify(() => (_request, _reply, done) => done()),
      reading: (read) =>
        toFastify(() => (request, _reply, done) => {
          attach(request, read(request.headers.authorization))
          done()
        }),
      ours: (auth) => toFastify(() => fastifyGuards(auth).access()),
    },
    { '@fastify/jwt, cached': fastifyPeer(true), '@fastify/jwt': fastifyPeer(false) },
  ),
  ...rows(
    'hono',
    {
      bare: () => toHono((_c, next) => next()),
      reading: (read) =>
        toHono((c, next) => {
          c.set('auth', read(c.req.header('authorization')))
          return next()
        }),
      ours: (auth) => toHono(honoGuards(auth).access()),
    },
    {
      'hono/jwt': (secret) =>
        toHono(
          honoJwt({ secret, alg: 'HS256', verification: { iss: issuer, aud: audience, typ: 'access+jwt' } }),
        ),
    },
  ),
  ...rows(
    'express',
    {
      bare: () => toExpress((_request, _response, next) => next()),
      reading: (read) =>
        toExpress((request, _response, next) => {
          attach(request, read(request.headers.authorization))
          next()
        }),
      ours: (auth) => toExpress(expressGuards(auth).access()),
    },
    { 'express-jwt': (secret) => toExpress(expressjwt({ secret, algorithms: ['HS256'], issuer, audience })) },
  ),
  ...rows(
    'koa',
    {
      bare: () => toKoa((_ctx, next) => next()),
      reading: (read) =>
        toKoa((ctx, next) => {
          attach(ctx.state, read(ctx.headers.authorization))
          return next()
        }),
      ours: (auth) => toKoa(koaGuards(auth).access()),
    },
    { 'koa-jwt': (secret) => toKoa(koaJwt({ secret, algorithms: ['HS256'], issuer, audience })) },
  ),
  ...rows(
    'nest',
    {
      bare: () => toNest({ canActivate: () => true }, RESPONSE),
      reading: (read) =>
        toNest(
          {
            canActivate(context) {
              const request = context.switchToHttp().getRequest<IncomingMessage>()
              attach(request, read(request.headers.authorization))
              return true
            },
          },
          RESPONSE,
        ),
      ours: (auth) => toNest(nestGuards(auth).access(), RESPONSE),
    },
    {
      '@nestjs/jwt': (secret) => toNest(toJwtGuard({ secret, issuer, audience }), RESPONSE),
      '@nestjs/passport': (secret) => {
        const { guard, strategy } = toPassport({ secret, issuer, audience })
        return toNest(guard, RESPONSE, [strategy])
      },
    },
  ),
]

/** Serves one application on a free port. */
export async function serveApp(app: App, secret: string): Promise<ReturnType<typeof createServer>> {
  // A connection must stay open until its next turn.
  const server = createServer({ keepAliveTimeout: 0 }, await app.create(secret))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
