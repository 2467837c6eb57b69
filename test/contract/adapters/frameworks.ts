/**
 * Every door as a live server with the same routes. Where a framework has a body parser there are several: with the parser
 * before the guard, with the parser behind it, and with none. `fetch` is the door that the others are compared with.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import fastifyForms from '@fastify/formbody'
import { createAdaptorServer } from '@hono/node-server'
import { bodyParser } from '@koa/bodyparser'
import Router from '@koa/router'
import express5, {
  type Request as ExpressRequest,
  type Response as ExpressResponse,
  type NextFunction,
} from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { guards as expressGuards } from '../../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../../src/adapters/fastify.ts'
import { guards as fetchGuards } from '../../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../../src/adapters/hono.ts'
import { guards as koaGuards } from '../../../src/adapters/koa.ts'
import { toNodeHandler } from '../../../src/adapters/node.ts'
import type { Auth, Requirement, TokenPayload } from '../../../src/index.ts'

/** The same guard by the same name at every door. */
export type GuardCall =
  | readonly ['access' | 'refresh' | 'fresh' | 'subject' | 'optional']
  | readonly ['scopes', ...string[]]
  | readonly ['token', Requirement]

/** What a handler is shown, whatever the framework. */
export interface Seen {
  readonly auth: TokenPayload | null
  readonly subject?: unknown
  /** The parsed body; of media types that nobody parses, length and digest. */
  read(): Promise<unknown>
}

/** What a handler answers, always as JSON. */
export interface Reply {
  readonly status?: number
  readonly cookies?: readonly string[]
  readonly body: unknown
}

/** A guarded route. */
export interface Route {
  readonly path: string
  readonly methods?: readonly Method[]
  readonly guards: readonly GuardCall[]
  /** Hand errors of the guards to the application. */
  readonly throws?: boolean
  handle(seen: Seen): Reply | Promise<Reply>
}

/** Methods that routes are registered for; HEAD follows GET. */
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'

/** What is behind every door. */
export interface Plan {
  readonly auth: Auth
  readonly routes: readonly Route[]
}

/** When the framework's body parser runs; without one a guard that looks into the body leaves what it has read at `body`. */
export type Parsing = 'before' | 'after' | 'none'

/** A door with its routes, not listening yet. */
export interface Door {
  readonly name: string
  /** Whether a parser of the framework's runs first, and answers bad bodies in its own way. */
  readonly parsesFirst: boolean
  /** Whether guards run before there is a body, and find no token there. */
  readonly seesNoBody?: boolean
  open(plan: Plan): Promise<Server>
}

const METHODS: readonly Method[] = ['GET', 'POST']
const LIMIT = 4_000_000

/** What the applications' error handlers answer. */
export function toCaught(error: unknown): Reply {
  const { name, code = null } = error as { name: string; code?: string }
  return { status: 418, body: { caught: name, code } }
}

/** Makes a guard by its name. */
export function call<M>(guards: object, [name, ...rest]: GuardCall): M {
  return (guards as Record<string, (...rest: unknown[]) => M>)[name]!(...rest)
}

function isJson(type: string | undefined): boolean {
  return /^application\/json\b/i.test(type ?? '')
}

function isForm(type: string | undefined): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(type ?? '')
}

/** Reads a stream and makes of it what the parsers make. */
export async function readStream(
  stream: AsyncIterable<Uint8Array>,
  type: string | undefined,
): Promise<unknown> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  if (isJson(type)) return JSON.parse(bytes.toString('utf8'))
  if (isForm(type)) return Object.fromEntries(new URLSearchParams(bytes.toString('utf8')))
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** Whether a parser has made something of the body. */
export function isParsed(type: string | undefined, parsing: Parsing): boolean {
  return parsing !== 'none' && (isJson(type) || isForm(type))
}

/** What every handler answers with. */
export const HEADERS = { 'content-type': 'application/json', 'cache-control': 'private' } as const

function toResponse({ status = 200, cookies = [], body }: Reply): Response {
  const headers = new Headers(HEADERS)
  for (const line of cookies) headers.append('set-cookie', line)
  return new Response(JSON.stringify(body), { status, headers })
}

