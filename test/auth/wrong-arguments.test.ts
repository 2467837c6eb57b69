/**
 * Every argument of every public method, given what people give by mistake: each value is refused
 * by name, or is listed here as accepted. No message of the engine, no silence.
 */
import { expect, it } from 'vitest'
import * as express from '../../src/adapters/express.ts'
import * as fastify from '../../src/adapters/fastify.ts'
import * as fetchGuards from '../../src/adapters/fetch.ts'
import * as hono from '../../src/adapters/hono.ts'
import * as koa from '../../src/adapters/koa.ts'
import * as nest from '../../src/adapters/nest.ts'
import * as next from '../../src/adapters/next.ts'
import { toNodeHandler } from '../../src/adapters/node.ts'
import * as ws from '../../src/adapters/ws.ts'
import { AuthError, createAuth, createKeyRing, isAuthError } from '../../src/index.ts'
import { authRoutes, readBody } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import {
  migrateSql,
  nodeSqlite,
  retryTransient,
  sqlMigrations,
  sqlStatements,
  sqlStore,
  withDeadlines,
} from '../../src/stores/sql.ts'
import { actingAs } from '../../src/testing.ts'

const SECRET = 'kR8vQ2mZ7xT4wN9pL3sF6hJ1cB5gD0yA_uEoIiKr-Xe'
const open = () =>
  createAuth({
    secret: SECRET,
    sessions: { store: memoryStore() },
    locations: ['header', 'cookie'],
    subject: () => ({ id: 1 }),
  })
const auth = open()
const stateless = createAuth({ secret: SECRET })
const TOKEN = await auth.createAccessToken('alice')
const pair = await auth.createTokenPair('alice')
const payload = await auth.verifyToken(pair.access_token)
const get = (token = TOKEN) =>
  new Request('http://localhost/', { headers: { authorization: `Bearer ${token}` } })

/** What people give by mistake, by name. */
const WRONG: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  5: 5,
  '': '',
  true: true,
  Map: new Map(),
  Promise: Promise.resolve(1),
  function: () => 1,
  class: class A {},
  array: [],
  object: {},
  bare: Object.create(null),
  symbol: Symbol('x'),
  Date: new Date(),
  token: TOKEN,
  'look-alike': { sub: 'alice', exp: 4_000_000_000 },
}
const OBJECTS = 'object bare'
const OPTIONAL = `undefined ${OBJECTS}`

/** A guard takes any object for a request of its framework that has no result of a guard. */
type Call = (value: never) => unknown

