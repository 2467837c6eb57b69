/**
 * Values that may have to be waited for. What is known at once is returned at once: a promise costs
 * a request one or two turns of the microtask queue, which is more than all checks of a cached
 * token together.
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

/** Passes a value on: at once, or when its promise resolves. */
export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return isPromise(value) ? Promise.resolve(value).then(next) : next(value)
}
