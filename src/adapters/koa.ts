/**
 * Entry point `tokenwright/koa`: guards as Koa middleware (Koa 3). The payload is at
 * `ctx.state.auth`, typed by the guard where Koa's types allow it.
 */
import type { Context, Middleware, Next } from 'koa'
import type { Auth } from '../auth/auth.ts'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { NodeRequestPort } from '../http/node-request.ts'
import { isNodeRequest, toWrongCall } from '../http/require-request.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import {
  attachContext,
  type ContextReaders,
  checkGuardArguments,
  createContextReaders,
  createGuardTable,
  type GuardOptions,
  type GuardPlan,
  type GuardTable,
  prepareAuthenticator,
  prepareGuard,
  toFailure,
} from './guards.ts'

export type { GuardOptions } from './guards.ts'

/** A middleware that puts the payload at `ctx.state.auth`. */
export type KoaGuard<P> = Middleware<{ auth: P }>

/** A middleware that puts the payload at `ctx.state.auth` and the user at `ctx.state.subject`. */
export type KoaSubjectGuard<P, U> = Middleware<{ auth: P; subject: U }>

/** The guards of one application. */
export interface KoaGuards<C, U>
  extends GuardTable<
      () => KoaGuard<TokenPayload<C>>,
      KoaGuard<TokenPayload<C>>,
      () => KoaSubjectGuard<TokenPayload<C>, U>,
      () => KoaGuard<TokenPayload<C> | null>
    >,
    ContextReaders<C, U, { readonly state: object }> {
  /** A token that satisfies a requirement. */
  token<const R extends Requirement>(requirement: R): KoaGuard<PayloadFor<R, C>>
}

/** The arguments of a middleware. */
interface Call {
  readonly ctx: Context
  readonly next: Next
}

/**
 * Creates the guards of one application.
 *
 * @throws {ConfigurationError} from a guard with an invalid requirement, when the route is made
 *
 * @example
 * ```ts
 * import Koa from 'koa'
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/koa'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const app = new Koa()
 * app.use(guard.access()).use((ctx) => {
 *   ctx.body = { sub: ctx.state.auth.sub }
 * })
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): KoaGuards<C, U> {
  checkGuardArguments(auth, options)

  function make(plan: GuardPlan): Middleware {
    const authenticate = prepareAuthenticator(auth, plan)
    const run = prepareGuard<Call, Awaitable<unknown>>(auth, options, {
      authenticate: ({ ctx }) => authenticate(new NodeRequestPort(ctx.req, ctx.res, ctx.request)),
      attach: ({ ctx }, context) => attachContext(ctx.state, context),
      // Koa waits forever after a rejection with nothing.
      next: ({ next }) => next().catch(rethrow),
      respond({ ctx }, { status, headers, body }) {
        ctx.status = status
        ctx.set(headers)
        ctx.body = body
      },
    })
    return (ctx, next) => {
      if (!isNodeRequest(Object(ctx).req) || typeof next !== 'function') throw toWrongCall('koa')
      return run({ ctx, next })
    }
  }

  return {
    ...createGuardTable<Middleware>(make),
    ...createContextReaders<C, U, { readonly state: object }>(auth, ({ state }) => state),
  }
}

function rethrow(reason: unknown): never {
  throw toFailure(reason)
}
