/*
 * Where the routes of this page are: `/demo` with short lifetimes, or the server's own. page.html
 * says so.
 */

/** The path before every route, without a slash at the end. */
export const BASE: string = document.documentElement.dataset['base'] ?? ''

/** The same for `createAuthClient`. */
export const BASE_URL: string = BASE || '/'

/** Whether the demo users exist. */
export const HAS_DEMO: boolean = BASE !== ''

/** A path of the server without the base. */
export function withoutBase(path: string): string {
  return BASE !== '' && path.startsWith(`${BASE}/`) ? path.slice(BASE.length) : path
}
