/**
 * Every answer that is no success: an `AuthError`, an unknown path, a wrong method, and what nobody
 * expected. All have the one error body; an `AuthError` gets it from the library, which alone
 * writes challenges. What is logged of a defect is where it happened and what kind it is: messages
 * of foreign errors can quote a request, and a request can hold a password or a token.
 */
import type { Context, Hono } from 'hono'
import { type Auth, isAuthError } from 'tokenwright'
import { codeOf } from './reason.ts'

/**
 * The refusals that have nothing to do with tokens, by status; the library's table has the others.
 */
export const REFUSALS = {
  404: { message: 'Not found', error_type: 'NotFoundError', code: 'not_found' },
  405: { message: 'Method not allowed', error_type: 'MethodNotAllowedError', code: 'method_not_allowed' },
  500: { message: 'Internal server error', error_type: 'InternalServerError', code: 'internal_error' },
} as const

/** Answers the errors that routes throw. */
export function createAnswerError(auth: Auth): (error: unknown, context: Context) => Response {
  return (error, context) => {
    if (isAuthError(error)) {
      const { status, headers, body } = auth.errorResponse(error)
      return new Response(body, { status, headers })
    }
    log(error, context)
    return context.json(REFUSALS[500], 500)
  }
}

/**
 * Answers a request that no route took: 405 where the path has routes for other methods (RFC 9110
 * section 15.5.6).
 */
export function answerUnrouted(app: Hono, context: Context): Response {
  const routes = app.routes.filter(({ path, method }) => path === context.req.path && method !== 'ALL')
  const methods = new Set(routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
  if (methods.size === 0) return context.json(REFUSALS[404], 404)
  return context.json(REFUSALS[405], 405, { Allow: [...methods].join(', ') })
}

/**
 * One entry of the log: no query, since it may carry a token, and of the stack only the places. The
 * path is the encoded one, so that no request writes lines of its own.
 */
function log(error: unknown, context: Context): void {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const places = stack.split('\n').filter((line) => /^\s+at /.test(line))
  const { pathname } = new URL(context.req.url)
  console.error(
    [`${REFUSALS[500].code}: ${codeOf(error)} in ${context.req.method} ${pathname}`, ...places].join('\n'),
  )
}