/** The calls, and the names of the values that each accepts. */
const CALLS: Readonly<Record<string, readonly [Call, accepted?: string]>> = {
  'authenticate(X)': [(x) => auth.authenticate(x)],
  'authenticate(request, X)': [(x) => auth.authenticate(get(), x), OPTIONAL],
  'authenticator(X)': [(x) => auth.authenticator(x), OPTIONAL],
  'authenticator({})(X)': [async (x) => auth.authenticator({})(x)],
  'authenticator({}, X)': [(x) => auth.authenticator({}, x), 'undefined function'],
  'authenticator({}, load)(X)': [async (x) => auth.authenticator({}, async () => 1)(x)],
  'prepare(X)': [(x) => auth.prepare(x), OPTIONAL],
  'findToken(X)': [(x) => auth.findToken(x)],
  'findToken(request, X)': [(x) => auth.findToken(get(), x), 'undefined'],
  'findToken(request, type, X)': [(x) => auth.findToken(get(), 'access', x), 'undefined'],
  'verifyToken(token, X)': [(x) => auth.verifyToken(TOKEN, x), OPTIONAL],
  'createAccessToken(X)': [(x) => auth.createAccessToken(x)],
  'createAccessToken(subject, X)': [(x) => auth.createAccessToken('u', x), OPTIONAL],
  'createRefreshToken(X)': [(x) => stateless.createRefreshToken(x)],
  'createRefreshToken(subject, X)': [(x) => stateless.createRefreshToken('u', x), OPTIONAL],
  'createRefreshToken(X) with a store': [(x) => auth.createRefreshToken(x)],
  'createTokenPair(X)': [(x) => auth.createTokenPair(x)],
  'createTokenPair(subject, X)': [(x) => auth.createTokenPair('u', x), OPTIONAL],
  'createTokenPair(subject, X) without a store': [(x) => stateless.createTokenPair('u', x), OPTIONAL],
  'createTokenPair(subject, { access: X })': [(x) => auth.createTokenPair('u', { access: x }), OPTIONAL],
  'createTokenPair(subject, { refresh: X })': [(x) => auth.createTokenPair('u', { refresh: x }), OPTIONAL],
  'revoke(X)': [(x) => auth.revoke(x)],
  'revokeSubject(X)': [(x) => auth.revokeSubject(x)],
  'cookies(X)': [(x) => auth.cookies(x)],
  'cookies({ access_token: X })': [(x) => auth.cookies({ access_token: x }), 'token'],
  'loadSubject(X)': [(x) => auth.loadSubject(x)],
  'errorResponse(X)': [(x) => auth.errorResponse(x)],
  'openapi().route(X)': [(x) => auth.openapi().route(x), OPTIONAL],
  'recheck(X)': [(x) => auth.recheck(x)],
  'recheck(payload, X)': [(x) => auth.recheck(payload, x), OPTIONAL],
  'follow(X, onEnd)': [(x) => auth.follow(x, () => undefined)],
  'follow(payload, X)': [(x) => auth.follow(payload, x)(), 'function'],
  'createTicket(X)': [(x) => auth.createTicket(x)],
  'sessions.start(X)': [(x) => auth.sessions.start(x)],
  'sessions.start(subject, X)': [(x) => auth.sessions.start('u', x), OPTIONAL],
  'sessions.start(subject, { ip: X })': [
    (x) => auth.sessions.start('u', { ip: x }),
    "undefined null '' token",
  ],
  'sessions.start(subject, { userAgent: X })': [
    (x) => auth.sessions.start('u', { userAgent: x }),
    "undefined null '' token",
  ],
  'sessions.start(subject, { provedAt: X })': [
    (x) => auth.sessions.start('u', { provedAt: x }),
    'undefined 5 Date',
  ],
  'sessions.start(subject, { fresh: X })': [(x) => auth.sessions.start('u', { fresh: x }), 'undefined true'],
  'sessions.start(subject, { authTime: X })': [
    (x) => auth.sessions.start('u', { authTime: x }),
    'undefined 5 Date',
  ],
  'sessions.start(subject, { scopes: X })': [
    (x) => auth.sessions.start('u', { scopes: x }),
    'undefined array',
  ],
  'sessions.start(subject, { data: X })': [(x) => auth.sessions.start('u', { data: x }), OPTIONAL],
  'sessions.start(subject, { audience: X })': [
    (x) => auth.sessions.start('u', { audience: x }),
    'undefined token',
  ],
  'sessions.start(subject, { headers: X })': [
    (x) => auth.sessions.start('u', { headers: x }),
    `${OPTIONAL} look-alike`,
  ],
  'sessions.start(subject, { amr: X })': [(x) => auth.sessions.start('u', { amr: x }), 'undefined array'],
  'sessions.start(subject, { acr: X })': [(x) => auth.sessions.start('u', { acr: x }), 'undefined token'],
  'createAccessToken(subject, { expiresIn: X })': [
    (x) => auth.createAccessToken('u', { expiresIn: x }),
    'undefined 5',
  ],
  'createAccessToken(subject, { expiresAt: X })': [
    (x) => auth.createAccessToken('u', { expiresAt: x }),
    'undefined',
  ],
  'createAccessToken(subject, { notBefore: X })': [
    (x) => auth.createAccessToken('u', { notBefore: x }),
    'undefined 5 Date',
  ],
  'sessions.refresh(X)': [(x) => auth.sessions.refresh(x)],
  'sessions.stepUp(X, verify)': [(x) => auth.sessions.stepUp(x, async () => ({}))],
  'sessions.stepUp(payload, X)': [(x) => stepUp(x)],
  'sessions.stepUp(payload, () => X)': [(x) => stepUp(async () => x), `null ${OBJECTS} look-alike`],
  'sessions.stepUp(payload, () => ({ amr: X }))': [
    (x) => stepUp(async () => ({ amr: x })),
    'undefined array',
  ],
  'sessions.stepUp(payload, () => ({ acr: X }))': [
    (x) => stepUp(async () => ({ acr: x })),
    'undefined token',
  ],
  'sessions.stepUp(payload, verify, X)': [(x) => stepUp(async () => ({}), x), OPTIONAL],
  'sessions.stepUp(payload, verify, { limit: X })': [
    (x) => stepUp(async () => ({}), { limit: x }),
    'undefined true',
  ],
  'sessions.get(X)': [(x) => auth.sessions.get(x)],
  'sessions.list(X)': [(x) => auth.sessions.list(x)],
  'sessions.end(X)': [(x) => auth.sessions.end(x)],
  'sessions.endAll(X)': [(x) => auth.sessions.endAll(x)],
  'sessions.endAll(subject, X)': [(x) => auth.sessions.endAll('u', x), OPTIONAL],
  'sessions.endAll(subject, { except: X })': [
    (x) => auth.sessions.endAll('u', { except: x }),
    'undefined null',
  ],
  'authRoutes(X, options)': [(x) => authRoutes(x, { verifyCredentials: () => null })],
  'authRoutes(auth, X)': [(x) => authRoutes(auth, x)],
  'authRoutes(auth, { verifyCredentials: X })': [
    (x) => authRoutes(auth, { verifyCredentials: x }),
    'function',
  ],
  ...routeOptions('usernameOf', 'address', 'verifyClient', 'mayRevoke'),
  'authRoutes(auth, { basePath: X })': [(x) => withOption('basePath', x), "undefined ''"],
  'authRoutes(auth, { delivery: X })': [(x) => withOption('delivery', x), 'undefined'],
  'authRoutes(auth, { throttle: X })': [(x) => withOption('throttle', x), OPTIONAL],
  'authRoutes(auth, { cors: X })': [(x) => withOption('cors', x), 'undefined'],
  'handle(X)': [async (x) => withOption('throttle', undefined)(x)],
  'handle.throttle.reset(X)': [(x) => withOption('throttle', undefined).throttle.reset(x)],
  'handle.throttle.reset(X) without limits': [(x) => withOption('throttle', false).throttle.reset(x)],
  'handle.throttle.reset({ username: X })': [
    (x) => withOption('throttle', undefined).throttle.reset({ username: x }),
    'token',
  ],
  'readBody(X)': [(x) => readBody(x)],
  'actingAs(X, subject)': [(x) => actingAs(x, 'alice')],
  'actingAs(auth, X)': [(x) => actingAs(auth, x).token()],
  'actingAs(auth, subject, X)': [(x) => actingAs(auth, 'alice', x).token(), OPTIONAL],
  'actingAs(auth, subject, { age: X })': [(x) => actingAs(auth, 'alice', { age: x }).token(), 'undefined 5'],
  'actingAs(auth, subject).request(X)': [(x) => actingAs(auth, 'alice').request(x), "'' token"],
  'actingAs(auth, subject).request(input, X)': [
    (x) => actingAs(auth, 'alice').request('/x', x),
    `${OPTIONAL} look-alike`,
  ],
  'createAuth(X)': [(x) => createAuth(x)],
  'createAuth({ isRevoked: X })': [(x) => createAuth({ secret: SECRET, isRevoked: x }), 'function'],
  'createAuth({ subject: X })': [(x) => createAuth({ secret: SECRET, subject: x }), 'undefined function'],
  'createAuth({ clock: X })': [(x) => createAuth({ secret: SECRET, clock: x }), 'undefined function'],
  'createAuth({ claims: X })': [(x) => createAuth({ secret: SECRET, claims: x })],
  'createAuth({ on: X })': [(x) => createAuth({ secret: SECRET, on: x }), OPTIONAL],
  'createAuth({ on: { issued: X } })': [
    (x) => createAuth({ secret: SECRET, on: { issued: x } }),
    'undefined function',
  ],
  'createAuth({ sessions: X })': [(x) => createAuth({ secret: SECRET, sessions: x })],
  'createAuth({ sessions: { store: X } })': [(x) => createAuth({ secret: SECRET, sessions: { store: x } })],
  'createAuth({ sessions: { rights: X } })': [
    (x) => createAuth({ secret: SECRET, sessions: { store: memoryStore(), rights: x } }),
    'function',
  ],
  'createKeyRing(X)': [(x) => createKeyRing(x)],
  'memoryStore(X)': [(x) => memoryStore(x), OPTIONAL],
  'sqlStore(X)': [(x) => sqlStore(x)],
  'sqlStore(db, X)': [(x) => sqlStore(EXECUTOR, x), OPTIONAL],
  'sqlStore({ dialect, run: X })': [(x) => sqlStore({ dialect: 'sqlite', run: x }), 'function'],
  'sqlStore({ dialect, run, transaction: X })': [
    (x) => sqlStore({ ...EXECUTOR, transaction: x }),
    'undefined function',
  ],
  'sqlStore(db, { prefix: X })': [(x) => sqlStore(EXECUTOR, { prefix: x }), 'undefined'],
  'sqlStore(db, { deadline: X })': [(x) => sqlStore(EXECUTOR, { deadline: x }), 'undefined 5'],
  'migrateSql(X)': [(x) => migrateSql(x)],
  'sqlStatements(X)': [(x) => sqlStatements(x)],
  'sqlStatements(dialect, X)': [(x) => sqlStatements('sqlite', x), OPTIONAL],
  'sqlMigrations(X)': [(x) => sqlMigrations(x), OPTIONAL],
  'nodeSqlite(X)': [(x) => nodeSqlite(x)],
  'withDeadlines(X)': [(x) => withDeadlines(x)],
  'retryTransient(X)': [(x) => retryTransient(x, 1), 'function'],
  'retryTransient(work, X)': [(x) => retryTransient(async () => 1, x), '5'],
  'redisStore(X)': [(x) => redisStore(x), 'function'],
  'redisStore(client, X)': [(x) => redisStore(REDIS, x), OPTIONAL],
  'redisStore(client, { prefix: X })': [(x) => redisStore(REDIS, { prefix: x }), 'undefined'],
  'redisStore(client, { replicas: X })': [(x) => redisStore(REDIS, { replicas: x }), 'undefined 5'],
  'next guards(X)': [(x) => next.guards(x), 'function'],
  'next lazyAuth(X)': [(x) => next.lazyAuth(x), 'function'],
  'next routeHandlers(X)': [(x) => next.routeHandlers(x), 'function'],
  'next guard.peek(X)': [(x) => next.guards(auth).peek(x)],
  'next guard.currentToken(X)': [(x) => next.guards(auth).currentToken(x), 'Map'],
  'next guard.action(X)': [(x) => next.guards(auth).action(x), 'function'],
  'next guard.proxy(X)': [(x) => next.guards(auth).proxy(x), 'undefined function'],
  'nest guards(X)': [(x) => nest.guards(x)],
  'nest guards(auth, X)': [(x) => nest.guards(auth, x), OPTIONAL],
  'nest guard.canActivate(X)': [(x) => nest.guards(auth).access().canActivate(x)],
  'nest guard.admit(X)': [(x) => nest.guards(auth).access().admit(x)],
  'nest injectedGuards(X)': [(x) => nest.injectedGuards(x), OPTIONAL],
  'nest TokenwrightModule.forRoot(X)': [(x) => nest.TokenwrightModule.forRoot(x)],
  'oneTime.create(X, subject)': [(x) => auth.oneTime.create(x, 'alice')],
  'oneTime.create(purpose, X)': [(x) => auth.oneTime.create('verify-mail', x)],
  'oneTime.create(purpose, subject, X)': [(x) => auth.oneTime.create('verify-mail', 'alice', x), OPTIONAL],
  'oneTime.redeem(X, token)': [(x) => auth.oneTime.redeem(x, TOKEN)],
  'oneTime.redeem(purpose, token, X)': [(x) => auth.oneTime.redeem('verify-mail', '', x), OPTIONAL],
  'new AuthError(X)': [(x) => new AuthError(x)],
  'toNodeHandler(X)': [(x) => toNodeHandler(x), 'function'],
  'toNodeHandler(handler, X)': [(x) => toNodeHandler(() => new Response(), x), OPTIONAL],
  'toNodeHandler(handler, { onError: X })': [
    (x) => toNodeHandler(() => new Response(), { onError: x }),
    'undefined function',
  ],
  ...guardCalls('express', express, true),
  ...guardCalls('fastify', fastify),
  ...guardCalls('koa', koa),
  ...guardCalls('hono', hono),
  ...guardCalls('fetch', fetchGuards),
  'express guard(X, X, next)': [
    (x) => express.guards(auth).access()(x, x, ((error: unknown) => raise(error)) as never),
  ],
  'express guard(X)': [(x) => call(express.guards(auth).access(), x)],
  'fastify guard(X, X, done)': [
    (x) => call(fastify.guards(auth).access(), x, x, (error: unknown) => raise(error)),
  ],
  'koa guard(X)': [(x) => koa.guards(auth).access()(x, async () => undefined)],
  'hono guard(X)': [(x) => hono.guards(auth).access()(x, async () => undefined)],
  'fetch guard(X)': [(x) => fetchGuards.guards(auth).access()(x), 'function'],
  'fetch guard(handler)(X)': [(x) => fetchGuards.guards(auth).access()(() => new Response())(x)],
  'fetch guard.peek(X)': [(x) => fetchGuards.guards(auth).peek(x)],
  'fetch guard.refreshing(X)': [(x) => fetchGuards.guards(auth).refreshing(x), 'function'],
  'fetch guard.refreshing(handler, X)': [
    (x) => fetchGuards.guards(auth).refreshing(() => new Response(), x),
    OPTIONAL,
  ],
  'fetch guard.refreshing(handler)(X)': [(x) => fetchGuards.guards(auth).refreshing(() => new Response())(x)],
  'ws guards(X)': [(x) => ws.guards(x)],
  'ws guards(auth, X)': [(x) => call(ws.guards, auth, x)],
  'ws guard.token(X)': [(x) => ws.guards(auth).token(x), OBJECTS],
  'ws guard(X, handler)': [(x) => ws.guards(auth).access()(x, () => undefined)],
  'ws guard(server, X)': [(x) => ws.guards(auth).access()({ handleUpgrade: () => undefined }, x), 'function'],
  'ws guard.follow(X, payload)': [(x) => ws.guards(auth).follow(x, payload)],
  'ws guard.follow(socket, X)': [(x) => ws.guards(auth).follow(socket(), x), 'null'],
  'ws guard.follow(socket, payload, X)': [(x) => ws.guards(auth).follow(socket(), payload, x), OPTIONAL],
}

