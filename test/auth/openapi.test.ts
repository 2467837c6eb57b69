/** The description of guards, and three frameworks that take it into their documents. */
import 'reflect-metadata'
import fastifySwagger from '@fastify/swagger'
import { createRoute, OpenAPIHono } from '@hono/zod-openapi'
import { Controller, Module, Post, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { ApiResponse, ApiSecurity, SwaggerModule } from '@nestjs/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import { fastify } from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { guards as fastifyGuards } from '../../src/adapters/fastify.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import { CurrentToken, guards as nestGuards } from '../../src/adapters/nest.ts'
import { AuthError, ERRORS, type ErrorCode } from '../../src/errors.ts'
import { createErrorResponse } from '../../src/http/error-response.ts'
import {
  type AuthOptions,
  ConfigurationError,
  createAuth,
  createKeyRing,
  generateKey,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { actingAs } from '../../src/testing.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const describeAuth = (options: AuthOptions = {}) => createAuth({ secret: SECRET, ...options }).openapi()
const sessions = (): AuthOptions => ({ sessions: { store: memoryStore() } })

/** The codes of a route's refusals, by status. */
function codesOf({
  responses,
}: ReturnType<ReturnType<typeof describeAuth>['route']>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(responses).map(([status, { content }]) => [
      status,
      Object.keys(content['application/json']?.examples ?? {}),
    ]),
  )
}

/** Complains about a document that breaks OpenAPI's own schema. */
async function expectValid(document: unknown): Promise<void> {
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as Record<string, unknown>,
  )
  expect(errors ?? []).toEqual([])
  expect(valid).toBe(true)
}

describe('the security schemes', () => {
  it.each<[string, AuthOptions, Record<string, unknown>]>([
    [
      'the header',
      {},
      { accessToken: { type: 'http', scheme: 'bearer' }, refreshToken: { scheme: 'bearer' } },
    ],
    [
      'another header',
      { header: { name: 'X-Auth', scheme: '' } },
      { accessToken: { type: 'apiKey', in: 'header', name: 'x-auth' } },
    ],
    [
      'cookies',
      { locations: ['cookie'] },
      {
        accessCookie: { type: 'apiKey', in: 'cookie', name: '__Host-access_token' },
        refreshCookie: { name: '__Host-refresh_token' },
        csrfHeader: { in: 'header', name: 'x-csrf-token' },
      },
    ],
    [
      'the query',
      { locations: ['query'] },
      { accessQuery: { in: 'query', name: 'access_token' }, refreshQuery: {} },
    ],
  ])('of %s', (_, options, expected) => {
    const { securitySchemes } = describeAuth(options).components
    expect(securitySchemes).toMatchObject(expected)
  })

  it('are those of the locations in use and no others', () => {
    const names = (options: AuthOptions): string[] =>
      Object.keys(describeAuth(options).components.securitySchemes).sort()
    expect(names({})).toEqual(['accessToken', 'refreshToken'])
    expect(names({ locations: ['header', 'cookie'], cookies: { carry: ['refresh'] } })).toEqual([
      'accessToken',
      'csrfHeader',
      'refreshCookie',
      'refreshToken',
    ])
    expect(names({ locations: ['cookie'], csrf: 'origin' })).toEqual(['accessCookie', 'refreshCookie'])
    expect(names({ locations: ['body'] })).toEqual([])
  })
})

