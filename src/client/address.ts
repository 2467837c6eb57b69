/**
 * Where the server is, as seen from the page: which of the application's addresses are its, whether
 * the page is of the same origin, and why the browser may refuse its cookies.
 */
import type { Platform } from './platform.ts'

/**
 * The address outside a page where none is given, so that a client can be created while a server
 * renders. It never resolves (RFC 6761 section 6.4), and says in the cause what is missing.
 */
const MISSING = 'https://baseurl-is-missing.invalid'

export interface Address {
  /** The server's address. */
  readonly base: URL
  /** What stands before the path of a request: the origin, and the path of `baseUrl`. */
  readonly prefix: string
  /** Whether the page is of the same origin. */
  readonly isOwn: boolean
  /** The address that a path or a relative address of the application means. */
  resolve(input: string | URL): string
  /** Why the browser did not keep the cookies, as far as a page can know. */
  explainRefusal(): 'http' | 'third-party' | 'domain'
}

/** @throws {TypeError} for what is neither a URL nor a path */
export function openAddress(baseUrl = '', { location, isFramed }: Platform): Address {
  const page = location ? new URL(location) : undefined
  // A path alone has a meaning in a page only.
  const base = new URL(baseUrl, page ?? (/^[^./]/.test(baseUrl) ? undefined : MISSING))
  const prefix = base.origin + (baseUrl && base.pathname.replace(/\/$/, ''))
  return {
    base,
    prefix,
    isOwn: page?.origin === base.origin,
    resolve: (input) => {
      const isPath = baseUrl && !/^(\w[\w+.-]*:|\/\/)/.test(String(input))
      return new URL(isPath ? `${prefix}/${String(input).replace(/^\//, '')}` : input, base).href
    },
    explainRefusal: () => {
      if (base.protocol === 'http:') return 'http'
      const isForeign = page && toSite(page) !== toSite(base)
      return isFramed || isForeign ? 'third-party' : 'domain'
    },
  }
}

/** The part of a host name that a site has in common, for most sites. */
function toSite({ hostname }: URL): string {
  return hostname.split('.').slice(-2).join('.')
}
