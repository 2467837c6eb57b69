/**
 * Entry point `tokenwright`: what a server needs with any framework. Re-exports only.
 */
export type { Auth, SubjectOf, TokenOf } from './auth/auth.ts'
export type {
  AuthContext,
  Authenticator,
  AuthRequests,
  FoundToken,
  PayloadFor,
  VerifyOptions,
} from './auth/authenticator.ts'
export { createAuth } from './auth/create-auth.ts'
export { createRealms, type RealmAuth, type RealmOptions, type Realms } from './auth/create-realms.ts'
export { createTenants, type Tenants, type TenantsOptions } from './auth/create-tenants.ts'
export { type Environment, type EnvironmentOptions, optionsFromEnvironment } from './auth/environment.ts'
export {
  ENVIRONMENT_VARIABLES,
  type EnvironmentVariable,
  type VariableKind,
} from './auth/environment-table.ts'
export type { AuthEvents, SessionEnd, SessionNotice } from './auth/events.ts'
export type { AuthHealth, HealthProblem } from './auth/health.ts'
export type { HalfOptions, PairOptions } from './auth/issue-tokens.ts'
export {
  describeErrors,
  type OpenApi,
  type OpenApiContent,
  type OpenApiExample,
  type OpenApiHeader,
  type OpenApiObject,
  type OpenApiResponse,
  type OpenApiRoute,
  type OpenApiSecurity,
} from './auth/openapi.ts'
export type {
  AuthOptions,
  CacheOptions,
  FreshnessOptions,
  InteropOptions,
  LifetimeOptions,
  LimitOptions,
  TokenToIssue,
} from './auth/options.ts'
export type { AuthenticateFacts } from './auth/request-authenticator.ts'
export type { RenewOptions, Requirement } from './auth/requirement.ts'
export type { AuthSessions, StartOptions } from './auth/session-api.ts'
export type { IssueOptions, RefreshIssueOptions } from './auth/token-claims.ts'
export type { AuthWatch } from './auth/watch.ts'
export {
  AuthError,
  type AuthErrorInit,
  ERRORS,
  type ErrorCode,
  type ErrorDetail,
  type ErrorDetails,
  type ErrorRow,
  isAuthError,
} from './errors.ts'

export type { CookieListItem, CookieListOptions } from './http/cookie-list.ts'
export type { CookieOptions, CookieRowOptions, FormerCookieOptions } from './http/cookie-options.ts'
export type { CsrfMode, CsrfOptions } from './http/csrf.ts'
export type { ResponseData } from './http/error-response.ts'
export type { ProblemOptions, ProblemSettings } from './http/problem-details.ts'
export type { ProtectedResource, ResourceMetadata, ResourceOptions } from './http/protected-resource.ts'
export type { RequestInfo, RequestPort } from './http/request-port.ts'
export type { HttpSettings } from './http/resolve-http-options.ts'
export type { HandshakeLocation, HeaderOptions, Location, ParameterOptions } from './http/token-sources.ts'
export type { Awaitable } from './internal/awaitable.ts'
export { ConfigurationError } from './internal/configuration-error.ts'
export type { Clock, Duration, DurationUnit } from './internal/duration.ts'
export { explainFailure, type FailureExplanation } from './internal/failure.ts'
export type { Listener, Listeners } from './internal/listeners.ts'
export type { SchemaResult, StandardSchema } from './internal/schema.ts'
export type { IntrospectionOptions, IssuerOptions, IssuerState, IssuerUser } from './issuers/options.ts'
export { type RemoteFeedOptions, remoteFeed } from './remote/remote-feed.ts'
export type { CallLoad } from './session/call-queue.ts'
export type { RevocationOptions, RevocationSource } from './session/resolve-revocation-options.ts'
export type { Rights, SessionOptions } from './session/resolve-session-options.ts'
export type { FeedState, RevocationMode } from './session/revocation-feed.ts'
export type { SessionInfo } from './session/session-info.ts'
export type { SessionOwner, SessionRow } from './session/session-row.ts'
export type { Proof } from './session/sessions.ts'
export type { Store } from './session/store.ts'
export type { StoreCallFacts } from './session/store-client.ts'
export type { AlgorithmName } from './token/algorithms.ts'
export type { KeyEvents, LoadedKeys, ReloadOptions } from './token/changing-ring.ts'
export type { Key, KeySet, RemoteSigner, RingKeys, SigningKey } from './token/import-keys.ts'
export type { TokenPair } from './token/issued-token.ts'
export type { Jwk } from './token/jwk.ts'
export type { UnverifiedPayload } from './token/jws.ts'
export { createKeyRing, generateKey, type KeyRingOptions } from './token/key-ring.ts'
export type { RemoteSign } from './token/remote-signer.ts'
export type { Jwks, KeyRing, KeyRingState } from './token/ring.ts'
export { type RotateKeysOptions, rotateKeys } from './token/rotate-keys.ts'
export type { Ticket } from './token/ticket.ts'
export type { Claims, PayloadMembers, ScopeQuery, TokenPayload } from './token/token-payload.ts'
export type { TokenRequirement } from './token/token-requirement.ts'
export type { TokenType } from './token/token-type.ts'
