/** The types of the entry points of Hono, fetch and Next.js: where the payload is, and where it is not. */
import { Hono } from 'hono'
import { createFactory } from 'hono/factory'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { guards as fetchGuards, lazyAuth } from '../../src/adapters/fetch.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { guards as nextGuards } from '../../src/adapters/next.ts'
import type { TokenOf } from '../../src/auth/auth.ts'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { RequestInfo } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'

const auth = createAuth({
  secret: 'x',
  claims: z.object({ tenant: z.string() }),
  subject: ({ sub }) => ({ name: sub }),
})
type Token = TokenOf<typeof auth>

describe('hono', () => {
  const guard = honoGuards(auth)
  const app = new Hono()

  it('the payload is at c.var.auth of a guarded route', () => {
    app.get('/a', guard.access(), (c) => {
      expectTypeOf(c.var.auth).toEqualTypeOf<Token>()
      return c.json(c.var.auth.data.tenant)
    })
    for (const middleware of [
      guard.fresh(),
      guard.refresh(),
      guard.scopes('a'),
      guard.token({ maxAge: '5m' }),
    ]) {
      app.post('/b', middleware, (c) => c.text(c.var.auth.sub))
    }
  })

  it('is null with optional only', () => {
    app.get('/c', guard.optional(), (c) => {
      expectTypeOf(c.var.auth).toEqualTypeOf<Token | null>()
      return c.text(c.var.auth?.sub ?? '')
    })
    app.get('/d', guard.token({ optional: true }), (c) => {
      expectTypeOf(c.var.auth).toEqualTypeOf<Token | null>()
      return c.text('')
    })
    // @ts-expect-error it may be null
    app.get('/e', guard.optional(), (c) => c.text(c.var.auth.sub))
  })

  it('the user is at c.var.subject beside it', () => {
    app.get('/f', guard.subject(), (c) => {
      expectTypeOf(c.var.subject).toEqualTypeOf<{ name: string }>()
      return c.text(c.var.subject.name + c.var.auth.sub)
    })
  })

  it('the environment goes to the routes, whatever its type', () => {
    const routes = authRoutes(auth, {
      verifyCredentials: () => null,
      address: (_request, info) => {
        expectTypeOf(info).toEqualTypeOf<RequestInfo | undefined>()
        return info?.address
      },
    })
    app.all('/auth/*', (c) => routes(c.req.raw, c.env))
    new Hono<{ Bindings: { KV: object } }>().all('/auth/*', (c) => routes(c.req.raw, c.env))
    // @ts-expect-error the first argument is a request
    app.all('/auth/*', (c) => routes(c.env))
  })

  it('neither is there on a route without a guard', () => {
    // @ts-expect-error nobody has put it there
    app.get('/g', (c) => c.text(c.var.auth.sub))
    // @ts-expect-error only guard.subject() loads a user
    app.get('/h', guard.access(), (c) => c.text(c.var.subject.name))
  })

  it('lives beside the bindings and variables of the application, in chains and in factories', () => {
    const typed = new Hono<{ Bindings: { DB: string }; Variables: { id: number } }>()
    typed.get('/i', guard.access(), guard.fresh(), (c) =>
      c.json([c.env.DB, c.var.id, c.var.auth.data.tenant]),
    )
    new Hono().use(guard.optional()).get('/j', (c) => c.text(c.var.auth?.sub ?? ''))
    new Hono<{ Variables: { auth: Token } }>().get('/k', (c) => c.text(c.var.auth.sub))
    createFactory().createHandlers(guard.access(), (c) => c.text(c.var.auth.data.tenant))
  })
})

