/**
 * What surrounds every example and is not its idea: a secret, a port, a clean end. `PORT` (default
 * 8000; 0 takes a free one) and `HOST` (default 127.0.0.1: the examples know no one but demo
 * users).
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from 'tokenwright/node'
import type { UpgradeListener } from 'tokenwright/ws'

/**
 * A random secret for this run, so that an example starts without any setting; tokens end with the
 * process. A real application makes one secret, keeps it outside the code and gives it as
 * `TOKENWRIGHT_SECRET`: `createAuth()` reads that by itself.
 */
export function secretOfThisRun(): string {
  return process.env['TOKENWRIGHT_SECRET'] || randomBytes(32).toString('base64url')
}

/**
 * Serves a fetch handler, such as a Hono app's, and WebSockets where `upgrade` opens them, until
 * SIGTERM or SIGINT; then lets running requests finish and exits 0.
 */
export function serve(
  fetch: (request: Request) => Response | Promise<Response>,
  upgrade?: UpgradeListener,
): void {
  const server = createServer(toNodeHandler((request) => fetch(request)))
  if (upgrade !== undefined) server.on('upgrade', upgrade)
  listen(server)
}

/** The same for a server of Node's, such as that of a framework which makes its own. */
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

/** Ends an example that cannot start. */
function fail(reason: string): never {
  console.error(`The example cannot start: ${reason}`)
  process.exit(1)
}
