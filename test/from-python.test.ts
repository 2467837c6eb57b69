/**
 * The page for those who come from Python: it names every option, function and exception of AuthX
 * 1.7, FastJWT 0.4 and flask-jwt-extended 4.7 that an application uses.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERRORS as OURS } from '../src/errors.ts'

const page = readFileSync(new URL('../docs/from-python.md', import.meta.url), 'utf8')

const OPTIONS = `
JWT_ACCESS_COOKIE_NAME JWT_ACCESS_COOKIE_PATH JWT_ACCESS_CSRF_COOKIE_NAME JWT_ACCESS_CSRF_COOKIE_PATH
JWT_ACCESS_CSRF_FIELD_NAME JWT_ACCESS_CSRF_HEADER_NAME JWT_ACCESS_TOKEN_EXPIRES JWT_ALGORITHM
JWT_COOKIE_CSRF_PROTECT JWT_COOKIE_DOMAIN JWT_COOKIE_HTTP_ONLY JWT_COOKIE_MAX_AGE JWT_COOKIE_SAMESITE
JWT_COOKIE_SECURE JWT_CSRF_CHECK_FORM JWT_CSRF_IN_COOKIES JWT_CSRF_METHODS JWT_DECODE_ALGORITHMS
JWT_DECODE_AUDIENCE JWT_DECODE_ISSUER JWT_DECODE_LEEWAY JWT_ENCODE_AUDIENCE JWT_ENCODE_ISSUER
JWT_ENCODE_NBF JWT_ERROR_MESSAGE_KEY JWT_HEADER_NAME JWT_HEADER_TYPE JWT_IDENTITY_CLAIM
JWT_IMPLICIT_REFRESH_DELTATIME JWT_IMPLICIT_REFRESH_METHOD_EXCLUDE JWT_IMPLICIT_REFRESH_METHOD_INCLUDE
JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE JWT_JSON_KEY
JWT_PREVIOUS_PUBLIC_KEY JWT_PREVIOUS_SECRET_KEY JWT_PRIVATE_KEY JWT_PUBLIC_KEY JWT_QUERY_STRING_NAME
JWT_QUERY_STRING_VALUE_PREFIX JWT_REFRESH_COOKIE_NAME JWT_REFRESH_COOKIE_PATH
JWT_REFRESH_CSRF_COOKIE_NAME JWT_REFRESH_CSRF_COOKIE_PATH JWT_REFRESH_CSRF_FIELD_NAME
JWT_REFRESH_CSRF_HEADER_NAME JWT_REFRESH_JSON_KEY JWT_REFRESH_TOKEN_EXPIRES JWT_SECRET_KEY
JWT_SESSION_COOKIE JWT_SESSION_TRACKING JWT_SESSION_UPDATE_LAST_ACTIVE JWT_TOKEN_LOCATION
JWT_VERIFY_SUB`

const AUTHX = `
AuthX AuthXConfig load_config handle_errors create_access_token create_refresh_token create_token_pair
verify_token set_access_cookies set_refresh_cookies set_cookies unset_access_cookies
unset_refresh_cookies unset_cookies get_dependency get_token_from_request get_access_token_from_request
get_refresh_token_from_request get_current_subject token_required access_token_required
refresh_token_required fresh_token_required scopes_required set_subject_getter
set_callback_get_model_instance set_token_blocklist set_callback_token_blocklist is_token_in_blocklist
implicit_refresh_middleware ACCESS_REQUIRED REFRESH_REQUIRED FRESH_REQUIRED ACCESS_TOKEN REFRESH_TOKEN
CURRENT_SUBJECT BUNDLE DEPENDENCY WS_AUTH_REQUIRED set_session_store create_session get_session
list_sessions revoke_session revoke_all_sessions rate_limited RateLimiter AuthManager PolicyEngine
policy_required PolicyRule PolicyCondition PolicyContext PolicyDecision authorize match_scope
SignatureSerializer AuthXDependency RequestToken TokenPayload TokenResponse SessionInfo has_scopes
extra_dict time_until_expiry time_since_issued expiry_datetime`

const FLASK = `
JWTManager create_access_token create_refresh_token current_user decode_token get_csrf_token
get_current_user get_jti get_jwt get_jwt_header get_jwt_identity get_jwt_request_location
get_unverified_jwt_headers jwt_required set_access_cookies set_refresh_cookies unset_access_cookies
unset_jwt_cookies unset_refresh_cookies verify_jwt_in_request additional_claims_loader
additional_headers_loader decode_key_loader encode_key_loader expired_token_loader invalid_token_loader
needs_fresh_token_loader revoked_token_loader token_in_blocklist_loader
token_verification_failed_loader token_verification_loader unauthorized_loader user_identity_loader
user_lookup_error_loader user_lookup_loader`

const ERRORS = `
BadConfigurationError JWTDecodeError TokenExpiredError TokenInvalidSignatureError
TokenInvalidAudienceError TokenInvalidIssuerError CSRFError MissingTokenError MissingCSRFTokenError
LoginTypeMismatchError RevokedTokenError FreshTokenRequiredError AccessTokenRequiredError
RefreshTokenRequiredError InsufficientScopeError RateLimitExceeded SessionRevoked PolicyDeniedError
NoAuthorizationError InvalidHeaderError WrongTokenError FreshTokenRequired UserLookupError
UserClaimsVerificationError AuthXException TokenError TokenTypeError TokenRequiredError InvalidToken
PolicyEvaluationError JWTExtendedException InvalidQueryParamError`

const toNames = (text: string): string[] => text.split(/\s+/).filter(Boolean)
/** The names in the cells of the left side. */
const there = page
  .split('\n')
  .flatMap((line) => /^\| (.*?) +\|/.exec(line)?.[1] ?? [])
  .join(' ')
  .match(/[A-Za-z_]\w+/g)

describe.each(Object.entries({ OPTIONS, AUTHX, FLASK, ERRORS }))('%s', (_, list) => {
  it.each(toNames(list))('%s', (name) => {
    expect(there).toContain(name)
  })
})

it('names codes of errors that there are', () => {
  const [, errors = ''] = /## Errors\n([\s\S]*?)\n## /.exec(page) ?? []
  const codes = [...errors.matchAll(/\| .*? \| (.*) \|/g)].flatMap(
    ([, cell = '']) => cell.match(/`[a-z]+_[a-z_]+`/g) ?? [],
  )
  expect(codes.length).toBeGreaterThan(15)
  for (const code of codes) expect(Object.keys(OURS)).toContain(code.slice(1, -1))
})
