/**
 * Writes to a `node:http` response, for the frameworks that are built on it: a refusal at once, and
 * the cookies of a renewal when the headers are written, after the handler has set its own. Also
 * writes a refusal to the bare socket of an upgrade. Others make the content.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ResponseData } from './error-response.ts'
import { addTokenCookies, isCacheHeader, type ResponseHeaders } from './token-cookies.ts'

/** Writes a response, and keeps the headers that are already set. */
export function writeResponse(res: ServerResponse, { status, headers, body }: ResponseData): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}

/**
 * Responds to an upgrade request on its bare socket, and ends the connection: client and server
 * have agreed on no protocol for what may follow.
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
 * Sets the headers of an error response, such as the challenge, if other code writes a response
 * with the same status and has not set them.
 */
export function addErrorHeaders(res: ServerResponse, { status, headers }: ResponseData): void {
  beforeHeaders(res, (written) => {
    if (written !== status) return
    for (const [name, value] of Object.entries(headers)) if (!res.hasHeader(name)) res.setHeader(name, value)
  })
}

/**
 * Calls a function when the headers are about to be written. Every framework calls `writeHead`: its
 * headers were set before, are passed to it, or both.
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

/** An outer middleware may have wrapped `writeHead` too, and then sets its headers last. */
function lockCacheHeaders(res: ServerResponse): void {
  const { setHeader } = res
  res.setHeader = (name, value) => (isCacheHeader(name) ? res : setHeader.call(res, name, value))
}

/**
 * Sets the headers that were passed to `writeHead`: an object, or a list of names and values,
 * alternating or in pairs.
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
