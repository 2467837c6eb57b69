/**
 * A relay between a client and its server: it forwards, and on demand it cuts the connection at a certain message, or makes every
 * message late. A message here is what arrives at once: on loopback, what the client wrote at once.
 */

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Where a connection is cut: before a message reaches the server, once the server has it, or once its answer has come. */
export type Cut = 'before' | 'after' | 'answered'

/** A relay. */
export interface Relay {
  readonly port: number
  /** Cuts at the `index`-th message of the client from now on, counted from 0. Once. */
  cutAt(index: number, when: Cut): void
  /** Takes the order back; answers whether the cut has been made. */
  disarm(): boolean
  /** Makes every message and every answer late by so many seconds, half of them each. */
  delay(seconds: number): void
  close(): Promise<void>
}

interface Order {
  index: number
  readonly when: Cut
}

/** Starts a relay to a port of this machine. */
export async function startRelay(target: number): Promise<Relay> {
  let order: Order | null = null
  let late = 0
  const sockets = new Set<Socket>()

  /** What the order says about the next message. */
  function next(): Cut | null {
    if (order === null) return null
    order.index -= 1
    if (order.index >= 0) return null
    const { when } = order
    order = null
    return when
  }

  /**
   * One direction of a connection: hands things over now, or later, in the order in which they came. One timer for all that wait: two
   * timers of different lengths may go off in the wrong order, and a driver would then give one caller the answer to another.
   */
  function createLane(): (work: () => void) => void {
    const waiting: { readonly at: number; readonly work: () => void }[] = []
    const wake = (): void => {
      const [first] = waiting
      if (first !== undefined) setTimeout(run, Math.ceil(first.at - performance.now()))
    }
    const run = (): void => {
      while (waiting[0] !== undefined && waiting[0].at <= performance.now()) waiting.shift()?.work()
      wake()
    }
    return (work) => {
      if (late === 0 && waiting.length === 0) return work()
      waiting.push({ at: Math.max(waiting.at(-1)?.at ?? 0, performance.now() + late * 500), work })
      if (waiting.length === 1) wake()
    }
  }

  function join(client: Socket): void {
    const server = connect(target, '127.0.0.1')
    let dropsAnswer = false
    const [forth, back] = [createLane(), createLane()]
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        if (!server.writableEnded) server.destroy()
      })
    }
    client.on('data', (data) => {
      const cut = next()
      if (cut === 'before') {
        client.destroy()
        return
      }
      dropsAnswer ||= cut === 'answered'
      forth(() => server.writable && server.write(data))
      if (cut !== 'after') return
      // The server gets the message and then the end of the stream, as if the machine were gone.
      server.end()
      client.destroy()
    })
    server.on('data', (data) => {
      if (dropsAnswer) client.destroy()
      else back(() => client.writable && client.write(data))
    })
  }

  const listener: Server = createServer(join)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    port: (listener.address() as AddressInfo).port,
    cutAt(index, when) {
      order = { index, when }
    },
    disarm() {
      const wasCut = order === null
      order = null
      return wasCut
    },
    delay(seconds) {
      late = seconds
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}
