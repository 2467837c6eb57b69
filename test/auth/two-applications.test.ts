/** What one `createAuth` has verified proves nothing to another one, whatever their options have in common. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { guards } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import { guards as socketGuards } from '../../src/adapters/ws.ts'
import { type Auth, createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { claimsOf, codeOf, complaintOf, forge, SECRET, stoppedClock } from '../token/forge.ts'

const OTHER = 'w8Qm3ZrT5uYx1CvBn7KpLs2Dg6Hj9Fa0eR4tUiOoVbNzXcMq'
const PAIRS: readonly (readonly [string, AuthOptions, AuthOptions])[] = [
  ['two secrets', { secret: SECRET }, { secret: OTHER }],
  [
    'two issuers',
    { secret: SECRET, issuer: 'https://a.example' },
    { secret: OTHER, issuer: 'https://b.example' },
  ],
  ['two realms', { secret: SECRET, realm: 'user' }, { secret: SECRET, realm: 'admin' }],
  ['the same options', { secret: SECRET }, { secret: SECRET }],
]
const ANOTHER = /got a payload that another `createAuth` verified; verify its token here, or pass its `sub`$/

/** Everything that takes a payload. */
const TAKERS: readonly (readonly [string, (auth: Auth, payload: never) => unknown])[] = [
  ['createAccessToken', (auth, payload) => auth.createAccessToken(payload)],
  ['createTokenPair', (auth, payload) => auth.createTokenPair(payload)],
  ['sessions.start', (auth, payload) => auth.sessions.start(payload)],
  ['sessions.refresh', (auth, payload) => auth.sessions.refresh(payload)],
  ['sessions.stepUp', (auth, payload) => auth.sessions.stepUp(payload, async () => ({}))],
  ['revoke', (auth, payload) => auth.revoke(payload)],
  ['recheck', (auth, payload) => auth.recheck(payload)],
  ['follow', (auth, payload) => auth.follow(payload, () => undefined)],
  ['createTicket', (auth, payload) => auth.createTicket(payload)],
  ['loadSubject', (auth, payload) => auth.loadSubject(payload)],
]

describe.each(PAIRS)('%s', (_, first, second) => {
  const clock = stoppedClock()
  const user = createAuth({ ...first, clock })
  const admin = createAuth({
    ...second,
    clock,
    sessions: { store: memoryStore() },
    subject: ({ sub }) => ({ admin: sub }),
  })

  it.each(TAKERS)('%s refuses what the other one verified, and says why', async (_, take) => {
    const payload = await user.verifyToken(await user.createAccessToken('7'))
    const complaint = await complaintOf(() => take(admin, payload as never))
    expect(complaint).toMatch(/^TypeError: Expected `(payload|subject)` to be /)
    expect(complaint).toMatch(ANOTHER)
  })

  it.each(TAKERS)('%s refuses what only looks like a payload', async (_, take) => {
    const payload = await admin.verifyToken(await admin.createAccessToken('7'))
    for (const value of [
      { ...payload },
      Object.create(payload),
      structuredClone(payload),
      null,
      undefined,
      5,
    ]) {
      const complaint = await complaintOf(() => take(admin, value as never))
      expect(complaint).toMatch(/^TypeError: Expected `(payload|subject)` to be .* returned, got /)
      expect(complaint).not.toMatch(ANOTHER)
    }
  })
})

describe('its own payloads are taken', () => {
  it('from verifyToken, a guard, a schema and a ticket', async () => {
    const clock = stoppedClock()
    const passes = {
      '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => ({ value }) },
    } as const
    const auth = createAuth({
      secret: SECRET,
      clock,
      claims: passes as never,
      sessions: { store: memoryStore() },
    })
    const token = await auth.createAccessToken('u')
    const { ticket } = await auth.createTicket(await auth.verifyToken(token))
    const request = new Request(`http://localhost/?ticket=${ticket}`)
    const payloads = [
      await auth.verifyToken(token),
      await auth.authenticate(
        new Request('http://localhost', { headers: { authorization: `Bearer ${token}` } }),
      ),
      await auth.authenticate(request, { locations: ['ticket'] }),
    ]
    for (const payload of payloads) expect(await codeOf(() => auth.recheck(payload))).toBe('accepted')
  })
})

describe('a request that a guard of another application let pass', () => {
  it.each(['payload', 'optionalPayload', 'subjectOf'] as const)(
    '%s of ours does not read it',
    async (name) => {
      const user = createAuth({ secret: SECRET, clock: stoppedClock() })
      const admin = createAuth({ secret: OTHER, clock: stoppedClock(), subject: () => ({}) })
      const req = { auth: await user.verifyToken(forge(claimsOf())), subject: { id: 7 } } as never
      expect(await complaintOf(() => guards(admin)[name](req))).toMatch(
        /^ConfigurationError: Expected `guard\.\w+\(\)` of this `createAuth` to run before .*: a guard of another one did$/,
      )
      expect((guards(user).payload(req) as { sub: string }).sub).toBe('user-1')
      expect((guards(user).payload(req) as { sub: string }).sub).toBe('user-1')
    },
  )
})

