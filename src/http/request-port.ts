/**
 * The request port: all that `http/` reads of a request. Each adapter fills it in a few lines.
 * Everything is read lazily, so that a route that needs a header pays only for a header.
 */
import { expected, misuse } from '../internal/configuration-error.ts'
import { peekBody, TOKEN_BODY_LIMIT } from './body.ts'
import { OTHER_REQUESTS, requireRequest } from './require-request.ts'

/** What a platform knows of a request in addition to the request itself. */
export interface RequestInfo {
  /** The remote address of the connection; undefined when the connection is gone. */
  readonly address?: string | undefined
  /**
   * Is aborted when the client is gone before its response was sent. Default: the request's own
   * signal.
   */
  readonly signal?: AbortSignal | undefined
}

/** A request as plain data. Adapters fill it; nothing else of a framework reaches `http/`. */
export interface RequestPort {
  /** The method in upper case, such as `'POST'`. */
  readonly method: string
  /**
   * The request target with its query: a path such as `/a?b=c`, or a whole URL. Read for the query
   * location, and by the origin check for the host of a request without a `Host` header.
   */
  readonly url: string
  /**
   * The value of a header by its name in lower case. A header that came several times is a list, or
   * one string joined by commas where the platform joins them (RFC 9110 section 5.3).
   */
  header(name: string): string | readonly string[] | undefined
  /**
   * The parsed body of a JSON or form request, or undefined for any other. Called for the body
   * location, and for the CSRF field of a form. Throws `request_invalid` for a body that does not
   * parse or is too large.
   */
  body?(): unknown
  /**
   * The origin at which the client reached the server, where a trusted proxy says it. The origin
   * check compares with it; without it, with the host alone. The option `origin` comes first.
   */
  readonly origin?: string | undefined
  /** The client's address, for events: the framework's, or the remote one of the connection. */
  readonly address?: string | undefined
  /** Adds `Set-Cookie` lines to the response. Without it no token is renewed in passing. */
  setCookies?(lines: readonly string[]): void
}

/** Refuses anything but a request port. @throws {TypeError} */
export function requirePort(value: unknown): asserts value is RequestPort {
  if (isPort(value)) return
  throw misuse(`${expected('request', 'a request port', value)}; ${OTHER_REQUESTS}`)
}

/** A request of Express has a method `header` too, but not all that a port promises. */
function isPort(value: unknown): value is RequestPort {
  const { method, header, headers } = Object(value) as Readonly<Record<string, unknown>>
  return typeof header === 'function' && typeof method === 'string' && headers === undefined
}

/**
 * The port of a fetch `Request`. The body is read from a copy, so that the handler can still read
 * it.
 *
 * @param request a fetch `Request`, or a port, which is returned
 * @throws {TypeError} for anything else, such as a request of `node:http`
 */
export function toRequestPort(request: Request | RequestPort): RequestPort {
  if (isPort(request)) return request
  requireRequest(request)
  return {
    method: request.method,
    url: request.url,
    header: (name) => request.headers.get(name) ?? undefined,
    body: () => peekBody(request, TOKEN_BODY_LIMIT),
  }
}
