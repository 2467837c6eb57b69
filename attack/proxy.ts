/**
 * A TCP proxy that the attack can cut: after so many bytes of one direction both ends of the
 * connection are gone, as when a cable is pulled. What it swallowed stays in its hands.
 */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Towards the server, or back from it. */
export type Direction = 'up' | 'down'

/** Where to cut: what comes after so many bytes of one direction is swallowed. */
export interface Cut {
  readonly direction: Direction
  readonly after: number
}

/** A proxy in front of one port. */
export interface TcpProxy {
  readonly port: number
  /** Cuts the next connection that gets there, once; counts from now on. */
  arm(cut: Cut): void
  /** Lets everything pass again. */
  disarm(): void
  /** What has passed since it was last armed or reset, by message. */
  readonly passed: readonly { readonly direction: Direction; readonly bytes: number }[]
  /** Forgets what has passed. */
  reset(): void
  /** What the last cut swallowed; empty when it has not come to that. */
  readonly swallowed: string
  close(): Promise<void>
}

/**
 * How long an answer is listened to that is not passed on, and how long a last part has to arrive,
 * in milliseconds.
 */
const LISTENING = 50
const ARRIVAL = 2

/** Starts a proxy on a free port of 127.0.0.1. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const passed: { direction: Direction; bytes: number }[] = []
  let cut: Cut | undefined
  let left = 0
  let swallowed = ''

  function relay(from: Socket, to: Socket, direction: Direction): void {
    let severed = false
    /**
     * What the server still has to say is swallowed; what a client still has to say never leaves
     * it.
     */
    function sever(): void {
      if (direction === 'up') from.destroy()
      else setTimeout(() => from.destroy(), LISTENING).unref()
      to.destroy()
    }
    from.on('data', (bytes) => {
      if (severed) {
        swallowed += bytes.toString('latin1')
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
      else to.write(part, () => setTimeout(sever, ARRIVAL))
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
