/**
 * HTTP/1.1 over a plain socket. It can send what a usual client refuses to send, such as control
 * characters in a header or a header twice, and reads a response that comes before the end of the
 * request. Each request has its own connection. It follows no redirects and stores no cookies.
 */
import { connect } from 'node:net'

/** A request, as it is sent. */
export interface RawRequest {
  readonly method: string
  /** The request target: path and query. */
  readonly path: string
  /** In order. A name may occur twice. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: string | undefined
}

/** A response. */
export interface RawResponse {
  readonly status: number
  /** In order, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** The time from the first byte sent to the end of the response, in milliseconds. */
  readonly elapsed: number
}

/** The time limit for a response, in milliseconds. */
const DEADLINE = 30_000

/** All values of a response header. */
export function headerValues(response: RawResponse, name: string): string[] {
  return response.headers.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value)
}

/** Latin-1 if the text fits in it, as in HTTP/1.1, else UTF-8. */
function toBytes(text: string): Buffer {
  return Buffer.from(text, /[^\0-\xff]/.test(text) ? 'utf8' : 'latin1')
}

function toMessage(request: RawRequest, host: string): Buffer[] {
  const body = request.body === undefined ? undefined : Buffer.from(request.body)
  // Node refuses a second Host header, so the attacker's replaces the usual one.
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
 * Sends a request and reads until the server closes the connection.
 *
 * @throws {Error} if no HTTP response comes back in 30 s
 */
export function send(port: number, request: RawRequest): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const started = performance.now()
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.setTimeout(DEADLINE, () => socket.destroy())
    socket.on('data', (part) => parts.push(part))
    // A server may refuse a body and close while we send it. Its response still counts.
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
