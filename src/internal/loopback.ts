/** Names and addresses of this machine (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3). */

/**
 * Whether the host of a URL is this machine: `localhost`, a name below it, 127.0.0.0/8, `[::1]`.
 *
 * @param hostname as `URL` spells it: in lower case, IPv6 in brackets
 */
export function isLoopback(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
}
