/**
 * What only Nest does: guards of the application and what `@Public()` leaves open, parameter decorators, guards and the `Auth` out of
 * the container, exception filters. On both versions and both platforms, with real requests. The answers themselves are the
 * adapter suite's (`test/contract/adapters`).
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ArgumentsHost, INestApplication, ModuleMetadata } from '@nestjs/common'
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth, AuthError } from '../../src/index.ts'
import {
  createApplication,
  type Handler,
  type Platform,
  type Setting,
  toController,
  toModule,
} from '../nest/application.ts'
import { installBesideEleven, loadNest, type Nest, PLATFORMS } from '../nest/versions.ts'
import { claimsOf, errorOf, forge, SECRET, setUp, stoppedClock } from '../token/forge.ts'

const GOOD = forge(claimsOf())
const REFRESH = forge(claimsOf({ type: 'refresh' }), { header: { alg: 'HS256', typ: 'rt+jwt' } })

const apps: INestApplication[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

/** Sends a request to the application that listens. */
type Send = (path: string, token?: string) => Promise<{ status: number; headers: Headers; body: unknown }>

const VARIANTS = ([12, 11] as const).flatMap((version) =>
  PLATFORMS.map((platform) => [`nest ${version} on ${platform}`, version, platform] as const),
)

describe.each(VARIANTS)('%s', (_, version, platform) => {
  /** Starts an application of these parts. */
  async function start(
    toMetadata: (nest: Nest) => ModuleMetadata,
    setting?: Setting,
  ): Promise<{ send: Send; app: INestApplication }> {
    const nest = await loadNest(version)
    const app = await createApplication(nest, platform as Platform, toModule(nest, toMetadata(nest)), setting)
    apps.push(app)
    await app.listen(0, '127.0.0.1')
    const { port } = app.getHttpServer().address() as AddressInfo
    return {
      app,
      async send(path, token) {
        const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
        return { status: response.status, headers: response.headers, body: await response.json() }
      },
    }
  }

  it('gives handlers the payload and the user', async () => {
    const { auth } = setUp({ subject: ({ sub }) => ({ name: `user ${sub}` }) })
    const { send } = await start((nest) => {
      const { guards, CurrentToken, CurrentSubject } = nest.door
      const guard = guards(auth)
      const seen: Handler['handle'] = (payload: { sub: string } | null, user?: unknown) => ({
        sub: payload?.sub ?? null,
        user: user ?? null,
      })
      const handlers: readonly Handler[] = [
        { route: 'GET /token', guards: [guard.access()], parameters: [CurrentToken()], handle: seen },
        {
          route: 'GET /both',
          guards: [guard.subject()],
          parameters: [CurrentToken(), CurrentSubject()],
          handle: seen,
        },
        { route: 'GET /optional', guards: [guard.optional()], parameters: [CurrentToken()], handle: seen },
        { route: 'GET /unguarded', parameters: [CurrentToken()], handle: seen },
        {
          route: 'GET /no-user',
          guards: [guard.access()],
          parameters: [CurrentToken(), CurrentSubject()],
          handle: seen,
        },
      ]
      return { controllers: [toController(nest, handlers)] }
    })
    expect((await send('/token', GOOD)).body).toEqual({ sub: 'user-1', user: null })
    expect((await send('/both', GOOD)).body).toEqual({ sub: 'user-1', user: { name: 'user user-1' } })
    expect((await send('/optional')).body).toEqual({ sub: null, user: null })
    // A slip in the wiring is the application's, whoever asks; it never shows as a payload that is not there.
    for (const path of ['/unguarded', '/no-user']) expect((await send(path, GOOD)).status).toBe(500)
  })

  it('shows a handler that names its guard no payload of the guard of another application', async () => {
    const options = { secret: SECRET, clock: stoppedClock(), subject: () => ({ name: 'a user' }) }
    const { auth: user } = setUp(options)
    const { auth: admin } = setUp({ ...options, subject: () => ({ name: 'an admin' }) })
    const { send } = await start((nest) => {
      const { guards, CurrentToken, CurrentSubject } = nest.door
      const [ofUsers, ofAdmins] = [guards(user), guards(admin)]
      const handle = (value: { sub?: string; name?: string }) => ({ seen: value.sub ?? value.name })
      const handlers: readonly Handler[] = [
        { route: 'GET /any', guards: [ofUsers.access()], parameters: [CurrentToken()], handle },
        { route: 'GET /own', guards: [ofUsers.access()], parameters: [CurrentToken(user)], handle },
        { route: 'GET /forgotten', guards: [ofUsers.access()], parameters: [CurrentToken(admin)], handle },
        { route: 'GET /user', guards: [ofUsers.subject()], parameters: [CurrentSubject(admin)], handle },
        {
          route: 'GET /both',
          guards: [ofUsers.subject(), ofAdmins.access()],
          parameters: [CurrentSubject(admin)],
          handle,
        },
        {
          route: 'GET /admin',
          guards: [ofUsers.subject(), ofAdmins.subject()],
          parameters: [CurrentSubject(admin)],
          handle,
        },
      ]
      return { controllers: [toController(nest, handlers)] }
    })
    expect((await send('/any', GOOD)).body).toEqual({ seen: 'user-1' })
    expect((await send('/own', GOOD)).body).toEqual({ seen: 'user-1' })
    for (const path of ['/forgotten', '/user', '/both']) expect((await send(path, GOOD)).status).toBe(500)
    expect((await send('/admin', GOOD)).body).toEqual({ seen: 'an admin' })
  })

  it('opens with @Public() what an outer guard guards, and nothing else', async () => {
    const { auth } = setUp()
    const { send } = await start((nest) => {
      const { guards, Public } = nest.door
      const guard = guards(auth)
      const handle = (): object => ({})
      const open: Handler = { route: 'GET /open', marks: [Public()], handle }
      const application = toController(nest, [
        open,
        { route: 'GET /closed', handle },
        { route: 'GET /refresh', marks: [Public()], guards: [guard.refresh()], handle },
      ])
      const openClass = toController(
        nest,
        [
          { route: 'GET /class/open', handle },
          { route: 'GET /class/fresh', guards: [guard.fresh()], handle },
        ],
        Public() as ClassDecorator,
      )
      const guardedClass = toController(
        nest,
        [
          { route: 'GET /guarded/open', marks: [Public()], handle },
          { route: 'GET /guarded/closed', handle },
        ],
        nest.common.UseGuards(guard.fresh()) as ClassDecorator,
      )
      const contradictory = toController(
        nest,
        [{ route: 'GET /contradictory', handle }],
        nest.common.UseGuards(guard.fresh()) as ClassDecorator,
        Public() as ClassDecorator,
      )
      return {
        controllers: [application, openClass, guardedClass, contradictory],
        providers: [{ provide: nest.core.APP_GUARD, useValue: guard.access() }],
      }
    })
    const codeOf = async (path: string, token?: string): Promise<unknown> => {
      const { status, body } = await send(path, token)
      return status === 200 ? 200 : (body as { code: unknown }).code
    }
    expect(await codeOf('/open')).toBe(200)
    expect(await codeOf('/open', 'no token at all')).toBe(200)
    expect(await codeOf('/closed')).toBe('token_missing')
    expect(await codeOf('/closed', GOOD)).toBe(200)
    expect(await codeOf('/refresh')).toBe('token_missing')
    expect(await codeOf('/refresh', GOOD)).toBe('refresh_token_required')
    expect(await codeOf('/refresh', REFRESH)).toBe(200)
    expect(await codeOf('/class/open')).toBe(200)
    expect(await codeOf('/class/fresh', GOOD)).toBe('fresh_token_required')
    expect(await codeOf('/guarded/open')).toBe(200)
    expect(await codeOf('/guarded/closed', GOOD)).toBe('fresh_token_required')
    expect(await codeOf('/contradictory')).toBe('token_missing')
  })

  it('opens an inherited handler for the marked class, and not for its sibling', async () => {
    const { auth } = setUp()
    const { send } = await start((nest) => {
      const { guards, Public } = nest.door
      const Base = toController(nest, [{ route: 'GET /inherited', handle: () => ({}) }])
      class Open extends Base {}
      class Closed extends Base {}
      Public()(Open)
      nest.common.Controller('open')(Open)
      nest.common.Controller('closed')(Closed)
      return {
        controllers: [Open, Closed],
        providers: [{ provide: nest.core.APP_GUARD, useValue: guards(auth).access() }],
      }
    })
    const statuses: number[] = []
    for (const path of ['/open', '/closed', '/open', '/closed'])
      statuses.push((await send(`${path}/inherited`)).status)
    expect(statuses).toEqual([200, 401, 200, 401])
  })

  it('creates the Auth and the guards in the container, and closes the Auth with the application', async () => {
    const { auth } = setUp()
    let closed = 0
    const { send, app } = await start((nest) => {
      const { injectedGuards, TokenwrightModule, CurrentToken, AUTH } = nest.door
      const guard = injectedGuards()
      const configuration = toModule(nest, {
        providers: [{ provide: 'SECRET', useValue: 'from the configuration' }],
        exports: ['SECRET'],
      })
      const handlers: readonly Handler[] = [
        { route: 'GET /me', parameters: [CurrentToken()], handle: ({ sub }: { sub: string }) => ({ sub }) },
        { route: 'GET /fresh', guards: [guard.fresh()], handle: () => ({}) },
        { route: 'GET /scopes', guards: [guard.scopes('a', 'b')], handle: () => ({}) },
        { route: 'GET /open', marks: [nest.door.Public()], handle: () => ({}) },
        {
          route: 'GET /fresh-and-public',
          marks: [nest.door.Public()],
          guards: [guard.fresh()],
          handle: () => ({}),
        },
      ]
      class Issuer {
        readonly auth: Auth
        constructor(given: Auth) {
          this.auth = given
        }
      }
      nest.common.Injectable()(Issuer)
      nest.common.Inject(AUTH)(Issuer, undefined, 0)
      const async = TokenwrightModule.forRootAsync({
        imports: [configuration],
        inject: ['SECRET'],
        useFactory: async (secret: string) => {
          expect(secret).toBe('from the configuration')
          return { ...auth, close: async () => void closed++ }
        },
      })
      return {
        imports: [async],
        controllers: [toController(nest, handlers)],
        providers: [Issuer, { provide: nest.core.APP_GUARD, useClass: guard.access() }],
      }
    })
    expect(await send('/me', GOOD)).toMatchObject({ status: 200, body: { sub: 'user-1' } })
    expect(await send('/me')).toMatchObject({ status: 401, body: { code: 'token_missing' } })
    expect(await send('/fresh', GOOD)).toMatchObject({ status: 401, body: { code: 'fresh_token_required' } })
    expect(await send('/scopes', GOOD)).toMatchObject({ status: 403, body: { code: 'scope_missing' } })
    expect(await send('/open')).toMatchObject({ status: 200 })
    expect(await send('/fresh-and-public')).toMatchObject({ status: 401, body: { code: 'token_missing' } })
    await app.close()
    expect(closed).toBe(1)
  })

  it('refuses an invalid requirement when the class is declared, or when the application starts', async () => {
    const nest = await loadNest(version)
    const { auth } = setUp()
    expect(() => nest.door.guards(auth).token({ fresh: 'soon' as '1h' })).toThrow(/duration/)
    const unfit = nest.door.injectedGuards().token({ fresh: 'soon' as '1h' })
    const controller = toController(nest, [{ route: 'GET /', guards: [unfit], handle: () => ({}) }])
    const module = toModule(nest, {
      imports: [nest.door.TokenwrightModule.forRoot(auth)],
      controllers: [controller],
    })
    const error = await errorOf(() => createApplication(nest, platform as Platform, module))
    expect(error).toMatchObject({ name: 'ConfigurationError' })
  })

  it('shows the filters of the application no error to which a guard has responded', async () => {
    const { auth } = setUp()
    let caught = 0
    const { send } = await start(
      (nest) => {
        const handlers = [{ route: 'GET /', guards: [nest.door.guards(auth).access()], handle: () => ({}) }]
        return { controllers: [toController(nest, handlers)] }
      },
      { prepare: (app) => void app.useGlobalFilters({ catch: () => void caught++ }) },
    )
    for (const token of [undefined, 'x', REFRESH]) expect((await send('/', token)).status).toBe(401)
    expect(caught).toBe(0)
  })

  it("hands the AuthError to Nest's filters with errors: 'throw'", async () => {
    const { library } = await loadNest(version)
    const auth = library.createAuth({ secret: SECRET, clock: stoppedClock() })
    const { send } = await start(
      (nest) => {
        const guard = nest.door.guards(auth, { errors: 'throw' })
        const handlers: readonly Handler[] = [
          { route: 'GET /', guards: [guard.access()], handle: () => ({}) },
        ]
        return { controllers: [toController(nest, handlers)] }
      },
      {
        prepare(app, nest) {
          class Teapot {
            catch(error: AuthError, host: ArgumentsHost): void {
              const adapter = app.getHttpAdapter()
              adapter.reply(host.switchToHttp().getResponse(), { teapot: error.code }, 418)
            }
          }
          nest.common.Catch(nest.library.AuthError)(Teapot)
          app.useGlobalFilters(new Teapot())
        },
      },
    )
    expect(await send('/')).toMatchObject({ status: 418, body: { teapot: 'token_missing' } })
    expect(await send('/', GOOD)).toMatchObject({ status: 200 })
  })

  it('responds to what handlers throw as the guards do, with AuthErrorFilter', async () => {
    const { library } = await loadNest(version)
    const auth = library.createAuth({ secret: SECRET, clock: stoppedClock() })
    const { send } = await start((nest) => {
      const { guards, AuthErrorFilter, TokenwrightModule } = nest.door
      const guard = guards(auth, { errors: 'throw' })
      const fail = (): never => {
        throw new nest.library.AuthError('scope_missing', { detail: { scopes: ['admin'] } })
      }
      const handlers: readonly Handler[] = [
        { route: 'GET /fails', guards: [guard.access()], handle: fail },
        { route: 'GET /guarded', guards: [guard.scopes('admin')], handle: fail },
        {
          route: 'GET /defect',
          handle: () => {
            throw new Error('a defect')
          },
        },
      ]
      return {
        imports: [TokenwrightModule.forRoot(auth)],
        controllers: [toController(nest, handlers)],
        providers: [{ provide: nest.core.APP_FILTER, useClass: AuthErrorFilter }],
      }
    })
    const [thrown, guarded] = [await send('/fails', GOOD), await send('/guarded', GOOD)]
    expect(thrown.status).toBe(403)
    expect(thrown.headers.get('www-authenticate')).toMatch(/error="insufficient_scope".*scope="admin"/)
    expect(thrown.headers.get('content-type')).toBe('application/json')
    expect(thrown.body).toEqual({
      message: 'Missing required scopes',
      error_type: 'InsufficientScopeError',
      error: 'insufficient_scope',
      code: 'scope_missing',
    })
    expect(guarded).toMatchObject({ status: thrown.status, body: thrown.body })
    expect((await send('/defect')).status).toBe(500)
  })

  it('keeps nothing of a refused request', async () => {
    const { auth } = setUp()
    const requests: WeakRef<object>[] = []
    const { send } = await start(
      (nest) => {
        const handlers = [{ route: 'GET /', guards: [nest.door.guards(auth).access()], handle: () => ({}) }]
        return { controllers: [toController(nest, handlers)] }
      },
      {
        prepare: (app) =>
          void app.use((request: object, _: unknown, next: () => void) => {
            requests.push(new WeakRef(request))
            next()
          }),
      },
    )
    for (let count = 0; count < 40; count++) expect((await send('/')).status).toBe(401)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      collect()
    }
    expect(requests).toHaveLength(40)
    // The last ones may still be known to their connection.
    expect(requests.filter((request) => request.deref() !== undefined).length).toBeLessThan(10)
  })
})

