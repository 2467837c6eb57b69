/** The types of the doors of Express, Fastify and Koa: where the payload is, what stays inferred, and what does not compile. */
import Router from '@koa/router'
import express from 'express'
import { type FastifyRequest, fastify } from 'fastify'
import Koa from 'koa'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as koaGuards } from '../../src/adapters/koa.ts'
import type { TokenOf } from '../../src/auth/auth.ts'
import { createAuth } from '../../src/auth/create-auth.ts'

const auth = createAuth({
  secret: 'x',
  claims: z.object({ tenant: z.string() }),
  subject: ({ sub }) => ({ name: sub }),
})
const plain = createAuth({ secret: 'x' })
type Token = TokenOf<typeof auth>

describe('express', () => {
  const guard = expressGuards(auth)
  const app = express()

  it('a wrapped handler sees the payload, params and body', () => {
    app.get(
      '/a/:id',
      guard.access((req, res) => {
        expectTypeOf(req.auth).toEqualTypeOf<Token>()
        res.json(req.auth.data.tenant)
      }),
    )
    app.get(
      '/b/:id',
      guard.fresh<{ id: string }>((req, res) => {
        expectTypeOf(req.params).toEqualTypeOf<{ id: string }>()
        res.json(req.auth.sub)
      }),
    )
  })

  it('a middleware leaves the params of the handlers behind it inferred', () => {
    app.get('/c/:id', guard.access(), guard.scopes('a'), (req, res) => {
      expectTypeOf(req.params.id).toEqualTypeOf<string>()
      expectTypeOf(guard.payload(req)).toEqualTypeOf<Token>()
      // @ts-expect-error no such param
      res.json(req.params.other)
    })
    app.use(guard.access())
  })

  it('the payload is null with optional only', () => {
    guard.optional((req) => expectTypeOf(req.auth).toEqualTypeOf<Token | null>())
    guard.token({ optional: true }, (req) => expectTypeOf(req.auth).toEqualTypeOf<Token | null>())
    guard.token({ maxAge: '5m' }, (req) => expectTypeOf(req.auth).toEqualTypeOf<Token>())
    expectTypeOf(guard.optionalPayload).returns.toEqualTypeOf<Token | null>()
  })

  it('the user is beside it', () => {
    guard.subject((req) => expectTypeOf(req.subject).toEqualTypeOf<{ name: string }>())
    expectTypeOf(guard.subjectOf).returns.toEqualTypeOf<{ name: string }>()
    // @ts-expect-error only guard.subject() loads a user
    guard.access((req) => req.subject)
  })

  it('nothing is augmented, and a requirement is checked', () => {
    // @ts-expect-error an unguarded request has no payload
    app.get('/d', (req, res) => res.json(req.auth))
    // @ts-expect-error no such member
    guard.token({ maxage: '5m' })
    expressGuards(plain).access((req) => expectTypeOf(req.auth).toEqualTypeOf<TokenOf<typeof plain>>())
  })
})

describe('fastify', () => {
  const guard = fastifyGuards(auth)
  const app = fastify()

  it('a guard is a hook for every place, and the accessor is typed', () => {
    app.get<{ Params: { id: string } }>('/a/:id', { onRequest: guard.fresh() }, async (request) => {
      expectTypeOf(guard.payload(request)).toEqualTypeOf<Token>()
      expectTypeOf(request.params).toEqualTypeOf<{ id: string }>()
      return request.params.id
    })
    app.get('/b', { preHandler: [guard.access(), guard.scopes('a')] }, async () => '')
    app.addHook('onRequest', guard.optional())
  })

  it('the payload is null behind optional only, and the user has an accessor', () => {
    expectTypeOf(guard.optionalPayload).returns.toEqualTypeOf<Token | null>()
    expectTypeOf(guard.subjectOf).returns.toEqualTypeOf<{ name: string }>()
    expectTypeOf(fastifyGuards(plain).payload).returns.toEqualTypeOf<TokenOf<typeof plain>>()
  })

  it('nothing is augmented', () => {
    // @ts-expect-error Fastify's own types have no such member
    ;(request: FastifyRequest) => request.auth
    // @ts-expect-error no such member
    guard.token({ scope: 'a' })
  })
})

describe('koa', () => {
  const guard = koaGuards(auth)

  it('the payload is at ctx.state.auth behind the guard', () => {
    new Koa().use(guard.access()).use((ctx) => {
      expectTypeOf(ctx.state.auth).toEqualTypeOf<Token>()
      ctx.body = ctx.state.auth.data.tenant
    })
    new Router().get('/a', guard.fresh(), (ctx) => {
      expectTypeOf(ctx.state.auth).toEqualTypeOf<Token>()
    })
  })

  it('is null with optional only', () => {
    new Koa().use(guard.optional()).use((ctx) => {
      expectTypeOf(ctx.state.auth).toEqualTypeOf<Token | null>()
      // @ts-expect-error it may be null
      ctx.body = ctx.state.auth.sub
    })
    new Koa().use(guard.token({ optional: true })).use((ctx) => {
      expectTypeOf(ctx.state.auth).toEqualTypeOf<Token | null>()
    })
  })

  it('the user is beside it', () => {
    new Koa().use(guard.subject()).use((ctx) => {
      expectTypeOf(ctx.state.subject).toEqualTypeOf<{ name: string }>()
    })
    new Koa().use(koaGuards(plain).access()).use((ctx) => {
      expectTypeOf(ctx.state.auth).toEqualTypeOf<TokenOf<typeof plain>>()
    })
  })
})
