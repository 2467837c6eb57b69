/**
 * What all examples share: a secret, a port, and a clean shutdown. `PORT` defaults to 8000; 0 takes
 * a free port. `HOST` defaults to 127.0.0.1, because the examples have only demo users.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RequestInfo } from 'tokenwright'
import { toNodeHandler } from 'tokenwright/node'
import type { UpgradeListener } from 'tokenwright/ws'

/**
 * A random secret for this run, so that an example needs no settings. Its tokens become invalid
 * when the process ends. A real application has one secret, which it keeps outside the code, in
 * `TOKENWRIGHT_SECRET`. `createAuth()` reads that variable.
 */
export function secretOfThisRun(): string {
  return process.env['TOKENWRIGHT_SECRET'] || randomBytes(32).toString('base64url')
}

/**
 * Serves a fetch handler, such as that of a Hono app, which gets the address of the client as its
 * environment, and WebSockets if there is an `upgrade` listener. On SIGTERM or SIGINT, lets running
 * requests finish and exits with 0.
 */
export function serve(
  fetch: (request: Request, info: RequestInfo) => Response | Promise<Response>,
  upgrade?: UpgradeListener,
): void {
  const server = createServer(toNodeHandler((request, info) => fetch(request, info)))
  if (upgrade !== undefined) server.on('upgrade', upgrade)
  listen(server)
}

/** The same for a Node server, for frameworks that create one. */
export function listen(server: Server): void {
  const { PORT = '8000', HOST = '127.0.0.1' } = process.env
  if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > 65_535) fail('PORT must be a whole number from 0 to 65535')
  server.once('error', (error) => fail(error.message))
  server.listen(Number(PORT), HOST, () => {
    const { address, port, family } = server.address() as AddressInfo
    console.log(`The example listens on http://${family === 'IPv6' ? `[${address}]` : address}:${port}`)
    console.log(
      `Secret: ${process.env['TOKENWRIGHT_SECRET'] ? 'from TOKENWRIGHT_SECRET' : 'generated for this run'}`,
    )
  })
  const stop = (): void => {
    server.close()
    setTimeout(() => server.closeAllConnections(), 3000).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop)
}

/** Exits when an example cannot start. */
function fail(reason: string): never {
  console.error(`The example cannot start: ${reason}`)
  process.exit(1)
}
