/**
 * Door `tokenwright/hono`: guards as Hono middleware (Hono 4). It makes three moves: fill the request port, call `authenticate`,
 * write the payload or the answer. Types come from the guard itself, so `c.var.auth` is typed on guarded routes and absent on others.
 */
import type { Context, MiddlewareHandler, Next } from 'hono'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import type { AuthContext } from '../http/auth-context.ts'
import { type Steps, settle } from '../internal/awaitable.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import { ContextPort } from './hono/request-port.ts'

/** A middleware that puts the payload at `c.var.auth`. */
export type HonoGuard<P> = MiddlewareHandler<{ Variables: { auth: P } }>

/** A middleware that puts the payload at `c.var.auth` and the user at `c.var.subject`. */
export type HonoSubjectGuard<P, U> = MiddlewareHandler<{ Variables: { auth: P; subject: U } }>

/** What a middleware is called with. */
interface Call {
  readonly c: Context
  readonly next: Next
  readonly port: ContextPort
}

/** How guards answer. */
export interface GuardOptions {
  /** Answer errors here, or throw the `AuthError` to the application's error handler. Default `'respond'`. */
  readonly errors?: 'respond' | 'throw'
}

/** The guards of one application. */
export interface HonoGuards<C, U> {
  /** Any valid access token. */
  access(): HonoGuard<TokenPayload<C>>
  /** A refresh token. */
  refresh(): HonoGuard<TokenPayload<C>>
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): HonoGuard<TokenPayload<C>>
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): HonoGuard<TokenPayload<C>>
  /** A token that meets a requirement. */
  token<const R extends Requirement>(requirement: R): HonoGuard<PayloadFor<R, C>>
  /** A valid access token, and the user that the `subject` option loads for it. */
  subject(): HonoSubjectGuard<TokenPayload<C>, U>
  /** A valid access token or none; the payload is null for none. */
  optional(): HonoGuard<TokenPayload<C> | null>
}

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the route is made
 *
 * @example
 * ```ts
 * import { Hono } from 'hono'
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/hono'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const app = new Hono()
 * app.get('/me', guard.access(), (c) => c.json({ sub: c.var.auth.sub }))
 * app.delete('/account', guard.fresh(), (c) => c.body(null, 204))
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): HonoGuards<C, U> {
  const throws = options.errors === 'throw'

  /** The types of what it sets are in the table of guards below. */
  function guard(
    requirement: Requirement,
    load?: (payload: TokenPayload<C>) => Promise<U>,
  ): MiddlewareHandler {
    const gate = auth.authenticator(requirement, load)

    const steps: Steps<Call, AuthContext, Promise<void> | Promise<Response>> = {
      attempt: ({ port }) => gate(port),
      attach({ c }, found) {
        c.set('auth', found.auth)
        if ('subject' in found) c.set('subject', found.subject)
      },
      enter: ({ port, next }) => port.proceed(next),
      async refuse(_call, error) {
        if (throws || !isAuthError(error)) throw error
        const { status, headers, body } = auth.errorResponse(error)
        return new Response(body, { status, headers })
      },
    }

    return (c, next) => settle({ c, next, port: new ContextPort(c) }, steps)
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
