/** What differs between the stores that are filled. */
import type { Store } from 'tokenwright/stores/contract'

/** The one session that a store has when it is filled. */
export interface FirstSession {
  readonly sid: string
  readonly sub: string
}

/** A store that can be filled faster than by logins. */
export interface Grown {
  /** Another store on the same data, as another process has it. */
  open(): Store
  /** Copies the first session so often, for other subjects. Resolves to the bytes of one. */
  addSessions(first: FirstSession, count: number): Promise<number>
  /** Copies the one entry of the log so often, for other sessions. */
  addEntries(count: number): Promise<void>
  /** How many sequential scans of the tables began so far; null where the engine does not say. */
  scans(): Promise<number | null>
  /** Removes what was stored. */
  close(): Promise<void>
}
