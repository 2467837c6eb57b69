/** What all adapters share: the way of a call through a guard, and slips in the wiring, which each adapter tells of. */
import { EventEmitter } from 'node:events'
import type { RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import express5 from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it, vi } from 'vitest'
import { guards as express } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import { type GuardCallbacks, prepareGuard } from '../../src/adapters/guards.ts'
import { guards as hono } from '../../src/adapters/hono.ts'
import { guards as koa } from '../../src/adapters/koa.ts'
import { injectedGuards, guards as nest } from '../../src/adapters/nest.ts'
import { guards as ws } from '../../src/adapters/ws.ts'
import { AuthError } from '../../src/errors.ts'
import { ConfigurationError } from '../../src/index.ts'
import { isPromise } from '../../src/internal/awaitable.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { claimsOf, forge, setUp } from '../token/forge.ts'

const express4 = createRequire(import.meta.url)('express4') as typeof express5
const { auth } = setUp()
const context = { auth: null }
const failure = new Error('authenticate')

function fail(): never {
  throw failure
}

describe('a guard', () => {
  function run(
    changes: Partial<GuardCallbacks<null, unknown>>,
    errors: 'respond' | 'throw' = 'respond',
  ): unknown {
    const callbacks: GuardCallbacks<null, unknown> = {
      authenticate: () => context,
      next: () => 'next',
      respond: (_call, { status }) => `responded ${status}`,
      reject: (_call, error) => error,
      ...changes,
    }
    return prepareGuard(auth, { errors }, callbacks)(null)
  }

  it('continues or rejects synchronously if there is nothing to wait for', async () => {
    expect(run({})).toBe('next')
    expect(run({ authenticate: fail })).toBe(failure)
    expect(await run({ authenticate: async () => context })).toBe('next')
    expect(await run({ authenticate: async () => fail() })).toBe(failure)
  })

  it('rejects a context that cannot be attached', async () => {
    expect(run({ attach: fail })).toBe(failure)
    expect(await run({ attach: fail, authenticate: async () => context })).toBe(failure)
  })

  it('does not refuse a request because the next handler throws', async () => {
    const reject = vi.fn()
    expect(() => run({ next: fail, reject })).toThrow(failure)
    await expect(run({ next: fail, reject, authenticate: async () => context })).rejects.toThrow(failure)
    await expect(run({ next: async () => fail(), reject })).rejects.toThrow(failure)
    expect(reject).not.toHaveBeenCalled()
  })

  it('responds to an AuthError, or passes it on with what default error handlers send', async () => {
    const authenticate = (): never => {
      throw new AuthError('token_missing')
    }
    expect(run({ authenticate })).toBe('responded 401')
    const error = run({ authenticate }, 'throw') as AuthError & { headers: object; getResponse(): Response }
    expect(error).toMatchObject({ status: 401, statusCode: 401, expose: true })
    expect(error.headers).toMatchObject({ 'WWW-Authenticate': 'Bearer' })
    expect(Object.keys(error)).not.toContain('headers')
    expect(error.getResponse().headers.get('www-authenticate')).toBe('Bearer')
  })

  it.each([undefined, null, 0, '', false, 'route', 'router'])(
    'rejects with an error for %j',
    async (reason) => {
      const authenticate = (): Promise<never> => Promise.reject(reason)
      expect(await run({ authenticate })).toBeInstanceOf(Error)
    },
  )
})

describe('a value that may be a promise', () => {
  it('is a promise if it has a `then`, whatever its class', () => {
    expect(isPromise(Promise.resolve(1))).toBe(true)
    // biome-ignore lint/suspicious/noThenProperty: what database libraries return
    const query = { then: (resolve: (value: number) => void) => resolve(1) }
    expect(isPromise(query as unknown)).toBe(true)
    expect([null, undefined, 1, 'then', {}].some((value) => isPromise(value))).toBe(false)
  })
})

type Maker = (auth: never, options?: never) => Record<string, (...args: unknown[]) => unknown>
const MAKERS = Object.entries({
  express,
  fastify: fastifyGuards,
  fetch: fetchGuards,
  hono,
  koa,
  nest,
  ws,
}) as unknown as [string, Maker][]

describe.each(MAKERS)('guards of %s', (_, make) => {
  it.each([undefined, null, {}, { secret: 'x' }, setUp, Promise.resolve(auth)])(
    'refuse %o for an auth',
    (given) => {
      expect(() => make(given as never)).toThrow(/^Expected `auth` to be what `createAuth` returns/)
    },
  )

  it('refuse a subject guard without the `subject` option when it is made', () => {
    expect(() => make(auth as never)['subject']?.()).toThrow(
      /^Expected the option `subject` beside `guard\.subject\(\)`/,
    )
    const { auth: loading } = setUp({ subject: () => ({}) })
    expect(make(loading as never)['subject']?.()).toBeDefined()
  })

  it('refuse to require nothing where something was meant', () => {
    const guard = make(auth as never)
    const scopes: readonly string[] = []
    expect(() => guard['scopes']?.(...scopes)).toThrow(
      /^Expected `guard\.scopes\(\.\.\.\)` to be given a scope/,
    )
    expect(() => guard['token']?.(undefined)).toThrow(/^Expected `guard\.token\(requirement\)`/)
    expect(() => guard['token']?.()).toThrow(/^Expected `guard\.token\(requirement\)`/)
    expect(guard['token']?.({})).toBeDefined()
  })

  it.each(['access', 'refresh', 'fresh', 'subject', 'optional', 'token', 'scopes'])(
    'report when `%s` is used as middleware without a call',
    (name) => {
      const guard = make(auth as never)[name]
      for (const args of [[{}, {}], [{}, {}, {}], ...(name === 'token' ? [] : [[{}]])])
        expect(() => guard?.(...args)).toThrow(ConfigurationError)
    },
  )
})

