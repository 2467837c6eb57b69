/**
 * Scope matching. Pure.
 * A scope is a name with parts between colons, such as `users:read`. `users:*` covers `users` and
 * everything below it; `*` alone covers nothing, so that one character cannot open every route.
 */

/** Whether every required scope is covered. True when nothing is required. */
export function hasAllScopes(granted: readonly string[], required: readonly string[]): boolean {
  return required.every((scope) => hasScope(granted, scope))
}

/** Whether at least one required scope is covered. False when the list is empty. */
export function hasAnyScope(granted: readonly string[], required: readonly string[]): boolean {
  return required.some((scope) => hasScope(granted, scope))
}

/** Whether some granted scope covers the required one. */
export function hasScope(granted: readonly string[], required: string): boolean {
  return granted.some((scope) => covers(scope, required))
}

function covers(granted: string, required: string): boolean {
  if (granted === '*') return false
  if (granted === required) return true
  if (!granted.endsWith(':*')) return false
  const root = granted.slice(0, -2)
  return required === root || required.startsWith(`${root}:`)
}

/** The most scopes of a token; so many of ten characters fill one of 8,192. */
export const MAX_SCOPES = 512

/** The longest scope, in characters. */
const MAX_SCOPE_LENGTH = 256

/**
 * Whether a value is one scope as RFC 6749 section 3.3 spells it: printable ASCII without blank,
 * quote and backslash; 1-256 characters.
 */
export function isScope(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_SCOPE_LENGTH) return false
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i)
    if (c < 0x21 || c > 0x7e || c === 0x22 || c === 0x5c) return false
  }
  return true
}

/** The latest list of scopes, as most tokens have the same ones: they are not read again. */
let latest: readonly string[] = []

/** Whether each item of a list is a scope. */
export function areScopes(items: readonly unknown[]): items is readonly string[] {
  if (isSameList(items, latest)) return true
  for (let i = 0; i < items.length; i++) if (!isScope(items[i])) return false
  latest = [...(items as readonly string[])]
  return true
}

/** Whether two lists have the same items. */
export function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/**
 * Whether a value is scopes in one text, with blanks between them (RFC 6749 section 3.3). Empty for
 * none; further blanks are passed over.
 */
export function isScopeText(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MAX_SCOPES * (MAX_SCOPE_LENGTH + 1)) return false
  const scopes = splitScopes(value)
  return scopes.length <= MAX_SCOPES && scopes.every(isScope)
}

/** The scopes of one text. */
export function splitScopes(text: string): string[] {
  return text.split(' ').filter((scope) => scope !== '')
}
