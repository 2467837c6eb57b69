/**
 * `Auth` in Nest's container: its injection token, the module that provides it, guards that Nest
 * instantiates, and the filter for errors of handlers. Decorators are called as functions, so that
 * no compiler option is needed here.
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
import { ConfigurationError, checkMethod, expected, isCallable } from '../../internal/configuration-error.ts'
import type { Claims } from '../../token/token-payload.ts'
import type { GuardOptions, GuardPlan } from '../guards.ts'
import { kindOf } from './context.ts'
import { GraphqlAuthError, notify, toMembers, writeHttpError } from './error-response.ts'
import { type NestGuard, RequestGuard } from './guard.ts'

/** The injection token of the `Auth`: `@Inject(AUTH) auth: Auth`. */
export const AUTH: unique symbol = Symbol('tokenwright.auth')

/** The options of `forRootAsync`. */
export interface AsyncOptions<C, U> {
  /** The modules with the providers that the factory needs. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>
  /** The injection tokens of the factory's arguments, in order. */
  readonly inject?: NonNullable<FactoryProvider['inject']>
  /** Creates the `Auth`, once, when the application starts. */
  readonly useFactory: (...injected: never[]) => Auth<C, U> | Promise<Auth<C, U>>
}

/** The `Auth` that the module closes with the application: that of `forRootAsync`, else null. */
const OWNED: unique symbol = Symbol('tokenwright.owned')

/** Provides one `Auth` to the whole application, under the injection token `AUTH`. */
export class TokenwrightModule implements OnApplicationShutdown {
  readonly #owned: Pick<Auth, 'close'> | null

  /** Called by Nest. @param owned the `Auth` to close with the application */
  constructor(owned: Pick<Auth, 'close'> | null) {
    this.#owned = owned
  }

  /** Provides an `Auth` of yours, which you also close. */
  static forRoot<C, U>(auth: Auth<C, U>): DynamicModule {
    checkMethod('auth', 'what `createAuth` returns, as in `forRoot(auth)`', auth, 'authenticator')
    const providers = [
      { provide: AUTH, useValue: auth },
      { provide: OWNED, useValue: null },
    ]
    return { module: TokenwrightModule, global: true, providers, exports: [AUTH] }
  }

  /**
   * Creates an `Auth` from other providers, such as a configuration, and closes it when the
   * application ends.
   */
  static forRootAsync<C, U>({ imports = [], inject = [], useFactory }: AsyncOptions<C, U>): DynamicModule {
    if (!isCallable(useFactory))
      throw new ConfigurationError(expected('useFactory', 'a function', useFactory))
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
 * Responds to the `AuthError`s of handlers, such as `refresh_reused` from `auth.sessions.refresh`,
 * as the guards do. For `@UseFilters(AuthErrorFilter)` or `APP_FILTER` with `TokenwrightModule`, or
 * made by hand from an `Auth`.
 *
 * Use it on gateways too: it tells the client why its message was refused. Without it Nest says
 * "Internal server error".
 */
export class AuthErrorFilter implements ExceptionFilter<AuthError> {
  readonly #auth: Pick<Auth, 'errorResponse'>

  /** @param auth of the application */
  constructor(auth: Pick<Auth, 'errorResponse'>) {
    this.#auth = auth
  }

  /** Responds to a request, notifies a WebSocket client, or returns the error for GraphQL. */
  catch(error: AuthError, host: ArgumentsHost): unknown {
    const kind = kindOf(host)
    if (kind === 'graphql') return new GraphqlAuthError(error, toMembers(error, this.#auth))
    if (kind === 'http') writeHttpError(host.switchToHttp().getResponse(), this.#auth.errorResponse(error))
    else notify(host.switchToWs().getClient<object>(), toMembers(error, this.#auth))
    return undefined
  }
}

/** Makes the class of a guard whose `Auth` comes from the container. */
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
