/**
 * Time for the simulator. Virtual: it jumps from event to event, hours pass in seconds, and
 * whatever reads its clock lives in it. Real, at a speed: for a target that has a clock of its own.
 * Events of the same instant happen together.
 */

/** What happens at a moment. */
export type Action = () => void | Promise<void>

/** A row of events to come. */
export interface Timeline {
  /** The present moment, epoch seconds. */
  readonly now: () => number
  /** Lets something happen, in `after` seconds from now. */
  readonly after: (after: number, action: Action) => void
  /** Lets everything happen that is to come, and what comes of it. */
  readonly run: () => Promise<void>
}

interface Happening {
  readonly at: number
  readonly action: Action
}

/** The events to come, the next one last. */
function insert(events: Happening[], happening: Happening): void {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.at ?? 0) > happening.at) low = middle + 1
    else high = middle
  }
  events.splice(low, 0, happening)
}

/** Time that jumps. */
export function createVirtualTimeline(start: number): Timeline {
  const events: Happening[] = []
  let now = start
  return {
    now: () => now,
    after: (after, action) => insert(events, { at: now + Math.max(0, after), action }),
    async run() {
      for (let next = events.at(-1); next !== undefined; next = events.at(-1)) {
        now = next.at
        const together: Happening[] = []
        while (events.at(-1)?.at === now) together.push(events.pop() as Happening)
        await Promise.all(together.map(({ action }) => action()))
      }
    },
  }
}

/** How long it sleeps at most before it looks again, in seconds. */
const LONGEST_SLEEP = 0.005

/**
 * Time that passes.
 *
 * @param speed seconds of the simulation per second of the world
 */
export function createRealTimeline(speed: number): Timeline {
  const events: Happening[] = []
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
          happen((events.pop() as Happening).action)
        const wait = ((events.at(-1)?.at ?? Number.POSITIVE_INFINITY) - now()) / speed
        await new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_SLEEP, Math.max(0, wait)) * 1000))
      }
      if (failure !== undefined) throw failure.cause
    },
  }
}
