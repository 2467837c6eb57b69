/**
 * Races: contestants do the same work in turns of a few milliseconds, for many rounds, in one
 * process. The cost of a contestant is the median of its rounds. Its ratio is the median of its
 * ratios to the limit in the same round, so that noise affects both. Inputs are created outside of
 * the timed part.
 */
import { setTimeout } from 'node:timers/promises'

/** One way to do the work. */
export interface Contestant {
  /** Its name in the table. */
  readonly name: string
  /** Does the work once. A promise is awaited. */
  readonly run: (input: string) => unknown
}

/** One kind of work and its contestants. */
export interface Race {
  /** Its title in the table. */
  readonly title: string
  /** Creates one input; not timed. */
  readonly draw: () => string
  /** The contestants. Ratios are to the first. */
  readonly contestants: readonly Contestant[]
  /** How often the work is done between two reads of the clock. Default 500. */
  readonly batch?: number
}

/** The result of one contestant. */
export interface Result {
  /** The contestant. */
  readonly name: string
  /** Microseconds per operation. */
  readonly cost: number
  /** Its cost, divided by the cost of the first contestant. */
  readonly ratio: number
}

/** The pause before each slice, in milliseconds. */
const FEED_PAUSE = 2

/** The number of rounds of a race. */
export const ROUNDS = 45

/** The least duration of a slice, in milliseconds. */
const SLICE = 15

/** The median of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/** The latest result. It is kept, so that no engine leaves a call out. */
export let latest: unknown

function runAll(run: Contestant['run'], inputs: readonly string[]): void {
  for (const input of inputs) latest = run(input)
}

async function awaitAll(run: Contestant['run'], inputs: readonly string[]): Promise<void> {
  for (const input of inputs) latest = await run(input)
}

/** One turn of one contestant, in microseconds per operation, garbage collection included. */
async function runSlice({ run }: Contestant, draw: () => string, batch: number): Promise<number> {
  const first = run(draw())
  const isAwaited = first instanceof Promise
  await first
  let [used, done] = [0, 0]
  while (used < SLICE) {
    const inputs = Array.from({ length: batch }, draw)
    const startedAt = performance.now()
    if (isAwaited) await awaitAll(run, inputs)
    else runAll(run, inputs)
    used += performance.now() - startedAt
    done += batch
  }
  return (used * 1000) / done
}

/**
 * Runs all contestants in turns. The order shifts by one in each round.
 *
 * @param onRound is called before each round
 */
export async function runRace(
  { draw, contestants, batch = 500 }: Race,
  onRound?: (round: number, rounds: number) => void,
): Promise<readonly Result[]> {
  const costs = contestants.map((): number[] => [])
  for (let round = -1; round < ROUNDS; round++) {
    onRound?.(round + 1, ROUNDS)
    for (let turn = 0; turn < contestants.length; turn++) {
      const i = (turn + round + 1) % contestants.length
      const contestant = contestants[i]
      if (contestant === undefined) continue
      // Timers and I/O between the slices, as on a server: a feed of revocations reads its log.
      await setTimeout(FEED_PAUSE)
      const cost = await runSlice(contestant, draw, batch)
      // The first round only warms up.
      if (round >= 0) costs[i]?.push(cost)
    }
  }
  const limit = costs[0] ?? []
  return contestants.map(({ name }, i) => {
    const own = costs[i] ?? []
    return { name, cost: median(own), ratio: median(own.map((cost, round) => cost / (limit[round] ?? 0))) }
  })
}