it('refuses to guard a context without a request', async () => {
  const { door } = await loadNest(12)
  const host = new ExecutionContextHost([{}, {}], Object, () => undefined)
  host.setType('rpc')
  const error = await errorOf(() => door.guards(setUp().auth).optional().canActivate(host))
  expect(error).toMatchObject({ name: 'ConfigurationError', message: expect.stringContaining("'rpc'") })
  for (const context of [undefined, null, {}]) {
    const field = new ExecutionContextHost([{}, {}, context, {}], Object, () => undefined)
    field.setType('graphql')
    const defect = await errorOf(() => door.guards(setUp().auth).optional().canActivate(field))
    expect(defect).toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringContaining('GraphQL context'),
    })
  }
})

it('lets a message of a microservice pass that is public, which has no request', async () => {
  const { door } = await loadNest(12)
  class Sums {
    add(): number {
      return 1
    }
    secret(): number {
      return 2
    }
  }
  const { value: add } = Object.getOwnPropertyDescriptor(Sums.prototype, 'add') as { value: () => number }
  door.Public()(Sums.prototype, 'add', { value: add })
  for (const guard of [
    door.guards(setUp().auth).access(),
    door.guards(setUp().auth, { errors: 'throw' }).fresh(),
  ])
    for (const kind of ['rpc', 'rmq', 'necord']) {
      const host = new ExecutionContextHost([{}, {}], Sums, add)
      host.setType(kind)
      expect(await guard.canActivate(host)).toBe(true)
      const secret = new ExecutionContextHost([{}, {}], Sums, Sums.prototype.secret)
      secret.setType(kind)
      expect(await errorOf(() => guard.canActivate(secret))).toMatchObject({ name: 'ConfigurationError' })
    }
})

