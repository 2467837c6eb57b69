/**
 * The application under attack in Nest on Express, guarded by `tokenwright/nest`. It calls the
 * decorators as functions, because the routes are known only at run time.
 */
import 'reflect-metadata'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Header,
  HttpCode,
  Module,
  RequestMapping,
  RequestMethod,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import type { Auth, TokenPayload } from 'tokenwright'
import { CurrentToken, guards as nestGuards } from 'tokenwright/nest'
import { toNodeHandler } from 'tokenwright/node'
import {
  type Adapter,
  type Application,
  isLoginPath,
  type ProtectedRoute,
  toLoginHandler,
  toRequirement,
} from './adapters.ts'

type Listener = ReturnType<Adapter>

/** The guard of one route in Nest. */
function toNestGuard(auth: Auth, route: ProtectedRoute): CanActivate {
  const { fresh, scopeParameter } = route
  const guard = nestGuards(auth)
  const requirement = toRequirement(route)
  const plain = requirement ? guard.token(requirement) : fresh ? guard.fresh() : guard.access()
  return {
    canActivate(context: ExecutionContext) {
      const { query } = context.switchToHttp().getRequest<{ query: Readonly<Record<string, unknown>> }>()
      const scope = scopeParameter && query[scopeParameter]
      return (scope ? guard.scopes(String(scope)) : plain).canActivate(context)
    },
  }
}

/** The application in Nest on Express, guarded by `tokenwright/nest`. */
async function startNest(app: Application): Promise<Listener> {
  class Routes {}
  for (const [index, route] of app.routes.entries()) {
    const [target, name] = [Routes.prototype, `route${index}`]
    const descriptor = { value: (payload: TokenPayload) => route.handle(payload), configurable: true }
    Object.defineProperty(target, name, descriptor)
    RequestMapping({ path: route.path, method: RequestMethod[route.method] })(target, name, descriptor)
    UseGuards(toNestGuard(app.auth, route))(target, name, descriptor)
    HttpCode(200)(target, name, descriptor)
    for (const [header, value] of Object.entries(route.headers ?? {}))
      Header(header, value)(target, name, descriptor)
    CurrentToken()(target, name, 0)
  }
  Controller()(Routes)
  class Root {}
  Module({ controllers: [Routes] })(Root)
  const nest = await NestFactory.create(Root, new ExpressAdapter(), { logger: false, bodyParser: false })
  const login = toNodeHandler(toLoginHandler(app))
  nest.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (isLoginPath(pathname)) login(request, response)
    else next()
  })
  await nest.init()
  return nest.getHttpAdapter().getInstance()
}

/** The adapter for Nest. Its requests wait until the application has started. */
export const createNest: Adapter = (app) => {
  const started = startNest(app)
  return (request, response) => void started.then((listener) => listener(request, response))
}
