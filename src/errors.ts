/**
 * The one class of runtime errors and the one table of them. A row is what a response says:
 * `error_type` and message as in AuthX, the status, and the OAuth 2.0 error code (RFC 6750 section
 * 3.1, RFC 9470 section 3). `http/error-response.ts` makes the response. Messages are fixed texts:
 * none ever holds a token, key, password or claim value.
 */
import { expected, misuse } from './internal/configuration-error.ts'

/** One row of the table of errors. */
export interface ErrorRow {
  /** `error_type` in the response, and the error's `name`. */
  readonly type: string
  /** The HTTP status. */
  readonly status: 400 | 401 | 403 | 409 | 429 | 503
  /** The OAuth 2.0 error code, or null where the RFCs define none. */
  readonly oauth: string | null
  /** The message in the response. */
  readonly message: string
  /** The authentication scheme of the challenge, where it is not `Bearer`. */
  readonly scheme?: 'Basic'
}

/** Every runtime error by its stable code. Clients key on the code. */
export const ERRORS = {
  token_missing: { type: 'MissingTokenError', status: 401, oauth: null, message: 'Token Error' },
  request_invalid: {
    type: 'InvalidRequestError',
    status: 400,
    oauth: 'invalid_request',
    message: 'Invalid request',
  },
  token_malformed: { type: 'JWTDecodeError', status: 401, oauth: 'invalid_token', message: 'Invalid Token' },
  signature_invalid: {
    type: 'TokenInvalidSignatureError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Signature verification failed',
  },
  token_expired: {
    type: 'TokenExpiredError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Token has expired',
  },
  token_not_active: {
    type: 'TokenNotActiveError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Token is not active yet',
  },
  issuer_invalid: {
    type: 'TokenInvalidIssuerError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Invalid issuer',
  },
  audience_invalid: {
    type: 'TokenInvalidAudienceError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Invalid audience',
  },
  token_revoked: { type: 'RevokedTokenError', status: 401, oauth: 'invalid_token', message: 'Invalid token' },
  access_token_required: {
    type: 'AccessTokenRequiredError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Access token required',
  },
  refresh_token_required: {
    type: 'RefreshTokenRequiredError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Refresh token required',
  },
  subject_unknown: {
    type: 'SubjectNotFoundError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Subject not found',
  },
  realm_mismatch: {
    type: 'LoginTypeMismatchError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Login type mismatch',
  },
  fresh_token_required: {
    type: 'FreshTokenRequiredError',
    status: 401,
    oauth: 'insufficient_user_authentication',
    message: 'Fresh token required',
  },
  csrf_missing: {
    type: 'MissingCSRFTokenError',
    status: 403,
    oauth: null,
    message: 'Missing CSRF token: send the value of the CSRF cookie in the CSRF header',
  },
  csrf_mismatch: {
    type: 'CSRFError',
    status: 403,
    oauth: null,
    message: 'CSRF double submit does not match',
  },
  scope_missing: {
    type: 'InsufficientScopeError',
    status: 403,
    oauth: 'insufficient_scope',
    message: 'Missing required scopes',
  },
  access_denied: {
    type: 'AccessDeniedError',
    status: 403,
    oauth: 'insufficient_scope',
    message: 'Access denied',
  },
  session_expired: {
    type: 'SessionExpiredError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Session has expired',
  },
  session_revoked: {
    type: 'SessionRevokedError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Session has been revoked',
  },
  refresh_reused: {
    type: 'RefreshTokenReusedError',
    status: 401,
    oauth: 'invalid_token',
    message: 'Refresh token has been used before',
  },
  credentials_invalid: {
    type: 'InvalidCredentialsError',
    status: 401,
    oauth: null,
    message: 'Bad username or password',
  },
  proof_required: {
    type: 'ProofRequiredError',
    status: 401,
    oauth: null,
    message: 'One more proof is required',
  },
  continuation_invalid: {
    type: 'InvalidContinuationError',
    status: 401,
    oauth: null,
    message: 'Continuation is invalid, expired or used: start again',
  },
  client_invalid: {
    type: 'InvalidClientError',
    status: 401,
    oauth: 'invalid_client',
    message: 'Client authentication failed',
    scheme: 'Basic',
  },
  subject_mismatch: { type: 'SubjectMismatchError', status: 403, oauth: null, message: 'Token mismatch' },
  session_limit_reached: {
    type: 'SessionLimitError',
    status: 409,
    oauth: null,
    message: 'Too many sessions: end one, then log in again',
  },
  rate_limited: { type: 'RateLimitExceededError', status: 429, oauth: null, message: 'Too many requests' },
  store_unavailable: {
    type: 'StoreUnavailableError',
    status: 503,
    oauth: null,
    message: 'Service temporarily unavailable',
  },
  issuer_unavailable: {
    type: 'IssuerUnavailableError',
    status: 503,
    oauth: null,
    message: 'Service temporarily unavailable',
  },
} as const

/** The stable name of a runtime error; the `code` in the response's body. */
export type ErrorCode = keyof typeof ERRORS

