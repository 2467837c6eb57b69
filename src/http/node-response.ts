/**
 * Answers by way of a `node:http` response, for the frameworks that are built on it: a refusal as
 * it stands, and the cookies of a renewal at the moment in which the headers are written, when the
 * handler has had its say; and on the bare socket of an upgrade. It words nothing.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ResponseData } from './error-response.ts'
import { addTokenCookies, isCacheHeader, type ResponseHeaders } from './token-cookies.ts'

/** Writes an answer, and keeps the headers that others have set before. */
export function writeResponse(res: ServerResponse, { status, headers, body }: ResponseData): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}

/**
 * Answers a request for an upgrade on its bare socket, and ends the connection: what a client has
 * sent behind the request is in no protocol that was agreed on.
 */
export function rejectUpgrade(socket: Duplex, { status, headers, body }: ResponseData): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const all = { ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  socket.once('finish', () => socket.destroy())
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'))
}

/**
 * Adds the cookies of tokens when the headers are written, unless the handler has set or cleared
 * one of these cookies itself.
 */
export function addCookies(res: ServerResponse, lines: readonly string[]): void {
  beforeHeaders(res, () => {
    addTokenCookies(toNodeHeaders(res), lines)
    lockCacheHeaders(res)
  })
}

/**
 * Sets the headers of an error response, such as the challenge, where somebody else writes a
 * response with the same status and has not set them.
 */
export function addErrorHeaders(res: ServerResponse, { status, headers }: ResponseData): void {
  beforeHeaders(res, (written) => {
    if (written !== status) return
    for (const [name, value] of Object.entries(headers)) if (!res.hasHeader(name)) res.setHeader(name, value)
  })
}

/**
 * Calls a function when the headers are about to be written. Every framework ends in `writeHead`:
 * with headers that were set before, that are given along, or both.
 */
function beforeHeaders(res: ServerResponse, change: (status: unknown) => void): void {
  const writeHead = res.writeHead as (...args: readonly unknown[]) => ServerResponse
  const late = (...args: readonly unknown[]): ServerResponse => {
    res.writeHead = writeHead
    for (const arg of args) if (typeof arg === 'object' && arg !== null) setHeaders(res, arg)
    change(args[0])
    return writeHead.apply(
      res,
      args.filter((arg) => typeof arg !== 'object'),
    )
  }
  res.writeHead = late as ServerResponse['writeHead']
}

function toNodeHeaders(res: ServerResponse): ResponseHeaders {
  return {
    names: () => res.getHeaderNames(),
    get: (name) => res.getHeader(name)?.toString(),
    set: (name, value) => res.setHeader(name, value),
    delete: (name) => res.removeHeader(name),
    cookies: () => [res.getHeader('set-cookie') ?? []].flat().map(String),
    addCookies: (added) => res.appendHeader('set-cookie', added),
  }
}

/**
 * A middleware that stands further out may have wrapped `writeHead` too, and sets its headers last.
 */
function lockCacheHeaders(res: ServerResponse): void {
  const { setHeader } = res
  res.setHeader = (name, value) => (isCacheHeader(name) ? res : setHeader.call(res, name, value))
}

/**
 * Sets headers that `writeHead` was given: by name, or as a list of names and values in turns or in
 * pairs.
 */
function setHeaders(res: ServerResponse, given: object): void {
  const isList = Array.isArray(given)
  const list: readonly unknown[] = isList ? given : Object.entries(given)
  const flat = Array.isArray(list[0]) ? list.flat() : list
  const pairs = flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), flat[at + 1]] as const] : []))
  if (isList) for (const [name] of pairs) res.removeHeader(name)
  for (const [name, value] of pairs) {
    if (isList) res.appendHeader(name, value as string)
    else res.setHeader(name, value as string)
  }
}
