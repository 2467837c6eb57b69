/**
 * Addresses as limits see them: an IPv4 address by itself, an IPv6 address by its /64, which is what one customer has at the least
 * (RFC 6177). An IPv4 address in IPv6 form is the IPv4 address (RFC 4291 section 2.5.5.2).
 */

/** The longest text that is taken for an address, in characters. */
const MAX_ADDRESS = 64

/** The eight groups of an IPv6 address, without leading zeros; whatever is written wrongly stays as it is. */
function toGroups(address: string): string[] {
  const [head = '', tail] = address.split('::', 2)
  const read = (part: string): string[] =>
    part.split(':').flatMap((group) => (group === '' ? [] : toSixteenBits(group)))
  const left = read(head)
  const right = tail === undefined ? [] : read(tail)
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  return [...left, ...Array<string>(gap).fill('0'), ...right]
}

/** A group as it is, and the dotted end of an address as two groups. */
function toSixteenBits(group: string): string[] {
  if (!group.includes('.')) return [group.replace(/^0+(?=.)/, '')]
  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
  return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)]
}

/** Two groups as the end of an IPv4 address in IPv6 form. */
function toDotted(high: string, low: string): string {
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return bits.flatMap((group) => [group >> 8, group & 255]).join('.')
}

/**
 * The network that an address is counted by.
 *
 * @param address IPv4 or IPv6, with or without a zone; any other text stands for itself
 */
export function toIpPrefix(address: string): string {
  const [bare = ''] = address.slice(0, MAX_ADDRESS).trim().toLowerCase().split('%', 1)
  if (!bare.includes(':')) return bare
  const groups = toGroups(bare)
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff' && groups.length === 8
  return isMapped ? toDotted(groups[6] ?? '', groups[7] ?? '') : `${groups.slice(0, 4).join(':')}::/64`
}
