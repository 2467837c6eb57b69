/**
 * What the client tells: each change of its state, the named events, and with `debug` each decision
 * in one line. Never a token.
 */
import type { ClientContext } from './context.ts'
import type { AuthClientEvents } from './options.ts'

/** The named events, and any change of the state. */
export interface AllEvents extends AuthClientEvents {
  readonly change: undefined
}

/** Calls back at each event of that name. Returns a function that ends this. */
export function on<E extends keyof AllEvents>(
  { listeners }: ClientContext,
  name: E,
  listener: (detail: AllEvents[E]) => void,
): () => void {
  const entry = [name, listener] as const
  listeners.add(entry)
  return () => listeners.delete(entry)
}

/** Tells of an event. */
export function raise<E extends keyof AllEvents>(
  { listeners }: ClientContext,
  name: E,
  detail: AllEvents[E],
): void {
  // In a microtask, so that an error of a listener is reported as its own and stops nothing here.
  for (const [wanted, listener] of listeners)
    if (wanted === name) queueMicrotask(() => listener(detail as never))
}

/** Prints a decision. */
export function note(client: ClientContext, ...words: readonly unknown[]): void {
  if (client.debug) console.info('tokenwright:', ...words)
}
