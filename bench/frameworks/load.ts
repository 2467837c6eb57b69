/**
 * The load: keep-alive connections, one request in flight on each, a token at random from the pool
 * in every request. Requests are made ready before, so that the load costs the machine as little as
 * it can. And it never sleeps: to wake a sleeping client costs the kernel some 6 us of the server's
 * time, more often the slower the server is, which would be charged to the guards.
 */
import { connect, type Socket } from 'node:net'

/** How many connections there are. */
const CONNECTIONS = 16

/** The request for each token, as Node's own fetch would send it. */
export function toRequests(tokens: readonly string[]): readonly Buffer[] {
  const others =
    'Connection: keep-alive\r\nAccept: */*\r\nUser-Agent: bench\r\nAccept-Encoding: gzip, deflate\r\n'
  return tokens.map((token) =>
    Buffer.from(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${others}Authorization: Bearer ${token}\r\n\r\n`),
  )
}

/** Sends one request and returns the status. */
export async function probe(port: number, request: Uint8Array): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  try {
    return await new Promise((resolve, reject) => {
      socket.once('data', (bytes) => resolve(Number(String(bytes).slice(9, 12)))).once('error', reject)
      socket.write(request)
    })
  } finally {
    socket.destroy()
  }
}

/** Connections that stay open, as opening them costs the server more than a request. */
export interface Load {
  /** Sends that many requests; every one must be answered with 200. */
  run(count: number): Promise<void>
  close(): void
}

/** Connects to a server, and sends it requests at random when asked. */
export function openLoad(port: number, requests: readonly Buffer[]): Load {
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, '127.0.0.1').setNoDelay(true))
  return {
    async run(count) {
      let left = count
      const next = (): Buffer | undefined =>
        left-- > 0 ? requests[Math.floor(Math.random() * requests.length)] : undefined
      let running = true
      const stayAwake = (): void => {
        if (running) setImmediate(stayAwake)
      }
      stayAwake()
      await Promise.all(sockets.map((socket) => keepBusy(socket, next)))
      running = false
    },
    close() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Sends one request after the other on one connection, until there are none. */
function keepBusy(socket: Socket, next: () => Buffer | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (bytes: Buffer): void => {
      text += bytes.toString('latin1')
      // The same short JSON in every response: it has come when its last character has.
      if (!text.endsWith('"world"}')) return
      if (!text.startsWith('HTTP/1.1 200')) reject(new Error(`answered ${text.slice(0, 40)}`))
      text = ''
      send()
    }
    const send = (): void => {
      const request = next()
      if (request !== undefined) {
        socket.write(request)
        return
      }
      socket.off('error', reject).off('data', onData)
      resolve()
    }
    socket.on('error', reject).on('data', onData)
    send()
  })
}
