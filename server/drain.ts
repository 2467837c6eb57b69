/**
 * Stops an HTTP server without breaking a request: no new connection is taken, running requests
 * end, and what is still open at the deadline is cut off. Node's own `close()` waits for as long as
 * any client likes.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** How a drain ended: every request was answered, or some were cut off at the deadline. */
export type Drained = 'finished' | 'cut off'

/**
 * Prepares a server for being drained; call it before the server listens.
 *
 * @returns the drain, which takes its deadline in milliseconds
 */
export function prepareDrain(server: Server): (deadline: number) => Promise<Drained> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  return async (deadline) => {
    let outcome: Drained = 'finished'
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    // Browsers open connections in advance. Node takes one that never sent a byte for a busy one.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    // A connection becomes idle when its request ends, and would then be kept alive.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    const end = setTimeout(() => {
      outcome = 'cut off'
      server.closeAllConnections()
    }, deadline)
    await closed
    clearInterval(sweep)
    clearTimeout(end)
    return outcome
  }
}
