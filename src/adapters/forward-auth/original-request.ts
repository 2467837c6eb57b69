/**
 * The client's request behind the one that a proxy asks with: its method, origin, host and target,
 * as the proxy says them. All other headers are the client's own. What the proxy does not say is
 * not guessed: without a method the request counts as one that changes something.
 */
import type { RequestPort } from '../../http/request-port.ts'
import { isAuthority } from '../../http/request-target.ts'
import { isToken } from '../../http/syntax.ts'
import { FORWARDED, type ProxyRow } from './proxies.ts'

/** The parts of the client's URL; undefined for what is missing or malformed. */
interface OriginalUrl {
  readonly scheme: string | undefined
  readonly host: string | undefined
  readonly target: string | undefined
}

/** The method of a request whose proxy does not say it. No safe method has this name. */
export const UNKNOWN_METHOD: string = ''

/**
 * Headers that only a handshake has, and that proxies pass on. They take out `Upgrade`, which
 * belongs to a connection (RFC 9110 section 7.6.1).
 */
const HANDSHAKE = ['sec-websocket-key', 'sec-websocket-version'] as const

/** Schemes of a URL, as proxies write them; some call a handshake `wss`. */
const SCHEMES: Readonly<Record<string, 'http' | 'https'>> = {
  http: 'http',
  https: 'https',
  ws: 'http',
  wss: 'https',
}

/** Reads the client's request. @param request the request of a trusted proxy */
export function toOriginalRequest({ headers }: Request, row: ProxyRow): RequestPort {
  const read = (name: string): string | undefined => headers.get(name) ?? undefined
  const { scheme, host, target } = row.url === null ? readForwarded(read) : parseUrl(read(row.url))
  const method = read(row.method)
  const origin = scheme && host ? new URL(`${scheme}://${host}`).origin : undefined
  const isHandshake = HANDSHAKE.some((name) => headers.has(name))
  return {
    // Methods are case-sensitive (RFC 9110 section 9.1): `get` is not known to be safe.
    method: isToken(method) ? method : UNKNOWN_METHOD,
    url: target ?? '/',
    origin,
    header(name) {
      if (name === 'host') return host
      if (name === 'upgrade') return isHandshake ? 'websocket' : undefined
      return read(name)
    },
    address: read('x-forwarded-for')?.split(',').at(-1)?.trim(),
  }
}

/** The parts where each has a header. One that came twice has a comma, and no such form. */
function readForwarded(read: (name: string) => string | undefined): OriginalUrl {
  const scheme = read(FORWARDED.scheme)?.toLowerCase() ?? ''
  const host = read(FORWARDED.host)
  const target = read(FORWARDED.target)
  return {
    scheme: Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined,
    host: host !== undefined && isAuthority(host) ? host : undefined,
    target: target?.startsWith('/') ? target : undefined,
  }
}

/** The parts of a whole URL. */
function parseUrl(url: string | undefined): OriginalUrl {
  const [, scheme = '', host = '', target = ''] = /^(https?|wss?):\/\/([^/?#]*)(.*)$/i.exec(url ?? '') ?? []
  const isWhole = isAuthority(host)
  return {
    scheme: isWhole ? SCHEMES[scheme.toLowerCase()] : undefined,
    host: isWhole ? host : undefined,
    target: isWhole ? target : undefined,
  }
}
