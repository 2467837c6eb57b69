/**
 * The race simulator: users whose tabs, late responses and retries race, and thieves who copied a
 * token, against any refresh endpoint. It counts the sessions that users lose and the refreshes
 * that thieves get. A design that forgives the previous token only loses sessions here; so does
 * strict single use.
 */
import type { RefreshEndpoint } from './endpoint.ts'
import { createRandom } from './random.ts'
import { type RaceReport, type ThiefReport, toQuantile } from './report.ts'
import { type Habit, runThief, type Theft } from './thief.ts'
import { createRealTimeline, createVirtualTimeline, type Timeline } from './timeline.ts'
import { createVictim, type NetworkConditions, type Simulation } from './victim.ts'

/** Returns the present moment, in epoch seconds. */
export type Clock = () => number

/** What `simulateRaces` takes. */
export interface RaceOptions {
  /**
   * Connects to the endpoint. Give it the clock and time is virtual: a month passes in seconds.
   * Where it cannot take one, set `speed`.
   */
  readonly connect: (clock: Clock) => RefreshEndpoint | Promise<RefreshEndpoint>
  /** How many times an access token ends and the tabs refresh. Default 1000. */
  readonly cycles?: number
  /** How many users share the cycles, side by side. Default 10. */
  readonly users?: number
  /** How many thieves of each habit. Default 100. */
  readonly thieves?: number
  /**
   * How many refreshes of a thief are watched; who has not been caught then counts as never.
   * Default 100.
   */
  readonly watched?: number
  /**
   * The seed; the same one gives the same run, as far as the endpoint draws no randomness of its
   * own. Default 1.
   */
  readonly seed?: number
  /**
   * Seconds of the simulation per second of the world, for an endpoint with a clock of its own,
   * whose overlap and lifetimes must be as many times shorter. Users then live side by side.
   * Default: virtual time.
   */
  readonly speed?: number
  /** How things go, where it should not be the usual. */
  readonly network?: Partial<NetworkConditions>
}

/** How things usually go. */
const NETWORK: NetworkConditions = {
  tabs: 4,
  spread: 2,
  atOnce: 0.1,
  late: 0.02,
  lost: 0.01,
  pageLoads: 0.5,
  stepUps: 0.2,
  accessLife: 900,
}

/** After how many cycles a token is stolen: at least, and how many more at most. */
const CYCLES_BEFORE_THEFT = { least: 2, more: 3 } as const

/**
 * When a cycle is over in any case, in shares of an access token's life: late responses have come,
 * lost ones were asked for again.
 */
const SETTLED = 0.15

/** When virtual time begins: always then, so that runs come again. In January 2027. */
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

/** Calls back whenever an access token has ended, until that says to stop. */
function onCycles(
  { time, network }: Simulation,
  left: () => number,
  work: () => boolean | Promise<boolean>,
): void {
  const look = async (): Promise<void> => {
    if (left() > 0.001) time.after(left(), look)
    else if (await work()) time.after(SETTLED * network.accessLife, look)
  }
  time.after(left(), look)
}

/** Lets a user live for some cycles. Who is refused signs in again. */
async function addUser(stage: Simulation, cycles: number): Promise<void> {
  let victim = await createVictim(stage)
  let toCome = cycles
  onCycles(
    stage,
    () => (victim.isRefused() ? 0 : victim.left()),
    async () => {
      if (victim.isRefused()) {
        stage.counts.lost += 1
        victim = await createVictim(stage)
        return true
      }
      if (toCome > 0) victim.live({ pageLoads: true, stepUps: true })
      toCome -= 1
      return toCome >= 0
    },
  )
}

/**
 * Adds a user whose refresh token is stolen. He loads no pages and refreshes only as tokens end:
 * the quietest victim hides a thief best.
 */
async function addTheft(stage: Simulation, habit: Habit, watched: number): Promise<Theft> {
  const { time, random } = stage
  const { least, more } = CYCLES_BEFORE_THEFT
  const victim = await createVictim(stage)
  const theft: Theft = { granted: 0, elevated: 0, caught: false }
  let before = least + Math.floor(random() * (more + 1))
  let isStolen = false
  onCycles(
    stage,
    () => victim.left(),
    () => {
      victim.live({ pageLoads: false, stepUps: isStolen })
      before -= 1
      if (before === 0) {
        isStolen = true
        time.after((SETTLED + 0.5 * random()) * victim.period(), () =>
          runThief(stage, victim, { habit, watched, theft }),
        )
      }
      return !theft.caught && theft.granted < watched
    },
  )
  return theft
}

/** Sums up what became of thieves. */
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

/** Reads a whole number out of the options. */
function toCount(name: string, value: number | undefined, usual: number): number {
  if (value === undefined) return usual
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`${name} must be a whole number from 0, got ${String(value)}`)
}

/**
 * Runs users and thieves against a refresh endpoint and reports what each design costs them.
 *
 * It does check that no race, late or lost response costs a session, that a thief is found out, and
 * that he gains nothing by the victim's step-up. It does not check signatures, cookies, CSRF or
 * what happens when a store is down.
 *
 * @returns the report; {@link formatRaces} makes a table of some
 * @throws {TypeError} for an unknown or unfit option
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
  const stage: Simulation = { endpoint, time, random, network: network, counts, speed: speed ?? 1 }
  for (let i = 0; i < users; i++) await addUser(stage, Math.floor((cycles + i) / users))
  const quiet = { ...stage, random: createRandom(seed + 1), counts: { ...counts } }
  const thefts: Record<Habit, Theft[]> = { random: [], shadow: [] }
  for (const habit of ['random', 'shadow'] as const) {
    for (let i = 0; i < thieves; i++) thefts[habit].push(await addTheft(quiet, habit, watched))
  }
  await time.run()
  const [atRandom, shadow] = [toThiefReport(thefts.random), toThiefReport(thefts.shadow)]
  const tells = endpoint.stepUp !== undefined && endpoint.isElevated !== undefined
  const elevated = tells ? atRandom.elevated + shadow.elevated : null
  return { seed, cycles, ...counts, random: atRandom, shadow, elevated }
}
