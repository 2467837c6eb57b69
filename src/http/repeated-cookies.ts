/**
 * Cookies whose name comes twice: browsers keep one for each domain and path, and send all that fit
 * (RFC 6265 section 5.4). Such a request is refused, and would be until the cookies end. So its
 * response deletes them at every place from which this request can have got them, except at the one
 * where this server writes them.
 */
import type { AuthError, ErrorCode } from '../errors.ts'
import type { CookieRow, CookieSettings } from './cookie-options.ts'
import { toSetCookie } from './cookies.ts'
import type { RequestPort } from './request-port.ts'
import { readOnce } from './syntax.ts'

/** The most domains and the most paths of one request that are tried, each. */
const MOST = 5

/** The refusals that a name which comes twice leads to. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['request_invalid', 'csrf_mismatch'])

/** The lines of `deleteRepeated` for the response to a refused request. */
export function deleteAfterRefusal(
  { code }: AuthError,
  request: RequestPort,
  cookies: CookieSettings,
): readonly string[] {
  return REFUSALS.has(code) ? deleteRepeated(request, cookies) : []
}

/**
 * The `Set-Cookie` lines that delete what makes a name come twice; none where none does.
 *
 * @param request whose `Cookie` header is read
 * @param isRewritten whether the same response writes the cookies anew
 */
export function deleteRepeated(
  request: RequestPort,
  cookies: CookieSettings,
  isRewritten = false,
): readonly string[] {
  const header = request.header('cookie')
  if (header === undefined) return []
  const names = [header].flat().flatMap((line) => line.split(';').map(toName))
  const rows = [cookies.access, cookies.refresh, cookies.csrf]
  const isRepeated = ({ name }: CookieRow): boolean => names.indexOf(name) !== names.lastIndexOf(name)
  return rows.filter(isRepeated).flatMap((row) => {
    // Browsers keep one such cookie: whatever sent two did not know the prefix.
    const isOnly = /^__host-/i.test(row.name)
    if (isOnly) return isRewritten ? [] : [toSetCookie(row, '', 0)]
    const former = cookies.former.filter(({ name }) => name === row.name)
    const others = toOtherPlaces(request, row).map((attributes) => ({ ...row, attributes }))
    return [...former, ...others].map((place) => toSetCookie(place, '', 0))
  })
}

function toName(pair: string): string {
  return pair.split('=', 1)[0]?.trim() ?? ''
}

/** Where else a request can have got a cookie from, as attributes. */
function toOtherPlaces(request: RequestPort, row: CookieRow): readonly string[] {
  const secure = /^__secure-/i.test(row.name) ? '; Secure' : ''
  const paths = new Set(['/', row.path, ...toPaths(request.url)])
  const domains = ['', ...toDomains(request).map((domain) => `; Domain=${domain}`)]
  const places = [...paths].flatMap((path) => domains.map((domain) => `; Path=${path}${domain}`))
  return places.filter((place) => place !== toPlace(row)).map((place) => `${place}${secure}`)
}

/** The path and the domain at the beginning of a row's attributes. */
function toPlace({ attributes }: CookieRow): string {
  const [, path = '', domain = ''] = /^; Path=([^;]*)(?:; Domain=\.?([^;]*))?/.exec(attributes) ?? []
  return `; Path=${path}${domain === '' ? '' : `; Domain=${domain.toLowerCase()}`}`
}

/** The paths of cookies that a request gets: its own path and those above it. */
function toPaths(url: string): readonly string[] {
  const path = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] ?? ''
  const segments = path.split('/').filter((segment) => /^[\x21-\x3a\x3c-\x7e]+$/.test(segment))
  return segments.slice(0, MOST).map((_, index) => `/${segments.slice(0, index + 1).join('/')}`)
}

/** The domains of cookies that a request gets: its host and those above it. */
function toDomains(request: RequestPort): readonly string[] {
  const host = readOnce(request.header('host'))
  const name = (host ?? (URL.canParse(request.url) ? new URL(request.url).host : '')).toLowerCase()
  const labels = name.replace(/:\d+$/, '').split('.')
  const isName = labels.length > 1 && labels.every((label) => /^[a-z\d-]+$/.test(label))
  if (!isName || /^\d+$/.test(labels.at(-1) ?? '')) return []
  return labels
    .slice(0, -1)
    .map((_, index) => labels.slice(index).join('.'))
    .slice(-MOST)
}
