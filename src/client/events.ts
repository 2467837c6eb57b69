/**
 * What the client tells: each change of its state, the named events, and with `debug` each decision
 * in one line. Never a token.
 */
import type { AuthClientEvents } from './options.ts'

/** The named events, and any change of the state. */
interface AllEvents extends AuthClientEvents {
  readonly change: undefined
}

export interface Events {
  /** Calls back at each event of that name. Returns a function that ends this. */
  on<E extends keyof AllEvents>(name: E, listener: (detail: AllEvents[E]) => void): () => void
  /** Tells of an event. Returns whether anyone listens. */
  emit<E extends keyof AllEvents>(name: E, detail: AllEvents[E]): boolean
  /** Prints a decision. */
  note(...words: readonly unknown[]): void
  /** Removes all listeners. */
  clear(): void
}

export function createEvents(debug: boolean | undefined): Events {
  const listeners = new Set<readonly [string, (detail: never) => void]>()
  return {
    on(name, listener) {
      const entry = [name, listener] as const
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
    emit(name, detail) {
      let hasListener = false
      for (const [wanted, listener] of listeners)
        if (wanted === name) {
          hasListener = true
          // In a microtask, so that an error of a listener is reported as its own and stops nothing
          // here.
          queueMicrotask(() => listener(detail as never))
        }
      return hasListener
    },
    note: (...words) => debug && console.info('tokenwright:', ...words),
    clear: () => listeners.clear(),
  }
}
