/**
 * Listeners that users attach for audit. They hear of things after these have happened: a listener that throws, rejects
 * or hangs neither delays nor fails a request.
 */
import { isPromise } from './awaitable.ts'

/** A listener for one kind of event. */
export type Listener<E> = (event: E) => unknown

/** A bag of listeners by the name of their event. */
export type Listeners<Events extends object> = { readonly [K in keyof Events]?: Listener<Events[K]> }

/**
 * Tells the listener of an event, if there is one, and whoever has subscribed to the channel
 * `tokenwright:<name>` of `node:diagnostics_channel`. Nothing is loaded where the runtime has none.
 */
export function emit<Events extends object, K extends keyof Events & string>(
  listeners: Listeners<Events>,
  name: K,
  event: Events[K],
): void {
  const channel = findChannel(name)
  if (channel?.hasSubscribers) guard(() => channel.publish(event))
  const listener = listeners[name]
  if (listener !== undefined) guard(() => listener(event))
}

/** Runs a listener, whose defect is its own. A thenable is awaited: a lazy query runs only then. */
function guard(run: () => unknown): void {
  try {
    const result = run()
    if (isPromise(result)) Promise.resolve(result).catch(() => undefined)
  } catch {
    // Neither delays nor fails the request.
  }
}

/** As much of a channel as is used. */
interface Channel {
  readonly hasSubscribers: boolean
  publish(event: unknown): void
}

const channels = new Map<string, Channel | undefined>()

function findChannel(name: string): Channel | undefined {
  if (!channels.has(name)) channels.set(name, openChannel(`tokenwright:${name}`))
  return channels.get(name)
}

function openChannel(name: string): Channel | undefined {
  try {
    return globalThis.process?.getBuiltinModule?.('node:diagnostics_channel').channel(name)
  } catch {
    return undefined
  }
}
