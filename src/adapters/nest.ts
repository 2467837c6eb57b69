/**
 * Door `tokenwright/nest`: guards for Nest 11 and 12, on Express and on Fastify, for HTTP, GraphQL and WebSocket contexts.
 * The payload is at `request.auth`, and handlers get it by `@CurrentToken()`. The one door that imports its framework at run time
 * (`@nestjs/common`, for parameter decorators); everything else of Nest is read by its shape.
 */
import type { Type } from '@nestjs/common'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { type GuardOptions, type GuardPlan, type NestGuard, RequestGuard } from './nest/guard.ts'
import { toInjectable } from './nest/module.ts'

export { CurrentSubject, CurrentToken, Public } from './nest/decorators.ts'
export type { GuardOptions, NestGuard } from './nest/guard.ts'
export { type AsyncOptions, AUTH, AuthErrorFilter, TokenwrightModule } from './nest/module.ts'

/** The guards of one application: objects by `guards(auth)`, classes by `injectedGuards()`. */
export interface NestGuards<G> {
  /** Any valid access token. */
  access(): G
  /** A refresh token. */
  refresh(): G
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): G
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): G
  /** A token that meets a requirement. */
  token(requirement: Requirement): G
  /** A valid access token, and the user that the `subject` option loads for it. */
  subject(): G
  /** A valid access token or none; the payload is null for none. */
  optional(): G
}

/** The table of guards. */
function toGuards<G>(options: GuardOptions, make: (plan: GuardPlan) => G): NestGuards<G> {
  const guard = (requirement: Requirement, loads = false): G => make({ requirement, loads, options })
  return {
    access: () => guard({}),
    refresh: () => guard({ type: 'refresh' }),
    fresh: () => guard({ fresh: true }),
    scopes: (...scopes) => guard({ scopes }),
    token: (requirement) => guard(requirement),
    subject: () => guard({}, true),
    optional: () => guard({ optional: true }),
  }
}

/**
 * Makes the guards of one application, for `@UseGuards(guard.access())`, `APP_GUARD` and `useGlobalGuards`.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the class is declared
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/nest'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const [access, fresh] = [guard.access(), guard.fresh()] // @UseGuards(access), @UseGuards(fresh)
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): NestGuards<NestGuard> {
  return toGuards(options, (plan) => new RequestGuard(auth, plan))
}

/**
 * Makes guards whose `Auth` comes out of Nest's container, where `TokenwrightModule` has put it: classes, for `@UseGuards(guard.access())`
 * and `{ provide: APP_GUARD, useClass: guard.access() }`. What is unfit is refused when the application starts.
 *
 * @example
 * ```ts
 * import { createAuth } from 'tokenwright'
 * import { injectedGuards, TokenwrightModule } from 'tokenwright/nest'
 *
 * const guard = injectedGuards()
 * const access = guard.access() // @UseGuards(access)
 * const module = TokenwrightModule.forRootAsync({ useFactory: () => createAuth() })
 * ```
 */
export function injectedGuards(options: GuardOptions = {}): NestGuards<Type<NestGuard>> {
  return toGuards(options, toInjectable)
}
