/**
 * Entry point `tokenwright/node`: a `node:http` handler from a fetch handler, so that `authRoutes`
 * and any other `(Request) => Response` can be mounted in `http.createServer`, Express, Koa and
 * Fastify. It only translates.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isAuthError } from '../errors.ts'
import { BODILESS_METHODS } from '../http/body.ts'
import { discard, isUnread, readHttpHeader } from '../http/node-request.ts'
import type { RequestInfo } from '../http/request-port.ts'
import { parseTarget } from '../http/request-target.ts'
import { ConfigurationError, expected, isCallable } from '../internal/configuration-error.ts'
import { readFunction, readOptionGroup } from '../internal/read-options.ts'
import { createWarnOnce } from '../internal/warn.ts'
import { toFailure } from './guards.ts'

/** A handler of fetch requests, with the address of the client. */
export type FetchHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>

/** A handler of `node:http` requests. It calls the framework's `next`, if any, with an error. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void

/** How errors are handled. */
export interface NodeHandlerOptions {
  /**
   * Called with an error of the handler if there is no `next`; the response is then 500 without a
   * body. Default: `console.error`. Not called with what a guard throws with `errors: 'throw'`: its
   * response is sent.
   */
  readonly onError?: (error: unknown, req: IncomingMessage) => void
}

/** A request whose body a framework's parser may have read into `req.body`. */
type ParsedRequest = IncomingMessage & {
  readonly body?: unknown
  readonly originalUrl?: string
}

/** Methods that no fetch `Request` can have. */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK'])

/**
 * Makes a `node:http` handler from a fetch handler.
 *
 * A request whose path a URL parser would change (`/a/../b`, `/%2e/b`, a backslash) gets 404,
 * because the path rules of a framework in front see the path as it was sent. An invalid `Host`
 * gets 400.
 *
 * @param handler gets the request, and the client's address for limits by address
 * @returns a handler for `http.createServer`, `app.use` and the like
 * @throws {ConfigurationError} for a handler that is not a function, and for invalid options
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { toNodeHandler } from 'tokenwright/node'
 *
 * createServer(toNodeHandler((request) => new Response(new URL(request.url).pathname)))
 * ```
 */
export function toNodeHandler(handler: FetchHandler, options: NodeHandlerOptions = {}): NodeHandler {
  if (!isCallable(handler))
    throw new ConfigurationError(
      expected('handler', 'a function of a request, as `authRoutes(auth, options)` returns it', handler),
    )
  const { onError: given } = readOptionGroup('options', options, ['onError'])
  const onError = readFunction('onError', given) ?? ((error: unknown) => console.error(error))

  async function run(req: ParsedRequest, res: ServerResponse, url: URL): Promise<void> {
    const source = new BodySource(req)
    // Node itself discards an unread body, but not the rest of one that was partly read.
    res.once('close', () => void source.discard())
    const response = await handler(toRequest(req, url, source), toInfo(req, res))
    // A client that is gone gets nothing, and is no failure.
    if (res.destroyed) await response.body?.cancel()
    else await write(response, res, req.method !== 'HEAD')
  }

  return (req, res, next) => {
    const { originalUrl, url: target = '/', socket } = req as ParsedRequest
    const scheme = 'encrypted' in socket ? 'https' : 'http'
    const host = readHttpHeader(req, 'host') ?? ''
    const url = parseTarget(scheme, host, originalUrl ?? target)
    if (FORBIDDEN_METHODS.has(req.method?.toUpperCase() ?? '')) res.writeHead(405).end()
    else if (url === null) res.writeHead(parseTarget(scheme, host, '/') === null ? 400 : 404).end()
    else {
      run(req, res, url).catch((reason: unknown) => {
        const error = toFailure(reason)
        if (next !== undefined && !res.headersSent) {
          next(error)
          return
        }
        const refusal = res.headersSent ? null : toRefusal(error)
        if (refusal !== null) return write(refusal, res, req.method !== 'HEAD')
        onError(error, req)
        if (res.headersSent) res.destroy()
        else res.writeHead(500).end()
        return undefined
      })
    }
  }
}

/**
 * The response that a guard with `errors: 'throw'` has left on its error; null for other errors.
 */
