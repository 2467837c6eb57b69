/**
 * A `node:http` request as a request port, for every framework that is built on it: Express, Fastify, Koa. Headers mean what they
 * mean in fetch's `Headers`, so that every door answers the same, and the body is peeked at, so that whoever comes next can
 * still read it. Nothing here decides anything (RFC 9110 sections 5.3 and 9.3, RFC 9113 section 8.3.1).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  DRAIN_LIMIT,
  isAnnounced,
  parseBytes,
  READ_BEFORE,
  rejectBody,
  TOKEN_BODY_LIMIT,
  TOO_LARGE,
  toBodyMembers,
  UNREADABLE,
} from './body.ts'
import { addCookies } from './node-response.ts'
import type { RequestPort } from './request-port.ts'

/** A request of Node's with what frameworks and `node:stream` know of it. */
export type NodeRequest = IncomingMessage & {
  /** The request target before a router took a part of it away. */
  readonly originalUrl?: string
}

/** A response of Node's, or what has it inside: Fastify's reply. */
export type NodeResponse =
  | ServerResponse
  | {
      /** Node's response. */
      readonly raw: ServerResponse
    }

/** Methods whose requests have no body in the fetch standard, nor by RFC 6750 section 2.2. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** Requests whose body was read and put back. */
const peeked = new WeakSet<IncomingMessage>()

/** The request port over a `node:http` request and its response. A class, because one is made for every request. */
export class NodeRequestPort implements RequestPort {
  readonly #req: NodeRequest
  readonly #res: NodeResponse
  readonly #parsed: object

  /** @param parsed the framework's request, whose `body` is what a parser has made of the body */
  constructor(req: NodeRequest, res: NodeResponse, parsed: object) {
    this.#req = req
    this.#res = res
    this.#parsed = parsed
  }

  /** The method in upper case, as it is on the wire. */
  get method(): string {
    return this.#req.method ?? 'GET'
  }

  /** The request target with its query. */
  get url(): string {
    return this.#req.originalUrl ?? this.#req.url ?? '/'
  }

  /** The value of a header; one that came several times is joined. */
  header(name: string): string | readonly string[] | undefined {
    return readHttpHeader(this.#req, name)
  }

  /** The members of a JSON or form body, parsed by the framework or peeked at. @throws {AuthError} request_invalid */
  async body(): Promise<unknown> {
    const req = this.#req
    const contentType = readHttpHeader(req, 'content-type')
    if (!isAnnounced(contentType, readHttpHeader(req, 'content-length'), TOKEN_BODY_LIMIT)) return undefined
    if (BODILESS.has(this.method) || !hasBody(req)) return undefined
    if (isUnread(req)) return parseBytes(contentType, await peekBytes(req, TOKEN_BODY_LIMIT))
    const { body } = this.#parsed as { readonly body?: unknown }
    return body === undefined ? rejectBody(READ_BEFORE) : toBodyMembers(contentType, body)
  }

  /** Adds `Set-Cookie` lines to the answer unless the handler sets or clears one of these cookies itself. */
  setCookies(lines: readonly string[]): void {
    const res = this.#res
    addCookies('raw' in res ? res.raw : res, lines)
  }
}

/**
 * The value of a header as fetch's `Headers` have it: a header that came several times is joined, also where Node keeps the
 * first one only. A value that a middleware has put in place of the client's is taken as it is.
 *
 * @param name in lower case
 */
export function readHttpHeader(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name]
  if (typeof value === 'object') return value.join(', ')
  // HTTP/2 has the host in a pseudo-header (RFC 9113 section 8.3.1).
  if (value === undefined)
    return name === 'host' ? (req.headers[':authority'] as string | undefined) : undefined
  return joinRepeated(req.rawHeaders, name, value)
}

/** Joins what came several times and Node kept once: then the value that is known is the first one of it. <https://nodejs.org/api/http.html#messageheaders> */
function joinRepeated(raw: readonly string[], name: string, known: string): string {
  let first = -1
  let joined = known
  for (let at = 0; at < raw.length; at += 2) {
    const other = raw[at] ?? ''
    if (other.length !== name.length || other.toLowerCase() !== name) continue
    if (first !== -1) joined += `, ${raw[at + 1]}`
    else if (raw[at + 1] === known) first = at
    else return known
  }
  return joined
}

/** Whether the request announces a body (RFC 9112 section 6). HTTP/2 need not announce one. */
function hasBody({ headers, httpVersionMajor }: IncomingMessage): boolean {
  if (headers['content-length'] === '0') return false
  return (
    httpVersionMajor > 1 ||
    headers['content-length'] !== undefined ||
    headers['transfer-encoding'] !== undefined
  )
}

/** Whether nobody has read the body, except by a peek that put it back. */
export function isUnread(req: IncomingMessage): boolean {
  if (req.readableEnded || req.readableFlowing === true || req.readableEncoding !== null) return false
  return !req.readableDidRead || peeked.has(req)
}

/** Whether all of a request has arrived. `complete` says so of HTTP/1 only, and of no request that a test makes up. */
function hasArrived(
  req: IncomingMessage & { readonly _readableState?: { readonly ended?: boolean } },
): boolean {
  return req._readableState?.ended ?? req.complete
}

/**
 * Reads a body and puts it back. A stream takes bytes back as long as its end was not told to anybody, and it tells only
 * when somebody reads on from an empty buffer. So nothing is read from an empty buffer here, and what was read
 * goes back in the same turn in which the last of it came.
 */
async function peekBytes(req: IncomingMessage, limit: number): Promise<Uint8Array> {
  // What came in one packet with the headers is parsed in this very turn.
  await undefined
  peeked.add(req)
  const chunks: Buffer[] = []
  let size = 0
  const take = (): boolean => {
    while (req.readableLength > 0 && size <= limit) {
      const chunk: Buffer | null = req.read()
      if (chunk === null) break
      chunks.push(chunk)
      size += chunk.byteLength
    }
    return hasArrived(req) || size > limit
  }
  if (!take()) await untilArrived(req, take)
  if (size > limit) {
    drain(req)
    return rejectBody(TOO_LARGE)
  }
  const bytes = Buffer.concat(chunks, size)
  if (size > 0) req.unshift(bytes)
  return bytes
}

/** Waits until `take` has taken everything. */
function untilArrived(req: IncomingMessage, take: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      req.off('readable', onReadable).off('error', onBreak).off('close', onBreak)
    }
    const onBreak = (cause?: unknown): void => {
      stop()
      try {
        rejectBody(UNREADABLE, cause)
      } catch (error) {
        reject(error)
      }
    }
    const onReadable = (): void => {
      if (!take()) return
      stop()
      resolve()
    }
    if (req.destroyed) onBreak()
    else req.on('readable', onReadable).on('error', onBreak).on('close', onBreak)
  })
}

/** Takes the rest of a body that is too large off the wire, up to a limit, so that its connection can be used again. */
function drain(req: IncomingMessage): void {
  let size = 0
  req.on('error', () => undefined)
  req.on('data', (chunk: Buffer) => {
    size += chunk.byteLength
    if (size > DRAIN_LIMIT) req.destroy()
  })
}
