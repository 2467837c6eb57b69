/**
 * Values that may be promises. An authenticator returns the payload of a cached token at once, as a
 * promise costs a request more than all checks of that token. So guards look at its result, as they
 * do at those of the application's functions; everything else is `async`.
 */

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>

/**
 * Whether a value is a promise, or anything else with a `then` method. `instanceof` says no to the
 * promises of another realm, such as that of a test runner, and to the queries of database
 * libraries, which start when `then` is called.
 */
export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return typeof (value as { readonly then?: unknown }).then === 'function'
}
