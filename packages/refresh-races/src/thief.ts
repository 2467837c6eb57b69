/**
 * The thief of the simulator. He has copied a refresh token once and lives from it. He is caught
 * when he is refused. `random` refreshes when he feels like it; `shadow` does so a second or two
 * after the victim, to pass for another tab. He knows when the token that he stole ends and how
 * long the victim's cycles are on average; only the jitter of each he cannot know.
 */
import type { Simulation, Victim } from './victim.ts'

/** When a thief refreshes. */
export type Habit = 'random' | 'shadow'

/** What became of a thief. */
export interface Theft {
  /** How often he was given tokens. */
  granted: number
  /** How many of them were elevated, though the step-up was the victim's. */
  elevated: number
  /** Whether he was refused in the end. */
  caught: boolean
}

/** How a thief goes about it. */
export interface ThiefRun {
  /** When he refreshes. */
  readonly habit: Habit
  /** After how many refreshes no one watches him any more. */
  readonly watched: number
  /** Where it is written down. */
  readonly theft: Theft
}

/** Lets a thief at a victim, who goes on living. */
export function runThief(stage: Simulation, victim: Victim, { habit, watched, theft }: ThiefRun): void {
  const { endpoint, time, random } = stage
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
    if (theft.granted < watched) time.after(wait(), act)
  }
  time.after(wait(), act)
}
