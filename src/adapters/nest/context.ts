/**
 * Reads the request of a Nest context, for the three kinds that have one: HTTP on Express or
 * Fastify, GraphQL, WebSocket. Everything is read by its shape; nothing of `@nestjs/graphql`,
 * `@nestjs/websockets` or a platform is imported.
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

/** The kinds of context with a request. */
export type ContextKind = 'http' | 'graphql' | 'ws'

/**
 * The context of a GraphQL driver. Nest's drivers have the request at `req`, the response varies.
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
 * @throws {ConfigurationError} for a microservice's message, which has no request
 */
export function kindOf(host: ArgumentsHost): ContextKind {
  const kind = host.getType<string>()
  if (kind === 'http' || kind === 'graphql' || kind === 'ws') return kind
  throw new ConfigurationError(
    `Expected a context of HTTP, GraphQL or WebSocket, got '${kind}': it has no request`,
  )
}

/** The request in a GraphQL context. */
function readGraphqlRequest(host: ArgumentsHost): object {
  const context = host.getArgByIndex<GraphqlContext | undefined>(2)
  const request = context?.req ?? context?.request
  if (typeof request === 'object' && request !== null && 'headers' in request) return request
  throw new ConfigurationError('Expected the GraphQL context to hold the HTTP request as `req`')
}

/** One call of a guard. */
export interface Call {
  /** Nest's context. */
  readonly host: ArgumentsHost
  /** The kind of the context. */
  readonly kind: ContextKind
  /** The object with the payload: the framework's request, or the WebSocket client. */
  readonly holder: object
  /** The framework's response; undefined without one. */
  readonly response: unknown
}

/**
 * Reads a context, once for each guard: every call of `switchToHttp` creates an object with
 * functions.
 *
 * @throws {ConfigurationError} for a GraphQL context without a request
 */
export function toCall(host: ArgumentsHost, kind: ContextKind): Call {
  if (kind === 'http') {
    const http = host.switchToHttp()
    return { host, kind, holder: http.getRequest<object>(), response: http.getResponse<object>() }
  }
  const holder = holderOf(host, kind)
  return { host, kind, holder, response: kind === 'graphql' ? readGraphqlResponse(host) : undefined }
}

/** The object with the payload: the framework's request, or the WebSocket client. */
function holderOf(host: ArgumentsHost, kind: ContextKind): object {
  if (kind === 'ws') return host.switchToWs().getClient<object>()
  return kind === 'http' ? host.switchToHttp().getRequest<object>() : readGraphqlRequest(host)
}

/**
 * The results of guards for single GraphQL fields. The fields of one request are resolved at the
 * same time behind different guards, and none may see the result of another field's guard. Keyed by
 * the field's `info`, and then by request, as executors may share an `info`.
 */
const fields = new WeakMap<object, WeakMap<object, Partial<AuthContext>>>()

/** Stores the result of a guard for `readFromHost`, and on the request or the WebSocket client. */
export function attachToHost({ host, kind, holder }: Call, found: AuthContext): void {
  attachContext(holder, found)
  if (kind !== 'graphql') return
  const info = host.getArgByIndex<object>(3)
  const requests = fields.get(info) ?? new WeakMap<object, Partial<AuthContext>>()
  const own = { ...requests.get(holder) }
  attachContext(own, found)
  fields.set(info, requests.set(holder, own))
}

/**
 * Reads the result of a guard: of the one before this GraphQL field if there is one, else of the
 * last one of this request or client.
 *
 * @param guard the guard that should have run, for the message
 * @param hasVerified whether the reader's own application verified a payload; default: always true
 * @throws {ConfigurationError} if no guard has run, or one of another application
 */
export function readFromHost(
  host: ArgumentsHost,
  name: AuthContextName,
  guard: string,
  hasVerified?: (payload: unknown) => boolean,
): unknown {
  const kind = kindOf(host)
  const holder = holderOf(host, kind)
  const own = kind === 'graphql' ? fields.get(host.getArgByIndex<object>(3))?.get(holder) : undefined
  return readContext(own !== undefined && name in own ? own : holder, name, guard, hasVerified)
}

/** The request port of a context. */
export function toPort({ kind, holder, response }: Call, http: HttpSettings): RequestPort {
  return kind === 'ws' ? toHandshakePort(holder, http) : toHttpPort(holder, response)
}

/** The response in a GraphQL context, if any; Express's requests have it at `res`. */
function readGraphqlResponse(host: ArgumentsHost): unknown {
  const context = host.getArgByIndex<GraphqlContext>(2)
  return context.res ?? context.reply ?? (readGraphqlRequest(host) as { readonly res?: unknown }).res
}

/**
 * Node's request. Express passes the same object with another prototype, which gives each request
 * its own hidden class (Node 20): V8 then caches no look-up, and that of the missing member `raw`
 * is slow.
 */
function toIncoming(request: object): IncomingMessage {
  if (request instanceof IncomingMessage) return request
  const { raw = request as IncomingMessage } = request as { readonly raw?: IncomingMessage }
  return raw
}

/** The port of Node's request. Without a response no token can be renewed in passing. */
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
