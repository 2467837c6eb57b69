/**
 * The operations of one application that can be watched from their beginning to their end, beside
 * the events of `listeners.ts`: by the observers of the application, and by the subscribers of a
 * tracing channel of `node:diagnostics_channel`, where the runtime has that module. One that is not
 * watched costs one question.
 */
import { type EventObserver, observeEvents } from './listeners.ts'
import { monotonic } from './monotonic-clock.ts'

/** What is known of every operation. What it says last is known when it ends. */
export interface OperationFacts {
  /** How long it took, in seconds; null until it has ended. */
  duration: number | null
}

/** Watches one application. */
export interface Observer extends EventObserver {
  /**
   * Runs an operation, exactly once, and returns its promise. The facts are whole when it ends.
   *
   * @param channel the operation, such as `'tokenwright:store'`
   */
  around<T>(channel: string, facts: OperationFacts, run: () => Promise<T>): Promise<T>
}

/** The observers of one application, and what they watch. */
export class Diagnostics {
  readonly #observers: Observer[] = []

  /** @param listeners those of the application, and of no other */
  constructor(listeners: object) {
    observeEvents(listeners, this.#observers)
  }

  /** Adds an observer, until the function is called that this returns. */
  observe(observer: Observer): () => void {
    this.#observers.push(observer)
    return () => {
      const index = this.#observers.indexOf(observer)
      if (index >= 0) this.#observers.splice(index, 1)
    }
  }

  /** Prepares one kind of operation. @param name the name of its tracing channel */
  operation<Facts extends OperationFacts>(name: string): Operation<Facts> {
    return new Operation(name, this.#observers)
  }
}

/** One kind of operation of one application. */
export class Operation<Facts extends OperationFacts> {
  readonly #name: string
  readonly #observers: readonly Observer[]
  readonly #channel: TracingChannel | null

  /** @param observers of the application: the same array for as long as it lives */
  constructor(name: string, observers: readonly Observer[]) {
    this.#name = name
    this.#observers = observers
    this.#channel = openChannel(name)
  }

  /** Whether anyone watches now. Ask before the facts are put together. */
  get isWatched(): boolean {
    return this.#observers.length > 0 || (this.#channel !== null && hasSubscribers(this.#channel))
  }

  /** Runs an operation before the eyes of all who watch. */
  run<T>(facts: Facts, work: () => Promise<T>): Promise<T> {
    const startedAt = monotonic()
    let run = async (): Promise<T> => {
      try {
        return await work()
      } finally {
        facts.duration = monotonic() - startedAt
      }
    }
    if (this.#channel !== null && hasSubscribers(this.#channel)) run = traceOn(this.#channel, facts, run)
    for (const observer of this.#observers) {
      const inner = run
      run = () => observer.around(this.#name, facts, inner)
    }
    return run()
  }
}

/** The channels that a tracing channel is made of. */
type Phase = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error'

/** The members of a tracing channel that are used here. */
interface TracingChannel extends Readonly<Record<Phase, { readonly hasSubscribers: boolean }>> {
  readonly hasSubscribers?: boolean
  tracePromise(run: () => Promise<void>, message: object): unknown
}

/** A tracing channel of Bun 1.4 does not say it of itself. Not a loop, as every request asks. */
function hasSubscribers(channel: TracingChannel): boolean {
  const { hasSubscribers } = channel
  if (hasSubscribers !== undefined) return hasSubscribers
  const { start, end, asyncStart, asyncEnd, error } = channel
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}

/** Publishes an operation. Its result is kept back: it may hold a token. */
function traceOn<T>(channel: TracingChannel, facts: object, run: () => Promise<T>): () => Promise<T> {
  return async () => {
    let result: { readonly value: T } | undefined
    await channel.tracePromise(async () => {
      result = { value: await run() }
    }, facts)
    return (result as { readonly value: T }).value
  }
}

/** The opened channels by their name, as several applications have the same; null for none. */
const channels = new Map<string, TracingChannel | null>()

function openChannel(name: string): TracingChannel | null {
  const known = channels.get(name)
  if (known !== undefined) return known
  let channel: TracingChannel | null = null
  try {
    channel = globalThis.process?.getBuiltinModule?.('node:diagnostics_channel').tracingChannel(name) ?? null
  } catch {
    // A runtime without tracing channels has none to subscribe to.
  }
  channels.set(name, channel)
  return channel
}