const EXECUTOR = { dialect: 'sqlite', run: async () => [] } as const
const REDIS = { status: 'ready', call: async () => null, pipeline: () => undefined, options: {} } as never

const socket = () =>
  ({ readyState: 1, on: () => undefined, close: () => undefined, send: () => undefined }) as never

function call(run: unknown, ...args: readonly unknown[]): unknown {
  return (run as (...given: readonly unknown[]) => unknown)(...args)
}

function raise(error: unknown): never {
  throw error
}

/** A session of its own for each step-up, as its attempts are limited. */
async function stepUp(verify: unknown, options?: unknown): Promise<unknown> {
  const own = await auth.createTokenPair('bob')
  const verified = await auth.verifyToken(own.access_token)
  return auth.sessions.stepUp(verified, verify as never, options as never)
}

function withOption(name: string, value: unknown) {
  return authRoutes(auth, { verifyCredentials: () => null, [name]: value } as never)
}

function routeOptions(...names: readonly string[]): Record<string, readonly [Call, string]> {
  return Object.fromEntries(
    names.map((name) => [
      `authRoutes(auth, { ${name}: X })`,
      [(x: unknown) => withOption(name, x), 'undefined function'],
    ]),
  )
}

type Guards = (auth: never, options?: never) => Readonly<Record<string, unknown>>