describe('a route', () => {
  it('says what it asks', () => {
    const api = describeAuth({ locations: ['header', 'cookie'] })
    expect(api.route().security).toEqual([{ accessToken: [] }, { accessCookie: [] }])
    expect(api.route({}, 'POST').security).toEqual([
      { accessToken: [] },
      { accessCookie: [], csrfHeader: [] },
    ])
    expect(api.route({ csrf: 'origin' }, 'POST').security).toEqual([
      { accessToken: [] },
      { accessCookie: [] },
    ])
    expect(api.route({ type: 'refresh' }).security).toEqual([{ refreshToken: [] }, { refreshCookie: [] }])
    expect(api.route({ optional: true, locations: ['header'] }).security).toEqual([{ accessToken: [] }, {}])
    expect(api.route({ scopes: ['a', 'b'], locations: ['header'] }).security).toEqual([
      { accessToken: ['a', 'b'] },
    ])
    expect(api.route({ type: 'any', locations: ['header'] }).security).toEqual([
      { accessToken: [] },
      { refreshToken: [] },
    ])
  })

  it('says what it refuses, and nothing that it cannot', () => {
    const plain = codesOf(describeAuth().route())
    expect(Object.keys(plain)).toEqual(['400', '401'])
    expect(plain['401']).not.toContain('token_revoked')
    expect(codesOf(describeAuth().route({ optional: true }))['401']).not.toContain('token_missing')
    expect(codesOf(describeAuth().route({ scopes: ['a'] }))['403']).toEqual(['scope_missing'])
    expect(codesOf(describeAuth().route({ check: () => true }))).toMatchObject({
      403: ['access_denied'],
      503: ['store_unavailable'],
    })
    expect(codesOf(describeAuth().route({ fresh: true }))['401']).toContain('fresh_token_required')
    expect(codesOf(describeAuth({ realm: 'us' }).route())['401']).toContain('realm_mismatch')
    const byCookie = describeAuth({ locations: ['cookie'] })
    expect(codesOf(byCookie.route({}, 'POST'))['403']).toEqual(['csrf_missing', 'csrf_mismatch'])
    expect(codesOf(byCookie.route({}, 'get'))['403']).toBeUndefined()
    const stateful = describeAuth(sessions())
    expect(codesOf(stateful.route())['503']).toEqual(['store_unavailable'])
    expect(codesOf(stateful.route({ revocation: 'off' }))['503']).toBeUndefined()
    expect(codesOf(stateful.route({ type: 'refresh' }))['401']).toContain('refresh_reused')
    expect(codesOf(describeAuth({ isRevoked: () => false }).route())['401']).toContain('token_revoked')
    const loading = createAuth({ keys: createKeyRing({ load: () => ({ signing: generateKey('ES256') }) }) })
    expect(codesOf(loading.openapi().route())['503']).toEqual(['store_unavailable'])
  })

  it('says what it refuses of the tokens of other issuers', () => {
    const issuer = { issuer: 'https://idp.example', audience: 'api' }
    const byKeys = codesOf(
      createAuth({ issuers: [issuer] })
        .openapi()
        .route(),
    )
    expect(byKeys['401']).toContain('subject_unknown')
    expect(byKeys['401']).not.toContain('token_revoked')
    expect(byKeys['503']).toEqual(['store_unavailable', 'issuer_unavailable'])
    const introspection = { clientId: 'api', clientSecret: 's3cret' }
    const asked = createAuth({ issuers: [{ ...issuer, introspection }] })
    expect(codesOf(asked.openapi().route())['401']).toContain('token_revoked')
  })

  it('is refused at start where its guard would be', () => {
    expect(() => describeAuth().route({ maxAge: '1s' })).toThrow(ConfigurationError)
    expect(() => describeAuth().route({ scope: 'a' } as never)).toThrow(ConfigurationError)
  })

  it('gives examples that are the responses themselves, headers included', () => {
    const { responses } = describeAuth().components
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const { status, headers, body } = createErrorResponse(new AuthError(code))
      const described = responses[String(status)]
      expect(described?.content['application/json']?.examples[code]?.value, code).toEqual(JSON.parse(body))
      for (const name of ['WWW-Authenticate', 'Retry-After'])
        if (headers[name] !== undefined) expect(described?.headers, code).toHaveProperty(name)
    }
  })
})

