/**
 * Header grammar that several modules of `http/` share: tokens, optional white space and fields
 * that came more than once (RFC 9110 sections 5.3, 5.6.2, 5.6.3). Every scan is linear and looks
 * for exact ASCII characters: `trim()` and `\s` would treat U+00A0 as a space, and a cookie named
 * U+00A0 + `__Host-x` would then pass for `__Host-x` (CVE-2026-39410).
 */

/** RFC 9110 section 5.6.2, and the same for cookie names (RFC 6265 section 4.1.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Whether a text is a `token`: the form of header names, cookie names and schemes. */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && TOKEN.test(text)
}

/** Whether the character at an index is a space or a tab; false beyond either end. */
export function isBlank(text: string, index: number): boolean {
  const code = text.charCodeAt(index)
  return code === 0x20 || code === 0x09
}

/** The part of a text between two indexes without the spaces and tabs around it. */
export function trimBlanks(text: string, start: number, end: number): string {
  let first = start
  let last = end
  while (first < last && isBlank(text, first)) first++
  while (last > first && isBlank(text, last - 1)) last--
  return text.slice(first, last)
}

/**
 * The value of a header that may come only once: undefined when it is absent, null when it came
 * several times.
 */
export function readOnce(value: string | readonly string[] | undefined): string | null | undefined {
  if (value === undefined || typeof value === 'string') return value
  return value.length > 1 ? null : value[0]
}
