/**
 * A client that sends exactly the bytes that it is told to: headers twice, in any case, malformed, bodies in pieces. What comes
 * back is cut down to what this library owns of an answer, so that the answers of all doors can be compared.
 */
import { connect, type Socket } from 'node:net'

/** A request as it goes over the wire. */
export interface WireRequest {
  readonly method?: string
  readonly target: string
  /** In this order; a name may come several times. `Host` is added. */
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string | Uint8Array
  /** Send the body in chunks instead of announcing its length. */
  readonly chunked?: boolean
}

/** What is compared of an answer. */
export interface Answer {
  readonly status: number
  /** The headers that the library writes, in lower case and in order of their names. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string
}

/** The headers that the library writes. */
const OWNED = ['www-authenticate', 'cache-control', 'retry-after', 'content-type', 'vary']

/** The bytes of a request. */
export function toBytes({ method = 'GET', target, headers = [], body, chunked }: WireRequest): Buffer {
  const bytes = Buffer.from(body ?? '')
  const length = chunked
    ? ['Transfer-Encoding: chunked']
    : body === undefined
      ? []
      : [`Content-Length: ${bytes.length}`]
  const lines = headers.map(([name, value]) => `${name}: ${value}`)
  const head = [`${method} ${target} HTTP/1.1`, 'Host: app.example', ...lines, ...length].join('\r\n')
  const sent = chunked ? toChunks(bytes) : bytes
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), sent])
}

/** A body in chunks of at most 10 kB. */
function toChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 10_000) {
    const part = bytes.subarray(at, at + 10_000)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

/** Sends a request on a connection of its own, and answers what came back. */
export async function send(port: number, request: WireRequest): Promise<Answer> {
  const [answer] = await converse(port, [toBytes(request)], request.method === 'HEAD')
  return answer!
}

/** Sends messages on one connection, each when the answer to the one before has come. */
export async function converse(
  port: number,
  messages: readonly Uint8Array[],
  isHead = false,
): Promise<readonly Answer[]> {
  const socket = connect(port, '127.0.0.1')
  const answers: Answer[] = []
  let received: Buffer = Buffer.alloc(0)
  try {
    for (const message of messages) {
      socket.write(message)
      for (let answer: Parsed | undefined; answer === undefined; ) {
        received = Buffer.concat([received, await read(socket)])
        answer = parse(received, isHead)
        if (answer === undefined) continue
        received = received.subarray(answer.end)
        answers.push(answer.answer)
      }
    }
  } finally {
    socket.destroy()
  }
  return answers
}

/** The next bytes. */
function read(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      socket.off('data', onData).off('close', onClose).off('error', reject)
      socket.pause()
    }
    const onData = (bytes: Buffer): void => {
      stop()
      resolve(bytes)
    }
    const onClose = (): void => reject(new Error('the connection ended before the answer did'))
    socket.on('data', onData).on('close', onClose).on('error', reject).resume()
  })
}

interface Parsed {
  readonly answer: Answer
  readonly end: number
}

/** Parses one answer at the beginning of what was received; undefined while it is not whole. */
function parse(received: Buffer, isHead: boolean): Parsed | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  const status = Number(statusLine.split(' ')[1])
  const body =
    isHead || status === 204 ? { text: '', end: headEnd + 4 } : parseBody(received, headEnd + 4, headers)
  if (body === undefined) return undefined
  return { answer: { status, headers: toOwned(headers), body: body.text }, end: body.end }
}

/** Parses a body by its length or in chunks. */
function parseBody(
  received: Buffer,
  start: number,
  headers: readonly (readonly [string, string])[],
): { text: string; end: number } | undefined {
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  if (length !== undefined) {
    const end = start + Number(length)
    return received.length < end ? undefined : { text: received.toString('utf8', start, end), end }
  }
  const parts: Buffer[] = []
  for (let at = start; ; ) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16)
    const end = lineEnd + 2 + size + 2
    if (Number.isNaN(size) || received.length < end) return undefined
    if (size === 0) return { text: Buffer.concat(parts).toString('utf8'), end }
    parts.push(received.subarray(lineEnd + 2, end - 2))
    at = end
  }
}

/** The headers that are compared. Tokens are compared by their claims: each has a `jti` of its own. */
function toOwned(
  headers: readonly (readonly [string, string])[],
): Record<string, string | readonly string[]> {
  const owned = OWNED.flatMap((name) => {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    return values.length === 0 ? [] : [[name, values.join(', ')] as const]
  })
  const cookies = headers.filter(([name]) => name === 'set-cookie').map(([, line]) => withoutJti(line))
  return { ...Object.fromEntries(owned), ...(cookies.length > 0 && { 'set-cookie': cookies }) }
}

/** A `Set-Cookie` line with the claims in place of the token. */
function withoutJti(line: string): string {
  return line.replace(/=[\w-]+\.([\w-]+)\.[\w-]+;/, (_, encoded: string) => {
    const { jti: _jti, ...claims } = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    return `=${JSON.stringify(claims)};`
  })
}

/** The members of an answer's JSON body. */
export function membersOf({ body }: Answer): Readonly<Record<string, unknown>> {
  return JSON.parse(body)
}
