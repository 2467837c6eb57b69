/**
 * A gate between processes of this machine: all goes through, until it is shut. Then what is sent
 * is taken and never arrives, as where a network has lost its way; also on connections that are
 * made meanwhile.
 */
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { RedisClient } from '../../src/stores/redis.ts'
import type { RedisServer } from '../stores/redis-server.ts'

/** A gate. */
export interface Gate {
  readonly port: number
  /** Lets nothing through any more; with a source, nothing from that address of this machine. */
  shut(source?: string): void
  /** Lets through again. Connections that were cut are closed. */
  open(): void
  close(): Promise<void>
}

/** Opens a gate to a port of this machine. */
export async function openGate(target: number): Promise<Gate> {
  /** The address that is cut off; an empty text for all, null for none. */
  let cut: string | null = null
  const pairs = new Map<Socket, Socket>()
  const isCut = ({ remoteAddress = '' }: Socket): boolean =>
    cut !== null && (cut === '' || cut === remoteAddress)

  function swallow(near: Socket, far: Socket): void {
    near.unpipe(far)
    far.unpipe(near)
    near.resume()
    far.pause()
  }

  const server: Server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target })
    pairs.set(near, far)
    near.setNoDelay(true).on('error', () => undefined)
    far.setNoDelay(true).on('error', () => undefined)
    near.on('close', () => {
      pairs.delete(near)
      far.destroy()
    })
    // The other end of a cut cable hears nothing of a close either.
    far.on('close', () => isCut(near) || near.destroy())
    if (isCut(near)) return swallow(near, far)
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    shut(source = '') {
      cut = source
      for (const [near, far] of pairs) if (isCut(near)) swallow(near, far)
    },
    open() {
      const before = [...pairs.keys()].filter(isCut)
      cut = null
      for (const near of before) near.destroy()
    },
    async close() {
      for (const near of pairs.keys()) near.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Whose client it is. */
export type ClientKind = 'ioredis' | 'node-redis'

/** A Redis client, and what closes it. */
export interface Connected {
  readonly client: RedisClient
  close(): unknown
}

/** A primary and its replica, which takes its place when it is gone. */
export interface Group {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** The port of one that knows all: a node or a sentinel. */
  readonly root: number
  /** A client that finds the primary: on its side where that is cut off, or on that of all others. */
  connect(kind: ClientKind, side: 'primary' | 'others'): Promise<Connected>
  /** Cuts the primary off, together with the clients on its side. */
  cut(): void
  /** Joins them again. */
  heal(): void
  /** Whether the replica has taken its place. */
  hasMoved(): Promise<boolean>
  close(): Promise<void>
}
