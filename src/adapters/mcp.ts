/**
 * Entry point `tokenwright/mcp`: the token verifier that servers of the Model Context Protocol
 * take, `requireBearerAuth({ verifier })` of `@modelcontextprotocol/sdk` 1 and of
 * `@modelcontextprotocol/express` 2. It imports neither: their middleware tells errors by class, so
 * the application passes the classes of the version that it uses.
 */
import type { Auth } from '../auth/auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { type AuthError, ERRORS, isAuthError } from '../errors.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  checkMethod,
  expected,
  isOptions,
  misuse,
} from '../internal/configuration-error.ts'
import { keysOf, readFunction } from '../internal/read-options.ts'
import type { TokenPayload } from '../token/token-payload.ts'

/** A class of errors of the SDK, version 1. */
export type McpErrorClass = new (message: string) => Error

/** The classes of errors of the SDK, by its version. */
export type McpErrors =
  | {
      /** For a token that is no good: 401. */
      readonly InvalidTokenError: McpErrorClass
      /** For a token without the scopes: 403. */
      readonly InsufficientScopeError: McpErrorClass
      /** For what is no fault of the token, such as a store that does not respond: 500. */
      readonly ServerError: McpErrorClass
    }
  | {
      /** Version 2 has one class, with a code. */
      readonly OAuthError: new (
        code: string,
        message: string,
      ) => Error
    }

/** The options of `mcpVerifier`. */
export interface McpVerifierOptions<C> {
  /**
   * The errors of the SDK. Version 1: `@modelcontextprotocol/sdk/server/auth/errors.js`, imported
   * as a namespace. Version 2: `{ OAuthError }` of `@modelcontextprotocol/server`.
   */
  readonly errors: McpErrors
  /**
   * What a token must be. Scopes belong here rather than in `requiredScopes` of the SDK, which
   * knows no `users:*`. Default: any valid access token.
   */
  readonly requirement?: Requirement
  /**
   * The client that a token was issued to, which the SDK wants to know. Default: the claim
   * `client_id`, or else the subject.
   */
  readonly clientIdOf?: (payload: TokenPayload<C>) => string
}

/** What the SDK knows of a token, as `authInfo` of a tool call: its type `AuthInfo`. */
export interface McpAuthInfo<C> {
  /** The token. */
  token: string
  /** The client that it was issued to. */
  clientId: string
  /** Its scopes. */
  scopes: string[]
  /** When it expires, in epoch seconds. */
  expiresAt: number
  /** The identifier of the option `resource`, where the token's audience has it. */
  resource?: URL
  /** What else is known of it. */
  extra: {
    /** The verified payload. */
    payload: TokenPayload<C>
  }
}

/** The SDK's type `OAuthTokenVerifier`. */
export interface McpTokenVerifier<C> {
  /** Verifies an access token, and rejects with an error of the SDK. */
  verifyAccessToken(token: string): Promise<McpAuthInfo<C>>
  /**
   * The payload of the token that a tool was called with.
   *
   * @param authInfo what the SDK gives a tool: `extra.authInfo`, in version 2 `ctx.http.authInfo`
   * @throws {TypeError} for anything that this application did not verify, such as none
   */
  payloadOf(authInfo: { readonly extra?: Readonly<Record<string, unknown>> } | undefined): TokenPayload<C>
}

/** The words of the SDK for refusals. */
type Refusal = 'invalid_token' | 'insufficient_scope' | 'server_error'

const OPTION_NAMES = keysOf<McpVerifierOptions<unknown>>({
  errors: true,
  requirement: true,
  clientIdOf: true,
})

