/** What leads each new connection to the next of some servers, and knows nothing of their health. */
import { connect, createServer, type Socket } from 'node:net'

/** Leads connections to servers of this machine. */
export interface Balancer {
  readonly port: number
  /** Leads new connections to these ports from now on. Those that there are stay. */
  lead(...ports: number[]): void
  /** Closes the connections that there are. */
  drop(): void
  close(): Promise<void>
}

/** Starts one. */
export async function startBalancer(...first: number[]): Promise<Balancer> {
  let ports: readonly number[] = first
  let turn = 0
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: ports[turn++ % ports.length] ?? 0 })
    sockets.add(near)
    near
      .setNoDelay(true)
      .on('error', () => undefined)
      .on('close', () => {
        sockets.delete(near)
        far.destroy()
      })
    far
      .setNoDelay(true)
      .on('error', () => undefined)
      .on('close', () => near.destroy())
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const drop = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    lead(...next) {
      ports = next
    },
    drop,
    async close() {
      drop()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
