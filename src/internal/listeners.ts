/**
 * Listeners that users attach for audit. They are called after the fact: a listener that throws,
 * rejects or hangs neither delays nor fails a request.
 */
import { isPromise } from './awaitable.ts'

/** A listener for one kind of event. */
export type Listener<E> = (event: E) => unknown

/** Listeners by the name of their event. */
export type Listeners<Events extends object> = { readonly [K in keyof Events]?: Listener<Events[K]> }

/** Is told of every event of one application. */
export interface EventObserver {
  /** Is told of one event. It may throw, as listeners may. */
  event(name: string, event: object): void
}

/** Where listeners keep the observers of their application: a property, as events are frequent. */
const OBSERVERS = Symbol('observers')

/** The listeners of one application, with its observers. */
interface Observed {
  [OBSERVERS]?: readonly EventObserver[]
}

/**
 * Lets the observers of an application know of its events, too.
 *
 * @param listeners those of one application, and of no other
 */
export function observeEvents(listeners: object, observers: readonly EventObserver[]): void {
  const observed: Observed = listeners
  observed[OBSERVERS] = observers
}

/**
 * Passes an event to its listener, if there is one, to the observers of the application, and to the
 * subscribers of the channel `tokenwright:<name>` of `node:diagnostics_channel`, where the runtime
 * has that module.
 */
export function emit<Events extends object, K extends keyof Events & string>(
  listeners: Listeners<Events>,
  name: K,
  event: Events[K],
): void {
  const channel = findChannel(name)
  if (channel?.hasSubscribers) ignoreErrors(() => channel.publish(event))
  const listener = listeners[name]
  if (listener !== undefined) ignoreErrors(() => listener(event))
  const observers = (listeners as Observed)[OBSERVERS]
  if (observers === undefined || observers.length === 0) return
  for (const observer of observers) ignoreErrors(() => observer.event(name, event as object))
}

/** Whether an event has a listener or a subscriber now. */
export function hasListener<Events extends object>(
  listeners: Listeners<Events>,
  name: keyof Events & string,
): boolean {
  return listeners[name] !== undefined || findChannel(name)?.hasSubscribers === true
}

/** Runs a listener. A thenable is awaited, because a lazy query runs only then. */
function ignoreErrors(run: () => unknown): void {
  try {
    const result = run()
    if (isPromise(result)) Promise.resolve(result).catch(() => undefined)
  } catch {
    // Neither delays nor fails the request.
  }
}

/** The members of a channel that are used here. */
interface Channel {
  readonly hasSubscribers: boolean
  publish(event: unknown): void
}

/** The opened channels by the name of their event; null where the runtime has none. */
const channels = new Map<string, Channel | null>()

function findChannel(name: string): Channel | null {
  const known = channels.get(name)
  if (known !== undefined) return known
  const channel = openChannel(`tokenwright:${name}`)
  channels.set(name, channel)
  return channel
}

function openChannel(name: string): Channel | null {
  try {
    return globalThis.process?.getBuiltinModule?.('node:diagnostics_channel').channel(name) ?? null
  } catch {
    return null
  }
}
