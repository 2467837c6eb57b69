/**
 * What the examples' own handlers need beside the library: text members out of a JSON body, and
 * responses to the errors that they throw, in the form of the guards' responses. Guards respond to
 * their errors themselves.
 */
import { AuthError, isAuthError } from 'tokenwright'

/** For responses that hold tokens: no cache may keep them (RFC 6749 section 5.1). */
export const NO_STORE = { 'Cache-Control': 'no-store' } as const

/** Reads a JSON object, whatever its members. @throws {AuthError} request_invalid */
export async function readObject(request: Request): Promise<Record<string, unknown>> {
  const isJson = /^application\/json *(;|$)/i.test(request.headers.get('content-type') ?? '')
  const body: unknown = isJson ? await request.json().catch(() => null) : null
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body }
  throw new AuthError('request_invalid')
}

/**
 * Reads the named members of a JSON object, which must be texts. @throws {AuthError}
 * request_invalid
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
 * The response to what a handler threw: for an `AuthError` what it says, for anything else a bare
 * 500 and a line in the log.
 */
export function toErrorResponse(error: unknown): Response {
  if (!isAuthError(error)) {
    console.error(error)
    return new Response('Internal Server Error', { status: 500 })
  }
  const { message, name: error_type, code, status } = error
  const word = code === 'request_invalid' ? { error: 'invalid_request' } : {}
  const headers = new Headers(NO_STORE)
  // RFC 9110 section 15.5.2: every 401 names a scheme. RFC 6750 section 3.1: without an error word
  // where nothing was wrong with a token.
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer')
  if (status === 400)
    headers.set('WWW-Authenticate', `Bearer error="invalid_request", error_description="${message}"`)
  return Response.json({ message, error_type, ...word, code }, { status, headers })
}