function openFetch({ auth, routes }: Plan): (request: Request) => Promise<Response> {
  type Inner = (request: Request, subject: unknown, payload: TokenPayload | null) => Promise<Response>
  type Wrap = (
    handler: (request: Request, payload: TokenPayload | null, subject: unknown) => Promise<Response>,
  ) => (request: Request) => Promise<Response>
  const table = new Map<string, (request: Request) => Promise<Response>>()
  for (const { path, methods = METHODS, guards, throws, handle } of routes) {
    const guard = fetchGuards(auth, { errors: throws ? 'throw' : 'respond' })
    const last: Inner = async (request, subject, payload) => {
      const type = request.headers.get('content-type') ?? undefined
      const read = (): Promise<unknown> => readStream(request.body ?? new ReadableStream(), type)
      return toResponse(await handle({ auth: payload, subject, read }))
    }
    const chained = guards.reduceRight<Inner>((next, step) => {
      return (request, subject) =>
        call<Wrap>(guard, step)((_, payload, loaded) => next(request, loaded ?? subject, payload))(request)
    }, last)
    for (const method of methods)
      table.set(`${method} ${path}`, (request) => chained(request, undefined, null))
  }
  return async (request) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = table.get(`${method} ${new URL(request.url).pathname}`)
    if (route === undefined) return new Response(null, { status: 404 })
    return route(request).catch((error: unknown) => toResponse(toCaught(error)))
  }
}

function openHono(
  { auth, routes }: Plan,
  readsFirst: boolean,
): (request: Request) => Response | Promise<Response> {
  type Variables = { auth: TokenPayload | null; subject: unknown }
  const app = new Hono<{ Variables: Variables }>()
  app.onError((error) => toResponse(toCaught(error)))
  if (readsFirst) {
    app.use(async (c, next) => {
      const type = c.req.raw.body === null ? undefined : c.req.header('content-type')
      if (isJson(type)) await c.req.json()
      if (isForm(type)) await c.req.parseBody()
      await next()
    })
  }
  for (const { path, methods = METHODS, guards, throws, handle } of routes) {
    const guard = honoGuards(auth, { errors: throws ? 'throw' : 'respond' })
    const steps = guards.map((step) => call<ReturnType<typeof guard.access>>(guard, step))
    for (const method of methods) {
      for (const step of steps) app.on(method, path, step as never)
      app.on(method, path, async (c) => {
        const type = c.req.header('content-type')
        const read = async (): Promise<unknown> => {
          if (readsFirst && isJson(type)) return c.req.json()
          if (readsFirst && isForm(type)) return c.req.parseBody()
          return readStream(c.req.raw.body ?? new ReadableStream(), type)
        }
        const {
          status = 200,
          cookies = [],
          body,
        } = await handle({ auth: c.var.auth, subject: c.var.subject, read })
        for (const line of cookies) c.header('set-cookie', line, { append: true })
        return c.body(JSON.stringify(body), status as 200, HEADERS)
      })
    }
  }
  return (request) => app.fetch(request)
}

/** Answers by Node's own means: Express's `set` and `json` write a charset behind the media type. */
function write(res: ExpressResponse, status: number, body: unknown): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value)
  res.end(JSON.stringify(body))
}

function openExpress(express: typeof express5, { auth, routes }: Plan, parsing: Parsing): Server {
  const app = express()
  const parsers = [express.json({ limit: LIMIT }), express.urlencoded({ limit: LIMIT, extended: false })]
  if (parsing === 'before') app.use(parsers)
  for (const { path, methods = METHODS, guards, throws, handle } of routes) {
    const guard = expressGuards(auth, { errors: throws ? 'throw' : 'respond' })
    const steps = guards.map((step) => call<ReturnType<typeof guard.access>>(guard, step))
    const last = async (req: ExpressRequest, res: ExpressResponse): Promise<void> => {
      const type = req.headers['content-type']
      const isRead = (): boolean => isParsed(type, req.body === undefined ? parsing : 'before')
      const read = async (): Promise<unknown> => (isRead() ? req.body : readStream(req, type))
      const { auth: payload, subject } = req as unknown as Seen
      const { status = 200, cookies = [], body } = await handle({ auth: payload, subject, read })
      for (const line of cookies) res.append('Set-Cookie', line)
      write(res, status, body)
    }
    for (const method of methods) {
      const register = method.toLowerCase() as 'get'
      app[register](
        path,
        ...steps,
        ...(parsing === 'after' ? parsers : []),
        (req: ExpressRequest, res, next) => {
          last(req, res).catch(next)
        },
      )
    }
  }
  app.use((error: unknown, _req: ExpressRequest, res: ExpressResponse, _next: NextFunction) => {
    const { status = 500, body } = toCaught(error)
    write(res, status, body)
  })
  return createServer(app as unknown as (req: IncomingMessage, res: ServerResponse) => void)
}

type FastifyHook = 'onRequest' | 'preValidation' | 'preHandler'

