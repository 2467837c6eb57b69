/**
 * Door `tokenwright/fastify`: guards as Fastify hooks (Fastify 5), for a route's `onRequest`, `preValidation` or `preHandler`
 * and for `addHook`. The payload is at `request.auth`. Fastify has no type for that without augmenting its own:
 * `guard.payload(request)` reads it, and so does `request.getDecorator('auth')`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Auth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { isAuthError } from '../errors.ts'
import { type AuthContext, attachContext, readContext, requireContext } from '../http/auth-context.ts'
import { NodeRequestPort } from '../http/node-request.ts'
import { type Steps, settle } from '../internal/awaitable.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/**
 * A hook. `onRequest` refuses before a body is received; a token in the body is found there too, and by any later hook.
 * It calls back instead of answering a promise, as nearly every request is let in or refused at once.
 */
export type FastifyGuard = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
) => void

/** What a hook is called with. */
interface Call {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly done: (error?: Error) => void
}

/** How guards answer. */
export interface GuardOptions {
  /** Answer errors here, or hand the `AuthError` to the application's error handler. Default `'respond'`. */
  readonly errors?: 'respond' | 'throw'
}

/** The guards of one application. */
export interface FastifyGuards<C, U> {
  /** Any valid access token. */
  access(): FastifyGuard
  /** A refresh token. */
  refresh(): FastifyGuard
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): FastifyGuard
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): FastifyGuard
  /** A token that meets a requirement. */
  token(requirement: Requirement): FastifyGuard
  /** A valid access token, and the user that the `subject` option loads for it, at `request.subject`. */
  subject(): FastifyGuard
  /** A valid access token or none; the payload is null for none. */
  optional(): FastifyGuard
  /** The payload behind a guard. @throws {ConfigurationError} without a guard, or where `optional()` let nobody in particular pass */
  payload(request: object): TokenPayload<C>
  /** The payload behind `optional()`. @throws {ConfigurationError} without a guard */
  optionalPayload(request: object): TokenPayload<C> | null
  /** The user behind `subject()`. @throws {ConfigurationError} without that guard */
  subjectOf(request: object): U
}

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the route is made
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
 * app.get('/me', { onRequest: guard.access() }, async (request) => ({ sub: guard.payload(request).sub }))
 * app.delete('/account', { onRequest: guard.fresh() }, async (_request, reply) => reply.code(204).send())
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): FastifyGuards<C, U> {
  const throws = options.errors === 'throw'

  function guard(requirement: Requirement, load?: (payload: TokenPayload<C>) => Promise<U>): FastifyGuard {
    const gate = auth.authenticator(requirement, load)

    const steps: Steps<Call, AuthContext, void> = {
      attempt: ({ request, reply }) => gate(new NodeRequestPort(request.raw, reply, request)),
      attach: ({ request }, found) => attachContext(request, found),
      enter: ({ done }) => done(),
      refuse({ reply, done }, error) {
        if (throws || !isAuthError(error)) {
          done(error as Error)
          return
        }
        const { status, headers, body } = auth.errorResponse(error)
        // As bytes: Fastify writes a charset behind the media type of texts.
        reply.code(status).headers(headers).send(Buffer.from(body))
      },
    }
    return (request, reply, done) => void settle({ request, reply, done }, steps)
  }

  return {
    access: () => guard({}),
    refresh: () => guard({ type: 'refresh' }),
    fresh: () => guard({ fresh: true }),
    scopes: (...scopes) => guard({ scopes }),
    token: (requirement) => guard(requirement),
    subject: () => guard({}, auth.loadSubject),
    optional: () => guard({ optional: true }),
    payload: (request) => requireContext(request, 'auth', 'guard.access()'),
    optionalPayload: (request) => readContext(request, 'auth', 'guard.optional()'),
    subjectOf: (request) => readContext(request, 'subject', 'guard.subject()'),
  }
}
