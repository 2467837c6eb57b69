/**
 * Door `tokenwright/koa`: guards as Koa middleware (Koa 3). It makes three moves: fill the request port, call `authenticate`,
 * write the payload or the answer. The payload is at `ctx.state.auth`, typed by the guard where Koa's types can tell.
 */
import type { Context, Middleware, Next } from 'koa'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { type AuthContext, attachContext } from '../http/auth-context.ts'
import { NodeRequestPort } from '../http/node-request.ts'
import { type Awaitable, type Steps, settle } from '../internal/awaitable.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** A middleware that puts the payload at `ctx.state.auth`. */
export type KoaGuard<P> = Middleware<{ auth: P }>

/** A middleware that puts the payload at `ctx.state.auth` and the user at `ctx.state.subject`. */
export type KoaSubjectGuard<P, U> = Middleware<{ auth: P; subject: U }>

/** What a middleware is called with. */
interface Call {
  readonly ctx: Context
  readonly next: Next
}

/** How guards answer. */
export interface GuardOptions {
  /** Answer errors here, or throw the `AuthError` to the middleware before. Default `'respond'`. */
  readonly errors?: 'respond' | 'throw'
}

/** The guards of one application. */
export interface KoaGuards<C, U> {
  /** Any valid access token. */
  access(): KoaGuard<TokenPayload<C>>
  /** A refresh token. */
  refresh(): KoaGuard<TokenPayload<C>>
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): KoaGuard<TokenPayload<C>>
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): KoaGuard<TokenPayload<C>>
  /** A token that meets a requirement. */
  token<const R extends Requirement>(requirement: R): KoaGuard<PayloadFor<R, C>>
  /** A valid access token, and the user that the `subject` option loads for it. */
  subject(): KoaSubjectGuard<TokenPayload<C>, U>
  /** A valid access token or none; the payload is null for none. */
  optional(): KoaGuard<TokenPayload<C> | null>
}

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the route is made
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
  const throws = options.errors === 'throw'

  /** The types of what it sets are in the table of guards below. */
  function guard(requirement: Requirement, load?: (payload: TokenPayload<C>) => Promise<U>): Middleware {
    const gate = auth.authenticator(requirement, load)

    const steps: Steps<Call, AuthContext, Awaitable<unknown>> = {
      attempt: ({ ctx }) => gate(new NodeRequestPort(ctx.req, ctx.res, ctx.request)),
      attach: ({ ctx }, found) => attachContext(ctx.state, found),
      enter: ({ next }) => next(),
      refuse({ ctx }, error) {
        if (throws || !isAuthError(error)) throw error
        const { status, headers, body } = auth.errorResponse(error)
        ctx.status = status
        ctx.set(headers)
        ctx.body = body
      },
    }
    return (ctx, next) => settle({ ctx, next }, steps)
  }

  return {
    access: () => guard({}),
    refresh: () => guard({ type: 'refresh' }),
    fresh: () => guard({ fresh: true }),
    scopes: (...scopes) => guard({ scopes }),
    token: (requirement) => guard(requirement),
    subject: () => guard({}, auth.loadSubject),
    optional: () => guard({ optional: true }),
  }
}
