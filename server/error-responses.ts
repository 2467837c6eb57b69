/**
 * All error responses: an `AuthError`, an unknown path, a wrong method, and an unexpected error.
 * All have the same shape of body. The library writes the response of an `AuthError`, because only
 * the library writes challenges.
 *
 * The log says where an unexpected error happened and of which kind it is, but not its message: it
 * may quote a request, and a request can contain a password or a token.
 */
import type { Context, Hono } from 'hono'
import { type Auth, isAuthError } from 'tokenwright'
import { codeOf } from './reason.ts'

/** The errors that are not about tokens, by status. The library has the table of the others. */
export const HTTP_ERRORS = {
  404: { message: 'Not found', error_type: 'NotFoundError', code: 'not_found' },
  405: { message: 'Method not allowed', error_type: 'MethodNotAllowedError', code: 'method_not_allowed' },
  500: { message: 'Internal server error', error_type: 'InternalServerError', code: 'internal_error' },
  503: { message: 'The server is starting', error_type: 'ServiceUnavailableError', code: 'starting' },
} as const

/** Responds to the errors that routes throw. */
export function createErrorHandler(auth: Auth): (error: unknown, context: Context) => Response {
  return (error, context) => {
    if (isAuthError(error)) {
      const { status, headers, body } = auth.errorResponse(error)
      return new Response(body, { status, headers })
    }
    log(error, context)
    return context.json(HTTP_ERRORS[500], 500)
  }
}

/**
 * Responds to a request that has no route: 405 if the path has routes for other methods (RFC 9110
 * section 15.5.6), else 404.
 */
export function respondUnrouted(app: Hono, context: Context): Response {
  const { path } = context.req
  const routes = app.routes.filter((route) => route.method !== 'ALL' && matches(route.path, path))
  const methods = new Set(routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
  if (methods.size === 0) return context.json(HTTP_ERRORS[404], 404)
  return context.json(HTTP_ERRORS[405], 405, { Allow: [...methods].join(', ') })
}

/** Whether a path is one of a route, of which it may fill in one segment. */
function matches(route: string, path: string): boolean {
  const [before = '', name] = route.split(':')
  if (name === undefined) return route === path
  return path.startsWith(before) && /^[^/]+$/.test(path.slice(before.length))
}

/**
 * Logs one entry: the path without its query, which may contain a token, and the stack without the
 * message. The path stays encoded, so that a request cannot add lines to the log.
 */
function log(error: unknown, context: Context): void {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const places = stack.split('\n').filter((line) => /^\s+at /.test(line))
  const { pathname } = new URL(context.req.url)
  console.error(
    [`${HTTP_ERRORS[500].code}: ${codeOf(error)} in ${context.req.method} ${pathname}`, ...places].join('\n'),
  )
}