it.each(MAKERS.filter(([name]) => name !== 'ws'))('options of guards of %s are checked', (_, make) => {
  expect(() => make(auth as never, { errors: 'respnd' } as never)).toThrow(/`errors`/)
  expect(() => make(auth as never, { error: 'throw' } as never)).toThrow(/did you mean `errors`/)
})

it('options of injected guards are checked', () => {
  expect(() => injectedGuards({ errors: 'respnd' as never })).toThrow(/`errors`/)
})

describe('a guard without parentheses', () => {
  const message = /^Expected `guard\.access` to be called when the route is made/

  it.each(Object.entries({ 'express 5': express5, 'express 4': express4 }))(
    'is a 500 on %s',
    async (_, framework) => {
      const app = framework()
      app.get('/', express(auth).access as never, (_req, res) => res.send('passed'))
      const seen = vi.fn()
      app.use(((error, _req, res, _next) => {
        seen(String(error.message))
        res.status(500).end()
      }) as express5.ErrorRequestHandler)
      expect(await statusOf(app as never)).toBe(500)
      expect(seen).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(message))
    },
  )

  it('is a 500 on Fastify', async () => {
    const app = fastify()
    const seen = vi.fn()
    app.addHook('onError', async (_request, _reply, error) => seen(error.message))
    app.get('/', { onRequest: fastifyGuards(auth).access as never }, async () => 'passed')
    expect((await app.inject('/')).statusCode).toBe(500)
    expect(seen).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(message))
  })

  it('is a 500 on Koa and Hono', async () => {
    const app = new Koa()
    const seen = vi.fn()
    app.on('error', (error) => seen(error.message))
    app.use(koa(auth).access as never).use((ctx) => (ctx.body = 'passed'))
    expect(await statusOf(app.callback())).toBe(500)
    const site = new Hono()
    site.onError((error, c) => {
      seen(error.message)
      return c.text('', 500)
    })
    site.get('/', hono(auth).access as never, (c) => c.text('passed'))
    expect((await site.request('/')).status).toBe(500)
    expect(seen.mock.calls).toEqual([[expect.stringMatching(message)], [expect.stringMatching(message)]])
  })

  it('is reported to Nest, which makes an instance of it', () => {
    expect(() => Reflect.construct(nest(auth).access, [])).toThrow(message)
  })
})

describe('a guarded Express handler that rejects with nothing', () => {
  const bearer = { authorization: `Bearer ${forge(claimsOf())}` }
  const reasons = [undefined, null, 0, '', false, 'route', 'router']
  const cases = Object.entries({ 'express 5': express5, 'express 4': express4 }).flatMap(
    ([name, framework]) => reasons.map((reason) => [name, reason, framework] as const),
  )

  it.each(cases)('runs no other handler: %s, %j', async (_name, reason, framework) => {
    const app = framework()
    const passed = vi.fn()
    const caught = vi.fn()
    app.get(
      '/',
      express(auth).access(() => Promise.reject(reason)),
      passed,
    )
    app.get('/', passed)
    app.use(((error, _req, res, _next) => {
      caught(error)
      res.status(500).end()
    }) as express5.ErrorRequestHandler)
    expect(await statusOf(app as never, bearer)).toBe(500)
    expect(passed).not.toHaveBeenCalled()
    expect(caught).toHaveBeenCalledExactlyOnceWith(expect.any(Error))
  })
})

async function statusOf(listener: RequestListener, headers: Record<string, string> = {}): Promise<number> {
  const { createServer } = await import('node:http')
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  try {
    return (await fetch(`http://127.0.0.1:${port}/`, { headers, signal: AbortSignal.timeout(5_000) })).status
  } finally {
    server.close().closeAllConnections()
  }
}

describe('a Nest gateway', () => {
  it.each(['ws', 'socket.io'])('ends a connection of %s with its token', async (kind) => {
    const { auth: own } = setUp({ sessions: { store: memoryStore() }, clock: () => Date.now() / 1000 })
    const token = await own.createAccessToken('user-1')
    const send = vi.fn()
    const end = vi.fn()
    const isWs = kind === 'ws'
    const methods = isWs ? { readyState: 1, send, close: end } : { disconnect: end }
    const client = Object.assign(new EventEmitter(), methods)
    const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` }, rawHeaders: [] }
    const left = Object.assign(new EventEmitter(), methods)
    expect(
      await nest(own)
        .access()
        .admit(client, request as never),
    ).toBe(true)
    expect(
      await nest(own)
        .access()
        .admit(left, request as never),
    ).toBe(true)
    left.emit(isWs ? 'close' : 'disconnect')
    expect(end).not.toHaveBeenCalled()
    await own.revoke(await own.verifyToken(token))
    await vi.waitFor(() => expect(end).toHaveBeenCalledOnce())
    expect(end).toHaveBeenCalledWith(...(isWs ? [1008, 'token_revoked'] : [true]))
    await own.close()
  })
})
