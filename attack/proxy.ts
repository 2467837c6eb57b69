/**
 * A TCP proxy that cuts a connection: after so many bytes in one direction it closes both ends, as
 * if a cable was pulled. It records the bytes that it did not pass on. It can also speak for the
 * server, and end the connection after that.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** To the server, or from it. */
export type Direction = 'up' | 'down'

/** Where to cut: after how many bytes, in one direction. */
export interface Cut {
  readonly direction: Direction
  readonly after: number
}

/** What to say for the server, in one packet with bytes of its own. */
export interface Interruption {
  /** The server's bytes at the end of a packet. */
  readonly after: Buffer
  /** What to add. */
  readonly bytes: Buffer
}

/** A proxy in front of one port. */
export interface TcpProxy {
  readonly port: number
  /** Cuts the next connection that reaches this point, once. Counts bytes from now on. */
  arm(cut: Cut): void
  /** Cancels the cut. */
  disarm(): void
  /** Interrupts each connection from now on; undefined for none. */
  interrupt(interruption: Interruption | undefined): void
  /** How many connections were interrupted. */
  readonly interrupted: number
  /** The messages that passed since the last `arm` or `reset`. */
  readonly passed: readonly { readonly direction: Direction; readonly bytes: number }[]
  /** Clears `passed`. */
  reset(): void
  /** The bytes that the last cut did not pass on; empty if nothing was cut. */
  readonly swallowed: string
  close(): Promise<void>
}

/** How long to read a response that is not passed on, in milliseconds. */
const READ_TIME = 50

/** How long the last bytes before the cut have to arrive, in milliseconds. */
const ARRIVAL_TIME = 2

/** Starts a proxy on a free port of 127.0.0.1. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const passed: { direction: Direction; bytes: number }[] = []
  let cut: Cut | undefined
  let left = 0
  let swallowed = ''
  let interruption: Interruption | undefined
  let interrupted = 0

  function relay(from: Socket, to: Socket, direction: Direction): void {
    let severed = false
    /** Still reads what the server sends, but nothing more from the client. */
    function sever(): void {
      if (direction === 'up') from.destroy()
      else setTimeout(() => from.destroy(), READ_TIME).unref()
      to.destroy()
    }
    from.on('data', (bytes) => {
      if (severed) {
        swallowed += bytes.toString('latin1')
        return
      }
      const { after } = interruption ?? {}
      if (direction === 'down' && after?.equals(bytes.subarray(-after.length))) {
        severed = true
        interrupted += 1
        to.end(Buffer.concat([bytes, interruption?.bytes ?? Buffer.alloc(0)]))
        return
      }
      if (cut?.direction !== direction || bytes.length <= left) {
        passed.push({ direction, bytes: bytes.length })
        if (cut?.direction === direction) left -= bytes.length
        to.write(bytes)
        return
      }
      const part = bytes.subarray(0, left)
      swallowed = bytes.subarray(left).toString('latin1')
      severed = true
      cut = undefined
      if (part.length === 0) sever()
      else to.write(part, () => setTimeout(sever, ARRIVAL_TIME))
    })
    from.on('error', () => undefined)
    from.on('end', () => to.end())
    from.on('close', () => to.destroy())
  }

  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }
    relay(client, upstream, 'up')
    relay(upstream, client, 'down')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    arm(next) {
      passed.length = 0
      swallowed = ''
      cut = next
      left = next.after
    },
    disarm() {
      cut = undefined
    },
    interrupt(next) {
      interruption = next
    },
    get interrupted() {
      return interrupted
    },
    passed,
    reset() {
      passed.length = 0
    },
    get swallowed() {
      return swallowed
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
