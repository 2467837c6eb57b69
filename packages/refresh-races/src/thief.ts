/**
 * The thief of the simulator, who has copied a refresh token once. A thief is caught when a refresh
 * is refused. `random` refreshes at random times. `shadow` refreshes a second or two after the
 * victim, to look like another tab: this thief knows when the stolen token expires and how long the
 * cycles of the victim are on average, but not the jitter of each.
 * `follow` sees when the victim has exchanged the token, and sends the same one a while later.
 */
import type { Simulation, Victim } from './victim.ts'

/** When a thief refreshes. */
export type Habit = 'random' | 'shadow' | 'follow'

/** What a thief got. */
export interface Theft {
  /** How many refreshes succeeded. */
  granted: number
  /** How many of these gave an elevated token, after the step-up of the victim. */
  elevated: number
  /** Whether a refresh was refused. */
  caught: boolean
}

/** The parameters of a thief. */
export interface ThiefRun {
  /** When the thief refreshes. */
  readonly habit: Habit
  /** How many refreshes to watch. */
  readonly watched: number
  /** The record, which is updated. */
  readonly theft: Theft
}

/** Runs a thief beside the victim. */
export function runThief(simulation: Simulation, victim: Victim, { habit, watched, theft }: ThiefRun): void {
  const { endpoint, time, random, network } = simulation
  let token = victim.token()
  let expected = time.now() + victim.left()
  const wait = (): number => {
    if (habit === 'random') return victim.period() * (0.25 + 1.5 * random())
    return expected - time.now() + 1 + random()
  }
  const act = async (): Promise<void> => {
    const response = await endpoint.refresh(token).catch(() => undefined)
    if (response === null) {
      theft.caught = true
      return
    }
    if (response !== undefined) {
      token = response.refresh ?? token
      theft.granted += 1
      if (victim.hasSteppedUp() && (await endpoint.isElevated?.(response.access))) theft.elevated += 1
    }
    expected += victim.period()
    if (theft.granted < watched && habit !== 'follow') time.after(wait(), act)
  }
  if (habit === 'follow') victim.onExchange(() => time.after(network.reaction * random(), act))
  else time.after(wait(), act)
}
