/**
 * Entry point `tokenwright/nest`: guards for Nest 11 and 12, on Express and on Fastify, for HTTP,
 * GraphQL and WebSocket contexts. The payload is at `request.auth`, and handlers get it with
 * `@CurrentToken()`. Unlike other adapters this one imports its framework at run time
 * (`@nestjs/common`, for parameter decorators). Everything else of Nest is used by its shape.
 */
import type { Type } from '@nestjs/common'
import type { Auth } from '../auth/auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import {
  checkGuardArguments,
  checkGuardOptions,
  createGuardTable,
  type GuardOptions,
  type GuardTable,
} from './guards.ts'
import { type NestGuard, RequestGuard } from './nest/guard.ts'
import { toInjectable } from './nest/module.ts'

export type { GuardOptions } from './guards.ts'
export { CurrentSubject, CurrentToken, Public } from './nest/decorators.ts'
export type { NestGuard } from './nest/guard.ts'
export { type AsyncOptions, AUTH, AuthErrorFilter, TokenwrightModule } from './nest/module.ts'

/** The guards of one application: objects from `guards(auth)`, classes from `injectedGuards()`. */
export interface NestGuards<G> extends GuardTable<() => G, G, () => G, () => G> {
  /** A token that satisfies a requirement. */
  token(requirement: Requirement): G
}

/**
 * Creates the guards of one application, for `@UseGuards(guard.access())`, `APP_GUARD` and
 * `useGlobalGuards`.
 *
 * @throws {ConfigurationError} from a guard with an invalid requirement, when the class is declared
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
  checkGuardArguments(auth, options)
  return createGuardTable((plan) => new RequestGuard(auth, plan, options))
}

/**
 * Creates guards whose `Auth` comes from Nest's container, where `TokenwrightModule` provides it:
 * classes, for `@UseGuards(guard.access())` and `{ provide: APP_GUARD, useClass: guard.access() }`.
 * An invalid requirement is refused when the application starts.
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
  checkGuardOptions(options)
  return createGuardTable((plan) => toInjectable(plan, options))
}
