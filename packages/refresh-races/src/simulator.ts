/**
 * The race simulator. It runs users with several tabs, late responses and retries, and thieves with
 * copied tokens, against any refresh endpoint. It counts the sessions that users lose and the
 * refreshes that thieves get. Strict single use loses sessions here. So does a design that only
 * accepts the previous token again.
 */
import type { RefreshEndpoint } from './endpoint.ts'
import { createRandom } from './random.ts'
import { type RaceReport, type ThiefReport, toQuantile } from './report.ts'
import { type Habit, runThief, type Theft } from './thief.ts'
import { createRealTimeline, createVirtualTimeline, type Timeline } from './timeline.ts'
import { createVictim, type NetworkConditions, type Simulation } from './victim.ts'

/** Returns the current time in epoch seconds. */
export type Clock = () => number

/** The options of `simulateRaces`. */
export interface RaceOptions {
  /**
   * Connects to the endpoint. If the endpoint uses this clock, time is virtual: a month passes in
   * seconds. If it has a clock of its own, set `speed`.
   */
  readonly connect: (clock: Clock) => RefreshEndpoint | Promise<RefreshEndpoint>
  /** How many times an access token expires and the tabs refresh. Default 1000. */
  readonly cycles?: number
  /** How many users share the cycles, in parallel. Default 10. */
  readonly users?: number
  /** How many thieves of each kind. Default 100. */
  readonly thieves?: number
  /**
   * How many refreshes of a thief to watch. A thief who is not caught by then counts as never
   * caught. Default 100.
   */
  readonly watched?: number
  /**
   * The seed. The same seed gives the same run, unless the endpoint itself uses random numbers.
   * Default 1.
   */
  readonly seed?: number
  /**
   * Simulated seconds per real second, for an endpoint with a clock of its own. Its overlap and
   * lifetimes must be shorter by the same factor. Default: virtual time.
   */
  readonly speed?: number
  /** The network conditions that differ from the defaults. */
  readonly network?: Partial<NetworkConditions>
}

/** The default network conditions. */
const NETWORK: NetworkConditions = {
  tabs: 4,
  spread: 2,
  atOnce: 0.1,
  late: 0.02,
  lost: 0.01,
  pageLoads: 0.5,
  stepUps: 0.2,
  accessLife: 900,
  reaction: 30,
}

/** After how many cycles a token is stolen: at least `least`, and at most `more` later. */
const CYCLES_BEFORE_THEFT = { least: 2, more: 3 } as const

/**
 * When a cycle is certainly over, in shares of the lifetime of an access token: late responses have
 * arrived, and lost ones were requested again.
 */
const CYCLE_END = 0.15

/** The start of virtual time, in January 2027. It is fixed, so that runs are reproducible. */
const START = 1_800_000_000

const OPTIONS = {
  connect: true,
  cycles: true,
  users: true,
  thieves: true,
  watched: true,
  seed: true,
  speed: true,
  network: true,
} satisfies Record<keyof RaceOptions, true>

/** Calls `work` whenever an access token has expired, until it returns false. */
function onCycles(
  { time, network }: Simulation,
  left: () => number,
  work: () => boolean | Promise<boolean>,
): void {
  const check = async (): Promise<void> => {
    if (left() > 0.001) time.after(left(), check)
    else if (await work()) time.after(CYCLE_END * network.accessLife, check)
  }
  time.after(left(), check)
}

/** Adds a user for some cycles. After a refusal, the user signs in again. */
async function addUser(simulation: Simulation, cycles: number): Promise<void> {
  let victim = await createVictim(simulation)
  let remaining = cycles
  onCycles(
    simulation,
    () => (victim.isRefused() ? 0 : victim.left()),
    async () => {
      if (victim.isRefused()) {
        simulation.counts.lost += 1
        victim = await createVictim(simulation)
        return true
      }
      if (remaining > 0) victim.runCycle({ pageLoads: true, stepUps: true })
      remaining -= 1
      return remaining >= 0
    },
  )
}

/**
 * Adds a user whose refresh token is stolen. This user loads no pages and refreshes only when
 * tokens expire, because the quietest victim hides a thief best.
 */
