/**
 * The proxies that can ask: one row each, with the headers that say what the client sent, and with
 * the responses that reach the client. And which addresses are such a proxy.
 */
import { BlockList, isIP } from 'node:net'
import type { RequestInfo } from '../../http/request-port.ts'
import { ConfigurationError, expected, isCallable } from '../../internal/configuration-error.ts'

/** The proxy in front of the application. */
export type ForwardProxy = 'nginx' | 'ingress-nginx' | 'traefik' | 'caddy'

/** Whether a request comes from the proxy itself. */
export type TrustProxy = (request: Request, info: RequestInfo | undefined) => boolean

/** How a proxy asks, and what it makes of the response. */
export interface ProxyRow {
  /** The header with the client's method, in lower case. */
  readonly method: string
  /** The header with the client's whole URL; null where it comes in the three below. */
  readonly url: string | null
  /**
   * Whether the proxy passes a refusal on with its status, headers and body. `auth_request` of
   * nginx passes on 401 and 403 alone, without a body, and makes a 500 of any other.
   */
  readonly passesRefusals: boolean
}

/** The headers of the client's URL, where they are several. */
export const FORWARDED = {
  scheme: 'x-forwarded-proto',
  host: 'x-forwarded-host',
  target: 'x-forwarded-uri',
} as const

const X_FORWARDED = { method: 'x-forwarded-method', url: null } as const

/** Every proxy by its name. */
export const PROXIES: Readonly<Record<ForwardProxy, ProxyRow>> = {
  nginx: { ...X_FORWARDED, passesRefusals: false },
  'ingress-nginx': { method: 'x-original-method', url: 'x-original-url', passesRefusals: false },
  traefik: { ...X_FORWARDED, passesRefusals: true },
  caddy: { ...X_FORWARDED, passesRefusals: true },
}

/** Looks up a proxy. @throws {ConfigurationError} for an unknown one */
export function readProxy(name: unknown): ProxyRow {
  if (typeof name === 'string' && Object.hasOwn(PROXIES, name)) return PROXIES[name as ForwardProxy]
  const names = Object.keys(PROXIES).map((known) => `'${known}'`)
  throw new ConfigurationError(expected('proxy', `one of ${names.join(', ')}`, name))
}

/**
 * Prepares the check of who asks.
 *
 * @param trusted addresses and networks in CIDR form, or a function
 * @throws {ConfigurationError} for an empty list, for what is no address, and for a network of all
 *   addresses
 */
export function readTrusted(trusted: unknown): TrustProxy {
  if (isCallable(trusted)) return (request, info) => (trusted as TrustProxy)(request, info) === true
  const wanted = "the addresses of the proxy, such as ['127.0.0.1', '10.0.0.0/8'], or a function"
  if (!Array.isArray(trusted) || trusted.length === 0)
    throw new ConfigurationError(expected('trusted', wanted, trusted))
  const list = new BlockList()
  for (const [index, entry] of trusted.entries()) {
    if (!addNetwork(list, entry))
      throw new ConfigurationError(
        expected(`trusted[${index}]`, "an address or a network such as '10.0.0.0/8'", entry),
      )
  }
  return (_request, info) => {
    const address = info?.address
    const family = isIP(address ?? '')
    return address !== undefined && family !== 0 && list.check(address, toFamily(family))
  }
}

/** Adds an address or a network to a list; false for anything else. */
function addNetwork(list: BlockList, entry: unknown): boolean {
  const [address = '', prefix, ...rest] = typeof entry === 'string' ? entry.split('/') : []
  const family = isIP(address)
  const longest = family === 4 ? 32 : 128
  const length = prefix === undefined ? longest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : 0
  // A network of all addresses would believe any client.
  if (family === 0 || rest.length > 0 || length < 1 || length > longest) return false
  list.addSubnet(address, length, toFamily(family))
  return true
}

function toFamily(family: number): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6'
}
