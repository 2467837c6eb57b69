/** The types of the WebSocket door: the sockets of the package ws as they are, payload and user on the connection. */
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import { describe, expectTypeOf, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import { type Connection, chooseProtocol, guards } from '../../src/adapters/ws.ts'
import type { TokenOf } from '../../src/auth/auth.ts'
import { createAuth } from '../../src/auth/create-auth.ts'

const auth = createAuth({
  secret: 'x',
  claims: z.object({ tenant: z.string() }),
  subject: ({ sub }) => ({ name: sub }),
})
type Token = TokenOf<typeof auth>
const guard = guards(auth)
const wss = new WebSocketServer({ noServer: true, handleProtocols: chooseProtocol })

describe('ws', () => {
  it('hands over the socket of the server, the connection and the request', () => {
    const open = guard.access()(wss, (socket, connection, request) => {
      expectTypeOf(socket).toEqualTypeOf<WebSocket>()
      expectTypeOf(connection).toEqualTypeOf<Connection<Token>>()
      expectTypeOf(connection.payload.data.tenant).toBeString()
      expectTypeOf(connection.recheck({ fresh: true })).resolves.toEqualTypeOf<Token>()
      expectTypeOf(request).toEqualTypeOf<IncomingMessage>()
    })
    createServer().on('upgrade', open)
    class Named extends WebSocket {
      readonly label = 'a'
    }
    guard.fresh()(new WebSocketServer({ noServer: true, WebSocket: Named }), (socket) => {
      expectTypeOf(socket.label).toBeString()
    })
  })

  it('has no payload for sure behind optional only', () => {
    guard.optional()(wss, (_socket, { payload, recheck: meet }) => {
      expectTypeOf(payload).toEqualTypeOf<Token | null>()
      expectTypeOf(meet()).resolves.toEqualTypeOf<Token>()
    })
    guard.token({ optional: true })(wss, (_socket, { payload }) => {
      expectTypeOf(payload).toEqualTypeOf<Token | null>()
    })
    guard.token({ scopes: ['a'], locations: ['protocol', 'ticket'] })(wss, (_socket, { payload }) => {
      expectTypeOf(payload).toEqualTypeOf<Token>()
    })
  })

  it('has the user behind subject only', () => {
    guard.subject()(wss, (_socket, { subject }) => {
      expectTypeOf(subject).toEqualTypeOf<{ name: string }>()
    })
    guard.access()(wss, (_socket, { subject }) => {
      expectTypeOf(subject).toBeUndefined()
    })
  })

  it('follows sockets that a framework has opened', () => {
    const socket = null as unknown as WebSocket
    const payload = null as unknown as Token
    expectTypeOf(guard.follow(socket, payload)).toEqualTypeOf<Connection<Token>>()
    expectTypeOf(guard.follow(socket, payload as Token | null)).toEqualTypeOf<Connection<Token | null>>()
    // @ts-expect-error a payload is what a guard gave
    guard.follow(socket, { sub: 'x' })
    // @ts-expect-error a server's socket is none of a client's address
    guard.follow('ws://localhost', payload)
  })

  it('takes tickets and protocols for single routes only', () => {
    // @ts-expect-error not for every route
    createAuth({ locations: ['ticket'] })
    // @ts-expect-error no such place
    guard.token({ locations: ['subprotocol'] })
  })
})
