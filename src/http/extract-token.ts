/**
 * Finds the token of a request. There is a reader for the header, a cookie, the query, the body,
 * and the two places of a WebSocket handshake (RFC 6750 section 2, RFC 9110 section 11). Ambiguous
 * requests are refused. Nothing here verifies the token, so a bad token in one place never makes
 * way for another.
 */

import { AuthError } from '../errors.ts'

import { isRecord } from '../internal/configuration-error.ts'
import type { TokenType } from '../token/token-type.ts'
import { readCookie } from './cookies.ts'
import type { RequestPort } from './request-port.ts'
import { isToken, readOnce, trimBlanks } from './syntax.ts'
import type {
  ExtractedToken,
  HandshakeLocation,
  Location,
  TokenSourceSettings,
  WantedType,
} from './token-sources.ts'
import { PROTOCOL_HEADER, readProtocolToken } from './websocket-handshake.ts'

/** Finds the token of a request; null without one. */
export type ExtractToken = (request: RequestPort) => Promise<ExtractedToken | null>

/** The places that are read after the header and before the body and the cookie, in order. */
const EXPLICIT = ['query', 'protocol', 'ticket'] as const

/**
 * Prepares the search for one kind of route.
 *
 * It does check: that all places but the cookie hold at most one token, that nothing comes twice,
 * that no place is empty or malformed. It does not check the token itself. `Authorization` headers
 * of another scheme count as no token. Rejects with an `AuthError` `request_invalid`.
 *
 * @param type the wanted type; a header has the same place for both types
 * @param locations the places to read
 * @see RFC 6750 section 2: "Clients MUST NOT use more than one method to transmit the token in each
 *   request."
 */
export function prepareExtractToken(
  settings: TokenSourceSettings,
  type: WantedType,
  locations: ReadonlySet<Location | HandshakeLocation>,
): ExtractToken {
  const places = EXPLICIT.filter((location) => locations.has(location)).map((location) => ({
    location,
    read: READERS[location],
  }))
  const takesHeader = locations.has('header')
  const takesBody = locations.has('body')
  const takesCookie = locations.has('cookie')

  return async (request) => {
    let found = takesHeader ? extractFromHeader(request, settings) : null
    for (const { location, read } of places) found = only(found, read(request, settings, type), location)
    // The body is read only if no other place has a token: it may be meant for the handler.
    if (found === null && takesBody)
      found = only(null, await extractFromBody(request, settings, type), 'body')
    // A cookie counts only if no other place has a token.
    if (found !== null || !takesCookie) return found
    return only(null, extractFromCookies(request, settings, type), 'cookie')
  }
}

/** Adds the token of one more place; refuses a second token. */
function only(
  found: ExtractedToken | null,
  token: string | null,
  location: ExtractedToken['location'],
): ExtractedToken | null {
  if (token === null) return found
  if (found !== null) throwInvalid('More than one token in the request')
  return { text: token, start: 0, location }
}

/** The query parameter of a ticket. */
const TICKET_PARAMETER = 'ticket'

/** The types to try for each wanted type, in order. */
const ROWS: Readonly<Record<WantedType, readonly TokenType[]>> = {
  access: ['access'],
  refresh: ['refresh'],
  any: ['access', 'refresh'],
}

/** Reads one location: the token, or null. */
type Reader = (request: RequestPort, settings: TokenSourceSettings, type: WantedType) => string | null

/** The readers of `EXPLICIT`. */
const READERS: { readonly [L in (typeof EXPLICIT)[number]]: Reader } = {
  query: extractFromQuery,
  protocol: (request) => readProtocolToken(request.header(PROTOCOL_HEADER)),
  ticket: extractTicket,
}

/**
 * RFC 6750 section 2.1. The first lines serve nearly every request. They leave the token in the
 * header's value: the cache compares a whole value three times as fast as a slice of it.
 */
