/**
 * One guard of Nest's: fill the request port, call `authenticate`, put the payload on the request or let the refusal leave in the
 * form of its context. It decides nothing of tokens.
 */
import type { IncomingMessage } from 'node:http'
import type { CanActivate, ExecutionContext } from '@nestjs/common'
import type { Authenticator } from '../../auth/authenticator.ts'
import type { Auth } from '../../auth/create-auth.ts'
import type { Requirement } from '../../auth/requirement.ts'
import { isAuthError } from '../../errors.ts'
import { type AuthContext, attachContext } from '../../http/auth-context.ts'
import { type Awaitable, type Steps, settle } from '../../internal/awaitable.ts'
import { attachFound, type Call, kindOf, toCall, toPort } from './context.ts'
import { PublicHandlers } from './decorators.ts'
import {
  dismiss,
  GraphqlAuthError,
  type HttpResponse,
  notify,
  toMembers,
  toWsError,
  writeHttpError,
} from './error-response.ts'
import { rememberHandshake, toHandshakePort, toHandshakeRequirement } from './websocket-handshake.ts'

/** How guards answer. */
export interface GuardOptions {
  /**
   * Answer HTTP requests and word GraphQL errors here, or throw the bare `AuthError` to Nest's exception filters. Default
   * `'respond'`. Messages of a WebSocket are refused by an `AuthError` in any case: see `AuthErrorFilter`.
   */
  readonly errors?: 'respond' | 'throw'
}

/** A guard for `@UseGuards()`, `APP_GUARD` and `useGlobalGuards()`; for gateways also one of connections. */
export interface NestGuard extends CanActivate {
  /**
   * Whether a request or message may pass. A refused HTTP request is answered, and the promise stays open, as Nest knows no
   * other way for a guard that has answered by itself.
   *
   * @throws {AuthError} in WebSocket contexts, and with `errors: 'throw'`
   */
  canActivate(context: ExecutionContext): Awaitable<boolean>
  /**
   * Verifies the handshake of a WebSocket client, for a gateway's `handleConnection(client, request)`. Guards of messages verify
   * it again, by what is true then. A refused client is told why and disconnected (close code 1008, or 1013 while the store is
   * down). Never rejects for a refusal, as nobody would catch that.
   *
   * @param request the handshake; Socket.IO's clients keep it, those of `ws` do not
   * @returns whether the client may stay
   * @throws {ConfigurationError} for a client of `ws` without its request
   */
  admit(client: object, request?: IncomingMessage): Promise<boolean>
}

/** What a guard is made of. */
export interface GuardPlan {
  /** What it asks of a token. */
  readonly requirement: Requirement
  /** Whether it loads the user as well. */
  readonly loads?: boolean
  /** How it answers. */
  readonly options: GuardOptions
}

/** The guard itself; a class, so that `@UseGuards()` and `@Public()` can tell one from another. */
export class RequestGuard<C, U> implements NestGuard {
  readonly #auth: Auth<C, U>
  readonly #gates: Readonly<Record<'request' | 'handshake', Authenticator<Requirement, C, U>>>
  readonly #throws: boolean
  readonly #publicHandlers: PublicHandlers
  readonly #steps: Steps<Call, AuthContext, Awaitable<boolean>> = {
    attempt: (call) => {
      const gate = call.kind === 'ws' ? this.#gates.handshake : this.#gates.request
      return gate(toPort(call, this.#auth.http))
    },
    attach: attachFound,
    enter: () => true,
    refuse: (call, error) => this.#refuse(call, error),
  }

  /**
   * @param self what `@UseGuards()` was given, where that is a class around this one
   * @throws {ConfigurationError} when the requirement is unfit
   */
  constructor(auth: Auth<C, U>, { requirement, loads = false, options }: GuardPlan, self?: object) {
    this.#auth = auth
    this.#publicHandlers = new PublicHandlers(self ?? this)
    const load = loads ? auth.loadSubject : undefined
    this.#gates = {
      request: auth.authenticator(requirement, load),
      handshake: auth.authenticator(toHandshakeRequirement(requirement, auth.http), load),
    }
    this.#throws = options.errors === 'throw'
  }

  /**
   * Whether a request or message may pass.
   *
   * @throws {AuthError} in WebSocket contexts, and with `errors: 'throw'`
   */
  canActivate(context: ExecutionContext): Awaitable<boolean> {
    const kind = kindOf(context)
    return this.#publicHandlers.has(context) || settle(toCall(context, kind), this.#steps)
  }

  /** Verifies the handshake of a WebSocket client. @throws {ConfigurationError} for a client of `ws` without its request */
  async admit(client: object, request?: IncomingMessage): Promise<boolean> {
    if (request !== undefined) rememberHandshake(client, request)
    try {
      const port = toHandshakePort(client, this.#auth.http)
      attachContext(client, await this.#gates.handshake(port))
      return true
    } catch (error) {
      if (!isAuthError(error)) {
        dismiss(client, undefined)
        throw error
      }
      notify(client, toMembers(error, this.#auth))
      dismiss(client, error)
      return false
    }
  }

  #refuse({ kind, response }: Call, error: unknown): Promise<never> {
    if (!isAuthError(error)) throw error
    const members = toMembers(error, this.#auth)
    if (kind === 'ws') throw toWsError(error, members)
    if (this.#throws) throw error
    if (kind === 'graphql') throw new GraphqlAuthError(error, members)
    writeHttpError(response as HttpResponse, this.#auth.errorResponse(error))
    // Nest turns false, and whatever is thrown, into an answer of its own, and shows it to the application's filters. One that
    // never settles ends here and is collected with its request. It must be a new one: a shared one would keep them all.
    return new Promise<never>(() => undefined)
  }
}
