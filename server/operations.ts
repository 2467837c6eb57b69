/**
 * The words that operations of the API's description are put together from: what a route asks of a
 * token, what it takes, what it answers, and its refusals, whose statuses and messages are the
 * library's.
 */

import type { ErrorCode } from 'tokenwright'
import { describeErrors } from 'tokenwright'
import type { Json } from './schemas.ts'

/** What any token can be refused for, before a route asks anything of it. */
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
/** What the step of a session can be refused for. */
export const SESSION: readonly ErrorCode[] = ['session_expired', 'session_revoked']
/** What requests that change something can be refused for when the token came by cookie. */
export const CSRF: readonly ErrorCode[] = ['csrf_missing', 'csrf_mismatch']
export const CREDENTIALS: readonly ErrorCode[] = ['request_invalid', 'credentials_invalid', 'rate_limited']

/**
 * The ways in, by what a route asks for. A list's entries are alternatives; an entry's members go
 * together.
 */
export const SECURITY = {
  none: [],
  read: [{ accessToken: [] }, { accessCookie: [] }],
  write: [{ accessToken: [] }, { accessCookie: [], csrfHeader: [] }],
  refresh: [{ refreshToken: [] }, { refreshCookie: [], csrfHeader: [] }, {}],
  // A refresh token ends its session as well, and without any token there is nothing left to end.
  logout: [{ accessToken: [] }, { refreshToken: [] }, { accessCookie: [], csrfHeader: [] }, {}],
} as const

const reference = (schema: string): Json => ({ $ref: `#/components/schemas/${schema}` })

/** A JSON answer of one shape or of either of two. */
export function answer(description: string, schema = 'Message', other?: string): Json {
  const shape = other === undefined ? reference(schema) : { oneOf: [reference(schema), reference(other)] }
  return { description, content: { 'application/json': { schema: shape } } }
}

/**
 * An answer that hands over tokens: by body, or by cookie where the request's own came so or the
 * login asks for it.
 */
export function tokens(pair: string): Json {
  const cookies = {
    'Set-Cookie': { description: 'The tokens, where they go by cookie', schema: { type: 'string' } },
  }
  return { ...answer('The tokens, by body or by cookie', pair, 'CookieDelivery'), headers: cookies }
}

/** A body that may come as JSON or as a form. */
export function body(schema: string, required = true): Json {
  const content = { schema: reference(schema) }
  return { required, content: { 'application/json': content, 'application/x-www-form-urlencoded': content } }
}

/** One operation; everything that no refusal of its own covers is an error body too. */
export interface Operation {
  readonly id: string
  readonly tag: 'Sign-in' | 'Sessions' | 'Demo' | 'Server'
  readonly summary: string
  readonly security: readonly Json[]
  readonly parameters?: readonly Json[]
  readonly body?: Json
  readonly answers: Json
  readonly codes?: readonly ErrorCode[]
}

export function describe({
  id,
  tag,
  summary,
  security,
  parameters,
  body,
  answers,
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
      ...answers,
      ...describeErrors([...new Set(codes)]),
      default: answer('Any other error', 'Error'),
    },
  }
}
