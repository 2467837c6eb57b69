/** A real OpenID Connect provider on this machine, whose development pages take any user. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { onTestFinished } from 'vitest'

/** A provider that listens. */
export interface RunningProvider {
  readonly issuer: string
  /** Starts to respond, with one client. Before that it responds to nothing. */
  serve(redirectUri: string): void
  /** From now on each request gets this status. */
  fail(status: number): void
  /** Closes all connections and takes no new ones. */
  stop(): void
}

/** Starts a provider, which ends with the test. @param host of its issuer; default 127.0.0.1 */
export async function startProvider(host = '127.0.0.1'): Promise<RunningProvider> {
  const server = createServer((request, response) => handle(request, response))
  let handle: (...args: Parameters<ReturnType<Provider['callback']>>) => unknown = () => undefined
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const stop = (): void => {
    server.close()
    server.closeAllConnections()
  }
  onTestFinished(stop)
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    serve(redirectUri) {
      const provider = new Provider(issuer, {
        clients: [{ client_id: 'app', client_secret: 'app-secret', redirect_uris: [redirectUri] }],
        acrValues: ['gold'],
        claims: { openid: ['sub'], acr: null, auth_time: null },
        cookies: { keys: ['not a secret: a test'] },
        pkce: { required: () => true },
      })
      handle = provider.callback()
    },
    fail(status) {
      handle = (_request, response) => response.writeHead(status).end()
    },
    stop,
  }
}
