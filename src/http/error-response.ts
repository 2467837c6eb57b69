/**
 * `AuthError` -> status, headers and body: the one place that turns an error into HTTP, and the
 * only writer of `WWW-Authenticate` (RFC 6750 section 3, RFC 9470 section 3, RFC 7617 section 2,
 * RFC 9728 section 5.1, RFC 9110 sections 5.6.4, 10.2.3, 11.6.1). The table in `errors.ts` has the
 * values for each code. An error's cause and its other properties are not sent.
 */
import {
  type AuthError,
  ERRORS,
  type ErrorCode,
  type ErrorDetails,
  type ErrorRow,
  OTHER_ERRORS,
  type OtherErrorCode,
} from '../errors.ts'
import { type ProblemSettings, toErrorBody } from './problem-details.ts'

/** A response as plain data, for adapters to write. */
export interface ResponseData {
  /** The HTTP status. */
  readonly status: number
  /** The headers, each name once. */
  readonly headers: Readonly<Record<string, string>>
  /** The body, JSON. */
  readonly body: string
}

/** What the settings of the application add to every error response. */
export interface ErrorForm {
  /** The challenge's `realm`; undefined for none. */
  readonly realm?: string | undefined
  /** The document that the challenge's `resource_metadata` names; null for none. */
  readonly resource?: { readonly url: string } | null
  /** How problem details name errors; null for bodies without them. */
  readonly problems?: ProblemSettings | null
  /** Whether a refusal names the realms: where the application has several of them. */
  readonly namesRealms?: boolean
}

/** Seconds until the next try, for an error without `retryAfter`. */
const RETRY_AFTER = 1

/** The name of the challenge's header, for the modules that do not write it. */
export const CHALLENGE: string = 'WWW-Authenticate'

/**
 * The headers of an error response that a client reads. A page on another origin can read only
 * exposed headers.
 */
export const ERROR_RESPONSE_HEADERS: string = 'WWW-Authenticate, Retry-After'

/** The realm for clients, where the application has no name. */
const CLIENTS = 'clients'

/** Not for `error_description` (RFC 6750 section 3): `"`, `\` and all but printable ASCII. */
const NOT_DESCRIPTION = /[^\x20-\x21\x23-\x5b\x5d-\x7e]/g

/** Not for a scope (RFC 6750 section 3): the same, and the space that separates scopes. */
const NOT_SCOPE = /[^\x21\x23-\x5b\x5d-\x7e]/g

/** Not for a quoted string, even escaped (RFC 9110 section 5.6.4). We allow only ASCII. */
const NOT_QUOTABLE = /[^\x20-\x7e]/g

/** The parameters that a code's detail adds to the challenge. */
const PARAMETERS: {
  readonly [K in ErrorCode & keyof ErrorDetails]?: (
    detail: ErrorDetails[K],
  ) => Readonly<Record<string, string>>
} = {
  scope_missing: ({ scopes }) => ({ scope: toWords(scopes) }),
  fresh_token_required: ({ maxAge, acrValues }) => ({
    max_age: maxAge === undefined ? '' : String(Math.floor(maxAge)),
    acr_values: toWords(acrValues ?? []),
  }),
}

/**
 * Creates the response to an error.
 *
 * Every 401, and every other response with an OAuth error code, has a challenge. A request without
 * credentials or with a wrong password gets no error code (RFC 6750 section 3.1: "SHOULD NOT
 * include an error code or other error information").
 *
 * @param form the settings of the application, such as `auth.http`
 */
export function createErrorResponse(error: AuthError, form: ErrorForm = {}): ResponseData {
  const row: ErrorRow = ERRORS[error.code]
  const headers: Record<string, string> = { 'Cache-Control': 'no-store' }
  if (row.status === 401 || row.oauth !== null) headers['WWW-Authenticate'] = toChallenge(error, row, form)
  const retryAfter = row.status === 429 || row.status === 503 ? readRetryAfter(error) : undefined
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter)
  const members = {
    message: error.message,
    error_type: row.type,
    ...(row.oauth !== null && { error: row.oauth }),
    code: error.code,
    ...(row.status === 429 && { retry_after: retryAfter }),
    ...(error.code === 'proof_required' && error.detail),
    ...(form.namesRealms && error.code === 'realm_mismatch' && toRealms(error.detail as RealmDetail)),
  }
  const { mediaType, text } = toErrorBody(form.problems, row.status, members, row.message)
  return { status: row.status, headers: { 'Content-Type': mediaType, ...headers }, body: text }
}

/** Creates a response that no `AuthError` stands for, in the form of all others. */
export function createOtherResponse(code: OtherErrorCode, problems: ProblemSettings | null): ResponseData {
  const { type, status, message } = OTHER_ERRORS[code]
  const { mediaType, text } = toErrorBody(problems, status, { message, error_type: type, code })
  return { status, headers: { 'Content-Type': mediaType, 'Cache-Control': 'no-store' }, body: text }
}

type RealmDetail = AuthError<'realm_mismatch'>['detail']

/** Both realms, by the names that AuthX has for them. */
function toRealms(detail: RealmDetail): Readonly<Record<string, string | null>> {
  return detail === undefined ? {} : { expected_type: detail.expectedType, actual_type: detail.actualType }
}

/** The value of `WWW-Authenticate`; parameters without a value are left out. */
function toChallenge(error: AuthError, row: ErrorRow, { realm = '', resource }: ErrorForm): string {
  const parameters: Record<string, string> = { realm: realm.replace(NOT_QUOTABLE, '') }
  // RFC 7617 section 2: `realm` is required, and there is no parameter for an error code.
  if (row.scheme === 'Basic') return `Basic realm=${quote(parameters['realm'] || CLIENTS)}`
  if (row.oauth !== null) {
    parameters['error'] = row.oauth
    parameters['error_description'] = error.message.replace(NOT_DESCRIPTION, '')
    Object.assign(parameters, readParameters(error))
  }
  // RFC 9728 section 5.1: for a request without a token too.
  if (resource) parameters['resource_metadata'] = resource.url
  const written = Object.entries(parameters).filter(([, value]) => value !== '')
  const list = written.map(([name, value]) => `${name}=${quote(value)}`).join(', ')
  return list === '' ? 'Bearer' : `Bearer ${list}`
}

/** The parameters of the error's detail. */
function readParameters(error: AuthError): Readonly<Record<string, string>> {
  if (error.detail === undefined || !Object.hasOwn(PARAMETERS, error.code)) return {}
  // The detail's type follows from the code, which the compiler cannot see through the union.
  const toParameters = PARAMETERS[error.code as keyof typeof PARAMETERS] as (
    detail: unknown,
  ) => Record<string, string>
  return toParameters(error.detail)
}

/** Joins words by spaces, the form of scopes and `acr_values`. */
function toWords(words: readonly string[]): string {
  return words
    .map((word) => word.replace(NOT_SCOPE, ''))
    .filter((word) => word !== '')
    .join(' ')
}

/** Writes a quoted string (RFC 9110 section 5.6.4). */
function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** When to try again, in whole seconds and at least 1 (RFC 9110 section 10.2.3). */
function readRetryAfter(error: AuthError): number {
  const { retryAfter } = (error.detail ?? {}) as Partial<ErrorDetails['rate_limited']>
  return Number.isFinite(retryAfter) ? Math.max(1, Math.ceil(Number(retryAfter))) : RETRY_AFTER
}
