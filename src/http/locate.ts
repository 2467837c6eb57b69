/**
 * Where a request carries its token: one table of readers for the header, a cookie, the query, the body, and what the handshake of a
 * WebSocket has in their place (RFC 6750 section 2, RFC 9110 section 11). It finds the token and refuses requests that are ambiguous;
 * whether the token is any good is for others to say, so a bad token is never rescued by another elsewhere.
 */
import { ConfigurationError, expected, isRecord } from '../base/expected.ts'
import { readSection, readWords } from '../base/section.ts'
import { AuthError } from '../errors.ts'
import type { TokenType } from '../token/type.ts'
import { type CookieSettings, readCookie } from './cookies.ts'
import { readProtocolToken } from './handshake.ts'
import type { RequestPort } from './request.ts'
import { isToken, readOnce, trimBlanks } from './syntax.ts'

/** A part of the request that may carry a token. */
export type Location = 'header' | 'cookie' | 'query' | 'body'

/**
 * Where the handshake of a WebSocket may carry a token besides: among the offered protocols, as `bearer.<token>`; or a one-time
 * ticket in its place, as the query parameter `ticket`. For single routes only.
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
  /** The authentication scheme, in any case; `''` makes the whole value the token. Default `Bearer`. */
  readonly scheme?: string
}

