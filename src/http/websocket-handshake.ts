/**
 * Tokens in the handshake of a WebSocket (RFC 6455 sections 4.1, 4.2.2 and 10.2). A page can set
 * one header of it, `Sec-WebSocket-Protocol`, so that may contain a token: `bearer.<token>` beside
 * the intended protocol. The server never chooses the token as the protocol, because the response
 * echoes the choice. Nothing here upgrades or verifies.
 */
import { AuthError } from '../errors.ts'
import type { RequestPort } from './request-port.ts'
import { isToken, readOnce, trimBlanks } from './syntax.ts'

/** The header in which a client offers protocols, in lower case. */
export const PROTOCOL_HEADER = 'sec-websocket-protocol'

/** The beginning of a protocol that is a token. */
const PREFIX = 'bearer.'

/** Whether an offered protocol is a token. */
function isProtocolToken(protocol: string): boolean {
  return protocol.slice(0, PREFIX.length).toLowerCase() === PREFIX
}

/**
 * Whether a request opens a WebSocket: a GET that asks for the upgrade. Browsers let any page send
 * one, cookies included, and let no page set its headers.
 */
export function isHandshake(request: RequestPort): boolean {
  if (request.method !== 'GET') return false
  const upgrade = [request.header('upgrade') ?? []].flat()
  return upgrade.some((value) => value.toLowerCase().includes('websocket'))
}

/** The offered protocols. @throws {AuthError} request_invalid for a malformed list */
function toProtocols(value: string): readonly string[] {
  const offered = value.split(',').map((item) => trimBlanks(item, 0, item.length))
  if (offered.every(isToken)) return offered
  throw new AuthError('request_invalid', { message: 'Malformed Sec-WebSocket-Protocol' })
}

/**
 * The token among the offered protocols; null for none.
 *
 * @throws {AuthError} request_invalid when there are several, when one is empty, or when the header
 *   is malformed
 */
export function readProtocolToken(header: string | readonly string[] | undefined): string | null {
  // Several headers are one list (RFC 6455 section 11.3.4).
  const value = typeof header === 'object' ? header.join(',') : readOnce(header)
  if (value === undefined || value === null) return null
  const tokens = toProtocols(value).filter(isProtocolToken)
  if (tokens.length > 1)
    throw new AuthError('request_invalid', { message: 'More than one token in the request' })
  const token = tokens[0]?.slice(PREFIX.length)
  if (token === '')
    throw new AuthError('request_invalid', { message: 'The token among the protocols is empty' })
  return token ?? null
}

/** The offered protocols without tokens, as the header's value; undefined when none is left. */
export function withoutTokens(value: string): string | undefined {
  const plain = value.split(',').filter((item) => !isProtocolToken(trimBlanks(item, 0, item.length)))
  return plain.length === 0 ? undefined : plain.join(',')
}

/**
 * Chooses a protocol for the response: the first offered one that is not a token, or false. For the
 * option `handleProtocols` of the package `ws`, which by default chooses the first one, even if it
 * is a token.
 *
 * @see RFC 6455 section 4.2.2
 */
export function chooseProtocol(offered: Iterable<string>): string | false {
  for (const protocol of offered) if (!isProtocolToken(protocol)) return protocol
  return false
}