async function openFastify({ auth, routes }: Plan, hook: FastifyHook): Promise<Server> {
  const app = fastify({ bodyLimit: LIMIT })
  await app.register(fastifyForms, { bodyLimit: LIMIT })
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  app.setErrorHandler((error, _request, reply) => {
    const { status = 500, body } = toCaught(error)
    void reply
      .code(status)
      .headers(HEADERS)
      .send(Buffer.from(JSON.stringify(body)))
  })
  for (const { path, methods = METHODS, guards, throws, handle } of routes) {
    const guard = fastifyGuards(auth, { errors: throws ? 'throw' : 'respond' })
    app.route({
      method: [...methods],
      url: path,
      [hook]: guards.map((step) => call(guard, step)),
      async handler(request, reply) {
        const type = request.headers['content-type']
        const read = async (): Promise<unknown> =>
          isParsed(type, 'after') ? request.body : readStream(request.body as AsyncIterable<Uint8Array>, type)
        const { auth: payload, subject } = request as unknown as Seen
        const { status = 200, cookies = [], body } = await handle({ auth: payload, subject, read })
        for (const line of cookies) reply.header('set-cookie', line)
        return reply
          .code(status)
          .headers(HEADERS)
          .send(Buffer.from(JSON.stringify(body)))
      },
    })
  }
  await app.ready()
  return app.server
}

function openKoa({ auth, routes }: Plan, parsing: Parsing): Server {
  const app = new Koa()
  const router = new Router()
  const parser = bodyParser({ jsonLimit: LIMIT, formLimit: LIMIT })
  app.use(async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      const { status = 500, body } = toCaught(error)
      ctx.status = status
      ctx.set(HEADERS)
      ctx.body = JSON.stringify(body)
    }
  })
  if (parsing === 'before') app.use(parser)
  for (const { path, methods = METHODS, guards, throws, handle } of routes) {
    const guard = koaGuards(auth, { errors: throws ? 'throw' : 'respond' })
    const steps = guards.map((step) => call<Koa.Middleware>(guard, step))
    router.register(
      path,
      [...methods],
      [
        ...steps,
        ...(parsing === 'after' ? [parser] : []),
        async (ctx) => {
          const type = ctx.req.headers['content-type']
          const read = async (): Promise<unknown> =>
            isParsed(type, bodyOf(ctx.request) === undefined ? parsing : 'before')
              ? bodyOf(ctx.request)
              : readStream(ctx.req, type)
          const { auth: payload, subject } = ctx.state as unknown as Seen
          const { status = 200, cookies = [], body } = await handle({ auth: payload, subject, read })
          for (const line of cookies) ctx.append('Set-Cookie', line)
          ctx.status = status
          ctx.set(HEADERS)
          ctx.body = JSON.stringify(body)
        },
      ],
    )
  }
  app.use(router.routes())
  return createServer(app.callback())
}

function bodyOf(request: { body?: unknown }): unknown {
  return request.body
}

/** Express 4 under its other name, for which there are no types. */
const express4 = createRequire(import.meta.url)('express4') as typeof express5

/** The door that the others are compared with. */
export const MODEL: Door = {
  name: 'fetch',
  parsesFirst: false,
  open: async (plan) => createServer(toNodeHandler(openFetch(plan))),
}

const PARSINGS: readonly Parsing[] = ['none', 'after', 'before']

/** How a variant is named. */
function named(door: string, parsing: Parsing): string {
  return parsing === 'none' ? door : `${door}, body parser ${parsing} the guard`
}

/** All the other doors. */
export const DOORS: readonly Door[] = [
  ...[false, true].map((readsFirst) => ({
    name: readsFirst ? 'hono, body read before the guard' : 'hono',
    parsesFirst: readsFirst,
    open: async (plan: Plan) => createAdaptorServer({ fetch: openHono(plan, readsFirst) }) as Server,
  })),
  ...Object.entries({ 'express 5': express5, 'express 4': express4 }).flatMap(([name, express]) =>
    PARSINGS.map((parsing) => ({
      name: named(name, parsing),
      parsesFirst: parsing === 'before',
      open: async (plan: Plan) => openExpress(express, plan, parsing),
    })),
  ),
  ...(['onRequest', 'preValidation', 'preHandler'] as const).map((hook) => ({
    name: `fastify, ${hook}`,
    parsesFirst: hook !== 'onRequest',
    seesNoBody: hook === 'onRequest',
    open: (plan: Plan) => openFastify(plan, hook),
  })),
  ...PARSINGS.map((parsing) => ({
    name: named('koa', parsing),
    parsesFirst: parsing === 'before',
    open: async (plan: Plan) => openKoa(plan, parsing),
  })),
]