/**
 * Responses that no `AuthError` stands for, as they say nothing of a token or a user: of
 * `authRoutes`, then of `forwardAuth`.
 */
export const OTHER_ERRORS = {
  not_found: { type: 'NotFoundError', status: 404, message: 'Not found' },
  method_not_allowed: { type: 'MethodNotAllowedError', status: 405, message: 'Method not allowed' },
  configuration_invalid: { type: 'ConfigurationError', status: 500, message: 'Internal server error' },
  proxy_untrusted: { type: 'UntrustedProxyError', status: 403, message: 'Not a trusted proxy' },
  requirement_unknown: { type: 'UnknownRequirementError', status: 403, message: 'Unknown requirement' },
  identity_too_long: {
    type: 'IdentityTooLongError',
    status: 403,
    message: 'Subject and scopes are too long',
  },
} as const

/** The `code` of a response that no `AuthError` stands for. */
export type OtherErrorCode = keyof typeof OTHER_ERRORS

/**
 * What a few errors hold besides their code. Every member goes into the response, so none holds a
 * secret.
 */
export interface ErrorDetails {
  /**
   * RFC 9470 section 3: how old an authentication may be (seconds) and which `acr` values suffice.
   */
  readonly fresh_token_required: {
    /** The largest accepted age of the last authentication, in seconds. */
    readonly maxAge?: number
    /** The accepted authentication context classes. */
    readonly acrValues?: readonly string[]
  }
  /** RFC 6750 section 3: the scopes that the route requires. */
  readonly scope_missing: {
    /** The required scopes. */
    readonly scopes: readonly string[]
  }
  /** The realms that do not fit, as AuthX names them. */
  readonly realm_mismatch: {
    /** The realm of the route; null for none. */
    readonly expectedType: string | null
    /** The realm of the token, which is verified; null for none. */
    readonly actualType: string | null
  }
  /** What a login or a step-up goes on with. */
  readonly proof_required: {
    /** What the application says of the proof that it wants, for the client. */
    readonly next: Readonly<Record<string, unknown>>
    /** What the client sends with it; good once and for `expires_in` seconds. */
    readonly continuation: string
    /** How long it is good, in seconds. */
    readonly expires_in: number
  }
  /** RFC 9110 section 10.2.3. */
  readonly rate_limited: {
    /** When to try again, in whole seconds from now. */
    readonly retryAfter: number
  }
  /** RFC 9110 section 10.2.3. */
  readonly store_unavailable: {
    /** When to try again, in whole seconds from now. */
    readonly retryAfter: number
  }
  /** RFC 9110 section 10.2.3. */
  readonly issuer_unavailable: {
    /** When to try again, in whole seconds from now. */
    readonly retryAfter: number
  }
}

/** The detail that belongs to a code; undefined for codes without one. */
export type ErrorDetail<K extends ErrorCode> = K extends keyof ErrorDetails ? ErrorDetails[K] : undefined

/** What may be passed with a code when an error is made. */
export interface AuthErrorInit<K extends ErrorCode> {
  /** The code's detail. */
  readonly detail?: ErrorDetail<K>
  /** The underlying error. It stays on the server and is never sent. */
  readonly cause?: unknown
  /** A fixed text in place of the table's; must hold nothing that came with the request. */
  readonly message?: string
}

/**
 * The one error that requests cause. Its `code` is stable; its message is safe to show. It has no
 * stack trace: it is a response, not a defect, and hostile traffic must not cost stack traces.
 */
export class AuthError<K extends ErrorCode = ErrorCode> extends Error {
  /** The stable code, a key of the table. */
  readonly code: K
  /** The HTTP status of the code. */
  readonly status: ErrorRow['status']
  /** The code's detail, such as the required scopes. */
  readonly detail: ErrorDetail<K> | undefined

  /**
   * @param code a key of the table
   * @param init detail, cause and another fixed message
   */
  constructor(code: K, init: AuthErrorInit<K> = {}) {
    if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code))
      throw misuse(expected('code', 'the code of a refusal', code))
    const row: ErrorRow = ERRORS[code]
    const depth = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(init.message ?? row.message, init.cause === undefined ? undefined : { cause: init.cause })
    Error.stackTraceLimit = depth
    this.name = row.type
    this.code = code
    this.status = row.status
    this.detail = init.detail
  }
}

/**
 * The cause of a refusal in words, for the log of the application. It repeats no token, and has no
 * stack trace, for the reason that `AuthError` has none.
 */
export function toReason(message: string): Error {
  const depth = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const reason = new Error(message)
  Error.stackTraceLimit = depth
  return reason
}

/**
 * Whether a value is an `AuthError`, also one of another realm or of a second copy of this package:
 * its code and name decide, not its class.
 */
export function isAuthError(value: unknown): value is AuthError {
  if (!(value instanceof Error) && Object.prototype.toString.call(value) !== '[object Error]') return false
  const { code, name } = value as { code?: unknown; name?: unknown }
  return typeof code === 'string' && Object.hasOwn(ERRORS, code) && ERRORS[code as ErrorCode].type === name
}
