/**
 * Nest applications without decorators: a controller is a table of handlers, so that one program
 * runs on every version and platform.
 */
import type { CanActivate, INestApplication, ModuleMetadata, Type } from '@nestjs/common'
import type { Nest, PLATFORMS } from './versions.ts'

/** Express or Fastify. */
export type Platform = (typeof PLATFORMS)[number]

/** What to put on a class or on a handler. */
export type Mark = ClassDecorator & MethodDecorator

/** One handler. */
export interface Handler {
  /** Such as `'GET /me'`. */
  readonly route: string
  /** The parameters, each by its decorator. */
  readonly parameters?: readonly ParameterDecorator[]
  readonly guards?: readonly (CanActivate | Type<CanActivate>)[]
  readonly marks?: readonly MethodDecorator[]
  handle(...parameters: never[]): unknown
}

/** A class with these handlers, with `marks` on it. */
export function toController(
  { common }: Nest,
  handlers: readonly Handler[],
  ...marks: readonly ClassDecorator[]
): Type {
  class Controller {}
  for (const [
    index,
    { route, parameters = [], guards = [], marks: own = [], handle },
  ] of handlers.entries()) {
    const [method = '', path = ''] = route.split(' ')
    const name = `handle${index}`
    const descriptor = {
      value: function call(...values: never[]) {
        return handle(...values)
      },
      configurable: true,
    }
    Object.defineProperty(Controller.prototype, name, descriptor)
    const decorators = [
      common.RequestMapping({ path, method: common.RequestMethod[method as 'GET'] }),
      ...(guards.length > 0 ? [common.UseGuards(...guards)] : []),
      ...own,
    ]
    for (const decorate of decorators) decorate(Controller.prototype, name, descriptor)
    for (const [at, decorate] of parameters.entries()) decorate(Controller.prototype, name, at)
  }
  for (const decorate of marks) decorate(Controller)
  common.Controller()(Controller)
  return Controller
}

/** Makes a module of its parts. */
export function toModule({ common }: Nest, metadata: ModuleMetadata): Type {
  class Module {}
  common.Module(metadata)(Module)
  return Module
}

/** What an application may be told. */
export interface Setting {
  /** Whether Nest parses bodies. Default true. */
  readonly bodyParser?: boolean
  /** Called before the application starts. */
  prepare?(app: INestApplication, nest: Nest): void | Promise<void>
}

/** Makes an application and starts it, not listening yet. */
export async function createApplication(
  nest: Nest,
  platform: Platform,
  module: Type,
  { bodyParser = true, prepare }: Setting = {},
): Promise<INestApplication> {
  const { core, express, fastify } = nest
  const adapter =
    platform === 'express'
      ? new express.ExpressAdapter()
      : new fastify.FastifyAdapter({ bodyLimit: 4_000_000 })
  const app: INestApplication = await core.NestFactory.create(module, adapter, {
    logger: false,
    bodyParser,
    abortOnError: false,
  })
  await prepare?.(app, nest)
  await app.init()
  if (platform === 'fastify') await app.getHttpAdapter().getInstance().ready()
  return app
}
