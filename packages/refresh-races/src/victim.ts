/**
 * The user of the simulator: a browser with a few tabs and one set of cookies, in which the
 * response that comes last wins. When the access token ends every tab refreshes; some responses are
 * late, some are lost and asked for again. Nothing here does wrong, so whoever is refused has lost
 * a session without reason.
 */
import type { RaceTokens, RefreshEndpoint } from './endpoint.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** How the network and the user behave; times in seconds, the rest shares of 1. */
export interface NetworkConditions {
  /** The most tabs that refresh in one cycle; at least one does. */
  readonly tabs: number
  /** Over what time the tabs of a cycle start. */
  readonly spread: number
  /** The share of cycles in which all start at the same instant. */
  readonly atOnce: number
  /** The share of responses that are late, by 1 to 8 s. */
  readonly late: number
  /** The share of responses that are lost; the tab asks again after 1 to 10 s. */
  readonly lost: number
  /** The share of cycles in which a page is loaded, which refreshes at once. */
  readonly pageLoads: number
  /** The share of cycles in which the user steps up. */
  readonly stepUps: number
  /** How long an access token lives where the endpoint does not say. */
  readonly accessLife: number
}

/** What all actors have at hand. */
export interface Simulation {
  /** The target. */
  readonly endpoint: RefreshEndpoint
  /** Time. */
  readonly time: Timeline
  /** Chance. */
  readonly random: Random
  /** How things go. */
  readonly network: NetworkConditions
  /** Seconds of the simulation per second of the endpoint. */
  readonly speed: number
  /** What has been counted. */
  readonly counts: Record<'refreshes' | 'outages' | 'lost', number>
}

/** How often a tab asks again for a response that was lost. */
const RETRIES = 4

/** What a user does beside refreshing. */
export interface VictimActions {
  /** Whether pages are loaded, which refreshes at once. */
  readonly pageLoads: boolean
  /** Whether the user steps up. */
  readonly stepUps: boolean
}

/** One session of the user. */
export interface Victim {
  /** The refresh token in the browser. */
  readonly token: () => string
  /** How long the newest access token still lives, in seconds. */
  readonly left: () => number
  /** How far apart the cycles were on average, in seconds. */
  readonly period: () => number
  /** Whether a tab was refused. */
  readonly isRefused: () => boolean
  /** Whether the user has stepped up. */
  readonly hasSteppedUp: () => boolean
  /**
   * A cycle: the tabs notice that the access token has ended; what else is done happens in the life
   * of the next one.
   */
  readonly live: (actions: VictimActions) => void
}

interface State {
  access: string
  refresh: string
  /** When the newest access token ends. */
  until: number
  /** When cycles began. */
  readonly cycles: number[]
  refused: boolean
  steppedUp: boolean
}

/** A response comes in: the last one wins. */
function receive(state: State, { access, refresh }: RaceTokens): void {
  state.access = access
  state.refresh = refresh ?? state.refresh
}

/** The tabs take note of when the new access token ends. */
function schedule({ time, network, speed }: Simulation, state: State, { expiresIn }: RaceTokens): void {
  state.until = time.now() + (expiresIn === undefined ? network.accessLife : expiresIn * speed)
}

/** How a tab sends a refresh. */
interface Sending {
  /** How often it asks again when the response is lost. */
  readonly retries?: number
  /** How long the way to the endpoint takes, in seconds. */
  readonly there?: number
}

/** A tab refreshes with the refresh token in the browser. */
function refresh(stage: Simulation, state: State, { retries = RETRIES, there = 0.05 }: Sending = {}): void {
  const { endpoint, time, random, network, counts } = stage
  const sent = state.refresh
  const back = 0.005 + 0.2 * random()
  const late = random() < network.late ? 1 + 7 * random() : 0
  const lost = random() < network.lost
  const again = 1 + 9 * random()
  time.after(there, async () => {
    counts.refreshes += 1
    const response = await endpoint.refresh(sent).catch(() => undefined)
    if (response === undefined) counts.outages += 1
    if (response === undefined || lost) {
      if (retries > 0) time.after(again, () => refresh(stage, state, { retries: retries - 1 }))
      return
    }
    time.after(back + late, () => {
      if (response === null) {
        state.refused = true
        return
      }
      receive(state, response)
      schedule(stage, state, response)
    })
  })
}

/**
 * The user steps up, and the browser takes over the response. The tabs keep to their schedule: none
 * but one knows of it.
 */
async function stepUp(stage: Simulation, state: State): Promise<void> {
  const { random, network } = stage
  const late = random() < network.late ? 1 + 7 * random() : 0
  const back = 0.005 + 0.5 * random() + late
  const response = await stage.endpoint.stepUp?.(state.access, state.refresh).catch(() => null)
  if (!response) return
  state.steppedUp = true
  stage.time.after(back, () => receive(state, response))
}

/** Signs a user in. */
export async function createVictim(stage: Simulation): Promise<Victim> {
  const { endpoint, time, random, network } = stage
  const state: State = { access: '', refresh: '', until: 0, cycles: [], refused: false, steppedUp: false }
  const tokens = await endpoint.login()
  receive(state, tokens)
  schedule(stage, state, tokens)
  const left = (): number => state.until - time.now()
  return {
    left,
    token: () => state.refresh,
    period: () =>
      ((state.cycles.at(-1) ?? 0) - (state.cycles[0] ?? 0)) / Math.max(1, state.cycles.length - 1),
    isRefused: () => state.refused,
    hasSteppedUp: () => state.steppedUp,
    live({ pageLoads, stepUps }) {
      state.cycles.push(time.now())
      const tabs = 1 + Math.floor(random() * network.tabs)
      const atOnce = random() < network.atOnce
      for (let i = 0; i < tabs; i++) {
        const [when, there] = atOnce ? [0, 0.05] : [network.spread * random(), 0.005 + 0.1 * random()]
        time.after(when, () => refresh(stage, state, { there }))
      }
      const later = (): number => (0.05 + 0.8 * random()) * network.accessLife
      if (pageLoads && random() < network.pageLoads) time.after(later(), () => refresh(stage, state))
      if (stepUps && random() < network.stepUps) time.after(later(), () => stepUp(stage, state))
    },
  }
}
