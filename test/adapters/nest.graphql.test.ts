/** The door of Nest in GraphQL contexts: a real schema behind `@nestjs/graphql` and Mercurius, asked over HTTP. */
import type { AddressInfo } from 'node:net'
import type { INestApplication, Type } from '@nestjs/common'
import { GraphQLModule, Query, ResolveField, Resolver } from '@nestjs/graphql'
import { MercuriusDriver } from '@nestjs/mercurius'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Auth, AuthError } from '../../src/index.ts'
import { createApplication, toModule } from '../nest/application.ts'
import { loadNest, type Nest } from '../nest/versions.ts'
import { claimsOf, forge, NOW, setUp } from '../token/forge.ts'

const ACCESS = '__Host-access_token'
const GOOD = forge(claimsOf())
const SCHEMA = `type Account {
  owner: String
}
type Query {
  me: String
  user: String
  fresh: String
  admin: String
  anyone: String
  open: String
  bare: String
  renewing: String
  accessType: String
  refreshType: String
  account: Account
  handler: String
}`

/** A resolver of the schema; each field answers what its guard has found. */
function toResolver({ common, door }: Nest, auth: Auth): Type {
  const guard = door.guards(auth)
  const bare = door.guards(auth, { errors: 'throw' })
  const { CurrentToken, CurrentSubject, Public, AuthErrorFilter } = door
  const { UseGuards, UseFilters } = common
  const show = (payload: { sub: string } | null): string => payload?.sub ?? 'nobody'
  const typeOf = ({ type }: { type: string }): string => type
  const fields: Readonly<
    Record<string, readonly [(...args: never[]) => unknown, ParameterDecorator[], MethodDecorator[]]>
  > = {
    me: [show, [CurrentToken()], [UseGuards(guard.access())]],
    user: [({ name }: { name: string }) => name, [CurrentSubject()], [UseGuards(guard.subject())]],
    fresh: [show, [CurrentToken()], [UseGuards(guard.fresh())]],
    admin: [show, [CurrentToken()], [UseGuards(guard.scopes('admin'))]],
    anyone: [show, [CurrentToken()], [UseGuards(guard.optional())]],
    open: [() => 'open', [], [Public()]],
    accessType: [typeOf, [CurrentToken()], [UseGuards(guard.access())]],
    refreshType: [typeOf, [CurrentToken()], [UseGuards(guard.refresh())]],
    account: [() => ({}), [], [UseGuards(guard.access())]],
    renewing: [show, [CurrentToken()], [UseGuards(guard.token({ renew: true }))]],
    bare: [show, [CurrentToken()], [UseGuards(bare.access())]],
    handler: [
      () => {
        throw new AuthError('refresh_reused')
      },
      [],
      [UseFilters(new AuthErrorFilter(auth))],
    ],
  }
  class Fields {}
  for (const [name, [handle, parameters, marks]] of Object.entries(fields)) {
    const descriptor = { value: (...args: never[]) => handle(...args), configurable: true }
    Object.defineProperty(Fields.prototype, name, descriptor)
    Query(name)(Fields.prototype, name, descriptor)
    for (const mark of marks) mark(Fields.prototype, name, descriptor)
    for (const [at, parameter] of parameters.entries()) parameter(Fields.prototype, name, at)
  }
  Resolver()(Fields)
  return Fields
}

