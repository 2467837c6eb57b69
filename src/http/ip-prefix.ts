/**
 * Addresses as limits count them: an IPv4 address by itself, an IPv6 address by its /64, the
 * smallest network of a customer (RFC 6177). An IPv4 address in IPv6 form counts as the IPv4
 * address (RFC 4291 section 2.5.5.2).
 */

/** The longest text that can be an address, in characters. */
const MAX_ADDRESS = 64

/** The one network of all texts that are not an address: varying the text evades no limit. */
export const UNKNOWN_NETWORK: string = 'unknown'

/**
 * The network that an address is counted by.
 *
 * @param address IPv4 or IPv6, with or without a zone, a port or brackets
 * @returns `UNKNOWN_NETWORK` for any other text
 */
export function toIpPrefix(address: string): string {
  const text = address.length > MAX_ADDRESS ? '' : address.trim().toLowerCase()
  const [, bracketed = text] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text) ?? []
  const [bare = ''] = bracketed.split('%', 1)
  if (!bare.includes(':') || /^[\d.]+:\d{1,5}$/.test(bare)) return toIpv4(bare.split(':', 1)[0] ?? '')
  const groups = toGroups(bare)
  if (groups === null) return UNKNOWN_NETWORK
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff'
  return isMapped ? toDotted(groups[6] ?? '', groups[7] ?? '') : `${groups.slice(0, 4).join(':')}::/64`
}

function toIpv4(text: string): string {
  return readIpv4(text) === null ? UNKNOWN_NETWORK : text
}

/** The four bytes of an IPv4 address; null for anything else. */
function readIpv4(text: string): readonly number[] | null {
  const parts = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) ? text.split('.').map(Number) : []
  return parts.length === 4 && parts.every((part) => part <= 255) ? parts : null
}

/** The eight groups of an IPv6 address, without leading zeros; null for anything else. */
function toGroups(address: string): readonly string[] | null {
  const halves = address.split('::')
  if (halves.length > 2) return null
  const [left = [], right] = halves.map((half) =>
    half === '' ? [] : half.split(':').flatMap((group) => toSixteenBits(group)),
  )
  const gap = right === undefined ? 0 : 8 - left.length - right.length
  if (gap < (right === undefined ? 0 : 1)) return null
  const groups = [...left, ...Array<string>(gap).fill('0'), ...(right ?? [])]
  return groups.length === 8 && groups.every((group) => /^[\da-f]{1,4}$/.test(group)) ? groups : null
}

/** A group, or the dotted end of an address as two groups. */
function toSixteenBits(group: string): readonly string[] {
  const ipv4 = readIpv4(group)
  if (ipv4 === null) return [group.replace(/^0+(?=.)/, '')]
  const [a = 0, b = 0, c = 0, d = 0] = ipv4
  return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)]
}

/** Two groups as the end of an IPv4 address in IPv6 form. */
function toDotted(high: string, low: string): string {
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return bits.flatMap((group) => [group >> 8, group & 255]).join('.')
}