function guardCalls(
  name: string,
  module: { readonly guards: unknown },
  takesHandler = false,
): Record<string, readonly [Call, string?]> {
  const guards = module.guards as Guards
  const guard = guards(auth as never)
  const calls: Record<string, readonly [Call, string?]> = {
    [`${name} guards(X)`]: [(x) => guards(x)],
    [`${name} guards(auth, X)`]: [(x) => guards(auth as never, x), OPTIONAL],
    [`${name} guards(auth, { errors: X })`]: [
      (x) => guards(auth as never, { errors: x } as never),
      'undefined',
    ],
    [`${name} guard.scopes(X)`]: [(x) => call(guard['scopes'], x)],
    [`${name} guard.token(X)`]: [(x) => call(guard['token'], x), OBJECTS],
  }
  for (const kind of ['access', 'refresh', 'fresh', 'subject', 'optional'])
    calls[`${name} guard.${kind}(X)`] = [(x) => call(guard[kind], x), takesHandler ? 'function' : '']
  for (const reader of ['payload', 'optionalPayload', 'subjectOf'])
    if (reader in guard) calls[`${name} guard.${reader}(X)`] = [(x) => call(guard[reader], x)]
  return calls
}

/** The engine's own words, and words for what went wrong elsewhere. */
const RAW =
  /Cannot (?:read|use|destructure|convert)|is not (?:a function|iterable|a constructor)|undefined \(reading/

/** A message that names what was wrong: an argument, an option, a guard. */
const NAMED = /`[^`]+`|Unknown option|scopes such as/

async function outcome(run: Call, value: unknown): Promise<string> {
  try {
    await run(value as never)
    return 'accepted'
  } catch (error) {
    // A refusal such as `credentials_invalid` is what a right argument gets.
    if (isAuthError(error)) return error.code === 'store_unavailable' ? 'store_unavailable' : 'accepted'
    const { name, message } = error as Error
    if (!['TypeError', 'ConfigurationError'].includes(name)) return `${name}: ${message}`
    if (RAW.test(message) || !NAMED.test(message)) return `raw ${message}`
    return message.includes(TOKEN) ? 'shows the token' : 'refused'
  }
}

it.each(Object.entries(CALLS))('%s', async (_, [run, accepted = '']) => {
  const wanted = new Set(accepted.split(' ').map((name) => (name === "''" ? '' : name === '' ? '-' : name)))
  const found: Record<string, string> = {}
  const right: Record<string, string> = {}
  for (const [name, value] of Object.entries(WRONG)) {
    found[name] = await outcome(run, value)
    right[name] = wanted.has(name) ? 'accepted' : 'refused'
  }
  expect(found).toEqual(right)
})

it.each([
  ['createAccessToken', (text: string) => auth.createAccessToken(text), /got a token: verify it/],
  ['sessions.start', (text: string) => auth.sessions.start(text), /got a token: verify it/],
  ['revokeSubject', (text: string) => auth.revokeSubject(text), /a token: verify it, and pass its `sub`/],
  ['sessions.endAll', (text: string) => auth.sessions.endAll(text), /pass its `sub`/],
  ['sessions.end', (text: string) => auth.sessions.end(text), /pass its `sid`/],
])('%s tells a token from a name', async (_, run, message) => {
  await expect(run(TOKEN)).rejects.toThrow(message)
  await run('a.b.c')
  await run('alice.van.berg')
  await run(`${Buffer.from('{"no":1}').toString('base64url')}.b.c`)
})

it('says what to pass in place of a payload', async () => {
  await expect(auth.revokeSubject(payload as never)).rejects.toThrow(/pass its `sub`/)
  await expect(auth.sessions.end(payload as never)).rejects.toThrow(/pass its `sid`/)
})

it('ends no session for an argument in the wrong place', async () => {
  const { access_token } = await auth.sessions.start('carol')
  const { sid } = await auth.verifyToken(access_token)
  await expect(auth.sessions.endAll('carol', sid as never)).rejects.toThrow(/`options`/)
  await expect(auth.sessions.endAll('carol', { excepted: sid } as never)).rejects.toThrow(
    /did you mean `except`/,
  )
  expect(await auth.sessions.list('carol')).toHaveLength(1)
})

it('a step-up whose `verify` says false proves nothing, and counts', async () => {
  const own = await auth.createTokenPair('dave')
  const verified = await auth.verifyToken(own.access_token)
  for (let attempt = 0; attempt < 5; attempt++) {
    const asked = auth.sessions.stepUp(verified, (async () => false) as never)
    await expect(asked).rejects.toThrow(/^Expected `verify` to be a function that resolves to/)
  }
  await expect(auth.sessions.stepUp(verified, async () => ({}))).rejects.toMatchObject({
    code: 'rate_limited',
  })
})

it.each([
  { scopes: 5 },
  { data: Symbol('x') },
  { data: () => 1 },
  { headers: { x: {} } },
  { scopes: ['a b'] },
])('starts no session that nobody could hold: %o', async (options) => {
  const own = open()
  await expect(own.sessions.start('erin', options as never)).rejects.toThrow(TypeError)
  expect(await own.sessions.list('erin')).toEqual([])
})

it('leaves no session behind where its token would be too large', async () => {
  const own = open()
  await expect(own.sessions.start('erin', { data: { text: 'x'.repeat(20_000) } })).rejects.toThrow(
    /too large/,
  )
  expect(await own.sessions.list('erin')).toEqual([])
})

it('names the guards of the framework for a request of node:http', async () => {
  const request = { method: 'GET', url: '/', headers: { host: 'localhost' }, header: () => undefined }
  await expect(auth.authenticate(request as never)).rejects.toThrow(/fetch `Request`.*`tokenwright\/express`/)
  await expect(auth.findToken(request as never)).rejects.toThrow(/fetch `Request`.*`toNodeHandler`/)
  const handle = withOption('throttle', undefined)
  expect(() => handle(request as never)).toThrow(/`toNodeHandler`/)
})

it('a guard in another framework is an error, and lets nothing through', async () => {
  const passed: unknown[] = []
  const next = async (...args: readonly unknown[]) => void passed.push(args)
  const context = { req: { method: 'GET', url: '/', header: () => undefined } }
  expect(() => express.guards(auth).access()(context as never, next as never, undefined as never)).toThrow(
    /`tokenwright\/express`/,
  )
  const request = { method: 'GET', url: '/', headers: {}, raw: undefined }
  expect(() => koa.guards(auth).access()(request as never, next as never)).toThrow(/`tokenwright\/koa`/)
  expect(() => hono.guards(auth).access()(request as never, next as never)).toThrow(/`tokenwright\/hono`/)
  expect(passed).toEqual([])
})
