/**
 * How a Nest application sends a refusal: as an HTTP response, as an error in a GraphQL result, as
 * an `exception` event of a WebSocket. `http/error-response.ts` makes the content; this file only
 * adds the envelope for each kind.
 */
import type { ServerResponse } from 'node:http'
import { HttpException } from '@nestjs/common'
import type { Auth } from '../../auth/auth.ts'
import type { AuthError } from '../../errors.ts'
import type { ResponseData } from '../../http/error-response.ts'
import { writeResponse } from '../../http/node-response.ts'

/** The members of an error response's body: `message`, `error_type`, `code`, and `error` if any. */
export type Members = Readonly<Record<string, unknown>>

/** The codes for GraphQL clients by HTTP status, as in Nest's own drivers and Apollo. */
const GRAPHQL_CODES: Readonly<Record<AuthError['status'], string>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  409: 'CONFLICT',
  429: 'TOO_MANY_REQUESTS',
  503: 'SERVICE_UNAVAILABLE',
}

/**
 * The WebSocket close codes of RFC 6455 section 7.4.1 and its registry: policy violation, internal
 * error, try again later.
 */
const CLOSE: { readonly policy: number; readonly internal: number; readonly later: number } = {
  policy: 1008,
  internal: 1011,
  later: 1013,
}

/** The used part of Fastify's reply. */
interface Reply {
  readonly raw: ServerResponse
  code(status: number): Reply
  headers(headers: Readonly<Record<string, string>>): Reply
  send(body: Buffer): unknown
}

/** The response of Express, which is Node's, or Fastify's reply. */
export type HttpResponse = ServerResponse | Reply

/** A client of `ws` or of Socket.IO. */
interface Client {
  readonly readyState?: unknown
  send?(text: string): void
  emit(event: string, data: unknown): unknown
  on?(event: string, listener: () => void): unknown
  close?(code: number, reason: string): void
  disconnect?(close: boolean): unknown
}

/**
 * A refused GraphQL field. An `HttpException`, so that Nest does not log it as a defect, with the
 * `extensions` that every GraphQL server copies into the result: `code` for generic clients, and
 * the members of the HTTP response at `originalError`.
 */
export class GraphqlAuthError extends HttpException {
  /** The result's `errors[].extensions`. */
  readonly extensions: {
    /** `UNAUTHENTICATED`, `FORBIDDEN` and the like. */
    readonly code: string
    /** The members of the HTTP response's body; their `code` is the exact reason. */
    readonly originalError: Members
  }

  /** @param members the members of the HTTP response's body */
  constructor(error: AuthError, members: Members) {
    super(members, error.status, { cause: error })
    this.extensions = { code: GRAPHQL_CODES[error.status], originalError: members }
  }
}

/** The members of the response to an error. */
export function toMembers(error: AuthError, auth: Pick<Auth, 'errorResponse'>): Members {
  return parseMembers(auth.errorResponse(error))
}

/** The members of an error response. */
export function parseMembers({ body }: ResponseData): Members {
  return JSON.parse(body)
}

/**
 * Adds `getError()` of Nest's `WsException` to the error, which returns the content for the client.
 * It stays an `AuthError`, as we do not import `WsException`.
 */
export function toWsError(error: AuthError, members: Members): AuthError {
  return Object.assign(error, { getError: () => toNotice(members) })
}

/** The content of Nest's `exception` event. */
function toNotice(members: Members): Members {
  return { status: 'error', ...members }
}

/** Node's response of Express or Fastify. */
export function toServerResponse(response: HttpResponse): ServerResponse {
  return 'raw' in response ? response.raw : response
}

/** Sends an HTTP error through the framework; only ends a response that has already begun. */
export function writeHttpError(response: HttpResponse, data: ResponseData): void {
  const res = toServerResponse(response)
  if (res.headersSent) res.end()
  else if ('raw' in response) {
    // As bytes: Fastify adds a charset to the media type of strings.
    response.code(data.status).headers(data.headers).send(Buffer.from(data.body))
  } else writeResponse(response, data)
}

/**
 * Tells a client why it is refused, with Nest's `exception` event: a frame of JSON for `ws`, an
 * event for Socket.IO.
 */
export function notify(client: object, members: Members): void {
  const { readyState } = client as Client
  if (typeof readyState !== 'number') (client as Client).emit('exception', toNotice(members))
  // Only 1, OPEN (WHATWG WebSockets), can still be sent to.
  else if (readyState === 1)
    (client as Client).send?.(JSON.stringify({ event: 'exception', data: toNotice(members) }))
}

/** Closes a connection. @param error the reason of the refusal; undefined for a defect of ours */
export function disconnect(client: object, error: AuthError | undefined): void {
  const socket = client as Client
  if (socket.disconnect !== undefined) socket.disconnect(true)
  else if (error === undefined) socket.close?.(CLOSE.internal, '')
  else socket.close?.(error.status === 503 ? CLOSE.later : CLOSE.policy, error.code)
}

/** Calls back when a client's connection ends: `close` of `ws`, `disconnect` of Socket.IO. */
export function onDisconnect(client: object, listener: () => void): void {
  const socket = client as Client
  socket.on?.(socket.disconnect === undefined ? 'close' : 'disconnect', listener)
}
