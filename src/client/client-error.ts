/**
 * The one class of errors of the client, and how a response is read into one: by the `code` of its
 * body, never by its status alone (a 401 has five meanings). Without a code the OAuth error of the
 * challenge decides (RFC 6750 section 3.1, RFC 9470 section 3). Without either, the response is not
 * from Tokenwright and the code is `http_<status>`.
 */
import type { ErrorCode, OtherErrorCode } from '../errors.ts'
import { attempt } from './attempt.ts'

/**
 * The stable name of a failure: the server's `code`, or one of the client's own.
 *
 * - `unreachable`: no response came, or not in time
 * - `signed_out`: there is no session any more
 * - `step_up_cancelled`: the user did not prove who they are
 * - `cookies_refused`: the login was right, and the browser did not keep its cookies. The `cause`
 *   is `'http'` (they require HTTPS), `'third-party'` (the page is in a frame, or of another site)
 *   or `'domain'` (their domain, or the user's settings)
 * - `response_invalid`: an auth route responded with 200 and no tokens
 * - `http_<status>`: the response had no code
 */
export type ClientErrorCode =
  | ErrorCode
  | OtherErrorCode
  | 'unreachable'
  | 'signed_out'
  | 'step_up_cancelled'
  | 'cookies_refused'
  | 'response_invalid'
  | `http_${number}`

/** The authentication that a route requires of the user (RFC 9470 section 3). */
export interface Challenge {
  /**
   * The largest accepted age of the user's last authentication, in seconds; undefined when the
   * response did not say or could not be read.
   */
  readonly maxAge: number | undefined
  /** The accepted authentication context classes; empty when any will do. */
  readonly acrValues: readonly string[]
}

/** What `AuthClientError` is made of, beside its code. */
export interface AuthClientErrorInit {
  /** The HTTP status. Default 0: there was no response. */
  readonly status?: number
  /** A text to show. Default the code. */
  readonly message?: string | undefined
  /** When to try again, in seconds from now. */
  readonly retryAfter?: number | undefined
  /** What the route requires. */
  readonly challenge?: Challenge | undefined
  /** What the server says of the next proof. */
  readonly next?: unknown
  /** What connects it with the proofs before. */
  readonly continuation?: unknown
  /** The error behind it. */
  readonly cause?: unknown
}

/**
 * What the client rejects with. Its `code` is stable. Its message is the server's and safe to show.
 * It never holds a token.
 */
export class AuthClientError extends Error {
  override readonly name = 'AuthClientError'
  /** The stable name of the failure. */
  declare readonly code: ClientErrorCode
  /** The HTTP status; 0 when there was no response. */
  declare readonly status: number
  /**
   * When to try again, in seconds from when the error was made; undefined when the server did not
   * say.
   */
  declare readonly retryAfter: number | undefined
  /** With `fresh_token_required` and `step_up_cancelled`: what the route requires. */
  declare readonly challenge: Challenge | undefined
  /** With `proof_required`: what the application says of the next proof. */
  declare readonly next: Readonly<Record<string, unknown>> | undefined
  /** With `proof_required`: send it beside the next proof. */
  declare readonly continuation: string | undefined

  /**
   * @param code the stable name
   * @param parts status, message, retry, challenge and cause
   */
  constructor(code: ClientErrorCode, { message = code, cause, ...rest }: AuthClientErrorInit = {}) {
    super(message, { cause })
    Object.assign(this, { code, status: 0, ...rest })
  }
}

/** The code of a route that requires a step-up. */
export const FRESH = 'fresh_token_required'

/** Parses a JSON object; anything else gives an empty one. */
export function readObject(text: string): Readonly<Record<string, unknown>> {
  return Object(attempt(() => JSON.parse(text)))
}

/**
 * Reads an error response. It makes an error of any status and any body: the caller checks the
 * status.
 *
 * @param byCode whether the code of the body alone counts, as on our own routes: a gateway in front
 *   of them sends challenges too
 */
export function readFailure({ status, headers }: Response, text: string, byCode?: boolean): AuthClientError {
  const { code, message, retry_after, next, continuation } = readObject(text) as Record<string, string>
  // The server never escapes the values of these parameters.
  const read = (name: string): string =>
    `${headers.get('www-authenticate')}`.match(`\\b${name}="?([^",]*)`)?.[1] ?? ''
  const meaning =
    (!byCode && { invalid_token: 'token_expired', insufficient_user_authentication: FRESH }[read('error')]) ||
    `http_${status}`
  const delay = `${headers.get('retry-after')}`
  const sent = Date.parse(`${headers.get('Date')}`) || Date.now()
  return new AuthClientError((typeof code === 'string' ? code : meaning) as ClientErrorCode, {
    status,
    message,
    retryAfter:
      Number(delay) || Math.ceil((Date.parse(delay) - sent) / 1000) || Number(retry_after) || undefined,
    next,
    continuation,
    challenge: {
      maxAge: Number(read('max_age')) || undefined,
      acrValues: read('acr_values').split(' ').filter(Boolean),
    },
  })
}

export function toSignedOut(cause?: unknown): AuthClientError {
  return new AuthClientError('signed_out', { status: 401, cause })
}

/**
 * Whether another access token may pass: this one is missing, expired, revoked, not for these keys
 * or of another session than the CSRF value.
 */
export function isStale(code: ClientErrorCode): boolean {
  return /^(token|signature|csrf)_/.test(code)
}
