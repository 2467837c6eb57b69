/**
 * An open socket and the token in whose name it is open: it is closed when the token ends, each
 * message may ask for more than the handshake did, and a newer token prolongs it (RFC 6455 sections
 * 5.5.1 and 7.4). It reads and sends nothing.
 */
import type { Auth } from '../../auth/auth.ts'
import type { Requirement } from '../../auth/requirement.ts'
import { AuthError } from '../../errors.ts'
import type { TokenPayload } from '../../token/token-payload.ts'

/** What is needed of a socket: a `WebSocket` of the package `ws`. */
export interface SocketPort {
  /** 3 when it has closed already, and will not say so again. */
  readonly readyState: number
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void
  /** Calls back when the socket has closed. */
  on(event: 'close', listener: () => void): unknown
  /** Calls back when a client has broken the protocol. */
  on(event: 'error', listener: () => void): unknown
  /**
   * Takes listeners away; where a wrapper has it not, messages are handed on until the client has
   * answered the close.
   */
  removeAllListeners?(event: 'message'): unknown
}

/** An open socket's connection to its token. */
export interface Connection<P, U = undefined> {
  /**
   * What the token says; after `renew`, what the newer one says. Null where a guard let a handshake
   * without a token pass.
   */
  readonly payload: P
  /** The user that `guard.subject()` loaded at the handshake. */
  readonly subject: U
  /**
   * Judges the token again, for one message: everything that a route could ask, such as
   * `{ fresh: true }` or `{ scopes: ['chat:write'] }`. What is asked often is prepared once, by
   * `auth.prepare`.
   *
   * @param requirement default: any valid access token
   * @throws {AuthError} the first objection; `token_missing` without a token; once the socket was
   *   closed for it, what ended the token
   */
  recheck(requirement?: Requirement): Promise<NonNullable<P>>
  /**
   * Takes a newer token of the same user, such as after a refresh or a step-up: from now on it
   * counts, and the socket stays open until its end. It must meet what the handshake asked.
   *
   * @throws {AuthError} as `auth.verifyToken`; `subject_mismatch` for another user's; then
   *   everything stays as it was
   */
  renew(token: string): Promise<NonNullable<P>>
}

/** What a connection works from. */
export interface ConnectionDependencies<C> {
  /** The application. */
  readonly auth: Auth<C, unknown>
  /** The sockets that are open; a connection enters and leaves. */
  readonly open: Set<SocketPort>
  /** What the handshake asked, prepared. */
  readonly need: Requirement
}

/**
 * The close code of a store that is down: "try again later" in the registry that RFC 6455 section
 * 11.7 made.
 */
const TRY_AGAIN = 1013

/**
 * The close code for an error: 4401 for 401, 4403 for 403, out of the range for applications (RFC
 * 6455 section 7.4.2).
 */
function toCloseCode({ status }: AuthError): number {
  return status === 503 ? TRY_AGAIN : 4000 + status
}

/** Does nothing. */
const idle = (): void => undefined

/** How a socket says that it has closed. */
const CLOSED = 3

/** Closes a socket for an error, with its code as the reason. */
export function closeFor(socket: SocketPort, error: AuthError): void {
  // A client that does not answer the close would be heard until the socket gives up waiting for
  // it.
  socket.removeAllListeners?.('message')
  socket.close(toCloseCode(error), error.code)
}

/** Connects an open socket to its token. */
export function connect<C, P extends TokenPayload<C> | null, U>(
  { auth, open, need }: ConnectionDependencies<C>,
  socket: SocketPort,
  payload: P,
  subject: U,
): Connection<P, U> {
  let current: P | TokenPayload<C> = payload
  let ended: AuthError | null = null
  let stop = idle

  function end(error: AuthError): void {
    ended = error
    closeFor(socket, error)
  }

  /** A socket that has closed already will not say so again: nothing may be followed for it. */
  function follow(next: P | TokenPayload<C>): void {
    stop()
    current = next
    stop = next === null || socket.readyState === CLOSED ? idle : auth.follow(next, end)
  }

  // Without a listener the first frame that is none would be an exception that nobody catches; the
  // socket closes by itself.
  socket.on('error', idle)
  if (socket.readyState !== CLOSED) {
    open.add(socket)
    socket.on('close', () => {
      stop()
      open.delete(socket)
    })
  }
  follow(payload)

  return {
    get payload() {
      return current as P
    },
    subject,
    async recheck(requirement) {
      if (ended !== null) throw ended
      if (current === null) throw new AuthError('token_missing')
      const met = await auth.recheck(current, requirement)
      if (ended !== null) throw ended
      return met as NonNullable<P>
    },
    async renew(token) {
      const next = await auth.verifyToken(token, need)
      if (ended !== null) throw ended
      if (current !== null && next.sub !== current.sub) throw new AuthError('subject_mismatch')
      follow(next)
      return next as unknown as NonNullable<P>
    },
  }
}
