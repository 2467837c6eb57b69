/**
 * Problem details (RFC 9457) as the form of error bodies, where the application asks for them. The
 * members that all error bodies have stay beside those of the RFC, so that no client breaks.
 */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { readOptionGroup } from '../internal/read-options.ts'

/** How problem details name the kinds of errors. */
export interface ProblemOptions {
  /**
   * What the `code` is added to for the `type`, such as `https://docs.example.com/errors/`: a page
   * for each code may be there. Default: the type is `about:blank`, and the code says the kind.
   */
  readonly types?: string
}

/** The prepared form. */
export interface ProblemSettings {
  /** What the code is added to for the `type`; null for `about:blank`. */
  readonly types: string | null
}

/** An error as every body says it. */
export interface ErrorMembers {
  /** For people. */
  readonly message: string
  /** The name of the error. */
  readonly error_type: string
  /** The stable code. */
  readonly code: string
}

/** A body and its media type. */
export interface ErrorBody {
  /** The media type. */
  readonly mediaType: string
  /** The body, JSON. */
  readonly text: string
}

/** The media type of error bodies without problem details. */
export const JSON_TYPE: string = 'application/json'

/** The media type of problem details (RFC 9457 section 6.1). */
export const PROBLEM_TYPE: string = 'application/problem+json'

/** The names of statuses (RFC 9110 section 15, RFC 6585 section 4), for the type `about:blank`. */
const PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Checks the option. @throws {ConfigurationError} for anything but a boolean and `{ types }` */
export function resolveProblems(option: boolean | ProblemOptions | undefined): ProblemSettings | null {
  if (option === undefined || option === false) return null
  if (option === true) return Object.freeze({ types: null })
  const { types } = readOptionGroup('problemDetails', option, ['types'])
  if (types === undefined || (typeof types === 'string' && /^[a-z][a-z\d+.-]*:[!-~]+$/i.test(types)))
    return Object.freeze({ types: types ?? null })
  throw new ConfigurationError(
    expected('problemDetails.types', "a URI such as 'https://docs.example.com/errors/'", types),
  )
}

/**
 * Writes an error body.
 *
 * @param title the kind of error in words, alike each time; default: the message
 */
export function toErrorBody(
  problems: ProblemSettings | null | undefined,
  status: number,
  members: ErrorMembers,
  title: string = members.message,
): ErrorBody {
  if (!problems) return { mediaType: JSON_TYPE, text: JSON.stringify(members) }
  const { types } = problems
  const problem = {
    type: types === null ? 'about:blank' : `${types}${members.code}`,
    // RFC 9457 section 4.2.1: of `about:blank`, the name of the status.
    title: types === null ? PHRASES[status] : title,
    status,
    detail: members.message,
  }
  return { mediaType: PROBLEM_TYPE, text: JSON.stringify({ ...problem, ...members }) }
}