async function addTheft(simulation: Simulation, habit: Habit, watched: number): Promise<Theft> {
  const { time, random } = simulation
  const { least, more } = CYCLES_BEFORE_THEFT
  const victim = await createVictim(simulation)
  const theft: Theft = { granted: 0, elevated: 0, caught: false }
  let before = least + Math.floor(random() * (more + 1))
  let isStolen = false
  onCycles(
    simulation,
    () => victim.left(),
    () => {
      victim.runCycle({ pageLoads: false, stepUps: isStolen })
      before -= 1
      if (before === 0) {
        isStolen = true
        time.after((CYCLE_END + 0.5 * random()) * victim.period(), () =>
          runThief(simulation, victim, { habit, watched, theft }),
        )
      }
      return !theft.caught && theft.granted < watched
    },
  )
  return theft
}

/** Summarizes the thieves of one kind. */
function toThiefReport(thefts: readonly Theft[]): ThiefReport {
  const lasted = thefts.map(({ caught, granted }) => (caught ? granted : Number.POSITIVE_INFINITY))
  return {
    thieves: thefts.length,
    caught: thefts.filter(({ caught }) => caught).length,
    median: toQuantile(lasted, 0.5),
    p90: toQuantile(lasted, 0.9),
    elevated: thefts.reduce((sum, { elevated }) => sum + elevated, 0),
  }
}

/** Reads a whole number from the options. */
function toCount(name: string, value: number | undefined, usual: number): number {
  if (value === undefined) return usual
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`${name} must be a whole number from 0, got ${String(value)}`)
}

/**
 * Runs users and thieves against a refresh endpoint, and reports what its design costs them.
 *
 * It checks whether races and late or lost responses cost a session, whether a thief is caught, and
 * whether a thief profits from the step-up of the victim. It does not check signatures, cookies,
 * CSRF protection, or what happens when a store is down.
 *
 * @returns the report; {@link formatRaces} formats reports as a table
 * @throws {TypeError} for an unknown or invalid option
 * @throws what `connect` and `login` throw
 *
 * @example
 * ```ts
 * import { simulateRaces, toHttpEndpoint } from 'refresh-races'
 *
 * const report = await simulateRaces({
 *   connect: () => toHttpEndpoint({ url: 'http://127.0.0.1:8000/auth', login: { username: 'test', password: 'test' } }),
 *   cycles: 100,
 *   speed: 100,
 * })
 * if (report.lost > 0) throw new Error(`${report.lost} sessions lost`)
 * ```
 */
export async function simulateRaces(options: RaceOptions): Promise<RaceReport> {
  const { speed, connect } = options
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name))
  if (unknown !== undefined)
    throw new TypeError(`Unknown option ${unknown}. Known: ${Object.keys(OPTIONS).join(', ')}`)
  if (typeof connect !== 'function') throw new TypeError(`connect must be a function, got ${typeof connect}`)
  if (speed !== undefined && !(speed > 0)) throw new TypeError(`speed must be a number above 0, got ${speed}`)
  const cycles = toCount('cycles', options.cycles, 1000)
  const users = Math.max(1, toCount('users', options.users, 10))
  const thieves = toCount('thieves', options.thieves, 100)
  const watched = toCount('watched', options.watched, 100)
  const seed = options.seed ?? 1
  const time: Timeline = speed === undefined ? createVirtualTimeline(START) : createRealTimeline(speed)
  const endpoint = await connect(time.now)
  const network = { ...NETWORK, ...options.network }
  const counts = { refreshes: 0, outages: 0, lost: 0 }
  const random = createRandom(seed)
  const simulation: Simulation = { endpoint, time, random, network: network, counts, speed: speed ?? 1 }
  for (let i = 0; i < users; i++) await addUser(simulation, Math.floor((cycles + i) / users))
  const quiet = { ...simulation, random: createRandom(seed + 1), counts: { ...counts } }
  const thefts: Record<Habit, Theft[]> = { random: [], shadow: [], follow: [] }
  for (const habit of ['random', 'shadow', 'follow'] as const) {
    for (let i = 0; i < thieves; i++) thefts[habit].push(await addTheft(quiet, habit, watched))
  }
  await time.run()
  const [atRandom, shadow] = [toThiefReport(thefts.random), toThiefReport(thefts.shadow)]
  const follow = toThiefReport(thefts.follow)
  const tells = endpoint.stepUp !== undefined && endpoint.isElevated !== undefined
  const elevated = tells ? atRandom.elevated + shadow.elevated + follow.elevated : null
  return { seed, cycles, ...counts, random: atRandom, shadow, follow, elevated }
}
