/**
 * The address of a client behind proxies. Anyone may send `X-Forwarded-For`, so it is read from its
 * end, where the last proxy writes, and only as far as proxies are trusted. What stands before is a
 * claim of the client.
 */
import { BlockList, isIP } from 'node:net'
import { ConfigurationError } from 'tokenwright'
import { quote } from './address.ts'

/** Which proxies are trusted: so many in a row, or those with these addresses. */
export type TrustedProxies = { readonly hops: number } | { readonly has: (address: string) => boolean }

const VARIABLE = 'TOKENWRIGHT_TRUST_PROXY'

/** The most proxies in a row. */
const MOST_HOPS = 16

/** Reads `TOKENWRIGHT_TRUST_PROXY`. Undefined if it is empty. */
export function readTrust(text = ''): TrustedProxies | undefined {
  if (text === '') return undefined
  if (/^\d{1,2}$/.test(text)) {
    const hops = Number(text)
    if (hops >= 1 && hops <= MOST_HOPS) return { hops }
  }
  const list = new BlockList()
  for (const part of text.split(',')) addRange(list, part.trim())
  return { has: (address) => list.check(address, familyOf(address)) }
}

function addRange(list: BlockList, text: string): void {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const isGood = version !== 0 && more.length === 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
  const prefix = bits === undefined ? most : Number(bits)
  // A range of everything would let each client say what its address is.
  if (!isGood || prefix > most || prefix === 0)
    throw new ConfigurationError(
      `${VARIABLE} must be how many proxies stand in a row, from 1 to ${MOST_HOPS}, or their addresses such as ` +
        `10.0.0.0/8,::1, got ${quote(text)}`,
    )
  list.addSubnet(address, prefix, familyOf(address))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/**
 * The address of the client.
 *
 * @param connection the address of the connection
 * @param forwarded the header `X-Forwarded-For`
 */
export function toClientAddress(
  connection: string | undefined,
  forwarded: string | undefined,
  trusted: TrustedProxies | undefined,
): string | undefined {
  if (connection === undefined || trusted === undefined) return connection
  // The nearest first: each was written by the one before it.
  const claims = (forwarded ?? '').split(',').reverse()
  let address = toPlain(connection)
  for (let hop = 0; hop < claims.length; hop++) {
    if ('hops' in trusted ? hop >= trusted.hops : !trusted.has(address)) break
    const claimed = toPlain(claims[hop] ?? '')
    // What is no address was not written by a proxy.
    if (isIP(claimed) === 0) break
    address = claimed
  }
  return address
}

/** Without a port, brackets, and the form of IPv6 for an IPv4 address, as dual sockets have it. */
function toPlain(text: string): string {
  const address = text.trim().replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
  const mapped = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return mapped.replace(/^([\d.]+):\d+$/, '$1')
}
