/**
 * The places where a request may have its token, and its names there: the options, checked and
 * prepared. The search itself is in `extract-token.ts`.
 */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { readOptionGroup, readWords } from '../internal/read-options.ts'
import type { RawToken } from '../token/token-cache.ts'
import type { TokenType } from '../token/token-type.ts'
import type { CookieSettings } from './cookie-options.ts'
import { isToken } from './syntax.ts'

/** A part of the request that may contain a token. */
export type Location = 'header' | 'cookie' | 'query' | 'body'

/**
 * Where else the handshake of a WebSocket may contain a token: among the offered protocols, as
 * `bearer.<token>`; or a one-time ticket, as the query parameter `ticket`. For single routes only.
 */
export type HandshakeLocation = 'protocol' | 'ticket'

/** The names of the two types of token in a query or a body. */
export interface ParameterOptions {
  /** The name of an access token (RFC 6750 sections 2.2 and 2.3). Default `'access_token'`. */
  readonly access?: string
  /** The name of a refresh token. Default `'refresh_token'`. */
  readonly refresh?: string
}

/** The header of a token. */
export interface HeaderOptions {
  /** The name of the header, in any case. Default `'Authorization'`. */
  readonly name?: string
  /**
   * The authentication scheme, in any case. With `''`, the whole value is the token. Default
   * `'Bearer'`.
   */
  readonly scheme?: string
}

/** The places where a request may have its token. */
export interface TokenSourceOptions {
  /**
   * Where to look for a token: at least one place, each once, in any order. Header, query and body
   * together may contain one token, which takes precedence over a cookie. A route that opens
   * WebSockets can also name `'protocol'` and `'ticket'`. Default `['header']`.
   */
  readonly locations?: readonly Location[]
  /** The name and the scheme of the header. */
  readonly header?: HeaderOptions
  /** The names of the query parameters. A token in a URL ends up in logs and histories. */
  readonly query?: ParameterOptions
  /** The names of the fields in a JSON or form body. */
  readonly body?: ParameterOptions
}

/** The prepared header. */
export interface HeaderRow {
  /** The name in lower case. */
  readonly name: string
  /** The scheme in lower case; empty when the whole value is the token. */
  readonly scheme: string
  /** The beginning that most clients send, such as `'Bearer '`. */
  readonly prefix: string
}

/** The prepared places and names. */
export interface TokenSourceSettings {
  /** The places that are read unless a route says otherwise. */
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
 * A token from a request. It is not verified and may be any text. `text` is the whole value of the
 * header, or the token alone.
 */
export interface ExtractedToken extends RawToken {
  /**
   * Where it came from. The CSRF checks apply to `'cookie'` only. From `'ticket'` it is a ticket,
   * not a token.
   */
  readonly location: Location | HandshakeLocation
}

/** The wanted type of token; `'any'` looks for an access token and then for a refresh token. */
export type WantedType = TokenType | 'any'

/** The default of every option of the places. */
export const TOKEN_SOURCE_DEFAULTS: {
  readonly locations: readonly Location[]
  readonly header: Readonly<Required<HeaderOptions>>
  readonly query: Readonly<Required<ParameterOptions>>
  readonly body: Readonly<Required<ParameterOptions>>
} = {
  locations: ['header'],
  header: { name: 'Authorization', scheme: 'Bearer' },
  query: { access: 'access_token', refresh: 'refresh_token' },
  body: { access: 'access_token', refresh: 'refresh_token' },
}

/** Every location that all routes may use. */
const LOCATIONS: readonly Location[] = ['header', 'cookie', 'query', 'body']

/** Every location that a route may name. */
const ROUTE_LOCATIONS: readonly (Location | HandshakeLocation)[] = [...LOCATIONS, 'protocol', 'ticket']

/**
 * Checks and prepares the locations.
 *
 * @throws {ConfigurationError} for a list of locations that is empty, repeats one or names an
 *   unknown one, and for invalid names
 */
export function resolveTokenSources(
  options: TokenSourceOptions,
  cookies: CookieSettings,
): TokenSourceSettings {
  const { locations = TOKEN_SOURCE_DEFAULTS.locations } = options
  const { name = TOKEN_SOURCE_DEFAULTS.header.name, scheme = TOKEN_SOURCE_DEFAULTS.header.scheme } =
    readOptionGroup('header', options.header, ['name', 'scheme'])
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
 * @throws {ConfigurationError} when it is not a list, is empty, repeats a location or names an
 *   unknown one
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
  const usual = TOKEN_SOURCE_DEFAULTS[at]
  const { access = usual.access, refresh = usual.refresh } = readOptionGroup(at, options, [
    'access',
    'refresh',
  ])
  for (const [type, name] of Object.entries({ access, refresh })) {
    if (typeof name === 'string' && name !== '') continue
    throw new ConfigurationError(expected(`${at}.${type}`, 'the name of a parameter', name))
  }
  return Object.freeze({ access, refresh })
}
