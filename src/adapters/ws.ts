/**
 * Door `tokenwright/ws`: guards for WebSockets, at the handshake and for as long as the socket is open. A refused handshake is a plain
 * HTTP answer; an open socket is closed with 4401 when its token expires or is revoked; each message can ask for more by the
 * requirement of every route. Works on the sockets of the package `ws`, and of Hono and Fastify, which use that package.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { readHttpHeader } from '../http/node-request.ts'
import { rejectUpgrade } from '../http/node-response.ts'
import type { RequestPort } from '../http/request-port.ts'
import type { HandshakeLocation, Location } from '../http/token-sources.ts'
import { chooseProtocol, PROTOCOL_HEADER, withoutTokens } from '../http/websocket-handshake.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { type Connection, closeFor, connect, type SocketPort } from './ws/connection.ts'

export type { Connection, SocketPort } from './ws/connection.ts'
export { chooseProtocol }

/** What upgrades: a `WebSocketServer` of the package `ws`, made with `noServer: true`. */
export interface UpgradingServer<S extends SocketPort> {
  /** Answers the handshake and makes the socket. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, open: (socket: S) => void): void
}

/** A listener for `server.on('upgrade')`. It answers every request that it gets: choose by path before it. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Guards the sockets of a server. The handler is called with each open socket, in the turn in which it opens. An `AuthError` that it
 * throws or rejects with closes the socket; anything else is a defect of the handler and reported as one.
 */
export type SocketGuard<P, U = undefined> = <S extends SocketPort>(
  server: UpgradingServer<S>,
  handler: (socket: S, connection: Connection<P, U>, request: IncomingMessage) => void | Promise<void>,
) => UpgradeListener

/** The guards of one application. */
export interface SocketGuards<C, U> {
  /** Any valid access token. */
  access(): SocketGuard<TokenPayload<C>>
  /** A refresh token. */
  refresh(): SocketGuard<TokenPayload<C>>
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): SocketGuard<TokenPayload<C>>
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): SocketGuard<TokenPayload<C>>
  /** A token that meets a requirement. `locations` default to those of `locations` below. */
  token<const R extends Requirement>(requirement: R): SocketGuard<PayloadFor<R, C>>
  /** A valid access token, and the user that the `subject` option loads for it, at `connection.subject`. */
  subject(): SocketGuard<TokenPayload<C>, U>
  /** A valid access token or none; the payload is null for none. */
  optional(): SocketGuard<TokenPayload<C> | null>
  /**
   * Where a handshake may carry its token: the configured locations but the body, `'protocol'`, and with a session store `'ticket'`. For
   * the guards of frameworks that open sockets: `guard.token({ locations: sockets.locations })`.
   */
  readonly locations: readonly (Location | HandshakeLocation)[]
  /**
   * Watches over a socket that was opened behind the guard of a framework.
   *
   * @param socket the socket: in Fastify's handler the first argument, in Hono's `onOpen` `ws.raw`
   * @param payload what the guard gave
   * @param requirement what a token must meet that the connection is renewed with. Default: any valid access token
   * @throws {ConfigurationError} when there is no socket
   */
  follow<P extends TokenPayload<C> | null>(
    socket: SocketPort | undefined,
    payload: P,
    requirement?: Requirement,
  ): Connection<P>
  /** How many sockets are open here. */
  readonly size: number
}

/** Fills the request port. Nothing can be added to the answer of a handshake, so nothing is renewed in passing. */
function toPort(request: IncomingMessage): RequestPort {
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    header: (name) => readHttpHeader(request, name),
  }
}

/** Takes tokens from among the offered protocols, so that nobody behind the guard chooses one for the answer. */
function hideTokens({ headers }: IncomingMessage): void {
  const offered = headers[PROTOCOL_HEADER]
  if (offered === undefined) return
  const plain = withoutTokens(offered)
  if (plain === undefined) delete headers[PROTOCOL_HEADER]
  else headers[PROTOCOL_HEADER] = plain
}

/** A connection that breaks while it is judged is nobody's error. */
const ignore = (): void => undefined

/** The answer to a defect, which says nothing of it. */
const DEFECT = { status: 500, headers: {}, body: '' }

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when it is made
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
export function guards<C, U>(auth: Auth<C, U>): SocketGuards<C, U> {
  const configured = [...auth.http.sources.locations].filter((location) => location !== 'body')
  const locations = Object.freeze([
    ...configured,
    'protocol' as const,
    ...(auth.state() === null ? [] : (['ticket'] as const)),
  ])
  const open = new Set<SocketPort>()
  const prepare = (requirement: Requirement): Requirement => auth.prepare({ locations, ...requirement })

  /** The types of what it hands over are in the table of guards below. */
  function guard<P extends TokenPayload<C> | null, V>(
    requirement: Requirement,
    load: (payload: P) => Promise<V>,
  ): SocketGuard<P, V> {
    const need = prepare(requirement)

    return (server, handler) => {
      async function admit(request: IncomingMessage, raw: Duplex, head: Buffer): Promise<void> {
        let payload: P
        let subject: V
        try {
          payload = (await auth.authenticate(toPort(request), need)) as P
          subject = await load(payload)
        } catch (error) {
          rejectUpgrade(raw, isAuthError(error) ? auth.errorResponse(error) : DEFECT)
          return
        }
        raw.off('error', ignore)
        hideTokens(request)
        server.handleUpgrade(request, raw, head, (socket) => {
          const connection = connect({ auth, open, need }, socket, payload, subject)
          void run(socket, () => handler(socket, connection, request))
        })
      }

      return (request, raw, head) => {
        raw.on('error', ignore)
        void admit(request, raw, head)
      }
    }
  }

  async function nothing(): Promise<undefined> {
    return undefined
  }

  return {
    access: () => guard({}, nothing),
    refresh: () => guard({ type: 'refresh' }, nothing),
    fresh: () => guard({ fresh: true }, nothing),
    scopes: (...scopes) => guard({ scopes }, nothing),
    token: (requirement) => guard(requirement, nothing) as ReturnType<SocketGuards<C, U>['token']>,
    subject: () => guard({}, auth.loadSubject),
    optional: () => guard({ optional: true }, nothing),
    locations,
    follow(socket, payload, requirement = {}) {
      if (socket !== undefined)
        return connect({ auth, open, need: prepare(requirement) }, socket, payload, undefined)
      throw new ConfigurationError('Expected `follow(socket, payload)` to get a socket of the package `ws`')
    },
    get size() {
      return open.size
    },
  }
}

/** Runs a handler. What it refuses closes its socket; its defects stay its own. */
async function run(socket: SocketPort, handler: () => void | Promise<void>): Promise<void> {
  try {
    await handler()
  } catch (error) {
    if (!isAuthError(error)) throw error
    closeFor(socket, error)
  }
}
