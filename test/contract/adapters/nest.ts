/** The doors of Nest: both versions, both platforms. Nest parses bodies before guards run, unless it is told to leave them alone. */
import type { IncomingMessage, Server } from 'node:http'
import type { ArgumentsHost, CanActivate } from '@nestjs/common'
import {
  createApplication,
  type Handler,
  type Platform,
  toController,
  toModule,
} from '../../nest/application.ts'
import { loadNest, type Nest, PLATFORMS } from '../../nest/versions.ts'
import {
  call,
  type Door,
  HEADERS,
  isParsed,
  type Parsing,
  type Plan,
  type Reply,
  type Route,
  readStream,
  type Seen,
  toCaught,
} from './frameworks.ts'

const LIMIT = 4_000_000

/** Express's response or Fastify's reply. */
interface Out {
  appendHeader?(name: string, value: string): void
  setHeader(name: string, value: string): void
  statusCode: number
  end(body: string): void
  readonly raw?: unknown
  code(status: number): Out
  header(name: string, value: string): Out
  headers(headers: object): Out
  send(body: Uint8Array): void
}

/** Writes as bytes or by Node's own means: both frameworks write a charset behind the media type of texts. */
function write(out: Out, { status = 200, cookies = [], body }: Reply): void {
  if ('raw' in out) {
    for (const line of cookies) out.header('set-cookie', line)
    out
      .code(status)
      .headers(HEADERS)
      .send(Buffer.from(JSON.stringify(body)))
    return
  }
  for (const line of cookies) out.appendHeader?.('set-cookie', line)
  out.statusCode = status
  for (const [name, value] of Object.entries(HEADERS)) out.setHeader(name, value)
  out.end(JSON.stringify(body))
}

/** A route as a handler for each of its methods. */
function toHandlers(nest: Nest, { auth }: Plan, route: Route, parsing: Parsing): readonly Handler[] {
  const { path, methods = ['GET', 'POST'] as const, guards, throws, handle } = route
  const guard = nest.door.guards(auth, { errors: throws ? 'throw' : 'respond' })
  const steps = guards.map((step) => call<CanActivate>(guard, step))
  return methods.map((method) => ({
    route: `${method} ${path}`,
    guards: steps,
    parameters: [nest.common.Req(), nest.common.Res()],
    async handle(request: Seen & IncomingMessage & { body?: unknown }, out: Out) {
      const type = request.headers['content-type']
      const stream = (request.body ?? request) as AsyncIterable<Uint8Array>
      const isRead = isParsed(type, parsing) || typeof stream[Symbol.asyncIterator] !== 'function'
      const read = async (): Promise<unknown> => (isRead ? request.body : readStream(stream, type))
      write(out, await handle({ auth: request.auth, subject: request.subject, read }))
    },
  }))
}

async function openNest(
  version: Nest['version'],
  platform: Platform,
  plan: Plan,
  parsing: Parsing,
): Promise<Server> {
  const nest = await loadNest(version)
  const handlers = plan.routes.flatMap((route) => toHandlers(nest, plan, route, parsing))
  const module = toModule(nest, { controllers: [toController(nest, handlers)] })
  const app = await createApplication(nest, platform, module, {
    bodyParser: parsing !== 'none',
    prepare(created) {
      // It catches whatever reaches Nest's filters: a refusal that the guard has answered must not.
      const filter = {
        catch: (error: unknown, host: ArgumentsHost) =>
          write(host.switchToHttp().getResponse(), toCaught(error)),
      }
      created.useGlobalFilters(filter)
      const { useBodyParser } = created as unknown as { useBodyParser(...args: unknown[]): void }
      if (platform === 'fastify') {
        const instance = created.getHttpAdapter().getInstance()
        instance.addContentTypeParser(
          '*',
          (_request: unknown, payload: unknown, done: (e: null, b: unknown) => void) => done(null, payload),
        )
      } else if (parsing !== 'none') {
        useBodyParser.call(created, 'json', { limit: LIMIT })
        useBodyParser.call(created, 'urlencoded', { limit: LIMIT, extended: false })
      }
    },
  })
  return app.getHttpServer()
}

/** Every version on every platform. */
export const NEST_DOORS: readonly Door[] = ([12, 11] as const).flatMap((version) =>
  PLATFORMS.flatMap((platform) =>
    (platform === 'express' ? (['before', 'none'] as const) : (['before'] as const)).map((parsing) => ({
      name: `nest ${version} on ${platform}${parsing === 'none' ? ', no body parser' : ''}`,
      parsesFirst: parsing === 'before',
      open: (plan: Plan) => openNest(version, platform, plan, parsing),
    })),
  ),
)