/**
 * Creates the verifier of an MCP server: signature, claims, type, revocation, freshness and scopes,
 * as any guard checks them. Give `createAuth` the server's URL as `audience` too, so that tokens
 * for others are refused (RFC 8707).
 *
 * @throws {ConfigurationError} for an unknown or invalid option
 *
 * @example
 * ```ts no-check
 * // requireBearerAuth: '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
 * import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
 *
 * const verifier = mcpVerifier(auth, { errors, requirement: { scopes: ['mcp'] } })
 * app.post('/mcp', requireBearerAuth({ verifier, resourceMetadataUrl: auth.resource.url }), handle)
 * ```
 */
export function mcpVerifier<C, U, I>(
  auth: Auth<C, U, I>,
  options: McpVerifierOptions<C>,
): McpTokenVerifier<C> {
  const call = 'mcpVerifier(auth, { errors })'
  checkMethod('auth', `what \`createAuth\` returns, as in \`${call}\``, auth, 'verifyToken')
  if (!isOptions(options as unknown))
    throw new ConfigurationError(expected('options', `an object, as in \`${call}\``, options))
  checkKnownKeys('mcpVerifier', options, OPTION_NAMES)
  const toSdkError = readErrors(options.errors)
  const requirement = auth.prepare(options.requirement ?? {})
  const clientIdOf = readFunction('clientIdOf', options.clientIdOf) ?? findClient
  return {
    async verifyAccessToken(token) {
      try {
        return toAuthInfo(auth, token, await auth.verifyToken(token, requirement), clientIdOf)
      } catch (error) {
        if (isAuthError(error)) throw toSdkError(toRefusal(error), error.message.replace(/["\\]/g, ''))
        throw error
      }
    },
    payloadOf(authInfo) {
      const payload = authInfo?.extra?.['payload']
      if (auth.internals.hasVerified(payload)) return payload as TokenPayload<C>
      throw misuse(expected('authInfo', 'what the SDK gives a tool behind `requireBearerAuth`', authInfo))
    },
  }
}

function toAuthInfo<C, U, I>(
  { resource }: Auth<C, U, I>,
  token: string,
  payload: TokenPayload<C>,
  clientIdOf: (payload: TokenPayload<C>) => string,
): McpAuthInfo<C> {
  const isForUs = resource !== null && [payload.aud ?? []].flat().includes(resource.identifier)
  return {
    token,
    clientId: clientIdOf(payload),
    scopes: [...payload.scopes],
    expiresAt: payload.exp,
    ...(isForUs && { resource: new URL(resource.identifier) }),
    extra: { payload },
  }
}

function findClient({ client_id, sub }: TokenPayload<unknown>): string {
  return client_id ?? sub
}

/** Everything but what a token may do and outages is about the token itself. */
function toRefusal({ code, status }: AuthError): Refusal {
  if (ERRORS[code].oauth === 'insufficient_scope') return 'insufficient_scope'
  return status === 503 ? 'server_error' : 'invalid_token'
}

/** Prepares how errors of the SDK are made. @throws {ConfigurationError} for other values */
function readErrors(errors: unknown): (refusal: Refusal, message: string) => Error {
  const classes = Object(errors) as Partial<Record<string, unknown>>
  const { OAuthError, InvalidTokenError, InsufficientScopeError, ServerError } = classes
  const byWord = {
    invalid_token: InvalidTokenError,
    insufficient_scope: InsufficientScopeError,
    server_error: ServerError,
  } as Readonly<Record<Refusal, McpErrorClass>>
  // Version 1 has a class `OAuthError` too, without a code.
  if (Object.values(byWord).every((each) => typeof each === 'function'))
    return (refusal, message) => new byWord[refusal](message)
  if (typeof OAuthError === 'function') {
    const Coded = OAuthError as new (code: string, message: string) => Error & { readonly code?: unknown }
    if (new Coded('invalid_token', '').code === 'invalid_token')
      return (refusal, message) => new Coded(refusal, message)
  }
  throw new ConfigurationError(
    expected(
      'errors',
      'the module `@modelcontextprotocol/sdk/server/auth/errors.js`, or `{ OAuthError }` of version 2',
      errors,
    ),
  )
}
