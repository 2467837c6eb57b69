/**
 * Requests that a foreign page made a browser send. Two walls: the origin check (Fetch Metadata and RFC 6454's
 * `Origin`, compared with `Host`), and the double submit, where a header must repeat the `csrf` claim of the token.
 * The claim binds the value to the session, so a cookie that somebody tossed in proves nothing.
 * Only requests whose token came by cookie are to be judged, on unsafe methods and at the handshake of a WebSocket: browsers add cookies
 * by themselves, nothing else. Where the token came from is the guard's to know.
 */

import { AuthError } from '../errors.ts'
import { equalInConstantTime } from '../internal/bytes.ts'
import { ConfigurationError, expected, isRecord } from '../internal/configuration-error.ts'
import { readOptionGroup } from '../internal/read-options.ts'
import { toMediaType } from './body.ts'
import type { RequestPort } from './request-port.ts'
import { isToken, readOnce } from './syntax.ts'
import { isHandshake } from './websocket-handshake.ts'

/** Which walls stand: the double submit, the origin check, both, or none at all. */
export type CsrfMode = 'token' | 'origin' | 'both' | false

/** Protection of requests whose token came by cookie. */
export interface CsrfOptions {
  /** Which checks are made. `false` leaves `SameSite` as the only protection. Default `'both'`. */
  readonly mode?: CsrfMode
  /**
   * Other origins that may send such requests, each exactly as browsers send it: `https://host`, `https://host:port`, or that of an
   * application in a web view, such as `capacitor://localhost`, `app://.` or `chrome-extension://id`. Default none.
   */
  readonly origins?: readonly string[]
  /** The header that repeats the value of the CSRF cookie, in any case. Default `X-CSRF-Token`. */
  readonly header?: string
  /** The field of a form that repeats the value where the header is absent, for forms without a script. Default `csrf_token`. */
  readonly field?: string
}

/** The protection as this floor works with it. */
export interface CsrfSettings {
  /** Whether the origin of the request is looked at. */
  readonly checksOrigin: boolean
  /** Whether the header must repeat the token's CSRF value. */
  readonly checksToken: boolean
  /** Foreign origins that are welcome. */
  readonly origins: ReadonlySet<string>
  /** The header's name in lower case. */
  readonly header: string
  /** The name of the form field. */
  readonly field: string
}

/** What each mode checks; the one table of modes. */
const MODES: ReadonlyMap<unknown, { readonly checksOrigin: boolean; readonly checksToken: boolean }> =
  new Map<CsrfMode, { readonly checksOrigin: boolean; readonly checksToken: boolean }>([
    ['both', { checksOrigin: true, checksToken: true }],
    ['origin', { checksOrigin: true, checksToken: false }],
    ['token', { checksOrigin: false, checksToken: true }],
    [false, { checksOrigin: false, checksToken: false }],
  ])

/** RFC 9110 section 9.2.1. TRACE is left out: nothing that is guarded answers it. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The ports that a serialized origin leaves out and a `Host` header may name. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/**
 * Checks and prepares the protection.
 *
 * @param option the section `csrf`, or only its mode
 * @throws {ConfigurationError} for an unknown mode, an origin that is not spelt as browsers spell it, or no header name
 */
export function resolveCsrf(option: CsrfMode | CsrfOptions | undefined): CsrfSettings {
  const section = typeof option === 'object' || option === undefined ? option : { mode: option }
  const {
    mode = 'both',
    origins = [],
    header = 'X-CSRF-Token',
    field = 'csrf_token',
  } = readOptionGroup('csrf', section, ['mode', 'origins', 'header', 'field'])
  const checks = toChecks(mode)
  if (!isToken(header))
    throw new ConfigurationError(expected('csrf.header', "a header name such as 'X-CSRF-Token'", header))
  if (typeof field !== 'string' || field === '')
    throw new ConfigurationError(expected('csrf.field', 'the name of a form field', field))
  if (!Array.isArray(origins))
    throw new ConfigurationError(expected('csrf.origins', 'a list of origins', origins))
  for (const [index, origin] of origins.entries()) {
    if (!isOrigin(origin))
      throw new ConfigurationError(expected(`csrf.origins[${index}]`, ORIGIN_FORM, origin))
  }
  return Object.freeze({ ...checks, origins: new Set(origins), header: header.toLowerCase(), field })
}

/**
 * The same protection in another mode, for one route.
 *
 * @throws {ConfigurationError} for an unknown mode
 */
export function withMode(settings: CsrfSettings, mode: CsrfMode): CsrfSettings {
  return Object.freeze({ ...settings, ...toChecks(mode) })
}

/** What a mode checks. */
function toChecks(mode: unknown): { readonly checksOrigin: boolean; readonly checksToken: boolean } {
  const checks = MODES.get(mode)
  if (checks !== undefined) return checks
  throw new ConfigurationError(expected('csrf.mode', "'token', 'origin', 'both' or false", mode))
}

