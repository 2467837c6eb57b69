/**
 * WebSockets: a chat of all users. An access token or a one-time ticket opens the socket. The
 * server closes it with 4401 when the token expires or the user logs out. One kind of message
 * requires that the password was entered recently.
 *
 *     npm run example -- websocket
 *
 *     curl -X POST --json '{"username":"user1", "password":"password1"}' \
 *       http://localhost:8000/auth/login
 *     curl -X POST --oauth2-bearer $TOKEN http://localhost:8000/auth/ticket
 *
 * In a page, with the token, or with `'ws://localhost:8000/?ticket=' + ticket`:
 *
 *     const socket = new WebSocket('ws://localhost:8000', ['tokenwright', 'bearer.' + token])
 *     socket.send('hello')            // user1: hello
 *     socket.send('/clear')           // fresh_token_required, unless the token is fresh
 *     socket.send('/token ' + newer)  // continues with the token of a refresh or step-up
 */
import { createAuth, isAuthError } from 'tokenwright'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { type Connection, guards } from 'tokenwright/ws'
import { WebSocketServer } from 'ws'
import { secretOfThisRun, serve } from './shared/serve.ts'

/**
 * Plain-text passwords, only in this example. A real application stores slow hashes (argon2id,
 * scrypt).
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
const chat = new WebSocketServer({ noServer: true, maxPayload: 4096 })
const RECENT = auth.prepare({ fresh: '5m' })

/** Handles one message. Returns the text that all users get. */
async function handle(connection: Connection<{ readonly sub: string }>, text: string): Promise<string> {
  if (text.startsWith('/token ')) return `${(await connection.renew(text.slice(7))).sub} stays`
  const clears = text === '/clear'
  const { sub } = await connection.recheck(clears ? RECENT : {})
  return clears ? `${sub} has cleared the chat` : `${sub}: ${text}`
}

const open = guards(auth).access()(chat, (socket, connection) => {
  socket.on('message', async (data) => {
    try {
      const message = await handle(connection, String(data))
      for (const client of chat.clients) client.send(message)
    } catch (error) {
      // A refusal gets the body that a route would send. Any other error is a bug.
      socket.send(isAuthError(error) ? auth.errorResponse(error).body : 'Internal error')
    }
  })
})

serve(routes, open)
