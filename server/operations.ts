/**
 * The building blocks of the operations in the API's description: what a route requires of a token,
 * its request body, its responses and its errors. Statuses and messages of errors come from the
 * library.
 */

import type { ErrorCode } from 'tokenwright'
import { describeErrors } from 'tokenwright'
import type { Json } from './schemas.ts'

/** Why any token can be refused, whatever the route requires. */
const TOKEN: readonly ErrorCode[] = [
  'request_invalid',
  'token_missing',
  'token_malformed',
  'signature_invalid',
  'token_expired',
  'token_not_active',
  'issuer_invalid',
  'audience_invalid',
  'token_revoked',
  'store_unavailable',
]
export const ACCESS: readonly ErrorCode[] = [...TOKEN, 'access_token_required']
export const REFRESH: readonly ErrorCode[] = [...TOKEN, 'refresh_token_required']
/** Why a refresh or a step-up of a session can be refused. */
export const SESSION: readonly ErrorCode[] = ['session_expired', 'session_revoked']
/** Why a request that changes something can be refused if its token came in a cookie. */
export const CSRF: readonly ErrorCode[] = ['csrf_missing', 'csrf_mismatch']
export const CREDENTIALS: readonly ErrorCode[] = [
  'request_invalid',
  'credentials_invalid',
  'proof_required',
  'continuation_invalid',
  'rate_limited',
]

/**
 * How a request can authenticate, for each kind of route. The entries of a list are alternatives;
 * all members of an entry are required.
 */
export const SECURITY = {
  none: [],
  read: [{ accessToken: [] }, { accessCookie: [] }],
  write: [{ accessToken: [] }, { accessCookie: [], csrfHeader: [] }],
  refresh: [{ refreshToken: [] }, { refreshCookie: [], csrfHeader: [] }, {}],
  current: [{ accessToken: [] }, { accessCookie: [] }, { refreshCookie: [] }, {}],
  // A refresh token ends its session too. Without any token there is nothing to end.
  logout: [{ accessToken: [] }, { refreshToken: [] }, { accessCookie: [], csrfHeader: [] }, {}],
} as const

const reference = (schema: string): Json => ({ $ref: `#/components/schemas/${schema}` })

/** A JSON response with one schema, or with either of two. */
export function jsonResponse(description: string, schema = 'Message', other?: string): Json {
  const shape = other === undefined ? reference(schema) : { oneOf: [reference(schema), reference(other)] }
  return { description, content: { 'application/json': { schema: shape } } }
}

/**
 * A response with tokens. They are in the body, or in cookies if the request sent its token in a
 * cookie or the login asks for cookies.
 */
export function tokenResponse(pair: string): Json {
  const cookies = {
    'Set-Cookie': { description: 'The tokens, if they are sent in cookies', schema: { type: 'string' } },
  }
  return {
    ...jsonResponse('The tokens, in the body or in cookies', pair, 'CookieDelivery'),
    headers: cookies,
  }
}

/** A request body, as JSON or as a form. */
export function requestBody(schema: string, required = true): Json {
  const content = { schema: reference(schema) }
  return { required, content: { 'application/json': content, 'application/x-www-form-urlencoded': content } }
}

/** A request body that is JSON only. */
export function jsonBody(schema: string): Json {
  return { required: true, content: { 'application/json': { schema: reference(schema) } } }
}

/** One operation. Every error without a code of its own has the same error body. */
export interface Operation {
  readonly id: string
  readonly tag: 'Sign-in' | 'Sessions' | 'Account' | 'Demo' | 'Server'
  readonly summary: string
  readonly security: readonly Json[]
  readonly parameters?: readonly Json[]
  readonly body?: Json
  readonly responses: Json
  readonly codes?: readonly ErrorCode[]
}

export function operation({
  id,
  tag,
  summary,
  security,
  parameters,
  body,
  responses,
  codes = [],
}: Operation): Json {
  return {
    operationId: id,
    tags: [tag],
    summary,
    security,
    ...(parameters && { parameters }),
    ...(body && { requestBody: body }),
    responses: {
      ...responses,
      ...describeErrors([...new Set(codes)]),
      default: jsonResponse('Any other error', 'Error'),
    },
  }
}
