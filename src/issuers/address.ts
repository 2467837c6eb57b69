/**
 * Which addresses may be fetched: https, or http on this machine; no user or password in the URL;
 * no private network unless allowed. A name is resolved first, and refused if any of its addresses
 * is private. The connection resolves it again: a name that changes in between gets no further than
 * the TLS handshake, as no private host has a certificate for it.
 */
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { ExchangeError } from '../internal/exchange.ts'
import { isLoopback } from '../internal/loopback.ts'

/** What may be fetched. */
export interface AddressRules {
  /** Whether addresses of private networks are allowed. */
  readonly allowPrivate: boolean
  /** Whether addresses of this machine are allowed. */
  readonly allowLoopback: boolean
  /** Resolves a name to all of its addresses; null where something else connects, as a proxy. */
  readonly resolve: ((host: string) => Promise<readonly string[]>) | null
}

/**
 * Reads the URL of an option.
 *
 * @throws {ConfigurationError} for anything but an https URL, or an http URL of this machine
 */
export function readUrl(name: string, value: unknown): URL {
  const url = typeof value === 'string' ? (URL.parse?.(value) ?? parse(value)) : null
  if (url === null) throw new ConfigurationError(expected(name, 'an https URL', value))
  const problem = findProblem(url)
  if (problem !== undefined)
    throw new ConfigurationError(`Expected \`${name}\` to be an https URL, ${problem}`)
  return url
}

function parse(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

/** What is wrong with a URL, whatever it leads to; undefined for nothing. */
export function findProblem(url: URL): string | undefined {
  if (url.username !== '' || url.password !== '') return 'got one with a user or password'
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return undefined
  return url.protocol === 'http:' ? 'got http, which is for this machine only' : 'got another scheme'
}

/** Checks what a URL leads to. @throws {ExchangeError} that says why it is not fetched */
export async function checkAddress(
  url: URL,
  { allowPrivate, allowLoopback, resolve }: AddressRules,
): Promise<void> {
  const problem = findProblem(url)
  if (problem !== undefined) throw new ExchangeError(`Expected https of ${url.host}, ${problem}`)
  if (isLoopback(url.hostname)) {
    if (allowLoopback || allowPrivate) return
    throw new ExchangeError(`${url.host} is this machine, and the issuer is not`)
  }
  if (allowPrivate) return
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isLiteral = host.includes(':') || /^[\d.]+$/.test(host)
  const addresses = isLiteral ? [host] : await resolveName(host, resolve)
  if (addresses.some(isPrivateAddress))
    throw new ExchangeError(`${url.host} is an address of a private network: \`allowPrivate\` allows it`)
}

async function resolveName(host: string, resolve: AddressRules['resolve']): Promise<readonly string[]> {
  try {
    return (await resolve?.(host)) ?? []
  } catch (error) {
    const { code = 'no reason' } = Object(error) as { readonly code?: unknown }
    throw new ExchangeError(
      `${host} has no address (${String(code)}): behind a proxy that resolves names, give \`fetch\``,
    )
  }
}

/** Resolves a name by the system, where the runtime can; else there is nothing to check. */
export async function resolveBySystem(host: string): Promise<readonly string[]> {
  const dns = await import('node:dns').catch(() => null)
  if (typeof dns?.promises?.lookup !== 'function') return []
  try {
    return (await dns.promises.lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    // Workers have the module without the function, and reach no private network.
    if ((error as { code?: unknown }).code === 'ERR_METHOD_NOT_IMPLEMENTED') return []
    throw error
  }
}

/** The IPv4 networks that are not public (RFC 6890), as first address and prefix length. */
const PRIVATE_V4: readonly (readonly [number, number])[] = [
  [toNumber([0, 0, 0, 0]), 8],
  [toNumber([10, 0, 0, 0]), 8],
  [toNumber([100, 64, 0, 0]), 10],
  [toNumber([127, 0, 0, 0]), 8],
  [toNumber([169, 254, 0, 0]), 16],
  [toNumber([172, 16, 0, 0]), 12],
  [toNumber([192, 0, 0, 0]), 24],
  [toNumber([192, 0, 2, 0]), 24],
  [toNumber([192, 88, 99, 0]), 24],
  [toNumber([192, 168, 0, 0]), 16],
  [toNumber([198, 18, 0, 0]), 15],
  [toNumber([198, 51, 100, 0]), 24],
  [toNumber([203, 0, 113, 0]), 24],
  [toNumber([224, 0, 0, 0]), 3],
]

function toNumber(octets: readonly number[]): number {
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}

/** Whether an IP address is not a public one. What is no address counts as private. */
export function isPrivateAddress(address: string): boolean {
  const v4 = readV4(address)
  if (v4 !== undefined) return isPrivateV4(v4)
  const groups = readV6(address)
  if (groups === undefined) return true
  const [a = 0, b = 0, c, d, e, f, g = 0, h = 0] = groups
  const embedded = g * 65_536 + h
  // IPv4 inside of IPv6: mapped (RFC 4291 section 2.5.5.2) and translated (RFC 6052 section 2.1).
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff) return isPrivateV4(embedded)
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) return isPrivateV4(embedded)
  // Only 2000::/3 is global unicast; in it are Teredo, documentation and 6to4.
  return a >> 13 !== 1 || (a === 0x2001 && (b < 0x200 || b === 0xdb8)) || a === 0x2002
}

function isPrivateV4(address: number): boolean {
  return PRIVATE_V4.some(([first, length]) => address - first >= 0 && address - first < 2 ** (32 - length))
}

function readV4(text: string): number | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number)
  return octets?.every((octet) => octet < 256) ? toNumber(octets) : undefined
}

/** The eight groups of an IPv6 address, in any spelling; undefined for anything else. */
function readV6(text: string): readonly number[] | undefined {
  const url = parse(`http://[${text.replace(/%.*/s, '')}]/`)
  const halves = url?.hostname.slice(1, -1).split('::')
  if (halves === undefined) return undefined
  const [head = [], tail = []] = halves.map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16))
}
