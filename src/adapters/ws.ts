/**
 * Entry point `tokenwright/ws`: guards for WebSockets, at the handshake and while the socket is
 * open. A refused handshake gets a plain HTTP response. An open socket is closed with 4401 when its
 * token expires or is revoked. Each message can be checked against the requirement of any route.
 * Works on the sockets of the package `ws`, and of Hono and Fastify, which use that package.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Auth } from '../auth/auth.ts'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { readHttpHeader } from '../http/node-request.ts'
import { rejectUpgrade } from '../http/node-response.ts'
import type { RequestPort } from '../http/request-port.ts'
import { isNodeRequest, toWrongCall } from '../http/require-request.ts'
import type { HandshakeLocation, Location } from '../http/token-sources.ts'
import { chooseProtocol, PROTOCOL_HEADER, withoutTokens } from '../http/websocket-handshake.ts'
import { ConfigurationError, expected, isCallable, isOptions } from '../internal/configuration-error.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import {
  checkGuardArguments,
  createGuardTable,
  type GuardPlan,
  type GuardTable,
  prepareAuthenticator,
  prepareGuard,
} from './guards.ts'
import { type Connection, closeFor, connect, type SocketPort } from './ws/connection.ts'

export type { Connection, SocketPort } from './ws/connection.ts'
export { chooseProtocol }

/** A `WebSocketServer` of the package `ws`, made with `noServer: true`. */
export interface UpgradingServer<S extends SocketPort> {
  /** Completes the handshake and opens the socket. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, open: (socket: S) => void): void
}

/**
 * A listener for `server.on('upgrade')`. It responds to every request that it gets: choose by path
 * before you call it.
 */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Guards the sockets of a server. The handler is called with each open socket, in the same turn of
 * the event loop. An `AuthError` that it throws or rejects with closes the socket; any other error
 * is a defect of the handler and reported as such.
 */
export type SocketGuard<P, U = undefined> = <S extends SocketPort>(
  server: UpgradingServer<S>,
  handler: (socket: S, connection: Connection<P, U>, request: IncomingMessage) => void | Promise<void>,
) => UpgradeListener

/** The guards of one application. */
export interface SocketGuards<C, U>
  extends GuardTable<
    () => SocketGuard<TokenPayload<C>>,
    SocketGuard<TokenPayload<C>>,
    () => SocketGuard<TokenPayload<C>, U>,
    () => SocketGuard<TokenPayload<C> | null>
  > {
  /** A token that satisfies a requirement. `locations` default to the `locations` below. */
  token<const R extends Requirement>(requirement: R): SocketGuard<PayloadFor<R, C>>
  /**
   * The places of a token in a handshake: the configured locations except the body, `'protocol'`,
   * and with a session store `'ticket'`. For the guards of frameworks that open sockets:
   * `guard.token({ locations: sockets.locations })`.
   */
  readonly locations: readonly (Location | HandshakeLocation)[]
  /**
   * Follows a socket that was opened behind the guard of a framework, and closes it when its token
   * ends.
   *
   * @param socket the socket: in Fastify's handler the first argument, in Hono's `onOpen` `ws.raw`
   * @param payload the payload of the guard
   * @param requirement what `renew` requires of a newer token. Default: any valid access token
   * @throws {ConfigurationError} without a socket
   */
  follow<P extends TokenPayload<C> | null>(
    socket: SocketPort | undefined,
    payload: P,
    requirement?: Requirement,
  ): Connection<P>
  /** The number of open sockets. */
  readonly size: number
}

/** One handshake and the handler of its socket. */
interface Call {
  readonly request: IncomingMessage
  readonly raw: Duplex
  readonly head: Buffer
  readonly server: UpgradingServer<SocketPort>
  readonly handler: Handler
}

type Handler = Parameters<SocketGuard<never, never>>[1]

/**
 * Creates the guards of one application.
 *
 * @throws {ConfigurationError} from a guard with an invalid requirement, when it is made
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { createAuth, isAuthError } from 'tokenwright'
 * import { guards } from 'tokenwright/ws'
 * import { WebSocketServer } from 'ws'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const server = createServer()
 * const open = guard.access()(new WebSocketServer({ noServer: true }), (socket, connection) => {
 *   socket.on('message', (message) => {
 *     connection.recheck({ scopes: ['chat:write'] }).then(
 *       ({ sub }) => socket.send(`${sub}: ${message}`),
 *       (error) => isAuthError(error) && socket.send(auth.errorResponse(error).body),
 *     )
 *   })
 * })
 * server.on('upgrade', open)
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, ...none: readonly never[]): SocketGuards<C, U> {
  checkGuardArguments(auth, {})
  if (none.length > 0)
    throw new ConfigurationError('Expected `guards(auth)` of `tokenwright/ws` without options: it has none')
  const configured = [...auth.http.sources.locations].filter((location) => location !== 'body')
  const locations = Object.freeze([
    ...configured,
    'protocol' as const,
    ...(!auth.internals.hasSessions ? [] : (['ticket'] as const)),
  ])
  const open = new Set<SocketPort>()
  const prepare = (requirement: Requirement): Requirement => {
    if (isOptions(requirement as unknown)) return auth.prepare({ locations, ...requirement })
    throw new ConfigurationError(expected('requirement', 'an object', requirement))
  }

  function make(plan: GuardPlan): SocketGuard<never, never> {
    const requirement = prepare(plan.requirement)
    const authenticate = prepareAuthenticator(auth, { ...plan, requirement })
    const run = prepareGuard<Call, void>(
      auth,
      {},
      {
        authenticate: ({ request }) => authenticate(toPort(request)),
        next({ request, raw, head, server, handler }, { auth: payload, subject }) {
          raw.off('error', noop)
          hideTokens(request)
          server.handleUpgrade(request, raw, head, (socket) => {
            const connection = connect(
              { auth, open, requirement },
              socket,
              payload as TokenPayload<C> | null,
              subject,
            )
            void callHandler(socket, () => handler(socket, connection as never, request))
          })
        },
        respond: ({ raw }, response) => rejectUpgrade(raw, response),
        reject({ raw }, error) {
          console.error(error)
          rejectUpgrade(raw, INTERNAL_ERROR)
        },
      },
    )
    return (server, handler) => {
      if (typeof Object(server).handleUpgrade !== 'function')
        throw new ConfigurationError(expected('server', 'a `WebSocketServer` of the package `ws`', server))
      if (!isCallable(handler)) throw new ConfigurationError(expected('handler', 'a function', handler))
      return (request, raw, head) => {
        if (!isNodeRequest(request) || typeof Object(raw).on !== 'function') throw toWrongCall('ws')
        raw.on('error', noop)
        void run({ request, raw, head, server: server as never, handler: handler as Handler })
      }
    }
  }

  return {
    ...(createGuardTable(make) as unknown as Omit<SocketGuards<C, U>, 'locations' | 'follow' | 'size'>),
    locations,
    follow(socket, payload, requirement = {}) {
      const { on, close } = Object(socket) as Readonly<Record<string, unknown>>
      if (socket !== undefined && typeof on === 'function' && typeof close === 'function')
        return connect({ auth, open, requirement: prepare(requirement) }, socket, payload, undefined)
      throw new ConfigurationError('Expected `follow(socket, payload)` to get a socket of the package `ws`')
    },
    get size() {
      return open.size
    },
  }
}

/** No cookie can be added to the response to a handshake, so no token is renewed in passing. */
function toPort(request: IncomingMessage): RequestPort {
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    header: (name) => readHttpHeader(request, name),
  }
}

/** A connection may break while its token is verified. */
function noop(): void {}

/** Removes tokens from the offered protocols, so that later code cannot choose one. */
function hideTokens({ headers }: IncomingMessage): void {
  const offered = headers[PROTOCOL_HEADER]
  if (offered === undefined) return
  const plain = withoutTokens(offered)
  if (plain === undefined) delete headers[PROTOCOL_HEADER]
  else headers[PROTOCOL_HEADER] = plain
}

/** Calls a handler. An `AuthError` closes its socket; any other error is thrown on. */
async function callHandler(socket: SocketPort, handler: () => void | Promise<void>): Promise<void> {
  try {
    await handler()
  } catch (error) {
    if (!isAuthError(error)) throw error
    closeFor(socket, error)
  }
}

/** The response to a defect, without details. */
const INTERNAL_ERROR = { status: 500, headers: {}, body: '' }
