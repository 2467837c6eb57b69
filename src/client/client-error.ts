/**
 * What goes wrong at the client, as one class of error, and how an answer is read into one: by the `code` of its body, never
 * by its status alone (a 401 may mean five things). Where a body has no code, the OAuth word of the challenge decides
 * (RFC 6750 section 3.1, RFC 9470 section 3); where there is neither, the answer is none of ours.
 */
import type { ErrorCode } from '../errors.ts'

/**
 * The stable name of a failure: the server's `code`, or one of the client's own. `unreachable`: no answer came, or not in
 * time. `signed_out`: there is no session any more. `step_up_cancelled`: the user did not prove who they are.
 * `answer_invalid`: an auth route answered 200 with something else than tokens. `http_<status>`: the answer had no code.
 */
export type ClientErrorCode =
  | ErrorCode
  | 'unreachable'
  | 'signed_out'
  | 'step_up_cancelled'
  | 'answer_invalid'
  | 'not_found'
  | 'method_not_allowed'
  | `http_${number}`

/** What a route asks of the user before it opens (RFC 9470 section 3). */
export interface Challenge {
  /** The largest accepted age of the user's last proof, in seconds; undefined when the answer did not say or could not be read. */
  readonly maxAge: number | undefined
  /** The accepted authentication context classes; empty when any will do. */
  readonly acrValues: readonly string[]
}

/** What an error is made with beside its code. */
export interface FailureParts {
  /** The HTTP status. Default 0: there was no answer. */
  readonly status?: number
  /** A text to show. Default the code. */
  readonly message?: string | undefined
  /** When to try again, in seconds from now. */
  readonly retryAfter?: number | undefined
  /** What the route asks for. */
  readonly challenge?: Challenge | undefined
  /** What lies behind it. */
  readonly cause?: unknown
}

/** What the client rejects with. Its `code` is stable; its message is the server's and safe to show. Never holds a token. */
export class AuthClientError extends Error {
  override readonly name = 'AuthClientError'
  /** The stable name of the failure. */
  declare readonly code: ClientErrorCode
  /** The HTTP status; 0 when there was no answer. */
  declare readonly status: number
  /** When to try again, in seconds from when the error was made; undefined when nobody said. */
  declare readonly retryAfter: number | undefined
  /** With `fresh_token_required` and `step_up_cancelled`: what the route asks for. */
  declare readonly challenge: Challenge | undefined

  /**
   * @param code the stable name
   * @param parts status, message, retry, challenge and cause
   */
  constructor(
    code: ClientErrorCode,
    { message = code, cause, status = 0, retryAfter, challenge }: FailureParts = {},
  ) {
    super(message, { cause })
    Object.assign(this, { code, status, retryAfter, challenge })
  }
}

/** The code of a route that wants the user to step up. */
export const FRESH = 'fresh_token_required'

/** Parses a JSON object; anything else is empty. */
export function readObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

/** Reads a refusal. Any status and any body make an error; the caller decides whether it is one. */
export function readFailure({ status, headers }: Response, text: string): AuthClientError {
  const body = readObject(text)
  const challenge = headers.get('WWW-Authenticate') ?? ''
  /** One parameter of the challenge; ours has no escapes in these. */
  const read = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(challenge)?.[1] ?? ''
  const word = /error="inv/.test(challenge) ? 'token_expired' : /error="insuff/.test(challenge) ? FRESH : ''
  const code = typeof body['code'] === 'string' ? body['code'] : word || `http_${status}`
  return new AuthClientError(code as ClientErrorCode, {
    status,
    message: body['message'] as string | undefined,
    retryAfter: Number(headers.get('Retry-After') ?? body['retry_after']) || undefined,
    challenge: {
      maxAge: Number(read('max_age')) || undefined,
      acrValues: read('acr_values').split(' ').filter(Boolean),
    },
  })
}

/** There is no session any more. */
export function toSignedOut(cause?: unknown): AuthClientError {
  return new AuthClientError('signed_out', { status: 401, cause })
}

/** Whether a code says that another access token may open the door: it is missing, expired, revoked or not for these keys. */
export function isStale(code: ClientErrorCode): boolean {
  return /^(token|signature)_/.test(code)
}
