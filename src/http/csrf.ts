/**
 * Protection against requests that a foreign page makes a browser send. Two checks: the origin
 * check (Fetch Metadata and RFC 6454's `Origin`, compared with `Host`), and the double submit,
 * where a header must repeat the `csrf` claim of the token. The claim binds the value to the
 * session, so a cookie that an attacker planted proves nothing. The caller knows where the token
 * came from: only a token in a cookie needs the checks, on unsafe methods and at the handshake of a
 * WebSocket, because browsers add cookies by themselves and nothing else.
 */

import { AuthError } from '../errors.ts'
import { equalInConstantTime } from '../internal/bytes.ts'
import { ConfigurationError, expected, isRecord } from '../internal/configuration-error.ts'
import { readOptionGroup } from '../internal/read-options.ts'
import { toMediaType } from './body.ts'
import type { RequestPort } from './request-port.ts'
import { isToken, readOnce } from './syntax.ts'
import { isHandshake } from './websocket-handshake.ts'

/** Which checks are made: the double submit, the origin check, both, or none. */
export type CsrfMode = 'token' | 'origin' | 'both' | false

/** Protection of requests whose token is in a cookie. */
export interface CsrfOptions {
  /** The checks. With `false`, `SameSite` is the only protection. Default `'both'`. */
  readonly mode?: CsrfMode
  /**
   * Other origins that may send such requests, each exactly as browsers send it: `https://host`,
   * `https://host:port`, or that of an application in a web view, such as `capacitor://localhost`,
   * `app://.` or `chrome-extension://id`. Default `[]`.
   */
  readonly origins?: readonly string[]
  /**
   * The name of the header that repeats the value of the CSRF cookie, in any case. Default
   * `'X-CSRF-Token'`.
   */
  readonly header?: string
  /**
   * The name of the form field that repeats the value if there is no such header, for forms without
   * a script. Default `'csrf_token'`.
   */
  readonly field?: string
}

/** The prepared settings of the protection. */
export interface CsrfSettings {
  /** Whether the origin of the request is checked. */
  readonly checksOrigin: boolean
  /** Whether the header must repeat the token's CSRF value. */
  readonly checksToken: boolean
  /** Allowed foreign origins. */
  readonly origins: ReadonlySet<string>
  /** The server's own origin; null to go by the `Host` header. */
  readonly ownOrigin: string | null
  /** The header's name in lower case. */
  readonly header: string
  /** The name of the form field. */
  readonly field: string
}

/** The default of every option of the protection. */
export const CSRF_DEFAULTS: Readonly<Required<CsrfOptions>> = {
  mode: 'both',
  origins: [],
  header: 'X-CSRF-Token',
  field: 'csrf_token',
}

/** What each mode checks. */
const MODES: ReadonlyMap<unknown, { readonly checksOrigin: boolean; readonly checksToken: boolean }> =
  new Map<CsrfMode, { readonly checksOrigin: boolean; readonly checksToken: boolean }>([
    ['both', { checksOrigin: true, checksToken: true }],
    ['origin', { checksOrigin: true, checksToken: false }],
    ['token', { checksOrigin: false, checksToken: true }],
    [false, { checksOrigin: false, checksToken: false }],
  ])

/** RFC 9110 section 9.2.1, without TRACE, to which no guarded route responds. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The media types of forms that have fields. */
const FORMS: ReadonlySet<string> = new Set(['application/x-www-form-urlencoded', 'multipart/form-data'])

/** The ports that an `Origin` header leaves out and a `Host` header may name. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/**
 * Checks and prepares the protection.
 *
 * @param option the option group `csrf`, or only its mode
 * @param ownOrigin the server's own origin, where the application says it
 * @throws {ConfigurationError} for an unknown mode, an origin that is not spelled as browsers spell
 *   it, or an invalid header name
 */
export function resolveCsrf(option: CsrfMode | CsrfOptions | undefined, ownOrigin?: string): CsrfSettings {
  const group = typeof option === 'object' || option === undefined ? option : { mode: option }
  const {
    mode = CSRF_DEFAULTS.mode,
    origins = CSRF_DEFAULTS.origins,
    header = CSRF_DEFAULTS.header,
    field = CSRF_DEFAULTS.field,
  } = readOptionGroup('csrf', group, ['mode', 'origins', 'header', 'field'])
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
  if (ownOrigin !== undefined && parseOrigin(ownOrigin) === undefined)
    throw new ConfigurationError(
      expected('origin', "an origin as browsers send it, such as 'https://app.example.com'", ownOrigin),
    )
  return Object.freeze({
    ...checks,
    origins: new Set(origins),
    ownOrigin: ownOrigin ?? null,
    header: header.toLowerCase(),
    field,
  })
}

/**
 * The same protection in another mode, for one route.
 *
 * @throws {ConfigurationError} for an unknown mode
 */
export function withMode(settings: CsrfSettings, mode: CsrfMode): CsrfSettings {
  return Object.freeze({ ...settings, ...toChecks(mode) })
}

