/**
 * Races: contestants do the same work in turns, a few milliseconds each, many rounds, in one
 * process. What a contestant costs is the median of its rounds; its ratio is the median of its
 * ratios to the limit in the same round, so that noise from the machine hits both. The slices are
 * timed by mitata; inputs are made outside of the timed part.
 */
import { do_not_optimize, measure } from 'mitata'

/** One way to do the work. */
export interface Contestant {
  /** What the table calls it. */
  readonly name: string
  /** Does the work once; a promise is awaited. */
  readonly run: (input: string) => unknown
}

/** One kind of work and all who do it. */
export interface Race {
  /** What the table calls it. */
  readonly title: string
  /** Makes one input; not timed. */
  readonly draw: () => string
  /** Who does it; the ratios are to the first. */
  readonly contestants: readonly Contestant[]
  /** How often the work is done between two looks at the clock. Default 500. */
  readonly batch?: number
}

/** What one contestant needed. */
export interface Result {
  /** The contestant. */
  readonly name: string
  /** Microseconds per operation. */
  readonly cost: number
  /** Its cost by the cost of the race's first contestant. */
  readonly ratio: number
}

/** How many rounds a race has. */
export const ROUNDS = 15

/** How long a slice takes at least, in nanoseconds. */
const SLICE = 15e6

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/**
 * One turn of one contestant, in microseconds per operation; collections that fall into it are part
 * of it.
 */
async function runSlice({ run }: Contestant, draw: () => string, batch: number): Promise<number> {
  const bench = (input: string): unknown => {
    const result = run(input)
    do_not_optimize(result)
    return result
  }
  const always = { warmup_threshold: Number.MAX_VALUE, batch_threshold: Number.MAX_VALUE }
  const slice = { batch_samples: batch, batch_unroll: 1, min_cpu_time: SLICE, min_samples: 1 }
  const stats = await measure(
    function* () {
      yield { 0: draw, bench }
    },
    { ...always, ...slice, gc: false },
  )
  return stats.avg / 1000
}

/**
 * Lets all contestants take turns; the order moves by one every round, so that no one always
 * follows the same one.
 */
export async function runRace({ draw, contestants, batch = 500 }: Race): Promise<readonly Result[]> {
  const costs = contestants.map((): number[] => [])
  for (let round = -1; round < ROUNDS; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const i = (turn + round + 1) % contestants.length
      const contestant = contestants[i]
      if (contestant === undefined) continue
      const cost = await runSlice(contestant, draw, batch)
      if (round >= 0) costs[i]?.push(cost) // the first round only warms up
    }
  }
  const limit = costs[0] ?? []
  return contestants.map(({ name }, i) => {
    const own = costs[i] ?? []
    return { name, cost: median(own), ratio: median(own.map((cost, round) => cost / (limit[round] ?? 0))) }
  })
}