export function extractFromHeader(
  request: RequestPort,
  { header }: Pick<TokenSourceSettings, 'header'>,
): ExtractedToken | null {
  const { name, prefix, scheme } = header
  const value = request.header(name)
  if (typeof value === 'string' && value.startsWith(prefix) && isOneWord(value, prefix.length))
    return { text: value, start: prefix.length, location: 'header' }
  const single = readOnce(value)
  if (single === null) return throwInvalid('The header of the token came twice')
  if (single === undefined) return null
  return only(null, readCredentials(trimBlanks(single, 0, single.length), scheme), 'header')
}

/**
 * Whether a text may be, from an index on, the one token of a header. A space means several words,
 * or several headers in one. The decoder refuses other characters that are not in `b64token`; a
 * regular expression over the whole token would be much slower.
 */
export function isOneWord(text: string, start: number): boolean {
  return text.length > start && text.indexOf(' ', start) === -1
}

/** Reads `scheme 1*SP token` with the scheme in any case (RFC 9110 section 11.1). */
function readCredentials(text: string, scheme: string): string | null {
  if (text === '') return null
  if (scheme === '') return isOneWord(text, 0) ? text : throwInvalid('Malformed token header')
  const end = scheme.length
  if (text.slice(0, end).toLowerCase() !== scheme || isToken(text[end])) {
    // Where platforms join headers, `Basic x, Bearer y` is two of them.
    const parts = text.toLowerCase().split(',').slice(1)
    return parts.some((part) => part.trimStart().startsWith(`${scheme} `))
      ? throwInvalid('The header of the token came twice')
      : null
  }
  let start = end
  while (text[start] === ' ') start++
  // Clients without a token send this: it counts as an empty header.
  if (start === text.length) return null
  return start > end && isOneWord(text, start) ? text.slice(start) : throwInvalid('Malformed token header')
}

/** Reads the first token cookie. Some clients keep an empty cookie after it was deleted. */
function extractFromCookies(
  request: RequestPort,
  { cookies }: TokenSourceSettings,
  type: WantedType,
): string | null {
  const header = request.header('cookie')
  if (header === undefined) return null
  for (const row of ROWS[type]) {
    const value = cookies.carry.has(row) ? readCookie(header, cookies[row].name) : null
    if (value) return value
  }
  return null
}

/** RFC 6750 section 2.3. */
function extractFromQuery(
  request: RequestPort,
  { query }: TokenSourceSettings,
  type: WantedType,
): string | null {
  const parameters = toParameters(request.url)
  for (const row of ROWS[type]) {
    const value = parameters && readParameter(parameters, query[row])
    if (value) return value
  }
  return null
}

/** A ticket replaces an access token, never a refresh token. */
function extractTicket(
  request: RequestPort,
  _settings: TokenSourceSettings,
  type: WantedType,
): string | null {
  const parameters = type === 'refresh' ? null : toParameters(request.url)
  return parameters && readParameter(parameters, TICKET_PARAMETER)
}

/** The parameters of a request target; null without a query. `URLSearchParams` never throws. */
function toParameters(url: string): URLSearchParams | null {
  const [target = ''] = url.split('#', 1)
  const mark = target.indexOf('?')
  return mark === -1 ? null : new URLSearchParams(target.slice(mark + 1))
}

/** The one value of a parameter; null when it is not there. */
function readParameter(parameters: URLSearchParams, name: string): string | null {
  const values = parameters.getAll(name)
  if (values.length > 1) throwInvalid('The query parameter of the token came twice')
  return values[0] === '' ? throwInvalid('The query parameter of the token is empty') : (values[0] ?? null)
}

/** RFC 6750 section 2.2, and the same member of a JSON body. */
async function extractFromBody(
  request: RequestPort,
  { body }: TokenSourceSettings,
  type: WantedType,
): Promise<string | null> {
  const members = await request.body?.()
  if (!isRecord(members)) return null
  for (const row of ROWS[type]) {
    if (!Object.hasOwn(members, body[row])) continue
    const value = members[body[row]]
    return typeof value === 'string' && value !== ''
      ? value
      : throwInvalid('The body member of the token is not a string')
  }
  return null
}

/** Refuses an ambiguous or malformed request. */
function throwInvalid(message: string): never {
  throw new AuthError('request_invalid', { message })
}
