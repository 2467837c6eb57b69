/**
 * Stops an HTTP server without interrupting requests. First it tells clients to go elsewhere, while
 * it still serves them. Then it takes no new connections, lets running requests finish, and closes
 * the remaining connections at a deadline. Node's own `close()` has no deadline: it waits as long
 * as any client keeps its connection open.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** How a drain ended: every request got its response, or some were cut off at the deadline. */
export type Drained = 'finished' | 'cut off'

/** Stops a server in two steps. */
export interface Drain {
  /** From now on each response closes its connection, so that the next one may go elsewhere. */
  sendAway(): void
  /** Closes the port. @param deadline how long running requests may take, in milliseconds */
  finish(deadline: number): Promise<Drained>
}

/** Prepares a server for draining. Call it before the server listens. */
export function prepareDrain(server: Server): Drain {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  let isLeaving = false
  server.prependListener('request', (_, response) => {
    if (isLeaving) response.setHeader('Connection', 'close')
  })

  return {
    sendAway() {
      isLeaving = true
    },
    async finish(deadline) {
      isLeaving = true
      let outcome: Drained = 'finished'
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Browsers open connections in advance. Node regards one without any byte yet as busy.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      // A connection becomes idle when its request ends, and keep-alive would hold it open.
      const sweep = setInterval(() => server.closeIdleConnections(), 50)
      const end = setTimeout(() => {
        outcome = 'cut off'
        server.closeAllConnections()
      }, deadline)
      await closed
      clearInterval(sweep)
      clearTimeout(end)
      return outcome
    },
  }
}
