/**
 * WebSockets: a chat in which all users read what all write. The socket opens with an access token
 * or with a one-time ticket, is closed with 4401 when the token ends or the user logs out, and for
 * one kind of message the password must have been given lately.
 *
 *     npm run example -- websocket
 *
 *     curl -X POST --json '{"username":"user1", "password":"password1"}' http://localhost:8000/auth/login
 *     curl -X POST --oauth2-bearer $TOKEN http://localhost:8000/auth/ticket          # for ws://localhost:8000/?ticket=...
 *
 *     const socket = new WebSocket('ws://localhost:8000', ['tokenwright', 'bearer.' + token])   // in a page
 *     socket.send('hello')                        // user1: hello
 *     socket.send('/clear')                       // fresh_token_required, unless the token is fresh
 *     socket.send('/token ' + newer)              // after a refresh or a step-up: the socket goes on with the newer token
 */
import { createAuth, isAuthError } from 'tokenwright'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { type Connection, guards } from 'tokenwright/ws'
import { WebSocketServer } from 'ws'
import { secretOfThisRun, serve } from './surroundings/serve.ts'

/**
 * Passwords in the clear, for the example. A real application keeps slow hashes (argon2id, scrypt).
 */
const PASSWORDS = new Map([
  ['user1', 'password1'],
  ['user2', 'password2'],
])

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const routes = authRoutes(auth, {
  verifyCredentials: ({ username, password }) =>
    PASSWORDS.get(username) === password ? { subject: username } : null,
})
const room = new WebSocketServer({ noServer: true, maxPayload: 4096 })
const RECENT = auth.prepare({ fresh: '5m' })

/** Carries out one message; returns what the others read of it. */
async function hear(connection: Connection<{ readonly sub: string }>, text: string): Promise<string> {
  if (text.startsWith('/token ')) return `${(await connection.renew(text.slice(7))).sub} stays`
  const clears = text === '/clear'
  const { sub } = await connection.recheck(clears ? RECENT : {})
  return clears ? `${sub} has cleared the room` : `${sub}: ${text}`
}

const open = guards(auth).access()(room, (socket, connection) => {
  socket.on('message', async (data) => {
    try {
      const heard = await hear(connection, String(data))
      for (const client of room.clients) client.send(heard)
    } catch (error) {
      // The response that any route would give; what is no refusal is a defect.
      socket.send(isAuthError(error) ? auth.errorResponse(error).body : 'Internal error')
    }
  })
})

serve(routes, open)
