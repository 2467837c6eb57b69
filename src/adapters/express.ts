/**
 * Door `tokenwright/express`: guards as Express middleware (Express 4 and 5), and for anything else that takes `(req, res, next)`.
 * The payload is at `req.auth`. Express has no type for that without augmenting its own, so a guard also wraps a handler,
 * which then sees it typed, and `guard.payload(req)` reads it anywhere.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { type AuthContext, attachContext, readContext, requireContext } from '../http/auth-context.ts'
import { NodeRequestPort } from '../http/node-request.ts'
import { writeResponse } from '../http/node-response.ts'
import { type Awaitable, type Steps, settle } from '../internal/awaitable.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** A middleware. It says nothing of params, so that Express still infers them from the path for the handlers after it. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** A handler whose request has what the guard puts there; what it rejects with goes to `next`, also in Express 4. */
export type GuardedHandler<
  A,
  Params = Request['params'],
  ResBody = unknown,
  ReqBody = Request['body'],
  Query = Request['query'],
> = (req: Request<Params, ResBody, ReqBody, Query> & A, res: Response<ResBody>, next: NextFunction) => unknown

/** A guard: a middleware when it is called with nothing, and a handler of its own when it is given one. */
export interface ExpressGuard<A> {
  /** The middleware, for handlers that follow. */
  (): Middleware
  /** The guard and a handler in one; params are `Record<string, string>` unless they are given as a type argument. */
  <Params = Request['params'], ResBody = unknown, ReqBody = Request['body'], Query = Request['query']>(
    handler: GuardedHandler<A, Params, ResBody, ReqBody, Query>,
  ): RequestHandler<Params, ResBody, ReqBody, Query>
}

/** How guards answer. */
export interface GuardOptions {
  /** Answer errors here, or hand the `AuthError` to the application's error handler. Default `'respond'`. */
  readonly errors?: 'respond' | 'throw'
}

/** The guards of one application. */
export interface ExpressGuards<C, U> {
  /** Any valid access token. */
  readonly access: ExpressGuard<{ readonly auth: TokenPayload<C> }>
  /** A refresh token. */
  readonly refresh: ExpressGuard<{ readonly auth: TokenPayload<C> }>
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  readonly fresh: ExpressGuard<{ readonly auth: TokenPayload<C> }>
  /** An access token that covers all of these scopes. With a handler: `token({ scopes }, handler)`. */
  scopes(...scopes: readonly string[]): Middleware
  /** A token that meets a requirement. */
  token(requirement: Requirement): Middleware
  /** A token that meets a requirement, and a handler. */
  token<const R extends Requirement, Params = Request['params']>(
    requirement: R,
    handler: GuardedHandler<{ readonly auth: PayloadFor<R, C> }, Params>,
  ): RequestHandler<Params, unknown>
  /** A valid access token, and the user that the `subject` option loads for it, at `req.subject`. */
  readonly subject: ExpressGuard<{ readonly auth: TokenPayload<C>; readonly subject: U }>
  /** A valid access token or none; the payload is null for none. */
  readonly optional: ExpressGuard<{ readonly auth: TokenPayload<C> | null }>
  /** The payload behind a guard. @throws {ConfigurationError} without a guard, or where `optional()` let nobody in particular pass */
  payload(req: object): TokenPayload<C>
  /** The payload behind `optional()`. @throws {ConfigurationError} without a guard */
  optionalPayload(req: object): TokenPayload<C> | null
  /** The user behind `subject()`. @throws {ConfigurationError} without that guard */
  subjectOf(req: object): U
}

/** What a middleware is called with. */
interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly next: NextFunction
}

/** Calls a handler; what it throws is rejected. */
async function run(
  handler: GuardedHandler<never>,
  req: IncomingMessage,
  res: ServerResponse,
  next: NextFunction,
): Promise<void> {
  await handler(req as never, res as never, next)
}

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the route is made
 *
 * @example
 * ```ts
 * import express from 'express'
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/express'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const app = express()
 * app.get('/me', guard.access((req, res) => res.json({ sub: req.auth.sub })))
 * app.get('/users/:id', guard.fresh(), (req, res) => {
 *   res.json({ id: req.params.id, sub: guard.payload(req).sub })
 * })
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): ExpressGuards<C, U> {
  const throws = options.errors === 'throw'

  /** The types of what it puts on the request are in the table of guards below. */
  function guard(
    requirement: Requirement,
    handler?: GuardedHandler<never>,
    load?: (payload: TokenPayload<C>) => Promise<U>,
  ): Middleware {
    const gate = auth.authenticator(requirement, load)

    const steps: Steps<Call, AuthContext, Awaitable<void>> = {
      attempt: ({ req, res }) => gate(new NodeRequestPort(req, res, req)),
      attach: ({ req }, found) => attachContext(req, found),
      enter({ req, res, next }) {
        return handler === undefined ? next() : run(handler, req, res, next)
      },
      refuse({ res, next }, error) {
        if (throws || !isAuthError(error)) next(error)
        else writeResponse(res, auth.errorResponse(error))
      },
    }
    return (req, res, next) => {
      const settled = settle({ req, res, next }, steps)
      // Express 4 looks at no promise of ours: whatever is rejected must reach `next`.
      if (settled instanceof Promise) settled.catch(next)
    }
  }

  function wrap<A>(
    requirement: Requirement,
    load?: (payload: TokenPayload<C>) => Promise<U>,
  ): ExpressGuard<A> {
    return ((handler?: GuardedHandler<never>) => guard(requirement, handler, load)) as ExpressGuard<A>
  }

  return {
    access: wrap({}),
    refresh: wrap({ type: 'refresh' }),
    fresh: wrap({ fresh: true }),
    scopes: (...scopes) => guard({ scopes }),
    token: guard as ExpressGuards<C, U>['token'],
    subject: wrap({}, auth.loadSubject),
    optional: wrap({ optional: true }),
    payload: (req) => requireContext(req, 'auth', 'guard.access()'),
    optionalPayload: (req) => readContext(req, 'auth', 'guard.optional()'),
    subjectOf: (req) => readContext(req, 'subject', 'guard.subject()'),
  }
}
