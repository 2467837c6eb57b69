/**
 * Who a request comes from, as headers for the application behind the proxy. Subjects and scopes
 * are any text, and header values are not: what is not visible ASCII, `%` and `,` are
 * percent-encoded as UTF-8 (RFC 3986 section 2.1), so that `decodeURIComponent` gives the text
 * back. A comma that is left means that a header came twice.
 */

/** The headers of a response to the proxy. */
export const IDENTITY = { subject: 'X-Auth-Subject', scopes: 'X-Auth-Scopes' } as const

/**
 * The longest identity, in characters. nginx reads the headers of a response into one page of
 * memory, and fails when they do not fit.
 */
const MAX_IDENTITY = 3072

/** All but visible ASCII without `%` and `,`. */
const ENCODED = /[^\x21-\x24\x26-\x2b\x2d-\x7e]+/g

/** Writes a text as a part of a header value. */
export function toHeaderText(text: string): string {
  return text.replace(ENCODED, encodeURIComponent)
}

/** The headers of a user; null for an identity that is too long. */
export function toIdentity({
  sub,
  scopes,
}: {
  readonly sub: string
  readonly scopes: readonly string[]
}): Record<string, string> | null {
  const subject = toHeaderText(sub)
  const list = scopes.map(toHeaderText).join(' ')
  if (subject.length + list.length > MAX_IDENTITY) return null
  return { [IDENTITY.subject]: subject, [IDENTITY.scopes]: list }
}