function toRefusal(error: unknown): Response | null {
  const { getResponse } = Object(error) as { readonly getResponse?: () => Response }
  return isAuthError(error) && typeof getResponse === 'function' ? getResponse() : null
}

/** What Node knows of a request. Few handlers ask for the signal, and each one costs. */
function toInfo(req: IncomingMessage, res: ServerResponse): RequestInfo {
  let controller: AbortController | undefined
  return {
    address: req.socket.remoteAddress,
    get signal() {
      if (controller !== undefined) return controller.signal
      const made = new AbortController()
      controller = made
      if (res.destroyed) made.abort()
      else res.once('close', () => made.abort())
      return made.signal
    },
  }
}

/** Turns a `node:http` request into a fetch `Request`. */
function toRequest(req: ParsedRequest, url: URL, source: BodySource): Request {
  const headers = toHeaders(req)
  const body = toBody(req, headers, source)
  const init = { method: req.method ?? 'GET', headers, ...(body !== null && { body, duplex: 'half' }) }
  return new Request(url, init as RequestInit)
}

/**
 * Turns the headers into fetch's. `req.headers` counts, not the raw ones: a middleware may have
 * set, replaced or removed one, and some platforms have no raw headers.
 */
function toHeaders(req: IncomingMessage): Headers {
  const headers = new Headers()
  // HTTP/2 pseudo-headers are not headers of the request.
  for (const name of Object.keys(req.headers)) {
    const value = name.startsWith(':') ? undefined : readHttpHeader(req, name)
    if (value !== undefined) headers.set(name, value)
  }
  const host = readHttpHeader(req, 'host')
  if (host !== undefined) headers.set('host', host)
  return headers
}

/** The request's body: the stream, or the value of an earlier parser. */
function toBody(
  req: ParsedRequest,
  headers: Headers,
  source: BodySource,
): ReadableStream<Uint8Array> | ArrayBufferView | string | null {
  if (BODILESS_METHODS.has(req.method ?? 'GET')) return null
  if (isUnread(req)) return source.toStream()
  if (req.body === undefined || req.body === null) {
    if (Number(headers.get('content-length') ?? 0) > 0) warnConsumed()
    return null
  }
  if (typeof req.body === 'string' || ArrayBuffer.isView(req.body)) return req.body
  headers.set('content-type', 'application/json')
  headers.delete('content-length')
  return JSON.stringify(req.body)
}

const warnOnce = createWarnOnce()

/** Says once that a body was read before, and left nowhere. */
function warnConsumed(): void {
  warnOnce(
    'TOKENWRIGHT_BODY_CONSUMED',
    'The body of a request was read before `toNodeHandler`, and is not at `req.body`: mount the handler before the parser of bodies (Fastify: in a scope without content type parsers).',
  )
}

/** A body that stays untouched until it is read: a partly read body would block its connection. */
class BodySource {
  readonly #req: IncomingMessage
  #chunks: AsyncIterator<Uint8Array> | undefined

  constructor(req: IncomingMessage) {
    this.#req = req
  }

  toStream(): ReadableStream<Uint8Array> {
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      this.#chunks ??= this.#req.iterator({ destroyOnReturn: false })
      const { done, value } = await this.#chunks.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    }
    return new ReadableStream({ pull }, { highWaterMark: 0 })
  }

  /** Discards the rest of a partly read body. */
  async discard(): Promise<void> {
    const isBegun = this.#chunks !== undefined && !this.#req.readableEnded && !this.#req.destroyed
    if (!isBegun) return
    discard(this.#req)
    await this.#chunks?.return?.()
    this.#req.resume()
  }
}

/** Writes a fetch `Response`. */
async function write(response: Response, res: ServerResponse, withBody: boolean): Promise<void> {
  const cookies = response.headers.getSetCookie()
  for (const [name, value] of response.headers) if (name !== 'set-cookie') res.setHeader(name, value)
  if (cookies.length > 0) res.appendHeader('set-cookie', cookies)
  res.writeHead(response.status)
  if (!withBody || response.body === null) {
    res.end()
    await response.body?.cancel()
    return
  }
  await pipeline(Readable.fromWeb(response.body as import('node:stream/web').ReadableStream), res)
}
