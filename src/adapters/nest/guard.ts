/**
 * One guard for Nest: it puts the payload on the request, or sends the refusal in the form of its
 * context. It decides nothing about tokens.
 */
import type { IncomingMessage } from 'node:http'
import type { CanActivate, ExecutionContext } from '@nestjs/common'
import type { Auth } from '../../auth/auth.ts'
import type { Authenticator } from '../../auth/authenticator.ts'
import type { Requirement } from '../../auth/requirement.ts'
import { type AuthError, isAuthError } from '../../errors.ts'
import type { ResponseData } from '../../http/error-response.ts'
import { addErrorHeaders } from '../../http/node-response.ts'
import type { Awaitable } from '../../internal/awaitable.ts'
import { ConfigurationError, checkMethod, expected, isRecord } from '../../internal/configuration-error.ts'
import type { TokenPayload } from '../../token/token-payload.ts'
import {
  attachContext,
  type GuardOptions,
  type GuardPlan,
  prepareAuthenticator,
  prepareGuard,
} from '../guards.ts'
import { attachToHost, type Call, kindOf, toCall, toPort } from './context.ts'
import { PublicHandlers } from './decorators.ts'
import {
  disconnect,
  GraphqlAuthError,
  type HttpResponse,
  notify,
  onDisconnect,
  parseMembers,
  toMembers,
  toServerResponse,
  toWsError,
  writeHttpError,
} from './error-response.ts'
import { rememberHandshake, toHandshakePort, toHandshakeRequirement } from './websocket-handshake.ts'

/**
 * A guard for `@UseGuards()`, `APP_GUARD`, `useGlobalGuards()`, and for connections of gateways.
 */
export interface NestGuard extends CanActivate {
  /**
   * Whether a request or message may pass. After the response to a refused HTTP request the promise
   * stays pending, as Nest has no other way for a guard that has responded itself.
   *
   * @throws {AuthError} in WebSocket contexts, and with `errors: 'throw'`
   */
  canActivate(context: ExecutionContext): Awaitable<boolean>
  /**
   * Verifies the handshake of a WebSocket client, for a gateway's
   * `handleConnection(client, request)`. Guards of messages verify it again, as of that moment. The
   * connection ends with its token, when that expires or is revoked. A refused client is told why
   * and disconnected (close code 1008, or 1013 while the store is down). A refusal never rejects,
   * as Nest would not catch it.
   *
   * @param request the handshake; clients of Socket.IO have it, those of `ws` do not
   * @returns whether the client may stay
   * @throws {ConfigurationError} for a client of `ws` without its request
   */
  admit(client: object, request?: IncomingMessage): Promise<boolean>
}

/** The guard itself. A class, so that `@UseGuards()` and `@Public()` can distinguish guards. */
export class RequestGuard<C, U> implements NestGuard {
  readonly #auth: Auth<C, U>
  readonly #handshake: Authenticator<Requirement, C, U>
  readonly #publicHandlers: PublicHandlers
  readonly #run: (call: Call) => Awaitable<boolean>

  /**
   * @param self the argument of `@UseGuards()`, if that is an instance around this one
   * @throws {ConfigurationError} for an invalid requirement
   */
  constructor(auth: Auth<C, U>, plan: GuardPlan, options: GuardOptions, self?: object) {
    this.#auth = auth
    this.#publicHandlers = new PublicHandlers(self ?? this)
    const request = prepareAuthenticator(auth, plan)
    const requirement = toHandshakeRequirement(plan.requirement, auth.http)
    const handshake = prepareAuthenticator(auth, { ...plan, requirement })
    this.#handshake = handshake
    this.#run = prepareGuard<Call, Awaitable<boolean>>(auth, options, {
      authenticate: (call) => (call.kind === 'ws' ? handshake : request)(toPort(call, auth.http)),
      attach: attachToHost,
      next: () => true,
      respond,
      reject: (call, error) => reject(call, error, auth),
    })
  }

  /**
   * Whether a request or message may pass.
   *
   * @throws {AuthError} in WebSocket contexts, and with `errors: 'throw'`
   */
  canActivate(context: ExecutionContext): Awaitable<boolean> {
    checkMethod('context', 'the `ExecutionContext` of Nest', context, 'getHandler')
    // First, as `@Public()` also applies to handlers without a request, such as microservices.
    return this.#publicHandlers.has(context) || this.#run(toCall(context, kindOf(context)))
  }

  /**
   * Verifies the handshake of a WebSocket client.
   *
   * @throws {ConfigurationError} for a client of `ws` without its request
   */
  async admit(client: object, request?: IncomingMessage): Promise<boolean> {
    if (!isRecord(client)) throw new ConfigurationError(expected('client', 'a socket of the gateway', client))
    if (request !== undefined) rememberHandshake(client, request)
    try {
      const port = toHandshakePort(client, this.#auth.http)
      const context = await this.#handshake(port)
      attachContext(client, context)
      if (context.auth !== null) this.#follow(client, context.auth)
      return true
    } catch (error) {
      if (!isAuthError(error)) {
        disconnect(client, undefined)
        throw error
      }
      this.#end(client, error)
      return false
    }
  }

  /** Ends a client's connection with its token: when that expires, or is revoked. */
  #follow(client: object, payload: TokenPayload<C>): void {
    const stop = this.#auth.follow(payload, (error) => this.#end(client, error))
    onDisconnect(client, stop)
  }

  #end(client: object, error: AuthError): void {
    notify(client, toMembers(error, this.#auth))
    disconnect(client, error)
  }
}

/** Refuses in the form of the context. */
async function respond({ kind, response }: Call, data: ResponseData, error: AuthError): Promise<never> {
  const members = parseMembers(data)
  if (kind === 'ws') throw toWsError(error, members)
  if (kind === 'graphql') throw new GraphqlAuthError(error, members)
  writeHttpError(response as HttpResponse, data)
  // Nest turns false, and any error, into its own response, and shows it to the application's
  // filters. A promise that stays pending ends here, and is collected with its request. It must be
  // a new one: a shared promise would keep all requests in memory.
  return new Promise<never>(() => undefined)
}

/**
 * Throws the error to Nest's exception filters. Nest's own filter sets no headers, so the challenge
 * is set here.
 */
async function reject(
  { kind, response }: Call,
  error: unknown,
  auth: Pick<Auth, 'errorResponse'>,
): Promise<never> {
  if (!isAuthError(error)) throw error
  const data = auth.errorResponse(error)
  if (kind === 'ws') throw toWsError(error, parseMembers(data))
  if (kind === 'http') addErrorHeaders(toServerResponse(response as HttpResponse), data)
  throw error
}
