/**
 * Door `tokenwright/node`: a `node:http` handler out of a fetch handler, so that `authRoutes` and any other `(Request) => Response`
 * mounts in `http.createServer`, Express, Koa and Fastify. It translates and decides nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isUnread, readHttpHeader } from '../http/node-request.ts'
import type { RequestInfo } from '../http/request-port.ts'

/** A handler of fetch requests that may want to know where they come from. */
export type FetchHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>

/** A handler of `node:http` requests; `next` is called where the surroundings have one and the handler throws. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void

/** The body that a framework's parser has left behind when it used the stream up: Express's and others' `req.body`. */
interface ParsedRequest {
  readonly body?: unknown
  readonly originalUrl?: string
}

/** Methods whose requests have no body in the fetch standard. */
const BODILESS = ['GET', 'HEAD']

/** Methods that the fetch standard has no request for. */
const FORBIDDEN = ['CONNECT', 'TRACE', 'TRACK']

/** What a fetch `Request` takes for its body. */
type RequestBody = ReadableStream<Uint8Array> | Uint8Array | string | null

/** Turns the headers into fetch's, keeping those that came several times. */
function toHeaders(req: IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] ?? ''
    // HTTP/2 pseudo-headers are no headers of the request.
    if (!name.startsWith(':')) headers.append(name, req.rawHeaders[i + 1] ?? '')
  }
  const host = readHttpHeader(req, 'host')
  if (host !== undefined && !headers.has('host')) headers.set('host', host)
  return headers
}

/** The request's body: the stream, or what a parser before us has made of it. */
function toBody(req: IncomingMessage & ParsedRequest, headers: Headers): RequestBody {
  if (BODILESS.includes(req.method ?? 'GET')) return null
  if (isUnread(req)) return Readable.toWeb(req) as ReadableStream<Uint8Array>
  if (req.body === undefined || req.body === null) return null
  if (typeof req.body === 'string' || req.body instanceof Uint8Array) return req.body
  headers.set('content-type', 'application/json')
  headers.delete('content-length')
  return JSON.stringify(req.body)
}

/** Turns a `node:http` request into a fetch `Request`. */
function toRequest(req: IncomingMessage & ParsedRequest): Request {
  const headers = toHeaders(req)
  const body = toBody(req, headers)
  const scheme = 'encrypted' in req.socket ? 'https' : 'http'
  const authority = headers.get('host') ?? 'localhost'
  // A fragment is none of a server's business; the URL standard would make it a part of the query.
  const [target = ''] = (req.originalUrl ?? req.url ?? '/').split('#', 1)
  const url = new URL(
    URL.canParse(`${scheme}://${authority}`) ? `${scheme}://${authority}` : `${scheme}://localhost`,
  )
  const mark = target.indexOf('?')
  url.pathname = mark === -1 ? target : target.slice(0, mark)
  url.search = mark === -1 ? '' : target.slice(mark)
  const init = { method: req.method ?? 'GET', headers, ...(body !== null && { body, duplex: 'half' }) }
  return new Request(url, init as RequestInit)
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

/**
 * Makes a `node:http` handler out of a fetch handler.
 *
 * @param handler gets the request, and the peer's address for limits by address
 * @returns a handler for `http.createServer`, `app.use` and the like; what the fetch handler throws goes to `next`, or is a bare 500
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { toNodeHandler } from 'tokenwright/node'
 *
 * createServer(toNodeHandler((request) => new Response(new URL(request.url).pathname)))
 * ```
 */
export function toNodeHandler(handler: FetchHandler): NodeHandler {
  const run = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const response = await handler(toRequest(req), { address: req.socket.remoteAddress })
    await write(response, res, req.method !== 'HEAD')
  }
  return (req, res, next) => {
    if (FORBIDDEN.includes(req.method?.toUpperCase() ?? '')) {
      res.writeHead(405).end()
      return
    }
    run(req, res).catch((error: unknown) => {
      if (res.headersSent) res.destroy()
      else if (next !== undefined) next(error)
      else res.writeHead(500).end()
    })
  }
}
