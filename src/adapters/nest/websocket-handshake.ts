/**
 * The handshake of a WebSocket client as a request port. Browsers can set no header there, so a token may also come as the
 * subprotocol `bearer.<token>` or in Socket.IO's `auth.token`: both count as the header, and two tokens are one too many.
 * Browsers send cookies from any page (RFC 6455 section 10.2), so a handshake counts as unsafe and its origin is checked.
 */
import type { IncomingMessage } from 'node:http'
import type { Requirement } from '../../auth/requirement.ts'
import { readHttpHeader } from '../../http/node-request.ts'
import type { RequestPort } from '../../http/request-port.ts'
import type { HttpSettings } from '../../http/resolve-http-options.ts'
import { ConfigurationError } from '../../internal/configuration-error.ts'

/** A Socket.IO client, as far as it matters: it keeps its handshake. */
interface SocketIoClient {
  readonly request?: IncomingMessage
  readonly handshake?: { readonly auth?: { readonly token?: unknown } }
}

/** How a token is announced among the subprotocols. */
const PROTOCOL = 'bearer.'

/** The handshakes of clients that do not keep theirs. */
const handshakes = new WeakMap<object, IncomingMessage>()

/** Remembers the request that a client came with. */
export function rememberHandshake(client: object, request: IncomingMessage): void {
  handshakes.set(client, request)
}

/**
 * What a message's handshake must meet. No browser can repeat a CSRF value there, so the origin check takes the place of both
 * walls; only where both are off it stays off.
 */
export function toHandshakeRequirement(requirement: Requirement, { csrf }: HttpSettings): Requirement {
  const isOff = requirement.csrf === false || !(csrf.checksOrigin || csrf.checksToken)
  return { ...requirement, csrf: isOff ? false : 'origin' }
}

/**
 * The port of a client's handshake. It has no body, and no response that could set a cookie.
 *
 * @throws {ConfigurationError} when nobody has said what request the client came with
 */
export function toHandshakePort(client: object, { sources: locate }: HttpSettings): RequestPort {
  const { request = handshakes.get(client), handshake } = client as SocketIoClient
  if (request === undefined)
    throw new ConfigurationError(
      'Expected `guard.admit(client, request)` to be called in `handleConnection(client, request)`',
    )
  const { name, prefix } = locate.header
  return {
    // A handshake by HTTP/2 is a CONNECT (RFC 8441 section 4), which is unsafe; a GET would pass from any origin.
    method: 'CONNECT',
    url: request.url ?? '/',
    header(wanted) {
      const own = readHttpHeader(request, wanted)
      if (wanted !== name) return own
      const carried = [...readProtocols(request), ...readAuth(handshake?.auth?.token)]
      const all = [...(own === undefined ? [] : [own]), ...carried.map((token) => `${prefix}${token}`)]
      return all.length < 2 ? all[0] : all
    },
  }
}

/** The tokens among the subprotocols; a JWT has no character that a subprotocol must not have (RFC 6455 section 4.1). */
function readProtocols(request: IncomingMessage): readonly string[] {
  const names = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  return names.filter((name) => name.startsWith(PROTOCOL)).map((name) => name.slice(PROTOCOL.length))
}

/** The token in Socket.IO's `auth`, which may hold anything. */
function readAuth(token: unknown): readonly string[] {
  return typeof token === 'string' ? [token] : []
}
