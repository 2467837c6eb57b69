/**
 * HTTP/1.1 by hand, over a socket: an attacker sends bytes that no polite client would (control characters and trailing
 * blanks in a header, one header twice), and an answer may come before the request has been read (a body that is too large).
 * One connection per request; no redirects, no cookies of its own.
 */
import { connect } from 'node:net'

/** A request, as it is written to the wire. */
export interface RawRequest {
  readonly method: string
  /** The request target: path and query. */
  readonly path: string
  /** In order; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: string | undefined
}

/** An answer. */
export interface RawResponse {
  readonly status: number
  /** In order, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** The time from the first byte sent to the end of the answer, in milliseconds. */
  readonly elapsed: number
}

/** An answer later than this counts as none, in milliseconds. */
const DEADLINE = 30_000

/** All values of a header of an answer. */
export function headerValues(response: RawResponse, name: string): string[] {
  return response.headers.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value)
}

/** Latin-1 where the text fits in it, as HTTP/1.1 has it, else UTF-8. */
function toBytes(text: string): Buffer {
  return Buffer.from(text, /[^\0-\xff]/.test(text) ? 'utf8' : 'latin1')
}

function toMessage(request: RawRequest, host: string): Buffer[] {
  const body = request.body === undefined ? undefined : Buffer.from(request.body)
  // An attacker's own Host takes the place of the usual one: two of them are refused by Node itself.
  const named = request.headers.some(([name]) => name.toLowerCase() === 'host')
  const usual = [...(named ? [] : [['Host', host]]), ['Connection', 'close']]
  const headers = [...usual, ...request.headers]
  if (body !== undefined || request.method !== 'GET')
    headers.push(['Content-Length', String(body?.length ?? 0)])
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return [toBytes(`${request.method} ${request.path} HTTP/1.1\r\n${lines}\r\n`), body ?? Buffer.alloc(0)]
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.subarray(at, end).toString('latin1'), 16)
    if (end < 0 || !(size > 0)) return Buffer.concat(parts)
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function parseResponse(bytes: Buffer, elapsed: number): RawResponse {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1])
  if (end < 0 || !Number.isInteger(status)) throw new Error(`no HTTP response (${bytes.length} bytes)`)
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  const rest = bytes.subarray(end + 4)
  const chunked = headers.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked')
  return { status, headers, body: (chunked ? unchunk(rest) : rest).toString('utf8'), elapsed }
}

/**
 * Sends a request and waits for the server to close.
 *
 * @throws {Error} when nothing that looks like HTTP comes back in 30 s
 */
export function send(port: number, request: RawRequest): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const started = performance.now()
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.setTimeout(DEADLINE, () => socket.destroy())
    socket.on('data', (part) => parts.push(part))
    // A server that refuses a body closes while we write it: what it said before still counts.
    socket.on('error', () => {})
    socket.on('close', () => {
      try {
        resolve(parseResponse(Buffer.concat(parts), performance.now() - started))
      } catch (error) {
        reject(error)
      }
    })
    for (const part of toMessage(request, `127.0.0.1:${port}`)) socket.write(part)
  })
}
