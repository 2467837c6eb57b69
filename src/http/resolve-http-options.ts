/**
 * The settings of `http/` as one value: the places of tokens, the cookies, and the protection of
 * tokens in cookies. Each module checks its own options; checks across modules are here.
 */
import { ConfigurationError } from '../internal/configuration-error.ts'
import { COOKIE_DEFAULTS, type CookieOptions, type CookieSettings, resolveCookies } from './cookie-options.ts'
import { CSRF_DEFAULTS, type CsrfMode, type CsrfOptions, type CsrfSettings, resolveCsrf } from './csrf.ts'
import { type ProblemOptions, type ProblemSettings, resolveProblems } from './problem-details.ts'
import { type ProtectedResource, type ResourceOptions, resolveResource } from './protected-resource.ts'
import {
  resolveTokenSources,
  TOKEN_SOURCE_DEFAULTS,
  type TokenSourceOptions,
  type TokenSourceSettings,
} from './token-sources.ts'

/** The options of `http/`. */
export interface HttpOptions extends TokenSourceOptions {
  /** The names, attributes and contents of the cookies. */
  readonly cookies?: CookieOptions
  /**
   * The origin at which browsers reach this server, such as `https://app.example.com`. The origin
   * check of a request by cookie then compares scheme, host and port. Default: the host in the
   * `Host` header, with either scheme.
   */
  readonly origin?: string
  /**
   * The application as a protected resource (RFC 9728): its identifier, or more. Every challenge
   * then has `resource_metadata`, and `authRoutes` serves the document. Default none.
   */
  readonly resource?: string | ResourceOptions
  /**
   * Whether error responses are problem details (RFC 9457), `application/problem+json`, with the
   * members that they have anyway; or how those name the kinds of errors. Default `false`.
   */
  readonly problemDetails?: boolean | ProblemOptions
  /** Protection of requests whose token is in a cookie. Default `'both'`. */
  readonly csrf?: CsrfMode | CsrfOptions
}

/** The default of every option of `http/`. */
export const HTTP_DEFAULTS: typeof TOKEN_SOURCE_DEFAULTS & {
  readonly cookies: typeof COOKIE_DEFAULTS
  readonly csrf: typeof CSRF_DEFAULTS
} = { ...TOKEN_SOURCE_DEFAULTS, cookies: COOKIE_DEFAULTS, csrf: CSRF_DEFAULTS }

/** The settings of `http/`; adapters and routes see them as `auth.http`. They hold no key. */
export interface HttpSettings {
  /** The places where a request may have its token. */
  readonly sources: TokenSourceSettings
  /** The cookies. */
  readonly cookies: CookieSettings
  /** CSRF protection. */
  readonly csrf: CsrfSettings
  /** The challenge's `realm`; undefined for none. */
  readonly realm: string | undefined
  /** Whether refusals name the realms: where the application has several of them. */
  readonly namesRealms?: boolean
  /** The document about the application as a protected resource; null for none. */
  readonly resource: ProtectedResource | null
  /** How problem details name errors; null where errors have none. */
  readonly problems: ProblemSettings | null
}

/**
 * Checks and prepares the options of `http/`.
 *
 * @param refreshTtl the life of a refresh token in seconds
 * @param realm the challenge's `realm`
 * @throws {ConfigurationError} for the first option that is of the wrong shape or unsafe, alone or
 *   with the others
 */
export function resolveHttp(
  options: HttpOptions,
  refreshTtl: number,
  realm: string | undefined,
): HttpSettings {
  const cookies = resolveCookies(options.cookies, refreshTtl)
  const csrf = resolveCsrf(options.csrf, options.origin)
  const { locations, header, query, body } = options
  const sources = resolveTokenSources(
    {
      ...(locations !== undefined && { locations }),
      ...(header !== undefined && { header }),
      ...(query !== undefined && { query }),
      ...(body !== undefined && { body }),
    },
    cookies,
  )
  if (
    sources.locations.has('cookie') &&
    options.cookies?.sameSite === 'None' &&
    !csrf.checksOrigin &&
    !csrf.checksToken
  ) {
    throw new ConfigurationError(
      "Expected `csrf` to be on with `cookies.sameSite: 'None'`: any site could act for the user",
    )
  }
  const resource = resolveResource(options.resource, sources)
  const problems = resolveProblems(options.problemDetails)
  return Object.freeze({ sources, cookies, csrf, realm, resource, problems })
}
