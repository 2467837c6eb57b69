/**
 * Values that may have to be waited for. What can be answered at once is answered at once: a promise costs a request one or two turns
 * of the microtask queue, which is more than all checks of a remembered token together.
 */

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>

/** Goes on with a value: at once, or when its promise is kept. */
export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/**
 * Attempts something, and goes on with its value or its error, be it thrown or rejected. What `enter` and `refuse` throw is not
 * caught, so that nobody is refused for a handler's defect.
 */
export function settle<T, R, S>(
  attempt: () => Awaitable<T>,
  enter: (value: T) => R,
  refuse: (error: unknown) => S,
): R | S | Promise<Awaited<R | S>> {
  let value: Awaitable<T>
  try {
    value = attempt()
  } catch (error) {
    return refuse(error)
  }
  return value instanceof Promise ? (value.then(enter, refuse) as Promise<Awaited<R | S>>) : enter(value)
}
