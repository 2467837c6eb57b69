/**
 * Entry point `tokenwright/hono`: guards as Hono middleware (Hono 4). Types come from the guard
 * itself, so `c.var.auth` is typed on guarded routes and absent on others.
 */
import type { Context, MiddlewareHandler, Next } from 'hono'
import type { Auth } from '../auth/auth.ts'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { toWrongCall } from '../http/require-request.ts'
import { readFunction } from '../internal/read-options.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import {
  type AddressedGuardOptions,
  type ContextReaders,
  checkGuardArguments,
  createContextReaders,
  createGuardTable,
  type GuardPlan,
  type GuardTable,
  prepareAuthenticator,
  prepareGuard,
  SUBJECT_OWNER,
} from './guards.ts'
import { ContextPort } from './hono/request-port.ts'

export type { GuardOptions } from './guards.ts'

/** A middleware that puts the payload at `c.var.auth`. */
export type HonoGuard<P> = MiddlewareHandler<{ Variables: { auth: P } }>

/** A middleware that puts the payload at `c.var.auth` and the user at `c.var.subject`. */
export type HonoSubjectGuard<P, U> = MiddlewareHandler<{ Variables: { auth: P; subject: U } }>

/** The guards of one application. */
export interface HonoGuards<C, U>
  extends GuardTable<
      () => HonoGuard<TokenPayload<C>>,
      HonoGuard<TokenPayload<C>>,
      () => HonoSubjectGuard<TokenPayload<C>, U>,
      () => HonoGuard<TokenPayload<C> | null>
    >,
    ContextReaders<C, U, { readonly var: object }> {
  /** A token that satisfies a requirement. */
  token<const R extends Requirement>(requirement: R): HonoGuard<PayloadFor<R, C>>
}

/** The arguments of a middleware. */
interface Call {
  readonly c: Context
  readonly next: Next
  readonly port: ContextPort
}

/**
 * Creates the guards of one application.
 *
 * @throws {ConfigurationError} from a guard with an invalid requirement, when the route is made
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
export function guards<C, U>(
  auth: Auth<C, U>,
  options: AddressedGuardOptions<[c: Context]> = {},
): HonoGuards<C, U> {
  checkGuardArguments(auth, options, 'address')
  const address = readFunction('address', options.address)

  function make(plan: GuardPlan): MiddlewareHandler {
    const authenticate = prepareAuthenticator(auth, plan)
    const run = prepareGuard<Call, Promise<void> | Promise<Response>>(auth, options, {
      authenticate: ({ port }) => authenticate(port),
      attach({ c }, context) {
        c.set('auth', context.auth)
        if (!('subject' in context)) return
        c.set('subject', context.subject)
        c.set(SUBJECT_OWNER as never, context.auth as never)
      },
      next: ({ port, next }) => port.proceed(next),
      respond: async ({ port }, { status, headers, body }) =>
        port.addCookies(new Response(body, { status, headers })),
      async reject({ port }, error) {
        port.prepareCookies()
        throw error
      },
    })
    return (c, next) => {
      const { header } = Object(Object(c).req) as { readonly header?: unknown }
      if (typeof header !== 'function' || typeof next !== 'function') throw toWrongCall('hono')
      return run({ c, next, port: new ContextPort(c, address) })
    }
  }

  return {
    ...createGuardTable<MiddlewareHandler>(make),
    ...createContextReaders<C, U, { readonly var: object }>(auth, (c) => c.var),
  }
}
