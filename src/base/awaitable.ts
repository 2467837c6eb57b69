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

/** What is done with a call of kind `K`: it is attempted, and then entered or refused. Prepared once, so that a call makes no closures. */
export interface Steps<K, T, R> {
  /** What may throw or reject. */
  attempt(call: K): Awaitable<T>
  /** Goes on with what the attempt gave. */
  enter(call: K, value: T): R
  /** Goes on with what it threw. */
  refuse(call: K, error: unknown): R
}

/**
 * Attempts a call, and goes on with its value or its error, be it thrown or rejected. What `enter` and `refuse` throw is not
 * caught, so that nobody is refused for a handler's defect.
 */
export function settle<K, T, R>(call: K, steps: Steps<K, T, R>): R | Promise<Awaited<R>> {
  let value: Awaitable<T>
  try {
    value = steps.attempt(call)
  } catch (error) {
    return steps.refuse(call, error)
  }
  return value instanceof Promise ? settleLate(value, call, steps) : steps.enter(call, value)
}

function settleLate<K, T, R>(value: Promise<T>, call: K, steps: Steps<K, T, R>): Promise<Awaited<R>> {
  return value.then(
    (late) => steps.enter(call, late),
    (error: unknown) => steps.refuse(call, error),
  ) as Promise<Awaited<R>>
}
