/**
 * The places where a request may carry its token, and the names under which it stands there: the
 * options, checked and prepared. The search itself is in `locate.ts`.
 */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { readOptionGroup, readWords } from '../internal/read-options.ts'
import type { RawToken } from '../token/token-cache.ts'
import type { TokenType } from '../token/token-type.ts'
import type { CookieSettings } from './cookie-options.ts'
import { isToken } from './syntax.ts'

/** A part of the request that may carry a token. */
export type Location = 'header' | 'cookie' | 'query' | 'body'

/**
 * Where the handshake of a WebSocket may carry a token besides: among the offered protocols, as
 * `bearer.<token>`; or a one-time ticket in its place, as the query parameter `ticket`. For single
 * routes only.
 */
export type HandshakeLocation = 'protocol' | 'ticket'

/** The names under which the two types of token stand in a query or a body. */
export interface ParameterOptions {
  /** Where an access token stands. Default `access_token` (RFC 6750 sections 2.2 and 2.3). */
  readonly access?: string
  /** Where a refresh token stands. Default `refresh_token`. */
  readonly refresh?: string
}

/** The header that carries a token. */
export interface HeaderOptions {
  /** The header's name, in any case. Default `Authorization`. */
  readonly name?: string
  /**
   * The authentication scheme, in any case; `''` makes the whole value the token. Default `Bearer`.
   */
  readonly scheme?: string
}

/** Where tokens are looked for. */
export interface TokenSourceOptions {
  /**
   * The places to look at, in no order: header, query and body together may carry one token, and
   * any of them beats a cookie. Each once, at least one. Default `['header']`.
   */
  readonly locations?: readonly Location[]
  /** The header's name and scheme. */
  readonly header?: HeaderOptions
  /** The names of the query parameters. Tokens in URLs end up in logs and in histories. */
  readonly query?: ParameterOptions
  /** The names of the members of a JSON or form body. */
  readonly body?: ParameterOptions
}

/** The header, ready to be compared with. */
export interface HeaderRow {
  /** The name in lower case. */
  readonly name: string
  /** The scheme in lower case; empty when the whole value is the token. */
  readonly scheme: string
  /** How most clients begin the value, such as `'Bearer '`. */
  readonly prefix: string
}

/** The places and names as this floor works with them. */
export interface TokenSourceSettings {
  /** The places that are looked at unless a route says otherwise. */
  readonly locations: ReadonlySet<Location>
  /** The header. */
  readonly header: HeaderRow
  /** The query parameter of each type. */
  readonly query: Readonly<Record<TokenType, string>>
  /** The body member of each type. */
  readonly body: Readonly<Record<TokenType, string>>
  /** The cookie of each type. */
  readonly cookies: CookieSettings
}

/**
 * A token where it was found, not verified and perhaps no token at all: in the whole value of a
 * header, or in nothing but itself.
 */
export interface ExtractedToken extends RawToken {
  /**
   * Where it came from; CSRF matters for `'cookie'` only. From `'ticket'` it is no token but a
   * ticket for one.
   */
  readonly location: Location | HandshakeLocation
}

/**
 * The type of token that is looked for; `'any'` looks for an access token and then for a refresh
 * token.
 */
export type WantedType = TokenType | 'any'

/** Every location that tokens may always come from. */
const LOCATIONS: readonly Location[] = ['header', 'cookie', 'query', 'body']

/** Every location that a route may name. */
const ROUTE_LOCATIONS: readonly (Location | HandshakeLocation)[] = [...LOCATIONS, 'protocol', 'ticket']

/**
 * Checks and prepares the locations. Only the four options of `LocateOptions` are read, so the
 * whole set of options may be given.
 *
 * @throws {ConfigurationError} for a list of locations that is empty, repeats one or names an
 *   unknown one, and for names that are none
 */
export function resolveTokenSources(
  options: TokenSourceOptions,
  cookies: CookieSettings,
): TokenSourceSettings {
  const { locations = ['header'] } = options
  const { name = 'Authorization', scheme = 'Bearer' } = readOptionGroup('header', options.header, [
    'name',
    'scheme',
  ])
  if (!isToken(name))
    throw new ConfigurationError(expected('header.name', "a header name such as 'X-Auth'", name))
  if (scheme !== '' && !isToken(scheme)) {
    throw new ConfigurationError(
      expected('header.scheme', "one word such as 'Bearer', or '' for none", scheme),
    )
  }
  return Object.freeze({
    locations: readWords('locations', locations, LOCATIONS),
    header: Object.freeze({
      name: name.toLowerCase(),
      scheme: scheme.toLowerCase(),
      prefix: scheme === '' ? '' : `${scheme} `,
    }),
    query: resolveParameters('query', options.query),
    body: resolveParameters('body', options.body),
    cookies,
  })
}

/**
 * Checks the list of locations of one route.
 *
 * @param name the option as the developer writes it
 * @throws {ConfigurationError} when it is no list, is empty, repeats a location or names an unknown
 *   one
 */
export function resolveLocations(
  name: string,
  locations: readonly (Location | HandshakeLocation)[],
): ReadonlySet<Location | HandshakeLocation> {
  return readWords(name, locations, ROUTE_LOCATIONS)
}

/** Checks the two names of one location. */
function resolveParameters(
  at: 'query' | 'body',
  options: ParameterOptions | undefined,
): Readonly<Record<TokenType, string>> {
  const { access = 'access_token', refresh = 'refresh_token' } = readOptionGroup(at, options, [
    'access',
    'refresh',
  ])
  for (const [type, name] of Object.entries({ access, refresh })) {
    if (typeof name === 'string' && name !== '') continue
    throw new ConfigurationError(expected(`${at}.${type}`, 'the name of a parameter', name))
  }
  return Object.freeze({ access, refresh })
}
