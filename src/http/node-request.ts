/**
 * A `node:http` request as a request port, for every framework that is built on it: Express,
 * Fastify, Koa. Header values are those of fetch's `Headers`, so that every adapter responds alike.
 * Nothing here decides anything (RFC 9110 sections 5.3 and 9.3, RFC 9113 section 8.3.1).
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { AuthError } from '../errors.ts'
import { createWarnOnce } from '../internal/warn.ts'
import {
  BODILESS_METHODS,
  DRAIN_LIMIT,
  isSearchable,
  parseRaw,
  readBodyHeaders,
  TOKEN_BODY_LIMIT,
  TOO_LARGE,
  UNREADABLE,
} from './body.ts'
import { addCookies } from './node-response.ts'
import type { RequestPort } from './request-port.ts'

/** Node's request, with what frameworks add. */
export type NodeRequest = IncomingMessage & {
  /** The request target before a router removed a part of it. */
  readonly originalUrl?: string
}

/** Node's response, or an object with one, such as Fastify's reply. */
export type NodeResponse =
  | ServerResponse
  | {
      /** Node's response. */
      readonly raw: ServerResponse
    }

/** The object on which a framework keeps a parsed body. */
interface BodyHolder {
  body?: unknown
  _body?: boolean
}

/** The request port of a `node:http` request and its response. A class: each request needs one. */
export class NodeRequestPort implements RequestPort {
  readonly #req: NodeRequest
  readonly #res: NodeResponse
  readonly #holder: BodyHolder
  readonly #readsStream: boolean

  /**
   * @param holder the framework's request, whose `body` is the parsed body
   * @param readsStream whether a body that was not parsed is read here; false where the framework
   *   will read it itself
   */
  constructor(req: NodeRequest, res: NodeResponse, holder: object, readsStream = true) {
    this.#req = req
    this.#res = res
    this.#holder = holder
    this.#readsStream = readsStream
  }

  /** The method as the client sent it: in upper case. */
  get method(): string {
    return this.#req.method ?? 'GET'
  }

  /** The request target with its query. */
  get url(): string {
    return this.#req.originalUrl ?? this.#req.url ?? '/'
  }

  /**
   * The client's address as the framework says it: `ip` of Express, Fastify and Koa follows their
   * settings on proxies. Without a framework it is the connection's.
   */
  get address(): string | undefined {
    const { ip } = this.#holder as { readonly ip?: unknown }
    return typeof ip === 'string' && ip !== '' ? ip : this.#req.socket?.remoteAddress
  }

  /** The value of a header; one that came several times is joined. */
  header(name: string): string | readonly string[] | undefined {
    return readHttpHeader(this.#req, name)
  }

  /**
   * The JSON or form body: the value of the framework's parser, else parsed here. A value that is
   * parsed here becomes `body` of the framework's request, as the stream can be read only once.
   *
   * @throws {AuthError} request_invalid
   */
  async body(): Promise<unknown> {
    const req = this.#req
    const headers = readBodyHeaders((name) => readHttpHeader(req, name))
    if (!isSearchable(headers, TOKEN_BODY_LIMIT) || BODILESS_METHODS.has(this.method)) return undefined
    const holder = this.#holder
    if (holder.body !== undefined) return parseRaw(headers.type, holder.body)
    if (!hasBody(req) || !isUnread(req)) return undefined
    if (!this.#readsStream) return warnUnparsed()
    const value = parseRaw(headers.type, await readStream(req, TOKEN_BODY_LIMIT))
    holder.body = value
    // Tells the parsers of Express 4 that the body has been parsed.
    holder._body = true
    return value
  }

  /** Adds `Set-Cookie` lines unless the handler sets or clears one of these cookies itself. */
  setCookies(lines: readonly string[]): void {
    const res = this.#res
    addCookies('raw' in res ? res.raw : res, lines)
  }
}

/**
 * The value of a header as in fetch's `Headers`: a header that came several times is joined, also
 * where Node keeps only the first one. A value that a middleware has replaced is used as it is.
 *
 * @param name in lower case
 */
export function readHttpHeader(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name]
  if (typeof value === 'object') return value.join(', ')
  // HTTP/2 has the host in a pseudo-header (RFC 9113 section 8.3.1).
  if (value === undefined)
    return name === 'host' ? (req.headers[':authority'] as string | undefined) : undefined
  // Platforms without Node's parser, such as adapters for Lambda, have no raw headers.
  return joinRepeated((req.rawHeaders as readonly string[] | undefined) ?? [], name, value)
}

/**
 * Joins a header that came several times but of which Node kept the first value, `known`.
 * <https://nodejs.org/api/http.html#messageheaders>
 */
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

const warnOnce = createWarnOnce()

/** Warns once that a guard runs before the framework has parsed the body. */
function warnUnparsed(): undefined {
  warnOnce(
    'TOKENWRIGHT_BODY_NOT_PARSED',
    'A guard that looks for tokens in bodies runs before the body is parsed, and finds none there: use `preValidation` or `preHandler`.',
  )
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

/** Whether no code has read from the body or is about to. */
export function isUnread(req: IncomingMessage): boolean {
  return !req.readableDidRead && !req.readableEnded && req.readableFlowing !== true && !req.destroyed
}

/**
 * Reads a body to its end.
 *
 * @param limit the largest size in bytes
 * @throws {AuthError} request_invalid when the body breaks off or is too large
 */
function readStream(req: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const onData = (chunk: Buffer): void => {
      size += chunk.byteLength
      if (size <= limit) chunks.push(chunk)
      else finish(() => reject(new AuthError('request_invalid', { message: TOO_LARGE })))
    }
    const onEnd = (): void => finish(() => resolve(Buffer.concat(chunks, size)))
    const onBreak = (cause?: unknown): void =>
      finish(() => reject(new AuthError('request_invalid', { message: UNREADABLE, cause })))
    const finish = (report: () => void): void => {
      req.off('data', onData).off('end', onEnd).off('error', onBreak).off('close', onBreak)
      if (!req.readableEnded) discard(req)
      report()
    }
    req.on('data', onData).on('end', onEnd).on('error', onBreak).on('close', onBreak)
  })
}

/**
 * Receives and discards the rest of a body, up to `DRAIN_LIMIT`, so that its connection can be used
 * again.
 */
export function discard(req: IncomingMessage): void {
  let size = 0
  req.on('error', () => undefined)
  req.on('data', (chunk: Buffer) => {
    size += chunk.byteLength
    if (size > DRAIN_LIMIT) req.destroy()
  })
  req.resume()
}