/** What most applications on Nest 11 are compiled to. */
const COMMONJS = `
const { Controller, Get, Module, UseGuards } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { createAuth } = require('tokenwright')
const { CurrentToken, guards } = require('tokenwright/nest')

const auth = createAuth()
class Account {
  me({ sub }) {
    return { sub }
  }
}
const method = [Account.prototype, 'me', Object.getOwnPropertyDescriptor(Account.prototype, 'me')]
Get('me')(...method)
UseGuards(guards(auth).access())(...method)
CurrentToken()(Account.prototype, 'me', 0)
Controller()(Account)
class Application {}
Module({ controllers: [Account] })(Application)

async function main() {
  const app = await NestFactory.create(Application, { logger: false })
  await app.listen(0, '127.0.0.1')
  const url = 'http://127.0.0.1:' + app.getHttpServer().address().port + '/me'
  const authorization = 'Bearer ' + (await auth.createAccessToken('user-1'))
  const answers = [await fetch(url), await fetch(url, { headers: { authorization } })]
  console.log(JSON.stringify(await Promise.all(answers.map(async (one) => [one.status, await one.json()]))))
  await app.close()
}
main()
`

it('is required by a CommonJS application on Nest 11', () => {
  const file = join(installBesideEleven(), '../../application.cjs')
  writeFileSync(file, COMMONJS)
  const env = { PATH: process.env['PATH'], TOKENWRIGHT_SECRET: SECRET }
  const printed = execFileSync(process.execPath, [file], { encoding: 'utf8', env })
  expect(JSON.parse(printed)).toEqual([
    [401, { message: 'Token Error', error_type: 'MissingTokenError', code: 'token_missing' }],
    [200, { sub: 'user-1' }],
  ])
})
