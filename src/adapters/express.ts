/**
 * Entry point `tokenwright/express`: guards as Express middleware (Express 4 and 5), and for any
 * framework with `(req, res, next)`. The payload is at `req.auth`. Express has no type for that,
 * and we do not augment its types. So a guard also wraps a handler, which then sees the payload
 * typed, and `guard.payload(req)` reads it anywhere.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import type { Auth } from '../auth/auth.ts'
import type { PayloadFor } from '../auth/authenticator.ts'
import type { Requirement } from '../auth/requirement.ts'
import { NodeRequestPort } from '../http/node-request.ts'
import { writeResponse } from '../http/node-response.ts'
import { isNodeRequest, refuseCall } from '../http/require-request.ts'
import { type Awaitable, isPromise } from '../internal/awaitable.ts'
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

/**
 * A middleware. Its type has no params, so that Express still infers them from the path for later
 * handlers.
 */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * A request with the values of a guard. Other packages, such as the MCP SDK, declare an `auth` of
 * another type for every request of Express: behind a guard of ours it is ours.
 */
export type GuardedRequest<R, A> = 'auth' extends keyof R ? Omit<R, keyof A> & A : R & A

/**
 * A handler whose request has the values of the guard. What it rejects with goes to `next`, also in
 * Express 4.
 */
export type GuardedHandler<
  A,
  Params = Request['params'],
  ResBody = unknown,
  ReqBody = Request['body'],
  Query = Request['query'],
> = (
  req: GuardedRequest<Request<Params, ResBody, ReqBody, Query>, A>,
  res: Response<ResBody>,
  next: NextFunction,
) => unknown

/** Creates a guard: a middleware, or the guarded handler if it is called with a handler. */
export interface ExpressGuard<A> {
  /** The middleware, for handlers that follow. */
  (): Middleware
  /**
   * The guard and a handler in one. Params are `Record<string, string>` unless they are a type
   * argument.
   */
  <Params = Request['params'], ResBody = unknown, ReqBody = Request['body'], Query = Request['query']>(
    handler: GuardedHandler<A, Params, ResBody, ReqBody, Query>,
  ): RequestHandler<Params, ResBody, ReqBody, Query>
}

/** The guards of one application. */
export interface ExpressGuards<C, U>
  extends GuardTable<
      ExpressGuard<{ readonly auth: TokenPayload<C> }>,
      Middleware,
      ExpressGuard<{ readonly auth: TokenPayload<C>; readonly subject: U }>,
      ExpressGuard<{ readonly auth: TokenPayload<C> | null }>
    >,
    ContextReaders<C, U> {
  /** A token that satisfies a requirement. */
  token(requirement: Requirement): Middleware
  /** The same, with a handler. */
  token<const R extends Requirement, Params = Request['params']>(
    requirement: R,
    handler: GuardedHandler<{ readonly auth: PayloadFor<R, C> }, Params>,
  ): RequestHandler<Params, unknown>
}

/** The arguments of a middleware. */
interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly next: NextFunction
}

/**
 * Creates the guards of one application.
 *
 * @throws {ConfigurationError} from a guard with an invalid requirement, when the route is made
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
  checkGuardArguments(auth, options)

  function make(plan: GuardPlan, handler?: GuardedHandler<never>): Middleware {
    const authenticate = prepareAuthenticator(auth, plan)
    const run = prepareGuard<Call, Awaitable<void>>(auth, options, {
      authenticate: ({ req, res }) => authenticate(new NodeRequestPort(req, res, req)),
      attach: ({ req }, context) => attachContext(req, context),
      next: (call) => (handler === undefined ? call.next() : callHandler(handler, call)),
      respond: ({ res }, response) => writeResponse(res, response),
      reject: ({ next }, error) => next(error),
    })
    return (req, res, next) => {
      // The reply of Fastify has no method `end`.
      if (!isNodeRequest(req) || typeof Object(res).end !== 'function' || typeof next !== 'function')
        return refuseCall('express', next)
      const running = run({ req, res, next })
      // Express 4 ignores our promise: a rejection must reach `next`, and as an error.
      if (isPromise(running)) running.catch((reason: unknown) => next(toFailure(reason)))
    }
  }

  return {
    ...(createGuardTable(make, { takesHandler: true }) as Omit<
      ExpressGuards<C, U>,
      keyof ContextReaders<C, U>
    >),
    ...createContextReaders<C, U>(auth),
  }
}

/** Calls a handler; a thrown error becomes a rejection. */
async function callHandler(handler: GuardedHandler<never>, { req, res, next }: Call): Promise<void> {
  await handler(req as never, res as never, next)
}
