/**
 * The user of the simulator: a browser with a few tabs and one set of cookies, in which the last
 * response wins. When the access token expires, every tab refreshes. Some responses are late. Some
 * are lost, and the tab repeats the request. The user does nothing wrong, so a refusal is a session
 * lost without reason.
 */
import type { RaceTokens, RefreshEndpoint } from './endpoint.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** How the network and the user behave. Times are in seconds, and shares are from 0 to 1. */
export interface NetworkConditions {
  /** The largest number of tabs that refresh in one cycle. At least one does. */
  readonly tabs: number
  /** The period in which the tabs of a cycle start. */
  readonly spread: number
  /** The share of cycles in which all tabs start at the same moment. */
  readonly atOnce: number
  /** The share of responses that are late, by 1 to 8 s. */
  readonly late: number
  /** The share of responses that are lost. The tab repeats the request after 1 to 10 s. */
  readonly lost: number
  /** The share of cycles in which a page is loaded, which refreshes at once. */
  readonly pageLoads: number
  /** The share of cycles in which the user steps up. */
  readonly stepUps: number
  /** The lifetime of an access token, if the endpoint does not say. */
  readonly accessLife: number
  /** The longest time between an exchange by the victim and that of a thief who follows him. */
  readonly reaction: number
}

/** What all parts of a run share. */
export interface Simulation {
  /** The endpoint under test. */
  readonly endpoint: RefreshEndpoint
  /** The timeline. */
  readonly time: Timeline
  /** The source of random numbers. */
  readonly random: Random
  /** The network conditions. */
  readonly network: NetworkConditions
  /** Simulated seconds per second of the endpoint. */
  readonly speed: number
  /** The counts so far. */
  readonly counts: Record<'refreshes' | 'outages' | 'lost', number>
}

/** How often a tab repeats a request whose response was lost. */
const RETRIES = 4

/** What a user does besides refreshing. */
export interface VictimActions {
  /** Whether the user loads pages, which refresh at once. */
  readonly pageLoads: boolean
  /** Whether the user steps up. */
  readonly stepUps: boolean
}

/** One session of the user. */
export interface Victim {
  /** The refresh token in the browser. */
  readonly token: () => string
  /** The time until the newest access token expires, in seconds. */
  readonly left: () => number
  /** The average time between two cycles, in seconds. */
  readonly period: () => number
  /** Whether a tab was refused. */
  readonly isRefused: () => boolean
  /** Whether the user has stepped up. */
  readonly hasSteppedUp: () => boolean
  /** Calls back whenever the endpoint has exchanged the refresh token, or refused it. */
  readonly onExchange: (listener: () => void) => void
  /**
   * Runs a cycle: the tabs notice that the access token has expired and refresh. The other actions
   * happen during the lifetime of the next token.
   */
  readonly runCycle: (actions: VictimActions) => void
}

interface State {
  access: string
  refresh: string
  /** When the newest access token expires. */
  until: number
  /** When the cycles began. */
  readonly cycles: number[]
  refused: boolean
  steppedUp: boolean
  /** The last token that was exchanged. */
  exchanged: string
  onExchange: (() => void) | undefined
}

/** Stores the tokens of a response. The last response wins. */
function receive(state: State, { access, refresh }: RaceTokens): void {
  state.access = access
  state.refresh = refresh ?? state.refresh
}

/** Notes when the new access token expires. */
function schedule({ time, network, speed }: Simulation, state: State, { expiresIn }: RaceTokens): void {
  state.until = time.now() + (expiresIn === undefined ? network.accessLife : expiresIn * speed)
}

/** A token was exchanged; only the first of the tabs that sent it tells. */
function noteExchange(state: State, sent: string): void {
  if (state.exchanged === sent) return
  state.exchanged = sent
  state.onExchange?.()
}

/** How a tab sends a refresh. */
interface Sending {
  /** How often it repeats the request if the response is lost. */
  readonly retries?: number
  /** How long the request takes to the endpoint, in seconds. */
  readonly there?: number
}

/** Lets a tab refresh with the refresh token in the browser. */
function refresh(
  simulation: Simulation,
  state: State,
  { retries = RETRIES, there = 0.05 }: Sending = {},
): void {
  const { endpoint, time, random, network, counts } = simulation
  const sent = state.refresh
  const back = 0.005 + 0.2 * random()
  const late = random() < network.late ? 1 + 7 * random() : 0
  const lost = random() < network.lost
  const again = 1 + 9 * random()
  time.after(there, async () => {
    counts.refreshes += 1
    const response = await endpoint.refresh(sent).catch(() => undefined)
    if (response === undefined) counts.outages += 1
    if (response === null) state.onExchange?.()
    else if (response?.refresh !== undefined && response.refresh !== sent) noteExchange(state, sent)
    if (response === undefined || lost) {
      if (retries > 0) time.after(again, () => refresh(simulation, state, { retries: retries - 1 }))
      return
    }
    time.after(back + late, () => {
      if (response === null) {
        state.refused = true
        return
      }
      receive(state, response)
      schedule(simulation, state, response)
    })
  })
}

/**
 * Lets the user step up and stores the tokens of the response. The tabs keep their schedule,
 * because only one of them knows of it.
 */
async function stepUp(simulation: Simulation, state: State): Promise<void> {
  const { random, network } = simulation
  const late = random() < network.late ? 1 + 7 * random() : 0
  const back = 0.005 + 0.5 * random() + late
  const response = await simulation.endpoint.stepUp?.(state.access, state.refresh).catch(() => null)
  if (!response) return
  state.steppedUp = true
  simulation.time.after(back, () => receive(state, response))
}

/** Signs a user in. Returns the session. */
export async function createVictim(simulation: Simulation): Promise<Victim> {
  const { endpoint, time, random, network } = simulation
  const state: State = {
    access: '',
    refresh: '',
    until: 0,
    cycles: [],
    refused: false,
    steppedUp: false,
    exchanged: '',
    onExchange: undefined,
  }
  const tokens = await endpoint.login()
  receive(state, tokens)
  schedule(simulation, state, tokens)
  const left = (): number => state.until - time.now()
  return {
    left,
    token: () => state.refresh,
    period: () =>
      ((state.cycles.at(-1) ?? 0) - (state.cycles[0] ?? 0)) / Math.max(1, state.cycles.length - 1),
    isRefused: () => state.refused,
    hasSteppedUp: () => state.steppedUp,
    onExchange(listener) {
      state.onExchange = listener
    },
    runCycle({ pageLoads, stepUps }) {
      state.cycles.push(time.now())
      const tabs = 1 + Math.floor(random() * network.tabs)
      const atOnce = random() < network.atOnce
      for (let i = 0; i < tabs; i++) {
        const [when, there] = atOnce ? [0, 0.05] : [network.spread * random(), 0.005 + 0.1 * random()]
        time.after(when, () => refresh(simulation, state, { there }))
      }
      const later = (): number => (0.05 + 0.8 * random()) * network.accessLife
      if (pageLoads && random() < network.pageLoads) time.after(later(), () => refresh(simulation, state))
      if (stepUps && random() < network.stepUps) time.after(later(), () => stepUp(simulation, state))
    },
  }
}
