/** The sockets of Hono and of Fastify behind the guards of their own doors: refused before the upgrade, closed with their token. */
import type { AddressInfo } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import {
  type ServerType,
  serve as serveHono,
  upgradeWebSocket,
  type WebSocketServerLike,
} from '@hono/node-server'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import { guards as fastifyGuards } from '../../../src/adapters/fastify.ts'
import { guards as honoGuards } from '../../../src/adapters/hono.ts'
import { type Connection, chooseProtocol, guards, type SocketGuards } from '../../../src/adapters/ws.ts'
import { type Auth, type Claims, isAuthError, type TokenPayload } from '../../../src/index.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { setUp } from '../../token/forge.ts'
import { bearer, greet, open, outcome, type Refusal } from './sockets.ts'

type Start = (auth: Auth, sockets: SocketGuards<Claims, unknown>) => Promise<string>

/** What the handlers of both answer to a message: its scope is asked for. */
async function respond(auth: Auth, connection: Connection<TokenPayload>, scope: string): Promise<string> {
  try {
    return (await connection.recheck({ scopes: [scope] })).sub
  } catch (error) {
    if (!isAuthError(error)) throw error
    return auth.errorResponse(error).body
  }
}

const startHono: Start = async (auth, sockets) => {
  const guard = honoGuards(auth)
  const app = new Hono()
  const handshake = guard.token({ locations: sockets.locations })
  app.get('/socket', handshake, (c, next) => {
    let connection: Connection<TokenPayload>
    const upgrade = upgradeWebSocket(() => ({
      onOpen(_event, ws) {
        connection = sockets.follow(ws.raw, c.var.auth)
      },
      onMessage({ data }, ws) {
        void respond(auth, connection, String(data)).then((text) => ws.send(text))
      },
    }))
    return upgrade(c, next)
  })
  const wss = new WebSocketServer({ noServer: true, handleProtocols: chooseProtocol })
  let server: ServerType | undefined
  const port = await new Promise<number>((resolve) => {
    server = serveHono(
      { fetch: app.fetch, port: 0, hostname: '127.0.0.1', websocket: { server: wss as WebSocketServerLike } },
      (info) => resolve(info.port),
    )
  })
  onTestFinished(() => {
    for (const socket of wss.clients) socket.terminate()
    server?.close()
  })
  return `127.0.0.1:${port}`
}

const startFastify: Start = async (auth, sockets) => {
  const guard = fastifyGuards(auth)
  const app = fastify()
  await app.register(fastifyWebsocket, { options: { handleProtocols: chooseProtocol } })
  app.get(
    '/socket',
    { websocket: true, preValidation: guard.token({ locations: sockets.locations }) },
    (socket, request) => {
      const connection = sockets.follow(socket, guard.payload(request))
      socket.on('message', (message) => {
        void respond(auth, connection, String(message)).then((text) => socket.send(text))
      })
    },
  )
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  return `127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

describe.each([
  ['hono', startHono],
  ['fastify', startFastify],
] as const)('%s', (name, start) => {
  /** The server of Hono sends the status and the challenge of a refused upgrade, and no body. */
  const refused = (status: number, code: string): string => `${status} ${name === 'hono' ? undefined : code}`

  const path = '/socket'
  async function begin(options = {}) {
    const { auth, clock } = setUp({ sessions: { store: memoryStore() }, ...options })
    const sockets = guards(auth)
    return { auth, clock, sockets, url: await start(auth, sockets) }
  }

  it('accepts tokens by header, protocol and ticket, and never echoes one', async () => {
    const { auth, url } = await begin()
    const { access_token: token } = await auth.createTokenPair('user-1', { scopes: ['chat:*'] })
    expect(await outcome(url, { path, ...bearer(token) })).toBe('open')
    const { socket, ask } = await open(url, { path, protocols: [`bearer.${token}`, 'tokenwright'] })
    expect(socket.protocol).toBe('tokenwright')
    expect(await ask('chat:write')).toBe('user-1')
    expect(JSON.parse(await ask('admin'))).toMatchObject({ code: 'scope_missing' })
    const { ticket } = await auth.createTicket(await auth.verifyToken(token))
    expect(await outcome(url, { path: `${path}?ticket=${ticket}` })).toBe('open')
    expect(await outcome(url, { path: `${path}?ticket=${ticket}` })).toBe(refused(401, 'token_revoked'))
  })

  it('refuses before the upgrade', async () => {
    const { auth, url } = await begin({ locations: ['header', 'cookie'], cookies: { secure: false } })
    const { status, headers } = (await greet(url, { path })) as Refusal
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect(await outcome(url, { path })).toBe(refused(401, 'token_missing'))
    const { access_token } = await auth.createTokenPair('user-1')
    const Cookie = `access_token=${access_token}`
    expect(await outcome(url, { path, headers: { Cookie, Origin: 'https://evil.example' } })).toBe(
      refused(403, 'csrf_mismatch'),
    )
    expect(await outcome(url, { path, headers: { Cookie, Origin: `http://${url}` } })).toBe('open')
  })

  it('closes a socket when its token expires', async () => {
    const { auth, clock, sockets, url } = await begin()
    const enter = async (subject: string) => {
      const { access_token: token } = await auth.createTokenPair(subject, { scopes: ['chat:*'] })
      const client = await open(url, { path, ...bearer(token) })
      expect(await client.ask('chat:read')).toBe(subject)
      return { ...client, token }
    }
    const revoked = await enter('user-1')
    const expired = await enter('user-2')
    expect(sockets.size).toBe(2)
    await auth.revokeSubject('user-1')
    expect(await revoked.closed).toEqual({ code: 4401, reason: 'token_revoked' })
    clock.now += 900
    expect(await expired.closed).toEqual({ code: 4401, reason: 'token_expired' })
    await expect.poll(() => sockets.size).toBe(0)
  })
})

it('says what is missing if a framework gives no socket', async () => {
  const { auth } = setUp()
  const payload = await auth.verifyToken(await auth.createAccessToken('u'))
  expect(() => guards(auth).follow(undefined, payload)).toThrow(/to get a socket of the package `ws`/)
})