describe('in a framework', () => {
  const auth = createAuth({ secret: SECRET, locations: ['header', 'cookie'], ...sessions() })
  const api = auth.openapi()
  const requirement = { fresh: true, scopes: ['posts:write'] } as const

  it('@hono/zod-openapi', async () => {
    const guard = honoGuards(auth)
    const { security, responses } = api.route(requirement, 'POST')
    const route = createRoute({
      method: 'post',
      path: '/posts',
      middleware: guard.token(requirement),
      security,
      responses: {
        ...responses,
        200: {
          description: 'Done',
          content: { 'application/json': { schema: z.object({ sub: z.string() }) } },
        },
      },
    })
    const app = new OpenAPIHono()
    app.openapi(route, (c) => c.json({ sub: c.var.auth.sub }, 200))
    for (const [name, scheme] of Object.entries(api.components.securitySchemes))
      app.openAPIRegistry.registerComponent('securitySchemes', name, scheme as never)
    const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'x', version: '1' } })
    await expectValid(document)
    const operation = document.paths?.['/posts']?.post
    expect(operation?.security).toEqual(security)
    expect(Object.keys(operation?.responses ?? {}).sort()).toEqual(['200', '400', '401', '403', '503'])
    const alice = actingAs(auth, 'alice', { fresh: true, scopes: ['posts:*'] })
    expect(await (await app.request(await alice.request('/posts', { method: 'POST' }))).json()).toEqual({
      sub: 'alice',
    })
  })

  it('@fastify/swagger', async () => {
    const guard = fastifyGuards(auth)
    const app = fastify()
    await app.register(fastifySwagger, {
      openapi: {
        openapi: '3.1.0',
        info: { title: 'x', version: '1' },
        components: { securitySchemes: api.components.securitySchemes as never },
      },
    })
    const { security, responses } = api.route(requirement, 'POST')
    app.post(
      '/posts',
      { onRequest: guard.token(requirement), schema: { security, response: responses } },
      async (request) => ({ sub: guard.payload(request).sub }),
    )
    await app.ready()
    const document = app.swagger() as {
      paths?: Record<string, { post?: { security?: unknown; responses?: object } }>
    }
    await expectValid(document)
    expect(document.paths?.['/posts']?.post?.security).toEqual(security)
    expect(Object.keys(document.paths?.['/posts']?.post?.responses ?? {})).toEqual(
      expect.arrayContaining(['400', '401', '403', '503']),
    )
    const refused = await app.inject({ method: 'POST', url: '/posts' })
    expect(refused.json()).toMatchObject({ code: 'token_missing' })
    const alice = actingAs(auth, 'alice', { fresh: true, scopes: ['posts:*'] })
    const taken = await app.inject({ method: 'POST', url: '/posts', headers: await alice.headers() })
    expect(taken.json()).toEqual({ sub: 'alice' })
  })

  it('@nestjs/swagger', async () => {
    const guard = nestGuards(auth)
    const { security, responses } = api.route(requirement, 'POST')
    class Posts {
      write({ sub }: { sub: string }): object {
        return { sub }
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Posts.prototype, 'write') as PropertyDescriptor
    const decorators = [
      Post('posts'),
      UseGuards(guard.token(requirement)),
      ...Object.entries(responses).map(([status, response]) =>
        ApiResponse({ status: Number(status), ...response } as never),
      ),
      ...security.flatMap((way) => ApiSecurity(way as never)),
    ]
    for (const decorate of decorators) decorate(Posts.prototype, 'write', descriptor)
    CurrentToken()(Posts.prototype, 'write', 0)
    Controller()(Posts)
    class Root {}
    Module({ controllers: [Posts] })(Root)
    const app = await NestFactory.create(Root, new ExpressAdapter(), { logger: false })
    onTestFinished(() => app.close())
    const document = SwaggerModule.createDocument(app, {
      openapi: '3.1.0',
      info: { title: 'x', version: '1' },
      components: { securitySchemes: api.components.securitySchemes as never },
    })
    await expectValid(document)
    const operation = document.paths['/posts']?.post
    expect(operation?.security).toEqual(expect.arrayContaining(security))
    expect(Object.keys(operation?.responses ?? {})).toEqual(
      expect.arrayContaining(['400', '401', '403', '503']),
    )
  })
})