/** Parses an origin that is spelt exactly as browsers send it; undefined for any other text, `null` and `*` included. */
function parseOrigin(text: string): URL | undefined {
  // A URL parser takes `*` for a part of a host, which no browser sends.
  if (!/^https?:[^*]*$/.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.origin === text ? url : undefined
}

/** What an origin looks like, for messages. */
export const ORIGIN_FORM =
  "an origin as browsers send it, such as 'https://app.example.com' or 'capacitor://localhost': no path, no wildcard"

/** An origin that is not of the web, such as that of a web view or of an extension. */
const APP_ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(?::\d+)?$/

/** Schemes whose origin browsers send as `null`, or never. */
const WITHOUT_ORIGIN = /^(?:file|data|blob|about|javascript|wss?|ftp):/

/** Whether a text is an origin as browsers send it. */
export function isOrigin(text: unknown): text is string {
  if (typeof text !== 'string') return false
  if (/^https?:/.test(text)) return parseOrigin(text) !== undefined
  return APP_ORIGIN.test(text) && !WITHOUT_ORIGIN.test(text)
}

/** Whether a method may change something: every method but GET, HEAD and OPTIONS. */
export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method)
}

/**
 * Refuses a request by cookie that a foreign page made a browser send: the method is unsafe or a WebSocket is to be opened, and the
 * origin does not pass `checkOrigin`. Does nothing for any other request, or when the origin check is off. A handshake has no
 * other wall, as no page can set its headers: its origin is checked in every mode but `false`.
 *
 * @param request whose token came by cookie
 * @throws {AuthError} csrf_mismatch
 * @see RFC 6455 section 10.2
 */
export function checkRequestOrigin(request: RequestPort, settings: CsrfSettings): void {
  const { checksOrigin, checksToken } = settings
  if (checksOrigin && isUnsafe(request.method)) checkOrigin(request, settings)
  else if ((checksOrigin || checksToken) && isHandshake(request)) checkOrigin(request, settings)
}

/**
 * Refuses a request by cookie that does not repeat its token's CSRF value: the method is unsafe, and the header does not pass
 * `checkCsrfToken`. Does nothing for any other request, or when the double submit is off.
 *
 * @param request whose token came by cookie
 * @param csrf the `csrf` claim of the verified token
 * @throws {AuthError} csrf_missing, csrf_mismatch
 */
export async function checkRequestCsrf(
  request: RequestPort,
  settings: CsrfSettings,
  csrf: string | undefined,
): Promise<void> {
  if (!settings.checksToken || !isUnsafe(request.method)) return
  const field = request.header(settings.header) === undefined ? await readField(request, settings) : undefined
  checkCsrfToken(request, settings, csrf, field)
}

/** The value in an urlencoded form, as the framework has parsed it or as it can be read. Multipart forms are not read. */
async function readField(request: RequestPort, { field }: CsrfSettings): Promise<string | undefined> {
  const mediaType = toMediaType(readOnce(request.header('content-type')) ?? undefined)
  if (mediaType !== 'application/x-www-form-urlencoded') return undefined
  const members = await request.body?.()
  const value = isRecord(members) && Object.hasOwn(members, field) ? members[field] : undefined
  return typeof value === 'string' ? value : undefined
}

/**
 * Checks where a request comes from, whatever its method. A welcome `Origin` passes; else `Sec-Fetch-Site` decides,
 * which scripts cannot set: `same-origin` and `none` (the user's own doing) pass; without it `Origin` must name the
 * host that was asked. A request with neither header passes: no browser sent it.
 *
 * @throws {AuthError} csrf_mismatch
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
export function checkOrigin(request: RequestPort, settings: CsrfSettings): void {
  const origin = readOnce(request.header('origin'))
  if (typeof origin === 'string' && settings.origins.has(origin)) return
  const site = readOnce(request.header('sec-fetch-site'))
  if (site === 'same-origin' || site === 'none') return
  if (site === undefined && (origin === undefined || (origin !== null && isOwnOrigin(request, origin))))
    return
  throw new AuthError('csrf_mismatch', { message: 'Request origin is not allowed' })
}

/** Whether an origin's host is the one that the request was sent to. `null`, and anything else that is no origin, is not. */
function isOwnOrigin(request: RequestPort, origin: string): boolean {
  const url = parseOrigin(origin)
  const host = readHost(request)?.toLowerCase()
  if (url === undefined || host === undefined) return false
  return host === url.host || host === `${url.host}:${DEFAULT_PORTS[url.protocol]}`
}

/** The host that was asked; requests that never were on a wire have it in their URL only. */
function readHost(request: RequestPort): string | undefined {
  const host = readOnce(request.header('host'))
  if (host !== undefined) return host ?? undefined
  return URL.canParse(request.url) ? new URL(request.url).host : undefined
}

/**
 * Checks that the request's header repeats the CSRF value of its token, in constant time.
 *
 * @param csrf the `csrf` claim of the verified token; a token without one passes no request
 * @throws {AuthError} csrf_missing when the header is absent or empty; csrf_mismatch when it is wrong or came twice
 */
export function checkCsrfToken(
  request: RequestPort,
  settings: CsrfSettings,
  csrf: string | undefined,
  field?: string,
): void {
  const header = readOnce(request.header(settings.header))
  const value = header === undefined ? field : header
  if (value === undefined || value === '') throw new AuthError('csrf_missing')
  if (value === null || !csrf || !equalInConstantTime(value, csrf)) throw new AuthError('csrf_mismatch')
}