describe('fetch', () => {
  const guard = fetchGuards(auth)

  it('the payload is the second argument, and those of the platform follow', () => {
    const handler = guard.fresh()((request, payload, env: { DB: string }, context: number) => {
      expectTypeOf(request).toEqualTypeOf<Request>()
      expectTypeOf(payload).toEqualTypeOf<Token>()
      return new Response(payload.data.tenant + env.DB + context)
    })
    expectTypeOf(handler).parameters.toEqualTypeOf<[request: Request, env: { DB: string }, context: number]>()
    expectTypeOf(handler).returns.resolves.toEqualTypeOf<Response>()
    // @ts-expect-error the platform's arguments are missing
    void handler(new Request('http://a'))
  })

  it('is null with optional only', () => {
    guard.optional()((_, payload) => {
      expectTypeOf(payload).toEqualTypeOf<Token | null>()
      return new Response()
    })
    guard.token({ optional: true })((_, payload) => {
      expectTypeOf(payload).toEqualTypeOf<Token | null>()
      return new Response()
    })
    guard.token({ scopes: ['a'] })((_, payload) => new Response(payload.sub))
  })

  it('the user is the third argument of guard.subject()', () => {
    guard.subject()((_, payload, user) => {
      expectTypeOf(user).toEqualTypeOf<{ name: string }>()
      return new Response(payload.sub + user.name)
    })
  })

  it('a handler sees the request class of its platform', () => {
    class PlatformRequest extends Request {
      readonly nextUrl = new URL(this.url)
    }
    const wrapped = guard.access()((request: PlatformRequest, payload) => {
      expectTypeOf(payload).toEqualTypeOf<Token>()
      return new Response(request.nextUrl.pathname)
    })
    expectTypeOf(wrapped).parameters.toEqualTypeOf<[request: PlatformRequest]>()
    const page = guard.refreshing((request: PlatformRequest) => new Response(request.nextUrl.pathname))
    expectTypeOf(page).parameters.toEqualTypeOf<[request: PlatformRequest]>()
    // @ts-expect-error no request of that class
    void page(new Request('http://a'))
    expectTypeOf(guard.access()(() => new Response())).parameters.toEqualTypeOf<[request: Request]>()
  })

  it('takes `lazyAuth` in place of `auth`, with its claims and its user, and no other function', () => {
    const lazy = fetchGuards(lazyAuth(() => auth))
    expectTypeOf(lazy).toEqualTypeOf<typeof guard>()
    // @ts-expect-error a function that was not marked may be a mistake
    fetchGuards(() => auth)
  })

  it('a handler that returns no Response does not compile', () => {
    // @ts-expect-error text is no Response
    guard.access()(() => 'ok')
  })
})

describe('next', () => {
  const guard = nextGuards(auth)
  interface PlatformRequest extends Request {
    readonly nextUrl: URL
  }
  const cookies = async () => ({
    get: () => undefined,
    set: (_name: string, _value: string, _options: object) => {},
  })

  it('takes `auth` or a function, with its claims', () => {
    const deferred = nextGuards(lazyAuth(() => auth))
    expectTypeOf(deferred.currentToken(cookies())).resolves.toEqualTypeOf<Token | null>()
    expectTypeOf(guard.currentToken({ get: () => undefined })).resolves.toEqualTypeOf<Token | null>()
  })

  it('the proxy gets the request of the platform and may return nothing', () => {
    const proxy = guard.proxy((request: PlatformRequest, event: number) => {
      if (request.nextUrl.pathname === '/' && event > 0) return new Response()
      return undefined
    })
    expectTypeOf(proxy).parameters.toEqualTypeOf<[request: PlatformRequest, event: number]>()
    expectTypeOf(guard.proxy()).returns.resolves.toEqualTypeOf<Response>()
    // @ts-expect-error a proxy returns a response
    guard.proxy(() => 'next')
  })

  it('an action gets the payload before its own arguments', () => {
    const action = guard.action(cookies, { scopes: ['a'] })(async (payload, form: FormData) => {
      expectTypeOf(payload).toEqualTypeOf<Token>()
      return form.get('a')
    })
    expectTypeOf(action).parameters.toEqualTypeOf<[form: FormData]>()
    guard.action(cookies)((payload) => expectTypeOf(payload).toEqualTypeOf<Token>())
    guard.action(cookies, { optional: true })((payload) =>
      expectTypeOf(payload).toEqualTypeOf<Token | null>(),
    )
  })
})
