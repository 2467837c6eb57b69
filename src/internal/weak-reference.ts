/**
 * References that keep nothing alive, for timers: a timer's function lives as long as the timer,
 * and with it all that the function can reach.
 */

/** What `WeakRef` has. */
export interface WeakReference<T extends object> {
  /** The value; undefined once it is gone. */
  deref(): T | undefined
}

/** Refers to a value without keeping it alive; some Workers lack `WeakRef`, and there it does. */
export function toWeakReference<T extends object>(value: T): WeakReference<T> {
  return typeof WeakRef === 'function' ? new WeakRef(value) : { deref: () => value }
}