function toChecks(mode: unknown): { readonly checksOrigin: boolean; readonly checksToken: boolean } {
  const checks = MODES.get(mode)
  if (checks !== undefined) return checks
  throw new ConfigurationError(expected('csrf.mode', "'token', 'origin', 'both' or false", mode))
}

/** Parses an origin spelled exactly as browsers send it; undefined for `null`, `*` and others. */
function parseOrigin(text: unknown): URL | undefined {
  // A URL parser accepts `*` in a host, which no browser sends.
  if (typeof text !== 'string' || !/^https?:[^*]*$/.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.origin === text ? url : undefined
}

/** The form of an origin, for messages. */
export const ORIGIN_FORM =
  "an origin as browsers send it, such as 'https://app.example.com' or 'capacitor://localhost': no path, no wildcard"

/** The origin of a web view, an extension and such, which is not HTTP. */
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
 * Refuses a request that a foreign page made a browser send with a token in a cookie: the method is
 * unsafe or the request opens a WebSocket, and the origin does not pass `checkOrigin`. Does nothing
 * for any other request, or when the origin check is off. The origin of a handshake is checked in
 * every mode but `false`: it is the only check there, as no page can set its headers.
 *
 * @param request a request whose token came by cookie
 * @throws {AuthError} csrf_mismatch
 * @see RFC 6455 section 10.2
 */
export function checkRequestOrigin(request: RequestPort, settings: CsrfSettings): void {
  const { checksOrigin, checksToken } = settings
  if (checksOrigin && isUnsafe(request.method)) checkOrigin(request, settings)
  else if ((checksOrigin || checksToken) && isHandshake(request)) checkOrigin(request, settings)
}

/**
 * Refuses a request that does not repeat the CSRF value of its token in a cookie: the method is
 * unsafe, and the header does not pass `checkCsrfToken`. Does nothing for any other request, or
 * when the double submit is off.
 *
 * @param request a request whose token came by cookie
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

/**
 * Whether a request is a form as a page of this application sends it: it has a CSRF value where the
 * double submit is on. It does not say that the value is right.
 *
 * @throws {AuthError} request_invalid for a form that cannot be read
 */
export async function hasFormValue(request: RequestPort, settings: CsrfSettings): Promise<boolean> {
  if (!FORMS.has(readMediaType(request))) return false
  if (!settings.checksToken) return true
  return Boolean(request.header(settings.header) ?? (await readField(request, settings)))
}

/** The value in a urlencoded form, parsed by the framework or read here. Skips multipart forms. */
async function readField(request: RequestPort, { field }: CsrfSettings): Promise<string | undefined> {
  if (readMediaType(request) !== 'application/x-www-form-urlencoded') return undefined
  const members = await request.body?.()
  const value = isRecord(members) && Object.hasOwn(members, field) ? members[field] : undefined
  return typeof value === 'string' ? value : undefined
}

function readMediaType(request: RequestPort): string {
  return toMediaType(readOnce(request.header('content-type')) ?? undefined)
}

/**
 * Checks where a request comes from, whatever its method. An allowed `Origin` passes; else
 * `Sec-Fetch-Site` decides, which scripts cannot set: `same-origin` and `none` (typed or bookmarked
 * by the user) pass. Without it `Origin` must name the request's own host. A request with neither
 * header passes: no browser sent it.
 *
 * @throws {AuthError} csrf_mismatch
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
export function checkOrigin(request: RequestPort, settings: CsrfSettings): void {
  const origin = readOnce(request.header('origin'))
  if (typeof origin === 'string' && settings.origins.has(origin)) return
  const site = readOnce(request.header('sec-fetch-site'))
  if (site === 'same-origin' || site === 'none') return
  if (
    site === undefined &&
    (origin === undefined || (origin !== null && isOwnOrigin(request, origin, settings)))
  )
    return
  throw new AuthError('csrf_mismatch', { message: 'Request origin is not allowed' })
}

/**
 * Whether an origin is the server's own. Where neither the application nor a trusted proxy says it,
 * the host decides: nothing else tells the scheme. False for `null` and for invalid origins.
 */
function isOwnOrigin(request: RequestPort, origin: string, { ownOrigin }: CsrfSettings): boolean {
  const own = ownOrigin ?? request.origin
  if (own !== undefined) return origin === own
  const url = parseOrigin(origin)
  const host = readHost(request)?.toLowerCase()
  if (url === undefined || host === undefined) return false
  return host === url.host || host === `${url.host}:${DEFAULT_PORTS[url.protocol]}`
}

/** The request's own host. A `Request` made by a program may have it only in its URL. */
function readHost(request: RequestPort): string | undefined {
  const host = readOnce(request.header('host'))
  if (host !== undefined) return host ?? undefined
  return URL.canParse(request.url) ? new URL(request.url).host : undefined
}

/**
 * Checks that the request's header repeats the CSRF value of its token, in constant time.
 *
 * @param csrf the `csrf` claim of the verified token; without one every request is refused
 * @throws {AuthError} csrf_missing when the header is absent or empty; csrf_mismatch when it is
 *   wrong or came twice
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
