/**
 * Entry point `tokenwright/fastify`: guards as Fastify hooks (Fastify 5), for a route's
 * `onRequest`, `preValidation` or `preHandler` and for `addHook`. The payload is at `request.auth`.
 * Fastify has no type for that, and we do not augment its types: `guard.payload(request)` reads it,
 * and so does `request.getDecorator('auth')`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Auth } from '../auth/auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { NodeRequestPort } from '../http/node-request.ts'
import { isNodeRequest, refuseCall } from '../http/require-request.ts'
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
} from './guards.ts'

export type { GuardOptions } from './guards.ts'

/**
 * A hook. `onRequest` refuses before a body is received; the later hooks `preValidation` and
 * `preHandler` find a token in the body. It takes a callback and returns no promise, because nearly
 * every request is decided at once.
 */
export type FastifyGuard = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
) => void

/** The guards of one application. */
export interface FastifyGuards<C, U>
  extends GuardTable<() => FastifyGuard, FastifyGuard, () => FastifyGuard, () => FastifyGuard>,
    ContextReaders<C, U> {
  /** A token that satisfies a requirement. */
  token(requirement: Requirement): FastifyGuard
}

/** The arguments of a hook. */
interface Call {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly done: (error?: Error) => void
}

/**
 * Creates the guards of one application.
 *
 * @throws {ConfigurationError} from a guard with an invalid requirement, when the route is made
 *
 * @example
 * ```ts
 * import { fastify } from 'fastify'
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/fastify'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const app = fastify()
 * app.get('/me', { onRequest: guard.access() }, async (request) => {
 *   return { sub: guard.payload(request).sub }
 * })
 * app.delete('/account', { onRequest: guard.fresh() }, async (_request, reply) => {
 *   return reply.code(204).send()
 * })
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): FastifyGuards<C, U> {
  checkGuardArguments(auth, options)

  function make(plan: GuardPlan): FastifyGuard {
    const authenticate = prepareAuthenticator(auth, plan)
    const run = prepareGuard<Call, void>(auth, options, {
      // Fastify's own parser hangs on a body that was read before.
      authenticate: ({ request, reply }) =>
        authenticate(new NodeRequestPort(request.raw, reply, request, false)),
      attach: ({ request }, context) => attachContext(request, context),
      next: ({ done }) => done(),
      respond({ reply }, { status, headers, body }) {
        // As bytes: Fastify adds a charset to the media type of strings.
        reply.code(status).headers(headers).send(Buffer.from(body))
      },
      reject: ({ done }, error) => done(error as Error),
    })
    return (request, reply, done) => {
      if (!isNodeRequest(Object(request).raw) || typeof done !== 'function')
        return refuseCall('fastify', done)
      void run({ request, reply, done })
    }
  }

  return { ...createGuardTable(make, { refuseMisuse }), ...createContextReaders<C, U>(auth) }
}

/** Fastify catches no error of a hook: unless it is passed to `done`, it ends the process. */
function refuseMisuse(error: Error, [, , done]: readonly unknown[]): void {
  if (typeof done !== 'function') throw error
  done(error)
}
