/**
 * Answers by way of a `node:http` response, for the frameworks that are built on it: a refusal as it stands, and the cookies
 * of a renewal at the moment in which the headers are written, when the handler has had its say; and on the bare socket of an
 * upgrade. It words nothing.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { setsAnyOf } from './cookies.ts'
import type { ResponseData } from './error-response.ts'

/** Writes an answer, and keeps the headers that others have set before. */
export function writeResponse(res: ServerResponse, { status, headers, body }: ResponseData): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}

/**
 * Answers a request for an upgrade on its bare socket, and ends the connection: what a client has sent behind the request is in
 * no protocol that was agreed on.
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
 * Adds `Set-Cookie` lines when the headers are written, unless the handler has set or cleared one of these cookies itself.
 * Every framework ends in `writeHead`: with headers that were set before, that are given along, or both.
 */
export function addCookies(res: ServerResponse, lines: readonly string[]): void {
  const writeHead = res.writeHead as (...args: readonly unknown[]) => ServerResponse
  const late = (...args: readonly unknown[]): ServerResponse => {
    res.writeHead = writeHead
    for (const arg of args) if (typeof arg === 'object' && arg !== null) setHeaders(res, arg)
    const own = [res.getHeader('set-cookie') ?? []].flat().map(String)
    if (!setsAnyOf(own, lines)) res.setHeader('set-cookie', [...own, ...lines])
    return writeHead.apply(
      res,
      args.filter((arg) => typeof arg !== 'object'),
    )
  }
  res.writeHead = late as ServerResponse['writeHead']
}

/** Sets headers that `writeHead` was given: by name, or as a list of names and values in turns or in pairs. */
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
