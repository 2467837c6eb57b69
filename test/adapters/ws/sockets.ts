/**
 * A live server with guarded WebSockets, and clients that say what became of their handshake. Everything goes over real sockets.
 * What a test opens is closed after it.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Connection, guards, type SocketGuards, type UpgradeListener } from '../../../src/adapters/ws.ts'
import { type Auth, type AuthOptions, isAuthError, type TokenPayload } from '../../../src/index.ts'
import { type Hand, setUp } from '../../token/forge.ts'

/** What a client may say at the handshake. */
export interface Greeting {
  readonly path?: string
  readonly protocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

/** A handshake that was refused. */
export interface Refusal {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Readonly<Record<string, unknown>>
}

/** How a socket was closed. */
export interface Closing {
  readonly code: number
  readonly reason: string
}

/** A client's side of an open socket. */
export interface Client {
  readonly socket: WebSocket
  /** How it will have been closed. */
  readonly closed: Promise<Closing>
  /** Sends a message and waits for the next one. */
  ask(message: unknown): Promise<string>
}

/** A server with guarded sockets. */
export interface Sockets {
  readonly auth: Auth
  readonly clock: Hand
  readonly guard: SocketGuards<Readonly<Record<string, unknown>>, unknown>
  readonly server: Server
  readonly url: string
  readonly connections: Connection<TokenPayload | null>[]
}

/** Starts a server; it is closed after the test, and so are its connections. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/**
 * The socket server of the tests: what comes as `{ "meet": requirement }` is judged, `{ "renew": token }` renews, anything else comes back.
 */
export function serve(
  options: AuthOptions = {},
  choose: (guard: Sockets['guard']) => ReturnType<Sockets['guard']['access']> = (guard) => guard.access(),
): Promise<Sockets> {
  const { auth, clock } = setUp(options)
  const guard = guards(auth)
  const connections: Connection<TokenPayload | null>[] = []
  const wss = new WebSocketServer({ noServer: true })
  const upgrade: UpgradeListener = choose(guard)(wss, (socket, connection) => {
    connections.push(connection)
    socket.on('message', (message) => {
      void answer(auth, connection, String(message)).then((text) => socket.send(text))
    })
  })
  const server = createServer((_request, response) => response.end('plain'))
  server.on('upgrade', upgrade)
  onTestFinished(() => {
    for (const socket of wss.clients) socket.terminate()
  })
  return listen(server).then((url) => ({ auth, clock, guard, server, url, connections }))
}

async function answer(auth: Auth, connection: Connection<TokenPayload>, text: string): Promise<string> {
  const asked = text.startsWith('{') ? JSON.parse(text) : {}
  try {
    if (asked.meet) return `met by ${(await connection.recheck(asked.meet)).sub}`
    if (asked.renew) return `renewed for ${(await connection.renew(asked.renew)).sub}`
    return `echo ${text}`
  } catch (error) {
    if (!isAuthError(error)) throw error
    return auth.errorResponse(error).body
  }
}

/** Tries a handshake. */
export function greet(url: string, greeting: Greeting = {}): Promise<Client | Refusal> {
  const { path = '/', protocols = [], headers = {} } = greeting
  const socket = new WebSocket(`ws://${url}${path}`, [...protocols], { headers })
  onTestFinished(() => socket.terminate())
  const closed = new Promise<Closing>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => {
      const ask = async (message: unknown): Promise<string> => {
        const next = once(socket, 'message')
        socket.send(typeof message === 'string' ? message : JSON.stringify(message))
        return String((await next)[0])
      }
      resolve({ socket, closed, ask })
    })
    socket.on('unexpected-response', (request, response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const body = text === '' ? {} : JSON.parse(text)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
        request.destroy()
      })
    })
  })
}

/** A handshake that must be accepted. */
export async function open(url: string, greeting?: Greeting): Promise<Client> {
  const result = await greet(url, greeting)
  if ('socket' in result) return result
  throw new Error(`refused: ${JSON.stringify(result.body)}`)
}

/** What becomes of a handshake: `'open'`, or the status and the code of the refusal. */
export async function outcome(url: string, greeting?: Greeting): Promise<string> {
  const result = await greet(url, greeting)
  if (!('socket' in result)) return `${result.status} ${result.body['code']}`
  result.socket.close()
  await result.closed
  return 'open'
}

/** Sends raw bytes and reads until the server closes, or a switch of protocols is complete. */
export async function shout(url: string, text: string): Promise<string> {
  const [host = '', port = ''] = url.split(':')
  const socket = connect(Number(port), host)
  onTestFinished(() => {
    socket.destroy()
  })
  let received = ''
  return new Promise((resolve) => {
    socket.on('error', () => resolve(received))
    socket.on('close', () => resolve(received))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (/^HTTP\/1.1 101[\s\S]*\r\n\r\n/.test(received)) resolve(received)
    })
    socket.write(text)
  })
}

/** The lines of a raw handshake. */
export function rawHandshake(url: string, ...lines: readonly string[]): string {
  const fixed = [
    'GET / HTTP/1.1',
    `Host: ${url}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  return `${[...fixed, ...lines].join('\r\n')}\r\n\r\n`
}

/** Header of a bearer token. */
export function bearer(token: string): { readonly headers: { readonly Authorization: string } } {
  return { headers: { Authorization: `Bearer ${token}` } }
}
