/**
 * An open socket and its token: the socket is closed when the token ends, a message may require
 * more than the handshake, and a newer token keeps the socket open (RFC 6455 sections 5.5.1 and
 * 7.4). Nothing here reads or sends messages.
 */
import type { Auth } from '../../auth/auth.ts'
import type { Requirement } from '../../auth/requirement.ts'
import { AuthError } from '../../errors.ts'
import type { TokenPayload } from '../../token/token-payload.ts'

/** The used part of a socket: a `WebSocket` of the package `ws`. */
export interface SocketPort {
  /** 3 if it is already closed: then it emits no further `close`. */
  readonly readyState: number
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void
  /** Listens to the close of the socket. */
  on(event: 'close', listener: () => void): unknown
  /** Listens to errors, such as a client that breaks the protocol. */
  on(event: 'error', listener: () => void): unknown
  /**
   * Removes listeners. Without this method messages reach the handlers until the client has
   * acknowledged the close.
   */
  removeAllListeners?(event: 'message'): unknown
}

/** An open socket with its token. */
export interface Connection<P, U = undefined> {
  /**
   * The payload of the token; after `renew`, that of the newer one. Null after a handshake without
   * a token behind `optional()`.
   */
  readonly payload: P
  /** The user that `guard.subject()` loaded at the handshake. */
  readonly subject: U
  /**
   * Checks the token again, for one message, by any requirement of a route, such as
   * `{ fresh: true }` or `{ scopes: ['chat:write'] }`. Prepare a requirement once with
   * `auth.prepare` if you use it often.
   *
   * @param requirement default: any valid access token
   * @throws {AuthError} for the first check that fails; `token_missing` without a token; after the
   *   close, the error that ended the token
   */
  recheck(requirement?: Requirement): Promise<NonNullable<P>>
  /**
   * Replaces the token by a newer one of the same user, such as after a refresh or a step-up: the
   * socket stays open until the newer one ends. It must satisfy the requirement of the handshake.
   *
   * @throws {AuthError} as `auth.verifyToken`; `subject_mismatch` for a token of another user. Then
   *   nothing changes
   */
  renew(token: string): Promise<NonNullable<P>>
}

/** The dependencies of a connection. */
export interface ConnectionDependencies<C> {
  /** The application. */
  readonly auth: Auth<C, unknown>
  /** The open sockets; a connection adds and removes its own. */
  readonly open: Set<SocketPort>
  /** The requirement of the handshake, prepared. */
  readonly requirement: Requirement
}

/** The close code while the store is down: "try again later" in the registry of RFC 6455. */
const TRY_AGAIN = 1013

/**
 * The close code for an error: 4401 for 401, 4403 for 403, in the range for applications (RFC 6455
 * section 7.4.2).
 */
function toCloseCode({ status }: AuthError): number {
  return status === 503 ? TRY_AGAIN : 4000 + status
}

const noop = (): void => undefined

/** The `readyState` of a closed socket. */
const CLOSED = 3

/** Closes a socket for an error, with its code as the reason. */
export function closeFor(socket: SocketPort, error: AuthError): void {
  // A client that does not acknowledge the close could send messages until the socket times out.
  socket.removeAllListeners?.('message')
  socket.close(toCloseCode(error), error.code)
}

/** Follows the token of an open socket. */
export function connect<C, P extends TokenPayload<C> | null, U>(
  { auth, open, requirement }: ConnectionDependencies<C>,
  socket: SocketPort,
  payload: P,
  subject: U,
): Connection<P, U> {
  let current: P | TokenPayload<C> = payload
  let ended: AuthError | null = null
  let stop = noop

  function end(error: AuthError): void {
    ended = error
    closeFor(socket, error)
  }

  /** A closed socket emits no further `close`, so its token must not be followed. */
  function follow(next: P | TokenPayload<C>): void {
    stop()
    current = next
    stop = next === null || socket.readyState === CLOSED ? noop : auth.follow(next, end)
  }

  // First, as it refuses a payload of another application.
  follow(payload)
  // Without a listener an invalid frame would be an uncaught exception. The socket closes itself.
  socket.on('error', noop)
  if (socket.readyState !== CLOSED) {
    open.add(socket)
    socket.on('close', () => {
      stop()
      open.delete(socket)
    })
  }

  return {
    get payload() {
      return current as P
    },
    subject,
    async recheck(required) {
      if (ended !== null) throw ended
      if (current === null) throw new AuthError('token_missing')
      const rechecked = await auth.recheck(current, required)
      if (ended !== null) throw ended
      return rechecked as NonNullable<P>
    },
    async renew(token) {
      const next = await auth.verifyToken(token, requirement)
      if (ended !== null) throw ended
      if (current !== null && next.sub !== current.sub) throw new AuthError('subject_mismatch')
      follow(next)
      return next as unknown as NonNullable<P>
    },
  }
}
