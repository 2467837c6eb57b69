/**
 * What a Nest context says of the request behind it, for the three kinds that have one: HTTP on
 * Express or Fastify, GraphQL, WebSocket. Everything is read by its shape; nothing of
 * `@nestjs/graphql`, `@nestjs/websockets` or a platform is imported.
 */
import { IncomingMessage } from 'node:http'
import type { ArgumentsHost } from '@nestjs/common'
import type { AuthContext } from '../../auth/authenticator.ts'
import { NodeRequestPort, type NodeResponse } from '../../http/node-request.ts'
import type { RequestPort } from '../../http/request-port.ts'
import type { HttpSettings } from '../../http/resolve-http-options.ts'
import { ConfigurationError } from '../../internal/configuration-error.ts'
import { type AuthContextName, attachContext, readContext } from '../guards.ts'
import { toHandshakePort } from './websocket-handshake.ts'

/** The kinds of context that carry a request. */
export type ContextKind = 'http' | 'graphql' | 'ws'

/**
 * What GraphQL drivers put into their context. Nest's put the request at `req`; the response is
 * where each likes it.
 */
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

/** What a guard is asked about. */
export interface Call {
  /** What it was given. */
  readonly host: ArgumentsHost
  /** Of which kind that is. */
  readonly kind: ContextKind
  /** What carries the payload: the framework's request, or the WebSocket client. */
  readonly carrier: object
  /** The framework's response; undefined where there is none. */
  readonly response: unknown
}

/**
 * Reads a context, once for each guard: Nest makes an object and its functions whenever it is asked
 * for the HTTP side of one.
 *
 * @throws {ConfigurationError} for a GraphQL context without a request
 */
export function toCall(host: ArgumentsHost, kind: ContextKind): Call {
  if (kind === 'http') {
    const http = host.switchToHttp()
    return { host, kind, carrier: http.getRequest<object>(), response: http.getResponse<object>() }
  }
  const carrier = carrierOf(host, kind)
  return { host, kind, carrier, response: kind === 'graphql' ? readGraphqlResponse(host) : undefined }
}

/** What carries the payload: the framework's request, or the WebSocket client. */
function carrierOf(host: ArgumentsHost, kind: ContextKind): object {
  if (kind === 'ws') return host.switchToWs().getClient<object>()
  return kind === 'http' ? host.switchToHttp().getRequest<object>() : readGraphqlRequest(host)
}

/**
 * What was found for single GraphQL fields. Fields of one request are resolved at the same time
 * behind different guards, and none may see what another's guard has found. By the field's `info`,
 * and then by request, as executors may share an `info`.
 */
const fields = new WeakMap<object, WeakMap<object, Partial<AuthContext>>>()

/**
 * Puts what a guard has found where `readFound` finds it, and on the request or the WebSocket
 * client.
 */
export function attachFound({ host, kind, carrier }: Call, found: AuthContext): void {
  attachContext(carrier, found)
  if (kind !== 'graphql') return
  const info = host.getArgByIndex<object>(3)
  const requests = fields.get(info) ?? new WeakMap<object, Partial<AuthContext>>()
  const own = { ...requests.get(carrier) }
  attachContext(own, found)
  fields.set(info, requests.set(carrier, own))
}

/**
 * Reads what a guard has found: the one before this GraphQL field if there is one, else the last
 * before this request or client.
 *
 * @param guard which guard does so, for the message
 * @param hasVerified whether a payload is of the reader's own application; without it any is
 * @throws {ConfigurationError} when no guard has run, or one of another application
 */
export function readFound(
  host: ArgumentsHost,
  name: AuthContextName,
  guard: string,
  hasVerified?: (payload: unknown) => boolean,
): unknown {
  const kind = kindOf(host)
  const carrier = carrierOf(host, kind)
  const own = kind === 'graphql' ? fields.get(host.getArgByIndex<object>(3))?.get(carrier) : undefined
  return readContext(own !== undefined && name in own ? own : carrier, name, guard, hasVerified)
}

/** The request port of a context. */
export function toPort({ kind, carrier, response }: Call, http: HttpSettings): RequestPort {
  return kind === 'ws' ? toHandshakePort(carrier, http) : toHttpPort(carrier, response)
}

/** The response in a GraphQL context, where there is one; Express's requests know theirs. */
function readGraphqlResponse(host: ArgumentsHost): unknown {
  const context = host.getArgByIndex<GraphqlContext>(2)
  return context.res ?? context.reply ?? (readGraphqlRequest(host) as { readonly res?: unknown }).res
}

/**
 * Node's request. Express hands on the very same, with another prototype, by which each request
 * comes to have a shape of its own (Node 20): V8 then looks up every member anew, and one that is
 * not there, `raw`, would cost 1 us.
 */
function toIncoming(request: object): IncomingMessage {
  if (request instanceof IncomingMessage) return request
  const { raw = request as IncomingMessage } = request as { readonly raw?: IncomingMessage }
  return raw
}

/** The port over Node's request. Without a response nothing can be renewed in passing. */
function toHttpPort(request: object, response: unknown): RequestPort {
  const req = toIncoming(request)
  const port = new NodeRequestPort(req, response as NodeResponse, request, req === request)
  if (typeof response === 'object' && response !== null) return port
  return {
    method: port.method,
    url: port.url,
    header: (name) => port.header(name),
    body: () => port.body(),
  }
}
