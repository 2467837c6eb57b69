/**
 * The door of Nest in WebSocket contexts: gateways on `ws` and on Socket.IO, with real clients. What a client's handshake brought is
 * verified when it connects and again for each message.
 */
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { INestApplication, Type } from '@nestjs/common'
import { IoAdapter } from '@nestjs/platform-socket.io'
import { WsAdapter } from '@nestjs/platform-ws'
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets'
import { io, type Socket } from 'socket.io-client'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from '../../src/index.ts'
import { createApplication, toModule } from '../nest/application.ts'
import { loadNest, type Nest } from '../nest/versions.ts'
import { claimsOf, forge, type Hand, NOW, setUp } from '../token/forge.ts'

const COOKIE = '__Host-access_token'
const GOOD = forge(claimsOf({ csrf: 'c' }))
const EXPIRED = forge(claimsOf({ exp: NOW - 60 }))

/** Whether the gateway refuses clients when they connect, only remembers them, or forgets to look. */
type Watch = 'refuse' | 'remember' | 'forget'

/** A gateway that answers `me` to any client that may ask, `fresh` only to those with a fresh token. */
function toGateway({ common, door }: Nest, auth: Auth, watch: Watch): Type {
  const guard = door.guards(auth)
  const access = guard.access()
  class Gateway {
    async handleConnection(client: object, request?: IncomingMessage): Promise<void> {
      if (watch === 'refuse') await access.admit(client, request)
      else if (watch === 'remember') await guard.optional().admit(client, request)
    }
    me({ sub }: { sub: string }): unknown {
      return { event: 'me', data: sub }
    }
    fresh(): unknown {
      return { event: 'fresh', data: true }
    }
  }
  const prototype = Gateway.prototype
  for (const [name, own] of [
    ['me', access],
    ['fresh', guard.fresh()],
  ] as const) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!
    common.UseGuards(own)(prototype, name, descriptor)
    SubscribeMessage(name)(prototype, name, descriptor)
  }
  door.CurrentToken()(prototype, 'me', 0)
  common.UseFilters(new door.AuthErrorFilter(auth))(Gateway)
  const handleProtocols = (offered: Set<string>): string | false => (offered.has('chat') ? 'chat' : false)
  WebSocketGateway({ handleProtocols } as object)(Gateway)
  return Gateway
}

let app: INestApplication
const sockets: { close(): void }[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close()
  await app.close()
})

async function start(kind: 'ws' | 'io', watch: Watch): Promise<{ port: number; clock: Hand }> {
  const { auth, clock } = setUp({ locations: ['header', 'cookie', 'query'], csrf: 'both' })
  const nest = await loadNest(12)
  const module = toModule(nest, { providers: [toGateway(nest, auth, watch)] })
  app = await createApplication(nest, 'express', module, {
    prepare: (created) =>
      void created.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(created) : new IoAdapter(created)),
  })
  await app.listen(0, '127.0.0.1')
  return { port: (app.getHttpServer().address() as AddressInfo).port, clock }
}

/** A client of `ws` that collects what it is told; it can set any header, as no browser could. */
async function open(
  port: number,
  {
    path = '/',
    protocols = [],
    headers = {},
  }: { path?: string; protocols?: string[]; headers?: object } = {},
): Promise<{
  ask(event: string): Promise<unknown>
  next(): Promise<unknown>
  closed: Promise<[number, string]>
  protocol: string
}> {
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers: { ...headers } })
  sockets.push(socket)
  const received: unknown[] = []
  const waiting: ((value: unknown) => void)[] = []
  socket.on('message', (text: Buffer) => {
    const value: unknown = JSON.parse(String(text))
    const wanted = waiting.shift()
    if (wanted === undefined) received.push(value)
    else wanted(value)
  })
  const next = (): Promise<unknown> =>
    received.length > 0 ? Promise.resolve(received.shift()) : new Promise((resolve) => waiting.push(resolve))
  const closed = new Promise<[number, string]>((resolve) => {
    socket.on('close', (code: number, reason: Buffer) => resolve([code, String(reason)]))
  })
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  return {
    closed,
    next,
    protocol: socket.protocol,
    ask(event) {
      socket.send(JSON.stringify({ event, data: {} }))
      return next()
    },
  }
}

const TOLD = { event: 'me', data: 'user-1' }
const told = (code: string): object => ({
  event: 'exception',
  data: expect.objectContaining({ status: 'error', code }),
})