it('`follow` of tokenwright/ws refuses what another application verified', async () => {
  const [user, admin] = [createAuth({ secret: SECRET }), createAuth({ secret: OTHER })]
  const payload = await user.verifyToken(await user.createAccessToken('7'))
  const socket = { on: () => undefined, close: () => undefined } as never
  expect(() => socketGuards(admin).follow(socket, payload)).toThrow(ANOTHER)
})

/** An application with one path: guards of users, and then a handler that reads what admins sent. */
type Mounted = (
  user: Auth,
  admin: Auth,
  steps: readonly (readonly ['user' | 'admin', 'access' | 'subject'])[],
  read: 'payload' | 'subjectOf',
) => Server | Promise<Server>

const MOUNTED: Readonly<Record<string, Mounted>> = {
  express(user, admin, steps, read) {
    const tables = { user: guards(user), admin: guards(admin) }
    const app = express()
    for (const [whose, name] of steps) app.use(tables[whose][name]())
    app.use((req, res) => void res.json(tables.admin[read](req)))
    app.use(
      ((error, _req, res, _next) => void res.status(500).send(String(error))) as express.ErrorRequestHandler,
    )
    return createServer(app as unknown as RequestListener)
  },
  async fastify(user, admin, steps, read) {
    const tables = { user: fastifyGuards(user), admin: fastifyGuards(admin) }
    const app = fastify()
    for (const [whose, name] of steps) app.addHook('onRequest', tables[whose][name]())
    app.setErrorHandler((error, _request, reply) => void reply.code(500).send(String(error)))
    app.get('/', (request, reply) => void reply.send(tables.admin[read](request)))
    await app.ready()
    return app.server
  },
  koa(user, admin, steps, read) {
    const tables = { user: koaGuards(user), admin: koaGuards(admin) }
    const app = new Koa()
    app.use((ctx, next) =>
      next().catch((error: unknown) => {
        ctx.status = 500
        ctx.body = String(error)
      }),
    )
    for (const [whose, name] of steps) app.use(tables[whose][name]() as Koa.Middleware)
    app.use((ctx) => {
      ctx.body = tables.admin[read](ctx)
    })
    return createServer(app.callback())
  },
  hono(user, admin, steps, read) {
    const tables = { user: honoGuards(user), admin: honoGuards(admin) }
    const app = new Hono()
    app.onError((error, c) => c.text(String(error), 500))
    for (const [whose, name] of steps) app.use(tables[whose][name]() as never)
    app.get('/', (c) => c.json(tables.admin[read](c) as object))
    return createAdaptorServer({ fetch: app.fetch }) as Server
  },
}

describe.each(Object.entries(MOUNTED))('a request at %s', (_, mount) => {
  const clock = stoppedClock()
  const subject = ({ sub }: { readonly sub: string }) => ({ id: sub })
  const options = { secret: SECRET, clock, subject }
  const user = createAuth({ ...options, subject: () => ({ id: 'a user' }) })
  const admin = createAuth(options)

  async function ask(...[steps, read]: [Parameters<Mounted>[2], Parameters<Mounted>[3]]) {
    const server = await mount(user, admin, steps, read)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => server.close().closeAllConnections())
    const authorization = `Bearer ${forge(claimsOf())}`
    const { port } = server.address() as AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization } })
    return `${response.status} ${await response.text()}`
  }
  const REFUSED =
    /^500 ConfigurationError: Expected `guard\.\w+\(\)` of this `createAuth` to run before .*: a guard of another one did/

  it('that only the guard of users let pass shows admins no payload and no user', async () => {
    expect(await ask([['user', 'access']], 'payload')).toMatch(REFUSED)
    expect(await ask([['user', 'subject']], 'subjectOf')).toMatch(REFUSED)
  })

  it('that both let pass shows each its own user', async () => {
    const both = [
      ['user', 'subject'],
      ['admin', 'access'],
    ] as const
    expect(await ask(both, 'payload')).toMatch(/^200 .*"sub":"user-1"/)
    expect(await ask(both, 'subjectOf')).toMatch(REFUSED)
    expect(
      await ask(
        [
          ['user', 'subject'],
          ['admin', 'subject'],
        ],
        'subjectOf',
      ),
    ).toBe('200 {"id":"user-1"}')
    expect(
      await ask(
        [
          ['admin', 'subject'],
          ['admin', 'access'],
        ],
        'subjectOf',
      ),
    ).toBe('200 {"id":"user-1"}')
  })
})
