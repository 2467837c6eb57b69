/**
 * The load: keep-alive connections with one request in flight, each with a random token of the
 * pool. Requests are prepared before, so that the load is cheap. The load never sleeps, as waking a
 * client takes the kernel some 6 us of the server's time, more often if the server is slow, and
 * this would count as the guard's.
 */
import { connect, type Socket } from 'node:net'

/** The number of connections. */
const CONNECTIONS = 16

/** The request for each token, as Node's `fetch` sends it. */
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

/** Connections that stay open, as a new one costs the server more than a request. */
export interface Load {
  /** Sends that many requests. Each must get a 200. */
  run(count: number): Promise<void>
  close(): void
}

/** Connects to a server. */
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

/** Sends one request after the other on one connection until `next` returns none. */
function keepBusy(socket: Socket, next: () => Buffer | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (bytes: Buffer): void => {
      text += bytes.toString('latin1')
      // All responses have the same short JSON, so its end is the end of the response.
      if (!text.endsWith('"world"}')) return
      if (!text.startsWith('HTTP/1.1 200')) reject(new Error(`expected a 200, got ${text.slice(0, 40)}`))
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
