/**
 * The handshake of a WebSocket client as a request port. Browsers can set no header there, so a
 * token may also come as the subprotocol `bearer.<token>` or in Socket.IO's `auth.token`: both
 * count as the header, and two tokens are refused. Browsers send cookies from any page (RFC 6455
 * section 10.2), so a handshake counts as unsafe and its origin is checked.
 */
import type { IncomingMessage } from 'node:http'
import type { Requirement } from '../../auth/requirement.ts'
import { readHttpHeader } from '../../http/node-request.ts'
import type { RequestPort } from '../../http/request-port.ts'
import type { HttpSettings } from '../../http/resolve-http-options.ts'
import { PROTOCOL_HEADER, readProtocolToken } from '../../http/websocket-handshake.ts'
import { ConfigurationError } from '../../internal/configuration-error.ts'

/** The used part of a Socket.IO client, which has its handshake. */
interface SocketIoClient {
  readonly request?: IncomingMessage
  readonly handshake?: { readonly auth?: { readonly token?: unknown } }
}

/** The handshakes of clients that do not have theirs. */
const handshakes = new WeakMap<object, IncomingMessage>()

/** Remembers the handshake of a client. */
export function rememberHandshake(client: object, request: IncomingMessage): void {
  handshakes.set(client, request)
}

/**
 * The requirement of a handshake. No browser can repeat a CSRF value there, so the origin check
 * replaces both checks; if both are off, it stays off.
 */
export function toHandshakeRequirement(requirement: Requirement, { csrf }: HttpSettings): Requirement {
  const isOff = requirement.csrf === false || !(csrf.checksOrigin || csrf.checksToken)
  return { ...requirement, csrf: isOff ? false : 'origin' }
}

/**
 * The port of a client's handshake. It has no body, and no response that could set a cookie.
 *
 * @throws {ConfigurationError} if the handshake of the client is unknown
 */
export function toHandshakePort(client: object, { sources }: HttpSettings): RequestPort {
  const { request = handshakes.get(client), handshake } = client as SocketIoClient
  if (request === undefined)
    throw new ConfigurationError(
      'Expected `guard.admit(client, request)` to be called in `handleConnection(client, request)`',
    )
  const { name, prefix } = sources.header
  return {
    // A handshake by HTTP/2 is a CONNECT (RFC 8441 section 4), which is unsafe; a GET would pass
    // from any origin.
    method: 'CONNECT',
    url: request.url ?? '/',
    header(wanted) {
      const own = readHttpHeader(request, wanted)
      if (wanted !== name) return own
      const protocol = readProtocolToken(readHttpHeader(request, PROTOCOL_HEADER))
      const token = handshake?.auth?.token
      const tokens = [protocol, token].filter((each) => typeof each === 'string')
      const all = [...(own === undefined ? [] : [own]), ...tokens.map((each) => `${prefix}${each}`)]
      return all.length < 2 ? all[0] : all
    },
  }
}
