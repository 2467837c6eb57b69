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
 * What is done with a call of kind `K`: it is attempted, what was found is attached, and then it is entered or refused. Prepared once, so that
 * a call makes no closures.
 */
export interface Steps<K, T, R> {
  /** What may throw or reject. */
  attempt(call: K): Awaitable<T>
  /** Puts what the attempt gave where the next step finds it, if it gave anything; may throw, too. */
  attach?(call: K, value: T): void
  /** Goes on. */
  enter(call: K): R
  /** Goes on with what was thrown. */
  refuse(call: K, error: unknown): R
}

/**
 * Attempts a call, and goes on with what it gave or with its error, be it thrown or rejected. What `enter` and `refuse` throw is not
 * caught, so that nobody is refused for a handler's defect.
 */
export function settle<K, T, R>(call: K, steps: Steps<K, T, R>): R | Promise<Awaited<R>> {
  try {
    const value = steps.attempt(call)
    if (value instanceof Promise) return settleLate(value, call, steps)
    steps.attach?.(call, value)
  } catch (error) {
    return steps.refuse(call, error)
  }
  return steps.enter(call)
}

async function settleLate<K, T, R>(value: Promise<T>, call: K, steps: Steps<K, T, R>): Promise<Awaited<R>> {
  try {
    const late = await value
    steps.attach?.(call, late)
  } catch (error) {
    return await steps.refuse(call, error)
  }
  return await steps.enter(call)
}