/** Where tokens are looked for. */
export interface LocateOptions {
  /**
   * The places to look at, in no order: header, query and body together may carry one token, and any of them
   * beats a cookie. Each once, at least one. Default `['header']`.
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
export interface LocateSettings {
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

/** A token and where it was. */
export interface Found {
  /** The token as it came, not verified and perhaps no token at all. */
  readonly token: string
  /** Where it came from; CSRF matters for `'cookie'` only. From `'ticket'` it is no token but a ticket for one. */
  readonly location: Location | HandshakeLocation
}

/** The type of token that is looked for; `'any'` looks for an access token and then for a refresh token. */
export type WantedType = TokenType | 'any'

/** Every location that tokens may always come from. */
const LOCATIONS: readonly Location[] = ['header', 'cookie', 'query', 'body']

/** Every location that a route may name. */
const ROUTE_LOCATIONS: readonly (Location | HandshakeLocation)[] = [...LOCATIONS, 'protocol', 'ticket']

/** The query parameter of a ticket. */
const TICKET_PARAMETER = 'ticket'

/** The rows to try for each wanted type, in order. */
const ROWS: Readonly<Record<WantedType, readonly TokenType[]>> = {
  access: ['access'],
  refresh: ['refresh'],
  any: ['access', 'refresh'],
}

/**
 * Checks and prepares the locations. Only the four options of `LocateOptions` are read, so the whole set of
 * options may be given.
 *
 * @throws {ConfigurationError} for a list of locations that is empty, repeats one or names an unknown one, and for
 *   names that are none
 */
export function resolveLocate(options: LocateOptions, cookies: CookieSettings): LocateSettings {
  const { locations = ['header'] } = options
  const { name = 'Authorization', scheme = 'Bearer' } = readSection('header', options.header, [
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
 * @throws {ConfigurationError} when it is no list, is empty, repeats a location or names an unknown one
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
  const { access = 'access_token', refresh = 'refresh_token' } = readSection(at, options, [
    'access',
    'refresh',
  ])
  for (const [type, name] of Object.entries({ access, refresh })) {
    if (typeof name === 'string' && name !== '') continue
    throw new ConfigurationError(expected(`${at}.${type}`, 'the name of a parameter', name))
  }
  return Object.freeze({ access, refresh })
}

/**
 * Finds the token of a request.
 *
 * Checked: that all places but the cookie carry at most one, that nothing comes twice, that what announces a token has
 * one. Not checked: the token itself. Authorization headers of another scheme count as no token.
 *
 * @param type the row to look at; in a header both types stand in the same place
 * @param locations the places to look at
 * @returns the token, or null when there is none; a promise only when the body is one of the places
 * @throws {AuthError} request_invalid
 * @see RFC 6750 section 2: "Clients MUST NOT use more than one method to transmit the token in each request."
 */
export function locate(
  request: RequestPort,
  settings: LocateSettings,
  type: WantedType,
  locations: ReadonlySet<Location | HandshakeLocation>,
): Found | null | Promise<Found | null> {
  let found: Found | null = null
  if (locations.has('header')) found = only(found, READERS.header(request, settings, type), 'header')
  if (locations.has('query')) found = only(found, READERS.query(request, settings, type), 'query')
  if (locations.has('protocol')) found = only(found, READERS.protocol(request, settings, type), 'protocol')
  if (locations.has('ticket')) found = only(found, READERS.ticket(request, settings, type), 'ticket')
  if (locations.has('body')) return locateInBody(request, settings, type, { locations, found })
  return found ?? locateInCookie(request, settings, type, locations)
}

/** The rest of the journey once the body has to be waited for. */
async function locateInBody(
  request: RequestPort,
  settings: LocateSettings,
  type: WantedType,
  {
    locations,
    found,
  }: { readonly locations: ReadonlySet<Location | HandshakeLocation>; readonly found: Found | null },
): Promise<Found | null> {
  const token = await READERS.body(request, settings, type)
  return only(found, token, 'body') ?? locateInCookie(request, settings, type, locations)
}

/** Looks at the cookie, which counts only when no other place has a token. */
function locateInCookie(
  request: RequestPort,
  settings: LocateSettings,
  type: WantedType,
  locations: ReadonlySet<Location | HandshakeLocation>,
): Found | null {
  return locations.has('cookie') ? only(null, READERS.cookie(request, settings, type), 'cookie') : null
}

/** Adds what one more place holds, and refuses a second token. */
function only(found: Found | null, token: string | null, location: Found['location']): Found | null {
  if (token === null) return found
  if (found !== null) refuse('More than one token in the request')
  return { token, location }
}

/** Reads one location: the token, or null. */
type Reader<R> = (request: RequestPort, settings: LocateSettings, type: WantedType) => R

/** The one table of token locations. */
const READERS: {
  readonly [L in Found['location']]: Reader<L extends 'body' ? Promise<string | null> : string | null>
} = {
  header: readHeader,
  cookie: readCookies,
  query: readQuery,
  body: readBodyMember,
  protocol: readProtocolToken,
  ticket: readTicket,
}

/** RFC 6750 section 2.1. The first lines serve nearly every request and take no more than a slice. */
function readHeader(request: RequestPort, { header }: LocateSettings): string | null {
  const value = request.header(header.name)
  if (typeof value === 'string' && value.startsWith(header.prefix)) {
    const token = value.slice(header.prefix.length)
    if (isOneWord(token)) return token
  }
  const single = readOnce(value)
  if (single === null) return refuse('The header of the token came twice')
  return single === undefined ? null : readCredentials(trimBlanks(single, 0, single.length), header.scheme)
}

/**
 * Whether a text may be the one token of a header. A space gives away several words, or several headers in one; other characters
 * foreign to `b64token` are left to the decoder, which looks at each one anyway: a regular expression over the
 * whole token took 500 ns here, this search takes 20.
 */
function isOneWord(text: string): boolean {
  return text !== '' && text.indexOf(' ') === -1
}

/** Reads `scheme 1*SP token` with the scheme in any case (RFC 9110 section 11.1). */
function readCredentials(text: string, scheme: string): string | null {
  if (text === '') return null
  if (scheme === '') return isOneWord(text) ? text : refuse('Malformed token header')
  const end = scheme.length
  if (text.slice(0, end).toLowerCase() !== scheme || isToken(text[end])) {
    // Where platforms join headers, `Basic x, Bearer y` is two of them.
    const parts = text.toLowerCase().split(',').slice(1)
    return parts.some((part) => part.trimStart().startsWith(`${scheme} `))
      ? refuse('The header of the token came twice')
      : null
  }
  let start = end
  while (text[start] === ' ') start++
  const token = text.slice(start)
  return start > end && isOneWord(token) ? token : refuse('Malformed token header')
}

/** Reads the first carried cookie; an empty one is what some clients keep of a deleted one. */
function readCookies(request: RequestPort, { cookies }: LocateSettings, type: WantedType): string | null {
  const header = request.header('cookie')
  if (header === undefined) return null
  for (const row of ROWS[type]) {
    const value = cookies.carry.has(row) ? readCookie(header, cookies[row].name) : null
    if (value) return value
  }
  return null
}

/** RFC 6750 section 2.3. */
function readQuery(request: RequestPort, { query }: LocateSettings, type: WantedType): string | null {
  const parameters = toParameters(request.url)
  for (const row of ROWS[type]) {
    const value = parameters && readParameter(parameters, query[row])
    if (value) return value
  }
  return null
}

/** A ticket stands for an access token only. */
function readTicket(request: RequestPort, _settings: LocateSettings, type: WantedType): string | null {
  const parameters = type === 'refresh' ? null : toParameters(request.url)
  return parameters && readParameter(parameters, TICKET_PARAMETER)
}

/** The parameters of a request target; null for none. `URLSearchParams` never throws, whatever the percent signs stand before. */
function toParameters(url: string): URLSearchParams | null {
  const [target = ''] = url.split('#', 1)
  const mark = target.indexOf('?')
  return mark === -1 ? null : new URLSearchParams(target.slice(mark + 1))
}

/** The one value of a parameter; null when it is not there. */
function readParameter(parameters: URLSearchParams, name: string): string | null {
  const values = parameters.getAll(name)
  if (values.length > 1) refuse('The query parameter of the token came twice')
  return values[0] === '' ? refuse('The query parameter of the token is empty') : (values[0] ?? null)
}

/** RFC 6750 section 2.2, and the same member of a JSON body. */
async function readBodyMember(
  request: RequestPort,
  { body }: LocateSettings,
  type: WantedType,
): Promise<string | null> {
  const members = await request.body?.()
  if (!isRecord(members)) return null
  for (const row of ROWS[type]) {
    if (!Object.hasOwn(members, body[row])) continue
    const value = members[body[row]]
    return typeof value === 'string' && value !== ''
      ? value
      : refuse('The body member of the token is no text')
  }
  return null
}

/** Ends the search with the answer to an ambiguous or malformed request. */
function refuse(message: string): never {
  throw new AuthError('request_invalid', { message })
}
