/**
 * What a Nest context says of the request behind it, for the three kinds that have one: HTTP on Express or Fastify, GraphQL,
 * WebSocket. Everything is read by its shape; nothing of `@nestjs/graphql`, `@nestjs/websockets` or a platform is imported.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ArgumentsHost } from '@nestjs/common'
import { ConfigurationError } from '../../base/expected.ts'
import { type Attached, type AttachedName, readAttached } from '../../http/attached.ts'
import { IncomingPort } from '../../http/incoming.ts'
import type { RequestPort } from '../../http/request.ts'
import type { HttpSettings } from '../../http/settings.ts'
import { toHandshakePort } from './handshake.ts'

/** The kinds of context that carry a request. */
export type ContextKind = 'http' | 'graphql' | 'ws'

/** What Express and Fastify have in common: Fastify's own request and reply hold Node's as `raw`. */
interface Wrapped<T> {
  readonly raw?: T
}

/** What GraphQL drivers put into their context. Nest's put the request at `req`; the response is where each likes it. */
interface GraphqlContext {
  readonly req?: unknown
  readonly request?: unknown
  readonly res?: unknown
  readonly reply?: unknown
}

/**
 * The kind of a context.
 *
 * @throws {ConfigurationError} for a microservice's message, which is no request
 */
export function kindOf(host: ArgumentsHost): ContextKind {
  const kind = host.getType<string>()
  if (kind === 'http' || kind === 'graphql' || kind === 'ws') return kind
  throw new ConfigurationError(
    `Expected a context of HTTP, GraphQL or WebSocket, got '${kind}': it carries no request`,
  )
}

/** The request in a GraphQL context. */
function readGraphqlRequest(host: ArgumentsHost): object {
  const context = host.getArgByIndex<GraphqlContext | undefined>(2)
  const request = context?.req ?? context?.request
  if (typeof request === 'object' && request !== null && 'headers' in request) return request
  throw new ConfigurationError('Expected the GraphQL context to hold the HTTP request as `req`')
}

/** Where the payload is: on the framework's request, or on the WebSocket client. */
function carrierOf(host: ArgumentsHost): object {
  const kind = kindOf(host)
  if (kind === 'ws') return host.switchToWs().getClient<object>()
  return kind === 'http' ? host.switchToHttp().getRequest<object>() : readGraphqlRequest(host)
}

/**
 * What was found for single GraphQL fields. Fields of one request are resolved at the same time behind different guards, and none may
 * see what another's guard has found. By the field's `info`, and then by request, as executors may share an `info`.
 */
const fields = new WeakMap<object, WeakMap<object, Partial<Attached>>>()

/**
 * Puts what a guard has found where `readFound` finds it, and on the request or the WebSocket client.
 *
 * @throws {ConfigurationError} for a context without a request
 */
export function attachFound(host: ArgumentsHost, found: Attached): void {
  const carrier = carrierOf(host)
  Object.assign(carrier, found)
  if (kindOf(host) !== 'graphql') return
  const info = host.getArgByIndex<object>(3)
  const requests = fields.get(info) ?? new WeakMap<object, Partial<Attached>>()
  fields.set(info, requests.set(carrier, { ...requests.get(carrier), ...found }))
}

/**
 * Reads what a guard has found: the one before this GraphQL field if there is one, else the last before this request or client.
 *
 * @param guard which guard does so, for the message
 * @throws {ConfigurationError} when no guard has run
 */
export function readFound(host: ArgumentsHost, name: AttachedName, guard: string): unknown {
  const carrier = carrierOf(host)
  const own = kindOf(host) === 'graphql' ? fields.get(host.getArgByIndex<object>(3))?.get(carrier) : undefined
  return readAttached(own !== undefined && name in own ? own : carrier, name, guard)
}

/**
 * The request port of a context.
 *
 * @throws {ConfigurationError} for a context without a request
 */
export function toPort(host: ArgumentsHost, http: HttpSettings): RequestPort {
  const kind = kindOf(host)
  const carrier = carrierOf(host)
  if (kind === 'ws') return toHandshakePort(carrier, http)
  const response = kind === 'http' ? host.switchToHttp().getResponse<object>() : readGraphqlResponse(host)
  return toHttpPort(carrier, response)
}

/** The response in a GraphQL context, where there is one; Express's requests know theirs. */
function readGraphqlResponse(host: ArgumentsHost): unknown {
  const context = host.getArgByIndex<GraphqlContext>(2)
  return context.res ?? context.reply ?? (readGraphqlRequest(host) as { readonly res?: unknown }).res
}

/** The port over Node's request. Without a response nothing can be renewed in passing. */
function toHttpPort(request: object, response: unknown): RequestPort {
  const { raw = request as IncomingMessage } = request as Wrapped<IncomingMessage>
  const { raw: res = response as ServerResponse } = (response ?? {}) as Wrapped<ServerResponse>
  const port = new IncomingPort(raw, res, request)
  if (typeof res === 'object') return port
  return {
    method: port.method,
    url: port.url,
    header: (name) => port.header(name),
    body: () => port.body(),
  }
}
