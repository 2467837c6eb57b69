/**
 * The time of the simulator. Virtual time jumps from event to event, so hours pass in seconds; it
 * is for a target that reads this clock. Real time, at a speed, is for a target with its own clock.
 * Events at the same moment run together.
 */

/** What runs at a moment. */
export type Action = () => void | Promise<void>

/** A queue of future events. */
export interface Timeline {
  /** The current time in epoch seconds. */
  readonly now: () => number
  /** Schedules an action in `after` seconds. */
  readonly after: (after: number, action: Action) => void
  /** Runs all scheduled actions, and those that they schedule. */
  readonly run: () => Promise<void>
}

interface TimedEvent {
  readonly at: number
  readonly action: Action
}

/** Inserts an event in the order of time, the next event last. */
function insert(events: TimedEvent[], event: TimedEvent): void {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.at ?? 0) > event.at) low = middle + 1
    else high = middle
  }
  events.splice(low, 0, event)
}

/** Creates a timeline of virtual time. */
export function createVirtualTimeline(start: number): Timeline {
  const events: TimedEvent[] = []
  let now = start
  return {
    now: () => now,
    after: (after, action) => insert(events, { at: now + Math.max(0, after), action }),
    async run() {
      for (let next = events.at(-1); next !== undefined; next = events.at(-1)) {
        now = next.at
        const together: TimedEvent[] = []
        while (events.at(-1)?.at === now) together.push(events.pop() as TimedEvent)
        await Promise.all(together.map(({ action }) => action()))
      }
    },
  }
}

/** The longest sleep between two checks, in seconds. */
const LONGEST_SLEEP = 0.005

/**
 * Creates a timeline of real time.
 *
 * @param speed simulated seconds per real second
 */
export function createRealTimeline(speed: number): Timeline {
  const events: TimedEvent[] = []
  const started = { at: Date.now() / 1000, mark: performance.now() / 1000 }
  const now = (): number => started.at + (performance.now() / 1000 - started.mark) * speed
  let running = 0
  let failure: { readonly cause: unknown } | undefined
  const happen = (action: Action): void => {
    running += 1
    Promise.resolve()
      .then(action)
      .catch((cause: unknown) => {
        failure = { cause }
      })
      .finally(() => {
        running -= 1
      })
  }
  return {
    now,
    after: (after, action) => insert(events, { at: now() + Math.max(0, after), action }),
    async run() {
      while (events.length > 0 || running > 0) {
        if (failure !== undefined) throw failure.cause
        while ((events.at(-1)?.at ?? Number.POSITIVE_INFINITY) <= now())
          happen((events.pop() as TimedEvent).action)
        const wait = ((events.at(-1)?.at ?? Number.POSITIVE_INFINITY) - now()) / speed
        await new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_SLEEP, Math.max(0, wait)) * 1000))
      }
      if (failure !== undefined) throw failure.cause
    },
  }
}
