/**
 * The way of `Auth` through Nest's container: its token, the module that provides it, guards that
 * Nest makes, and the filter for errors that handlers throw. Decorators are called as functions, so
 * that no compiler option is needed here.
 */

import type { IncomingMessage } from 'node:http'
import {
  type ArgumentsHost,
  Catch,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  type FactoryProvider,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type Type,
} from '@nestjs/common'
import type { Auth } from '../../auth/auth.ts'
import { AuthError } from '../../errors.ts'
import type { Awaitable } from '../../internal/awaitable.ts'
import type { Claims } from '../../token/token-payload.ts'
import type { GuardOptions, GuardPlan } from '../guards.ts'
import { kindOf } from './context.ts'
import { GraphqlAuthError, notify, toMembers, writeHttpError } from './error-response.ts'
import { type NestGuard, RequestGuard } from './guard.ts'

/** Under what Nest's container knows the `Auth`: `@Inject(AUTH) auth: Auth`. */
export const AUTH: unique symbol = Symbol('tokenwright.auth')

/** How `forRootAsync` makes the `Auth`. */
export interface AsyncOptions<C, U> {
  /** The modules whose providers the factory wants. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>
  /** The tokens of what the factory is called with, in order. */
  readonly inject?: NonNullable<FactoryProvider['inject']>
  /** Makes the `Auth`, once, when the application starts. */
  readonly useFactory: (...injected: never[]) => Auth<C, U> | Promise<Auth<C, U>>
}

/**
 * What the module closes with the application: the `Auth` of `forRootAsync`, null for one that was
 * made outside.
 */
const OWNED: unique symbol = Symbol('tokenwright.owned')

/** Provides one `Auth` to the whole application, under the token `AUTH`. */
export class TokenwrightModule implements OnApplicationShutdown {
  readonly #owned: Pick<Auth, 'close'> | null

  /** Made by Nest. @param owned what is closed with the application */
  constructor(owned: Pick<Auth, 'close'> | null) {
    this.#owned = owned
  }

  /** An `Auth` that was made outside; whoever made it closes it. */
  static forRoot<C, U>(auth: Auth<C, U>): DynamicModule {
    const providers = [
      { provide: AUTH, useValue: auth },
      { provide: OWNED, useValue: null },
    ]
    return { module: TokenwrightModule, global: true, providers, exports: [AUTH] }
  }

  /**
   * An `Auth` that is made out of other providers, such as a configuration, and closed when the
   * application ends.
   */
  static forRootAsync<C, U>({ imports = [], inject = [], useFactory }: AsyncOptions<C, U>): DynamicModule {
    const providers = [
      { provide: AUTH, inject, useFactory: useFactory as FactoryProvider['useFactory'] },
      { provide: OWNED, useExisting: AUTH },
    ]
    return { module: TokenwrightModule, global: true, imports, providers, exports: [AUTH] }
  }

  /** Called by Nest when the application has ended. */
  async onApplicationShutdown(): Promise<void> {
    await this.#owned?.close()
  }
}

/**
 * Answers the `AuthError`s that handlers throw, such as `refresh_reused` from
 * `auth.sessions.refresh`, in the form of the guards' answers. For `@UseFilters(AuthErrorFilter)`
 * or `APP_FILTER` with `TokenwrightModule`, or made by hand of an `Auth`.
 *
 * Gateways want it too: it tells the client why its message was refused, where Nest says "Internal
 * server error".
 */
export class AuthErrorFilter implements ExceptionFilter<AuthError> {
  readonly #auth: Pick<Auth, 'errorResponse'>

  /** @param auth of the application */
  constructor(auth: Pick<Auth, 'errorResponse'>) {
    this.#auth = auth
  }

  /** Answers a request, tells a WebSocket client, or gives GraphQL its error. */
  catch(error: AuthError, host: ArgumentsHost): unknown {
    const kind = kindOf(host)
    if (kind === 'graphql') return new GraphqlAuthError(error, toMembers(error, this.#auth))
    if (kind === 'http') writeHttpError(host.switchToHttp().getResponse(), this.#auth.errorResponse(error))
    else notify(host.switchToWs().getClient<object>(), toMembers(error, this.#auth))
    return undefined
  }
}

/** Makes a class of a guard, whose `Auth` comes out of the container. */
export function toInjectable(plan: GuardPlan, options: GuardOptions): Type<NestGuard> {
  class InjectedGuard implements NestGuard {
    readonly #guard: RequestGuard<Claims, unknown>

    constructor(auth: Auth) {
      this.#guard = new RequestGuard(auth, plan, options, this)
    }

    canActivate(context: ExecutionContext): Awaitable<boolean> {
      return this.#guard.canActivate(context)
    }

    admit(client: object, request?: IncomingMessage): Promise<boolean> {
      return this.#guard.admit(client, request)
    }
  }
  Injectable()(InjectedGuard)
  Inject(AUTH)(InjectedGuard, undefined, 0)
  return InjectedGuard
}

Module({})(TokenwrightModule)
Inject(OWNED)(TokenwrightModule, undefined, 0)
Catch(AuthError)(AuthErrorFilter)
Injectable()(AuthErrorFilter)
Inject(AUTH)(AuthErrorFilter, undefined, 0)