/** A resolver of a field that no guard of its own stands before. */
function toAccount({ door }: Nest): Type {
  class Account {
    owner({ sub }: { sub: string }): string {
      return sub
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Account.prototype, 'owner')!
  ResolveField('owner')(Account.prototype, 'owner', descriptor)
  door.CurrentToken()(Account.prototype, 'owner', 0)
  Resolver('Account')(Account)
  return Account
}

interface Result {
  readonly data: Readonly<Record<string, string | null>>
  readonly errors?: readonly { readonly message: string; readonly extensions?: unknown }[]
}

describe('graphql', () => {
  let app: INestApplication
  let port = 0

  beforeAll(async () => {
    const { auth } = setUp({
      locations: ['header', 'cookie'],
      subject: ({ sub }) => ({ name: `user ${sub}` }),
    })
    const nest = await loadNest(12)
    const module = toModule(nest, {
      imports: [
        GraphQLModule.forRoot({ driver: MercuriusDriver, typeDefs: SCHEMA, path: '/graphql' } as object),
      ],
      providers: [toResolver(nest, auth), toAccount(nest)],
    })
    app = await createApplication(nest, 'fastify', module)
    await app.listen(0, '127.0.0.1')
    port = (app.getHttpServer().address() as AddressInfo).port
  })

  afterAll(() => app.close())

  async function ask(query: string, headers: Readonly<Record<string, string>> = {}): Promise<Result> {
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    })
    return (await response.json()) as Result
  }

  const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

  it('gives resolvers the payload and the user', async () => {
    const { data, errors } = await ask('{ me user anyone open }', bearer(GOOD))
    expect(errors).toBeUndefined()
    expect(data).toEqual({ me: 'user-1', user: 'user user-1', anyone: 'user-1', open: 'open' })
    expect((await ask('{ anyone open }')).data).toEqual({ anyone: 'nobody', open: 'open' })
  })

  it('refuses a field with an error that GraphQL clients and ours understand, and resolves the others', async () => {
    const { data, errors } = await ask('{ anyone fresh admin }', bearer(GOOD))
    expect(data).toEqual({ anyone: 'user-1', fresh: null, admin: null })
    expect(errors).toMatchObject([
      {
        message: 'Fresh token required',
        path: ['fresh'],
        extensions: {
          code: 'UNAUTHENTICATED',
          originalError: {
            message: 'Fresh token required',
            error_type: 'FreshTokenRequiredError',
            error: 'insufficient_user_authentication',
            code: 'fresh_token_required',
          },
        },
      },
      {
        message: 'Missing required scopes',
        extensions: { code: 'FORBIDDEN', originalError: { code: 'scope_missing' } },
      },
    ])
  })

  it.each([
    ['no token', {}, 'token_missing'],
    ['an expired one', bearer(forge(claimsOf({ exp: NOW - 60 }))), 'token_expired'],
    [
      'a cookie without its CSRF twin',
      { cookie: `${ACCESS}=${forge(claimsOf({ csrf: 'c' }))}` },
      'csrf_missing',
    ],
  ])('%s', async (_, headers, code) => {
    const { errors } = await ask('{ me }', headers as Record<string, string>)
    expect(errors).toMatchObject([{ extensions: { originalError: { code } } }])
  })

  it('accepts a cookie with its CSRF twin', async () => {
    const token = forge(claimsOf({ csrf: 'c' }))
    const headers = { cookie: `${ACCESS}=${token}`, 'x-csrf-token': 'c' }
    expect((await ask('{ me }', headers)).data).toEqual({ me: 'user-1' })
  })

  it('gives each field the payload of its own guard, and nested fields that of the request', async () => {
    const refresh = forge(claimsOf({ csrf: 'c', type: 'refresh' }), {
      header: { alg: 'HS256', typ: 'rt+jwt' },
    })
    const cookie = `${ACCESS}=${forge(claimsOf({ csrf: 'c' }))}; __Host-refresh_token=${refresh}`
    const headers = { cookie, 'x-csrf-token': 'c' }
    expect(await ask('{ accessType refreshType }', headers)).toEqual({
      data: { accessType: 'access', refreshType: 'refresh' },
    })
    expect(await ask('{ refreshType accessType }', headers)).toEqual({
      data: { accessType: 'access', refreshType: 'refresh' },
    })
    expect(await ask('{ account { owner } }', headers)).toEqual({ data: { account: { owner: 'user-1' } } })
  })

  it('renews a cookie on the way', async () => {
    const due = { csrf: 'c', auth_time: NOW - 800, iat: NOW - 800, exp: NOW + 100 }
    const cookie = `${ACCESS}=${forge(claimsOf(due))}`
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie, 'x-csrf-token': 'c' },
      body: JSON.stringify({ query: '{ renewing }' }),
    })
    expect(await response.json()).toEqual({ data: { renewing: 'user-1' } })
    const names = response.headers.getSetCookie().map((line) => line.slice(0, line.indexOf('=')))
    expect(names).toEqual([ACCESS, '__Host-csrf_token'])
  })

  it("throws the bare error with errors: 'throw', and formats what handlers throw with the filter", async () => {
    const [bare] = (await ask('{ bare }')).errors ?? []
    expect(bare).toMatchObject({ message: 'Token Error' })
    expect(bare?.extensions).toBeUndefined()
    expect((await ask('{ handler }')).errors).toMatchObject([
      {
        message: 'Refresh token has been used before',
        extensions: { code: 'UNAUTHENTICATED', originalError: { code: 'refresh_reused' } },
      },
    ])
  })
})