describe('ws', () => {
  it.each([
    ['header', { headers: { authorization: `Bearer ${GOOD}` } }],
    ['subprotocol', { protocols: ['chat', `bearer.${GOOD}`] }],
    ['query', { path: `/?access_token=${GOOD}` }],
    ['cookie', { headers: { cookie: `${COOKIE}=${GOOD}` } }],
  ])('takes a token by %s', async (_, how) => {
    const { port } = await start('ws', 'refuse')
    const client = await open(port, how)
    expect(await client.ask('me')).toEqual(TOLD)
    // The token is never echoed.
    expect(client.protocol).toBe('protocols' in how ? 'chat' : '')
  })

  it.each([
    ['no token', {}, 'token_missing'],
    ['an expired one', { protocols: ['chat', `bearer.${EXPIRED}`] }, 'token_expired'],
    [
      'two',
      { protocols: ['chat', `bearer.${GOOD}`], headers: { authorization: `Bearer ${GOOD}` } },
      'request_invalid',
    ],
    [
      'a cookie from a foreign page',
      { headers: { cookie: `${COOKIE}=${GOOD}`, origin: 'https://evil.example' } },
      'csrf_mismatch',
    ],
  ])('tells a client with %s why, and disconnects it', async (_, how, code) => {
    const { port } = await start('ws', 'refuse')
    const client = await open(port, how)
    expect(await client.next()).toEqual(told(code))
    expect(await client.closed).toEqual([1008, code])
  })

  it('checks each message by what is true at its time', async () => {
    const { port, clock } = await start('ws', 'refuse')
    const client = await open(port, { headers: { authorization: `Bearer ${GOOD}` } })
    expect(await client.ask('me')).toEqual(TOLD)
    expect(await client.ask('fresh')).toEqual(told('fresh_token_required'))
    expect(await client.ask('me')).toEqual(TOLD)
    clock.now += 1_000
    expect(await client.ask('me')).toEqual(told('token_expired'))
  })

  it('refuses messages that require more than the connection did', async () => {
    const { port } = await start('ws', 'remember')
    const client = await open(port)
    expect(await client.ask('me')).toEqual(told('token_missing'))
  })

  it('accepts no message of a client whose request was not passed on', async () => {
    const { port } = await start('ws', 'forget')
    const client = await open(port, { headers: { authorization: `Bearer ${GOOD}` } })
    // A slip in the wiring: Nest's own words, and a line in its log.
    expect(await client.ask('me')).toMatchObject({
      event: 'exception',
      data: { message: 'Internal server error' },
    })
  })
})

describe('socket.io', () => {
  function connect(port: number, options: object): Socket {
    const socket = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'],
      reconnection: false,
      ...options,
    })
    sockets.push(socket)
    return socket
  }
  const heard = (socket: Socket, event: string): Promise<unknown> =>
    new Promise((resolve) => socket.once(event, resolve))

  it.each([
    ['auth', { auth: { token: GOOD } }],
    ['header', { extraHeaders: { authorization: `Bearer ${GOOD}` } }],
  ])('takes a token by %s, and refuses messages that want more', async (_, how) => {
    const { port } = await start('io', 'refuse')
    const socket = connect(port, how)
    await heard(socket, 'connect')
    socket.emit('me', {})
    expect(await heard(socket, 'me')).toBe('user-1')
    socket.emit('fresh', {})
    expect(await heard(socket, 'exception')).toMatchObject({
      status: 'error',
      code: 'fresh_token_required',
      error_type: 'FreshTokenRequiredError',
      message: 'Fresh token required',
    })
  })

  it.each([
    ['no token', {}, 'token_missing'],
    ['a token that is no text', { auth: { token: 7 } }, 'token_missing'],
    ['an expired one', { auth: { token: EXPIRED } }, 'token_expired'],
  ])('tells a client with %s why, and disconnects it', async (_, how, code) => {
    const { port } = await start('io', 'refuse')
    const socket = connect(port, how)
    const [exception, reason] = await Promise.all([heard(socket, 'exception'), heard(socket, 'disconnect')])
    expect(exception).toMatchObject({ status: 'error', code })
    expect(reason).toBe('io server disconnect')
  })

  it('refuses messages of clients that were connected without a check', async () => {
    const { port } = await start('io', 'remember')
    const socket = connect(port, {})
    await heard(socket, 'connect')
    socket.emit('me', {})
    expect(await heard(socket, 'exception')).toMatchObject({ code: 'token_missing' })
  })
})
