/**
 * What the handlers of the examples need besides the library: reading strings from a JSON body, and
 * responses to the errors that they throw, in the form of the guards. Guards respond to their own
 * errors.
 */
import { AuthError, isAuthError } from 'tokenwright'

/** For responses with tokens, which no cache may store (RFC 6749 section 5.1). */
export const NO_STORE = { 'Cache-Control': 'no-store' } as const

/** Reads a JSON object with any members. @throws {AuthError} `request_invalid` */
export async function readObject(request: Request): Promise<Record<string, unknown>> {
  const isJson = /^application\/json *(;|$)/i.test(request.headers.get('content-type') ?? '')
  const body: unknown = isJson ? await request.json().catch(() => null) : null
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body }
  throw new AuthError('request_invalid')
}

/**
 * Reads the named members of a JSON object, which must be strings.
 *
 * @throws {AuthError} `request_invalid`
 */
export async function readTexts<K extends string>(
  request: Request,
  ...names: K[]
): Promise<Record<K, string>> {
  const body = await readObject(request)
  if (names.every((name) => typeof body[name] === 'string')) return body as Record<K, string>
  throw new AuthError('request_invalid')
}

/**
 * The response to an error of a handler: that of an `AuthError`; for any other, 500 and a log line.
 */
export function toErrorResponse(error: unknown): Response {
  if (!isAuthError(error)) {
    console.error(error)
    return new Response('Internal Server Error', { status: 500 })
  }
  const { message, name: error_type, code, status } = error
  const word = code === 'request_invalid' ? { error: 'invalid_request' } : {}
  const headers = new Headers(NO_STORE)
  // Every 401 names a scheme (RFC 9110 section 15.5.2), without an error code if the token was not
  // the problem (RFC 6750 section 3.1).
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer')
  if (status === 400)
    headers.set('WWW-Authenticate', `Bearer error="invalid_request", error_description="${message}"`)
  return Response.json({ message, error_type, ...word, code }, { status, headers })
}
