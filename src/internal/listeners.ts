/**
 * Listeners that users attach for audit. They hear of things after these have happened: a listener that throws, rejects
 * or hangs neither delays nor fails a request.
 */

import { isPromise } from './awaitable.ts'

/** A listener for one kind of event. */
export type Listener<E> = (event: E) => unknown

/** A bag of listeners by the name of their event. */
export type Listeners<Events extends object> = { readonly [K in keyof Events]?: Listener<Events[K]> }

/** Tells the listener of an event, if there is one. */
export function emit<Events extends object, K extends keyof Events>(
  listeners: Listeners<Events>,
  name: K,
  event: Events[K],
): void {
  const listener = listeners[name]
  if (listener === undefined) return
  try {
    const result = listener(event)
    // A query of a database library starts when it is waited for, and what it rejects with must be caught.
    if (isPromise(result)) Promise.resolve(result).catch(() => undefined)
  } catch {
    // A listener's defect is its own.
  }
}
