/**
 * How a refusal leaves a Nest application: as an HTTP answer, as an error in a GraphQL result, as an `exception` of a WebSocket.
 * The words are those of `http/respond.ts` in every case; here is only the envelope that clients of each kind look into.
 */
import type { ServerResponse } from 'node:http'
import { HttpException } from '@nestjs/common'
import type { Auth } from '../../auth/auth.ts'
import type { AuthError } from '../../errors.ts'
import type { ResponseData } from '../../http/error-response.ts'
import { writeResponse } from '../../http/node-response.ts'

/** The members of an answer's body: `message`, `error_type`, `code` and, where the RFCs have a word, `error`. */
export type Members = Readonly<Record<string, unknown>>

/** What GraphQL clients key on, by HTTP status: the codes that Nest's own drivers and Apollo give. */
const GRAPHQL_CODES: Readonly<Record<AuthError['status'], string>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  429: 'TOO_MANY_REQUESTS',
  503: 'SERVICE_UNAVAILABLE',
}

/** The WebSocket close codes of RFC 6455 section 7.4.1 and its registry: policy violation, internal error, try again later. */
const CLOSE: { readonly policy: number; readonly internal: number; readonly later: number } = {
  policy: 1008,
  internal: 1011,
  later: 1013,
}

/** Fastify's reply, as far as it matters. */
interface Reply {
  readonly raw: ServerResponse
  code(status: number): Reply
  headers(headers: Readonly<Record<string, string>>): Reply
  send(body: Buffer): unknown
}

/** The response of Express, which is Node's, or of Fastify. */
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
 * A refused GraphQL field. An `HttpException`, so that Nest does not log it as a defect, with the `extensions` that every
 * GraphQL server copies into the result: `code` for generic clients, and the members of the HTTP answer at `originalError`.
 */
export class GraphqlAuthError extends HttpException {
  /** What stands in the result's `errors[].extensions`. */
  readonly extensions: {
    /** `UNAUTHENTICATED`, `FORBIDDEN` and the like. */
    readonly code: string
    /** The members of the answer's body; their `code` says exactly what is wrong. */
    readonly originalError: Members
  }

  /** @param members the members of the answer's body */
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
 * The error with what users of Nest's `WsException` read: `getError()`, which gives what goes to the client.
 * It stays an `AuthError`: `WsException` itself is not ours to make.
 */
export function toWsError(error: AuthError, members: Members): AuthError {
  return Object.assign(error, { getError: () => toNotice(members) })
}

/** What a client is told in Nest's `exception` event. */
function toNotice(members: Members): Members {
  return { status: 'error', ...members }
}

/** Node's response, which Express's is and Fastify's has. */
export function toServerResponse(response: HttpResponse): ServerResponse {
  return 'raw' in response ? response.raw : response
}

/** Answers an HTTP request through its framework; ends the response where a handler has begun one. */
export function writeHttpError(response: HttpResponse, answer: ResponseData): void {
  const res = toServerResponse(response)
  if (res.headersSent) res.end()
  else if ('raw' in response) {
    // As bytes: Fastify writes a charset behind the media type of texts.
    response.code(answer.status).headers(answer.headers).send(Buffer.from(answer.body))
  } else writeResponse(response, answer)
}

/** Tells a client why it is refused, as Nest's `exception` event: a frame of JSON for `ws`, an event for Socket.IO. */
export function notify(client: object, members: Members): void {
  const { readyState } = client as Client
  if (typeof readyState !== 'number') (client as Client).emit('exception', toNotice(members))
  // 1 is OPEN (WHATWG WebSockets): to any other nothing can be said any more.
  else if (readyState === 1)
    (client as Client).send?.(JSON.stringify({ event: 'exception', data: toNotice(members) }))
}

/** Ends a connection. @param error what it was refused for; undefined for a defect of ours */
export function dismiss(client: object, error: AuthError | undefined): void {
  const socket = client as Client
  if (socket.disconnect !== undefined) socket.disconnect(true)
  else if (error === undefined) socket.close?.(CLOSE.internal, '')
  else socket.close?.(error.status === 503 ? CLOSE.later : CLOSE.policy, error.code)
}

/** Calls back when a client's connection has ended: `ws` says `close`, Socket.IO `disconnect`. */
export function onDisconnect(client: object, listener: () => void): void {
  const { disconnect, on } = client as Client
  on?.call(client, disconnect === undefined ? 'close' : 'disconnect', listener)
}
