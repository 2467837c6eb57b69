/**
 * The closed list: every exchange of `test/vectors/data/transcripts.json` to which an example
 * responds differently than the recorded program, by which rules, and with what. Whatever is not
 * here is as recorded. `docs/reference/differences.md` says the same in words.
 */

/** The rules; the texts are the page's. */
export const RULES = [
  'error-members',
  'detail-bodies',
  'body-400',
  'token-401',
  'framework-404-405',
  'redirects',
  'generated-pages',
  'fastjwt-messages',
  'fastjwt-refresh-header',
  'password-in-body',
  'reserved-data',
  'past-expiry',
  'introspection-form',
] as const

export type Rule = (typeof RULES)[number]

/**
 * What an example answers: exactly this; or as recorded for another exchange; or the payload in our
 * form.
 */
export type Ours =
  | { readonly status: number; readonly text: string }
  | { readonly like: string }
  | { readonly introspection: true }

export interface Difference {
  readonly rules: readonly Rule[]
  readonly ours: Ours
}

/** What rule `error-members` adds to a recorded `{ message, error_type }`, by `error_type`. */
export const ADDED: Readonly<Record<string, { readonly error?: string; readonly code: string }>> = {
  MissingTokenError: { code: 'token_missing' },
  FreshTokenRequiredError: { error: 'insufficient_user_authentication', code: 'fresh_token_required' },
  AccessTokenRequiredError: { error: 'invalid_token', code: 'access_token_required' },
  RefreshTokenRequiredError: { error: 'invalid_token', code: 'refresh_token_required' },
  JWTDecodeError: { error: 'invalid_token', code: 'token_malformed' },
  TokenExpiredError: { error: 'invalid_token', code: 'token_expired' },
}

/** A refusal in our form. */
function refusal(
  status: number,
  body: { message: string; error_type: string; error?: string; code: string },
): Ours {
  return { status, text: JSON.stringify(body) }
}

const badCredentials = (message: string): Ours =>
  refusal(401, { message, error_type: 'InvalidCredentialsError', code: 'credentials_invalid' })
const mismatch = refusal(403, {
  message: 'Token mismatch',
  error_type: 'SubjectMismatchError',
  code: 'subject_mismatch',
})
const badRequest = refusal(400, {
  message: 'Invalid request',
  error_type: 'InvalidRequestError',
  error: 'invalid_request',
  code: 'request_invalid',
})
const malformed = refusal(401, {
  message: 'Invalid Token',
  error_type: 'JWTDecodeError',
  error: 'invalid_token',
  code: 'token_malformed',
})
const expired = refusal(401, {
  message: 'Token has expired',
  error_type: 'TokenExpiredError',
  error: 'invalid_token',
  code: 'token_expired',
})
const missing = refusal(401, {
  message: 'Token Error',
  error_type: 'MissingTokenError',
  code: 'token_missing',
})
const refreshRequired = refusal(401, {
  message: 'Refresh token required',
  error_type: 'RefreshTokenRequiredError',
  error: 'invalid_token',
  code: 'refresh_token_required',
})
/** Of Hono, and of the example that has no framework. */
const notFound: Ours = { status: 404, text: '404 Not Found' }
const plainNotFound: Ours = { status: 404, text: 'Not Found' }

/** The same difference for several exchanges of one page. */
function each(ids: readonly string[], rules: readonly Rule[], ours: Ours): Record<string, Difference> {
  return Object.fromEntries(ids.map((id) => [id, { rules, ours }]))
}

/** By the page and the exchange. */
export const DIFFERENCES: Readonly<Record<string, Readonly<Record<string, Difference>>>> = {
  '000': {
    ...each(['login-bad'], ['detail-bodies'], badCredentials('Invalid credentials')),
    ...each(
      ['login-missing-field', 'login-no-body', 'login-bad-json', 'login-form', 'login-wrong-type'],
      ['body-400', 'detail-bodies'],
      badRequest,
    ),
    ...each(
      ['login-get', 'change-password-get', 'protected-post', 'protected-options', 'unknown-path'],
      ['framework-404-405', 'detail-bodies'],
      notFound,
    ),
    ...each(['protected-head'], ['framework-404-405'], { status: 200, text: '' }),
    ...each(['protected-trailing-slash'], ['redirects'], notFound),
    ...each(['openapi', 'docs'], ['generated-pages'], notFound),
  },
  '001': {
    ...each(['login-bad'], ['detail-bodies'], badCredentials('Bad username/password')),
    ...each(['refresh-as-in-doc-GET'], ['framework-404-405', 'detail-bodies'], plainNotFound),
    ...each(['refresh-POST-header'], ['fastjwt-refresh-header'], {
      like: '002/refresh-POST-header',
    }),
    ...each(['refresh-with-access'], ['fastjwt-refresh-header', 'error-members'], refreshRequired),
    ...each(
      [
        'refresh-POST-json',
        'protected-no-token',
        'sensitive-no-token',
        'refresh-no-token',
        'refresh-with-access-json',
      ],
      ['fastjwt-messages', 'error-members'],
      missing,
    ),
    ...each(['protected-garbage'], ['token-401', 'fastjwt-messages', 'error-members'], malformed),
  },
  '002': {
    ...each(['login-bad'], ['detail-bodies'], badCredentials('Bad username/password')),
    ...each(['refresh-as-in-doc-GET'], ['framework-404-405', 'detail-bodies'], notFound),
    ...each(['protected-garbage'], ['token-401', 'error-members'], malformed),
  },
  '003': {
    ...each(['verify-other-user'], ['detail-bodies'], mismatch),
    ...each(['verify-wrong-password'], ['detail-bodies'], badCredentials('Invalid password')),
    ...each(['verify-token-bad-body'], ['body-400', 'detail-bodies'], badRequest),
    ...each(['refresh-garbage-later'], ['token-401', 'error-members'], malformed),
  },
  '004': {
    ...each(['login-query', 'change-fresh'], ['password-in-body'], badRequest),
    ...each(['login-bad'], ['password-in-body', 'detail-bodies'], badRequest),
    ...each(['login-json-body'], ['password-in-body', 'detail-bodies'], { like: '004/login-query' }),
    ...each(['login-missing', 'change-missing-param'], ['body-400', 'detail-bodies'], badRequest),
    ...each(
      ['issue-data-over-standard', 'issue-data-over-exp', 'issue-data-scopes'],
      ['reserved-data'],
      badRequest,
    ),
    ...each(['issue-expiry-0', 'issue-expiry-negative'], ['past-expiry'], badRequest),
    ...each(['introspect-expiry-0', 'introspect-expiry-negative'], ['token-401', 'error-members'], expired),
    ...each(
      [
        'introspect-scopes',
        'introspect-data',
        'introspect-expiry-1h',
        'introspect-expiry-datetime',
        'introspect-expiry-naive-datetime',
        'introspect-no-scopes',
        'introspect-empty-scopes',
      ],
      ['introspection-form'],
      { introspection: true },
    ),
  },
}
