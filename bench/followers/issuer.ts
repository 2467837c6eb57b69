/**
 * The service with the session store, in a process of its own, so that what followers cost it can
 * be measured. It revokes as often as it is told, and says what it used.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuth, createKeyRing, type Jwk } from 'tokenwright'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'

/** What followers have cost so far. */
export interface Usage {
  /** Requests for the feed. */
  readonly requests: number
  /** Readings of the store's log. */
  readonly reads: number
  /** Seconds of a processor. */
  readonly processor: number
  /** Bytes that were written to sockets, heads included. */
  readonly bytes: number
}

const key = JSON.parse(process.env['BENCH_KEY'] ?? '{}') as Jwk
let requests = 0
let reads = 0
let bytes = 0

const store = memoryStore()
const auth = createAuth({
  keys: createKeyRing({ signing: key }),
  issuer: 'https://auth.example',
  audience: 'api',
  sessions: {
    store: {
      ...store,
      readLog(cursor, limit) {
        reads++
        return store.readLog(cursor, limit)
      },
    },
  },
})
const handle = toNodeHandler(
  authRoutes(auth, {
    verifyCredentials: () => null,
    verifyClient: ({ secret }) => secret === 'bench-secret',
  }),
)

const written = new WeakMap<IncomingMessage['socket'], number>()
const server = createServer((req, res) => {
  requests++
  res.once('close', () => {
    const { socket } = req
    bytes += socket.bytesWritten - (written.get(socket) ?? 0)
    written.set(socket, socket.bytesWritten)
  })
  handle(req, res)
})

function toUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { requests, reads, bytes, processor: (user + system) / 1e6 }
}

process.on('message', async (question: 'usage' | 'start' | { readonly end: string }) => {
  if (question === 'usage') process.send?.(toUsage())
  else if (question === 'start') process.send?.((await auth.sessions.start('user')).access_token)
  else {
    await auth.sessions.endAll(question.end)
    process.send?.('ended')
  }
})
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
